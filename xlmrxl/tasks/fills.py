"""What filling the masks of a text gives: the fills of each mask, or the ways to fill all of them together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from xlmrxl.tasks.masked_lm import Token
from xlmrxl.tasks.result import Result
from xlmrxl.tasks.subwords import label_fill
from xlmrxl.tokenization.tokenizer_json import SPACE


@dataclass(frozen=True)
class Fill:
    """One token, or one word of several, that may stand at a mask."""

    id: int  # of its first piece
    piece: str  # its pieces, one after the other
    text: str  # as it is read, without the space before it
    probability: float  # among all rows of the vocabulary; of a word, among those of as many pieces
    ids: tuple[int, ...] = ()  # of all pieces, where there are several
    score: float | None = None  # of a word: pseudo-log-likelihood of it and its neighbours, nats
    rank: int | None = None  # of a target of one piece: its place in the whole vocabulary, from 1
    log_odds: float | None = None  # of a target, nats

    @property
    def begins_word(self) -> bool:
        """Return whether a space parts it from what stands before it: "▁ear" does, where "ear" makes "app" an "appear".

        Signs, and the characters of scripts without spaces, mostly have no space before them.
        """
        return self.piece.startswith(SPACE)

    @property
    def label(self) -> str:
        """Return the text as it is shown to people, marked where it goes on with a word; see `pieces.label_fill`."""
        return label_fill(self.text, self.begins_word)

    def content(self) -> dict[str, Any]:
        """Return `{"text": …, "begins_word": …, "probability": …}`, and what else is known of it."""
        extra = {"score": self.score, "rank": self.rank, "log_odds": self.log_odds}
        return {
            "text": self.text,
            "begins_word": self.begins_word,
            "probability": self.probability,
            **{name: value for name, value in extra.items() if value is not None},
        }


@dataclass(frozen=True)
class MaskFills:
    """What the model expects at one mask."""

    position: int  # index among the tokens
    fills: tuple[Fill, ...]  # the best first
    entropy: float | None = None  # of the distribution over the whole vocabulary, nats

    @property
    def covered(self) -> float:
        """Return the share of the probability that the fills have together."""
        return math.fsum(fill.probability for fill in self.fills)


@dataclass(frozen=True)
class JointFill:
    """One way to fill all masks of a text."""

    fills: tuple[Fill, ...]  # of each mask in turn; the probability is the one at which it was filled
    score: float  # log-probability of all together, nats
    order: tuple[int, ...]  # in which the masks were filled, from 0


@dataclass(frozen=True)
class FillResult(Result):
    """A text and what the model expects at each of its masks, in order."""

    text: str
    tokens: tuple[Token, ...]
    masks: tuple[MaskFills, ...]  # each on its own, the others left open
    joint: tuple[JointFill, ...] = ()  # all together, the best first, where that was asked for

    def content(self) -> dict[str, Any]:
        """Return `{"text": …, "masks": [{"fills": [{"text": …, "begins_word": …, "probability": …}, …]}, …]}`.

        Where it was asked for, `joint` has the ways to fill all masks: `fills` and `begins_word` have a value a mask.
        """
        masks = [{"fills": [fill.content() for fill in mask.fills]} for mask in self.masks]
        found: dict[str, Any] = {"text": self.text, "masks": masks}
        if self.joint:
            found["joint"] = [
                {
                    "fills": [fill.text for fill in way.fills],
                    "begins_word": [fill.begins_word for fill in way.fills],
                    "score": way.score,
                    "order": list(way.order),
                }
                for way in self.joint
            ]
        return found

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
            {"text": self.text, "mask": number} | {"fill" if k == "text" else k: v for k, v in fill.content().items()}
            for number, mask in enumerate(self.masks, 1)
            for fill in mask.fills
        ]
        columns = dict.fromkeys(name for row in rows for name in row)  # targets of several pieces have no rank
        return [{name: row.get(name) for name in columns} for row in rows]

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
