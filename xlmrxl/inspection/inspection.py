"""A text as the model reads it: `inspect()`, and the Inspection of which everything is asked afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from xlmrxl.inspection import attention as measures
from xlmrxl.inspection.attention import MEASURED, STATISTICS
from xlmrxl.inspection.capture import KEEPS, Encoder, Kept, Recent
from xlmrxl.progress import Progress, shown
from xlmrxl.tasks.masked import Token, room, tokens_of
from xlmrxl.tasks.masked import words as words_of
from xlmrxl.tasks.result import Source
from xlmrxl.vocabulary import SPACE

if TYPE_CHECKING:
    from xlmrxl.session import Session

THUMBNAIL = 16
"""Rows and columns of a head's thumbnail."""


@dataclass(frozen=True)
class Word:
    """A word of a text, or a special token."""

    text: str  # as it is written
    start: int  # offsets in characters of its own text
    end: int
    segment: int | None  # 0 or 1: which text it is in; None for <s> and </s>
    tokens: tuple[int, ...]  # its places among the tokens


def inspect(
    session: Session,
    text: str,
    second: str | None = None,
    *,
    keep: str = "recompute",
    progress: Progress | bool = True,
) -> Inspection:
    """Run the model once over a text, or over a pair, and keep what it takes to look into it.

    Kept are the states of all layers, one number a head of each of the statistics, thumbnails, and for each layer the
    mean over its heads: for XL about 60 MB at 128 tokens.

    Args:
        session: with any head; not a decoder, and none of its heads pruned.
        text: what is read, `<mask>` included where a word is to be predicted.
        second: the second text of a pair, read as `<s> text </s></s> second </s>`.
        keep: `"recompute"`: the weights of a layer are computed again from its state when they are asked for, exactly.
            `"fp16"`, `"uint8"`: all weights are held: 38 or 19 MB for XL at 128 tokens, 16 times as much at 512.
        progress: called with the layers that are done and how many there are; True for a bar.

    Raises:
        TypeError: something other than a text.
        ValueError: a text without any token, more tokens than the model reads, a decoder, or an unknown `keep`.
    """
    if keep not in KEEPS:
        raise ValueError(f"keep is {keep!r}; it must be one of {', '.join(KEEPS)}.")
    encoder = Encoder(session)
    return Inspection(session, text, second, keep, encoder, progress)


class Inspection:
    """What the model does with one text, or one pair.

    Layers and heads are counted from 0, as in `output_attentions[layer][0, head]`. States are counted as in
    `output_hidden_states`: 0 are the embeddings, i is what layer i - 1 gives, and the last one is after the final layer
    norm. Attention weights are `[query, key]`: a row says where a token looks.

    Attributes:
        session: the model.
        text: the text.
        second: the second one of a pair.
        source: what has to be known to get this again.
        keep: how the weights are held; see `inspect`.
        tokens: as the model reads them; of a pair, offsets are into the token's own text.
        segments: for each token 0 or 1, the text it is in; None for <s> and </s>. A <mask> belongs to its text.
        words: of the tokens; special tokens are words of their own, and every token is in exactly one.
        layers: how many there are.
        heads: how many each layer has.
        hidden_states: (layers + 1, tokens, hidden) states on the CPU, in the type that flows through the model:
            float32 where 16-bit weights are widened.
    """

    def __init__(
        self,
        session: Session,
        text: str,
        second: str | None,
        keep: str,
        encoder: Encoder,
        progress: Progress | bool,
    ) -> None:
        self.session, self.text, self.second, self.keep = session, text, second, keep
        self.source = Source.of(session, keep=keep)
        tokens, border = _tokens(session, text, second)
        self.tokens = tokens
        self.segments = tuple(
            int(place >= border) if _is_text(token, session) else None for place, token in enumerate(tokens)
        )
        self.words = _words(tokens, self.segments, (text, second or ""))
        self._encoder = encoder
        self.layers, self.heads = len(encoder.layers), encoder.heads
        length = len(tokens)
        self._statistics = {name: np.empty((self.layers, self.heads), np.float32) for name in MEASURED}
        side = min(THUMBNAIL, length)
        self._thumbnails = np.empty((self.layers, self.heads, side, side), np.float32)
        self._means = np.empty((self.layers, length, length), np.float32)
        self._max = np.zeros((length, length), np.float32)
        kept = None if keep == "recompute" else Kept(keep)
        inner = torch.tensor([segment is not None for segment in self.segments])

        def look(i: int, weights: Tensor) -> None:
            for name, row in measures.statistics(weights, inner.to(weights.device)).items():
                self._statistics[name][i] = row.cpu().numpy()
            self._thumbnails[i] = measures.thumbnails(weights, THUMBNAIL).cpu().numpy()
            self._means[i] = weights.mean(0).cpu().numpy()
            np.maximum(self._max, weights.amax(0).cpu().numpy(), out=self._max)
            if kept is not None:
                kept.add(weights)

        with shown(progress, "Reading", "layer") as told:
            self.hidden_states = encoder.read([token.id for token in tokens], look, told)
        self._attention = Recent(self._look) if kept is None else kept

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 40 else self.text[:39] + "…"
        pair = "" if self.second is None else " and a second text"
        return (
            f"Inspection({text!r}{pair}, {len(self.tokens)} tokens, {self.layers} layers × {self.heads} heads of "
            f"{self.source.model!r} in {self.source.precision})"
        )

    @property
    def masks(self) -> tuple[int, ...]:
        """The places of <mask> among the tokens."""
        mask = self.session.tokenizer.mask_token_id
        return tuple(place for place, token in enumerate(self.tokens) if token.id == mask)

    def layer_attention(self, layer: int) -> np.ndarray:
        """The weights of a layer's heads, (heads, tokens, tokens) float32."""
        return self._layer(layer).numpy().copy()

    def attention(self, layer: int, head: int) -> np.ndarray:
        """The weights of a head, (tokens, tokens) float32: rows look, columns are looked at."""
        self._check(layer, head)
        return self._layer(layer)[head].numpy().copy()

    def mean_attention(self, heads: Sequence[tuple[int, int]] | None = None) -> np.ndarray:
        """The mean over some heads, each a (layer, head), or over all: (tokens, tokens) float32."""
        if heads is None:
            return self._means.mean(0)
        by_layer = self._by_layer(heads)
        total = sum(self._layer(layer)[chosen].sum(0, dtype=torch.float64) for layer, chosen in by_layer.items())
        assert isinstance(total, Tensor)
        return (total / sum(map(len, by_layer.values()))).float().numpy()

    def max_attention(self, heads: Sequence[tuple[int, int]] | None = None) -> np.ndarray:
        """The largest weight among some heads, each a (layer, head), or among all: (tokens, tokens) float32."""
        if heads is None:
            return self._max.copy()
        parts = [self._layer(layer)[chosen].amax(0) for layer, chosen in self._by_layer(heads).items()]
        return torch.stack(parts).amax(0).numpy()

    def thumbnails(self, size: int = THUMBNAIL) -> np.ndarray:
        """Every head in small: (layers, heads, size, size) float32 means over blocks of tokens; a short text has fewer.

        Only those of 16 blocks are at hand; others are computed from all weights.
        """
        if size == THUMBNAIL:
            return self._thumbnails.copy()
        if size < 1:
            raise ValueError(f"size is {size}; it must be at least 1.")
        made = [measures.thumbnails(self._layer(layer), size).numpy() for layer in range(self.layers)]
        return np.stack(made)

    def statistic(self, name: str) -> np.ndarray:
        """One of STATISTICS for every head, (layers, heads) float32."""
        if name not in STATISTICS:
            raise ValueError(f"There is no statistic {name!r}; there are {', '.join(STATISTICS)}.")
        return self._statistics[name].copy()

    def hidden_state(self, i: int) -> np.ndarray:
        """State i, (tokens, hidden) float32."""
        if not 0 <= i <= self.layers:
            raise ValueError(f"There is no state {i}; there are 0 (the embeddings) to {self.layers}.")
        return self.hidden_states[i].float().numpy().copy()

    def _look(self, layer: int) -> Tensor:
        with torch.inference_mode():
            return self._encoder.look(layer, self.hidden_states[layer]).cpu()

    def _layer(self, layer: int) -> Tensor:
        self._check(layer, 0)
        return self._attention.get(layer)

    def _check(self, layer: int, head: int) -> None:
        if not (0 <= layer < self.layers and 0 <= head < self.heads):
            raise ValueError(
                f"There is no layer {layer} with a head {head}; there are layers 0 to {self.layers - 1} and heads 0 to "
                f"{self.heads - 1}."
            )

    def _by_layer(self, heads: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
        """Heads grouped by their layer, each once."""
        grouped: dict[int, list[int]] = {}
        for layer, head in dict.fromkeys(heads):
            self._check(layer, head)
            grouped.setdefault(layer, []).append(head)
        if not grouped:
            raise ValueError("No head is given; give some, each as (layer, head), or None for all of them.")
        return grouped


def _tokens(session: Session, text: str, second: str | None) -> tuple[tuple[Token, ...], int]:
    """The tokens of a text or a pair, `<s> text </s></s> second </s>`, and where those of the second begin."""
    tokens = _checked(session, text, "The text")
    border = len(tokens)
    if second is not None:
        tokens += [tokens[-1], *_checked(session, second, "The second text")[1:]]
        if len(tokens) > room(session):
            raise ValueError(
                f"The pair has {len(tokens)} tokens, but the model reads at most {room(session)}. Shorten it."
            )
    return tuple(tokens), border


def _checked(session: Session, text: str, name: str) -> list[Token]:
    tokens = tokens_of(session, text)
    if not any(_is_text(token, session) for token in tokens):
        raise ValueError(f"{name} is empty, {text!r}: there is nothing to read.")
    return tokens


def _is_text(token: Token, session: Session) -> bool:
    """Whether a token is one of a text: a <mask>, or none of the special ones."""
    return not token.special or token.id == session.tokenizer.mask_token_id


def _words(tokens: Sequence[Token], segments: Sequence[int | None], texts: tuple[str, str]) -> tuple[Word, ...]:
    """The words that the tasks know (`tasks.masked.words`), parted only where Unicode parts words (UAX #29).

    In scripts without spaces a piece is a word. What Unicode keeps together is never torn apart: letters with their
    marks, emoji that make one, numbers such as 3.14. A space that is a piece of its own belongs to what follows it.
    """
    borders = [_borders(text) for text in texts]
    begins = {word.start for word in words_of(tokens)}
    groups: list[list[int]] = []
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else token
        if token.special or before.special:
            joined = False
        elif place not in begins or token.start < before.end:  # several tokens of one character overlap
            joined = True
        else:
            joined = before.piece == SPACE or token.start not in borders[segments[place] or 0]
        if joined:
            groups[-1].append(place)
        else:
            groups.append([place])
    found = []
    for group in groups:
        first, segment = tokens[group[0]], segments[group[0]]
        start, end = first.start, tokens[group[-1]].end
        text = first.piece if first.special else texts[segment or 0][start:end] or first.piece
        found.append(Word(text, start, end, segment, tuple(group)))
    return tuple(found)


def _borders(text: str) -> set[int]:
    """Where Unicode lets a word begin: at the default word boundaries that are within no grapheme cluster."""
    import regex  # noqa: PLC0415 - the standard library does not know them

    words = {match.start() for match in regex.finditer(r"(?w)\b", text)}
    return words & {match.start() for match in regex.finditer(r"\X", text)}
