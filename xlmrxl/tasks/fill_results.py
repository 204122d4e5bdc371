"""What filling the masks of a text gives: the fills of each mask, or the ways to fill all of them together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from xlmrxl.tasks.masked_lm import Token, convert_ids_to_subwords
from xlmrxl.tasks.record import HIDDEN, OPTIONAL, Record, align_columns, to_rows
from xlmrxl.tasks.result import Result
from xlmrxl.tasks.subwords import label_fill, to_readable
from xlmrxl.tokenization.tokenizer import XLMRobertaTokenizer
from xlmrxl.tokenization.tokenizer_json import SPACE

JOINT_COLUMNS = {"fills": "text", "begins_word": "begins_word"}
"""The columns of a joint fill that have a value for each mask, and which column of the mask's fill that is."""


@dataclass(frozen=True)
class Fill(Record):
    """One subword, or one word of several, that may stand at a mask.

    Attributes:
        id: of its first subword.
        piece: its subwords, one after the other; "▁" is a space before it.
        text: as it is read, without the space before it.
        begins_word: whether a space parts it from what stands before it.
        probability: among all rows of the vocabulary; of a word, among those of as many subwords.
        ids: of all subwords, where there are several.
        score: of a word, the pseudo-log-likelihood of it and its neighbours, nats.
        rank: of a target of one subword, its place in the whole vocabulary, from 1.
        log_odds: of a target, nats.
    """

    id: int = field(metadata=HIDDEN)
    piece: str = field(metadata=HIDDEN)
    text: str
    begins_word: bool = field(init=False)
    probability: float
    ids: tuple[int, ...] = field(default=(), metadata=HIDDEN)
    score: float | None = field(default=None, metadata=OPTIONAL)
    rank: int | None = field(default=None, metadata=OPTIONAL)
    log_odds: float | None = field(default=None, metadata=OPTIONAL)

    def __post_init__(self) -> None:
        # "▁ear" begins a word, where "ear" makes "app" an "appear". Signs, and the characters of scripts without
        # spaces, mostly have no space before them.
        object.__setattr__(self, "begins_word", self.piece.startswith(SPACE))

    @property
    def label(self) -> str:
        """Return the text as it is shown to people, marked where it goes on with a word; see `pieces.label_fill`."""
        return label_fill(self.text, self.begins_word)


@dataclass(frozen=True)
class MaskFills(Record):
    """What the model expects at one mask."""

    position: int = field(metadata=HIDDEN)  # index among the tokens
    fills: tuple[Fill, ...]  # the best first
    entropy: float | None = field(default=None, metadata=HIDDEN)  # of the distribution over the whole vocabulary, nats

    @property
    def covered(self) -> float:
        """Return the share of the probability that the fills have together."""
        return math.fsum(fill.probability for fill in self.fills)


@dataclass(frozen=True)
class JointFill(Record):
    """One way to fill all masks of a text."""

    fills: tuple[Fill, ...]  # of each mask in turn; the probability is the one at which it was filled
    score: float  # log-probability of all together, nats
    order: tuple[int, ...]  # in which the masks were filled, from 0

    def content(self) -> dict[str, Any]:
        """Return the columns; of the fills, `fills` has the texts and `begins_word` whether a space is before each."""
        found = super().content()
        fills = {name: [fill[column] for fill in found["fills"]] for name, column in JOINT_COLUMNS.items()}
        return fills | {name: value for name, value in found.items() if name not in fills}


@dataclass(frozen=True)
class FillResult(Result):
    """A text and what the model expects at each of its masks, in order.

    Attributes:
        text: with masks.
        tokens: as the model reads it.
        masks: each on its own, the others left open.
        joint: all masks together, the best first, where that was asked for.
    """

    text: str
    tokens: tuple[Token, ...] = field(metadata=HIDDEN)
    masks: tuple[MaskFills, ...]
    joint: tuple[JointFill, ...] = field(default=(), metadata=OPTIONAL)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a fill; of a joint result, a row a way, with a column for each mask."""
        if self.joint:
            return [
                {"text": self.text}
                | {f"mask {number}": fill.text for number, fill in enumerate(way.fills, 1)}
                | {f"mask {number} begins_word": fill.begins_word for number, fill in enumerate(way.fills, 1)}
                | {"score": way.score}
                for way in self.joint
            ]
        rows = [
            row
            for number, mask in enumerate(self.masks, 1)
            for row in to_rows(mask.fills, {"text": "fill"}, text=self.text, mask=number)
        ]
        return align_columns(rows)  # targets of several subwords have no rank

    def __str__(self) -> str:
        lines = [self.text]
        for way in self.joint:
            lines.append(f"  {way.score:8.2f}  " + " | ".join(fill.label for fill in way.fills))
        if self.joint:
            return "\n".join([*lines, "  log-probability of all masks together, nats"])
        for number, mask in enumerate(self.masks, 1):
            if len(self.masks) > 1:
                lines.append(f"<mask> {number}")
            width = max((fill.probability for fill in mask.fills), default=1.0)
            for fill in mask.fills:
                bar = "█" * max(1, round(16 * fill.probability / width)) if width else ""
                score = "" if fill.score is None else f"{fill.score:8.2f}  "
                rank = "" if fill.rank is None else f"  rank {fill.rank}"
                lines.append(f"  {score}{fill.probability:7.2%}  {bar:<16}  {fill.label}{rank}")
        return "\n".join(lines)


def to_fills(
    tokenizer: XLMRobertaTokenizer, before: str, ids: Sequence[int], probabilities: Sequence[float]
) -> tuple[Fill, ...]:
    """Return single subwords as fills; those without any probability are left out, as a filter makes them.

    Args:
        tokenizer: the model's own.
        before: what touches the mask on its left.
        ids: of the subwords.
        probabilities: of each.
    """
    pieces = convert_ids_to_subwords(tokenizer, before, ids)
    return tuple(
        Fill(i, piece, to_readable(piece), probability)
        for i, piece, probability in zip(ids, pieces, probabilities, strict=True)
        if probability > 0
    )
