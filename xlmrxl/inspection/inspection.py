"""A text as the model reads it: `inspect()`, and the Inspection of which everything is asked afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from xlmrxl.inspection import attention as measures
from xlmrxl.inspection.ablation import Ablation, Sweep, ablate, sweep
from xlmrxl.inspection.attention import MEASURED, ON_DEMAND, STATISTICS
from xlmrxl.inspection.capture import KEEPS, Encoder, Kept, Recent
from xlmrxl.inspection.logit_lens import Lens, lens
from xlmrxl.inspection.words import tokens_and_segments, words_of
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.result import Source

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

THUMBNAIL = 16
"""Rows and columns of a head's thumbnail."""


def inspect(
    session: LoadedModel,
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
        encoder: the model's layers, one at a time.
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
        session: LoadedModel,
        text: str,
        second: str | None,
        keep: str,
        encoder: Encoder,
        progress: Progress | bool,
    ) -> None:
        self.session, self.text, self.second, self.keep = session, text, second, keep
        self.source = Source.from_model(session, keep=keep)
        self.tokens, self.segments = tokens_and_segments(session, text, second)
        self.words = words_of(self.tokens, self.segments, (text, second))
        self.encoder = encoder
        self.layers, self.heads = len(encoder.layers), encoder.heads
        length = len(self.tokens)
        self._statistics = {name: np.empty((self.layers, self.heads), np.float32) for name in MEASURED}
        side = min(THUMBNAIL, length)
        self._thumbnails = np.empty((self.layers, self.heads, side, side), np.float32)
        self._means = np.empty((self.layers, length, length), np.float32)
        self._max = np.zeros((length, length), np.float32)
        self._received = np.empty((self.layers, self.heads, length), np.float32)
        kept = None if keep == "recompute" else Kept(keep)
        inner = torch.zeros(length, dtype=torch.bool)
        inner[self.inner] = True

        def look(i: int, weights: Tensor) -> None:
            for name, row in measures.statistics(weights, inner.to(weights.device)).items():
                self._statistics[name][i] = row.cpu().numpy()
            self._received[i] = weights[:, inner.to(weights.device)].mean(1).cpu().numpy()
            self._thumbnails[i] = measures.thumbnails(weights, THUMBNAIL).cpu().numpy()
            self._means[i] = weights.mean(0).cpu().numpy()
            np.maximum(self._max, weights.amax(0).cpu().numpy(), out=self._max)
            if kept is not None:
                kept.add(weights)

        with show_progress(progress, "Reading", "layer") as told:
            self.hidden_states = encoder.read([token.id for token in self.tokens], look, told)
        self._attention = Recent(self._look) if kept is None else kept

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 40 else self.text[:39] + "…"
        pair = "" if self.second is None else " and a second text"
        return (
            f"Inspection({text!r}{pair}, {len(self.tokens)} tokens, {self.layers} layers × {self.heads} heads of "
            f"{self.source.model!r} in {self.source.precision})"
        )

    @property
    def nbytes(self) -> int:
        """What is held of the text, in bytes; the model not counted."""
        arrays = [self._thumbnails, self._means, self._max, self._received, *self._statistics.values()]
        return self.hidden_states.nbytes + self._attention.nbytes + sum(array.nbytes for array in arrays)

    @property
    def inner(self) -> list[int]:
        """The places of the tokens of the text, <mask> among them: all but <s> and </s>."""
        return [place for place, segment in enumerate(self.segments) if segment is not None]

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

    def mean_attention(
        self, heads: Sequence[tuple[int, int]] | None = None, *, progress: Progress | bool = True
    ) -> np.ndarray:
        """The mean over some heads, each a (layer, head), or over all: (tokens, tokens) float32."""
        if heads is None:
            everything: np.ndarray = self._means.mean(0)
            return everything
        total, chosen = np.zeros(self._max.shape), self.chosen_heads(heads)
        for layer, weights in self._each(progress, chosen):
            total += weights[chosen[layer]].sum(0, dtype=torch.float64).numpy()
        mean: np.ndarray = total / sum(map(len, chosen.values()))
        return mean.astype(np.float32)

    def max_attention(
        self, heads: Sequence[tuple[int, int]] | None = None, *, progress: Progress | bool = True
    ) -> np.ndarray:
        """The largest weight among some heads, each a (layer, head), or among all: (tokens, tokens) float32."""
        most = self._max.copy() if heads is None else np.zeros_like(self._max)
        chosen = {} if heads is None else self.chosen_heads(heads)
        for layer, weights in self._each(progress, chosen):
            np.maximum(most, weights[chosen[layer]].amax(0).numpy(), out=most)
        return most

    def norm_attention(self, layer: int, head: int) -> np.ndarray:
        """‖aᵢⱼ f(xⱼ)‖, (tokens, tokens) float32: how long the vector is that a head moves from token j to token i.

        Norm-weighted attention (Kobayashi et al. 2020, arXiv:2004.10102): f is the head's value and output projection,
        so that a large weight on a token which gives next to nothing, as on <s>, counts as little as it does.
        """
        self._check(layer, head)
        with torch.inference_mode():
            norms = self.encoder.value_norms(layer, self.hidden_states[layer])[head].cpu()
        return (self._layer(layer)[head] * norms).numpy()

    def thumbnails(self, size: int = THUMBNAIL, *, progress: Progress | bool = True) -> np.ndarray:
        """Every head in small: (layers, heads, size, size) float32 means over blocks of tokens; a short text has fewer.

        Only those of 16 blocks are at hand; others are computed from all weights.
        """
        if size == THUMBNAIL:
            return self._thumbnails.copy()
        if size < 1:
            raise ValueError(f"size is {size}; it must be at least 1.")
        return np.stack([measures.thumbnails(weights, size).numpy() for _, weights in self._each(progress)])

    def statistic(self, name: str, *, progress: Progress | bool = True) -> np.ndarray:
        """One of STATISTICS for every head, (layers, heads) float32."""
        if name not in STATISTICS:
            raise ValueError(f"There is no statistic {name!r}; there are {', '.join(STATISTICS)}.")
        if name in ON_DEMAND and name not in self._statistics:
            norms = np.empty_like(self._received)
            with show_progress(progress, "Weighing attention", "layer") as told:
                for layer in range(self.layers):
                    with torch.inference_mode():
                        norms[layer] = self.encoder.value_norms(layer, self.hidden_states[layer]).cpu().numpy()
                    told(layer + 1, self.layers)
            self._statistics.update(measures.norm_statistics(self._received, norms, self.inner))
        return self._statistics[name].copy()

    def pair(
        self, query: int | Sequence[int], key: int | Sequence[int], *, progress: Progress | bool = True
    ) -> np.ndarray:
        """How much every head looks from one token to another, (layers, heads) float32.

        Args:
            query: the token that looks, or several: the mean of theirs.
            key: the token that is looked at, or several: the sum of what they get, as for the tokens of a word.
            progress: called with the layers that are done and how many there are; True for a bar.
        """
        queries, keys = self.places("query", query), self.places("key", key)
        rows = [weights[:, queries][:, :, keys].sum(2).mean(1).numpy() for _, weights in self._each(progress)]
        return np.stack(rows)

    def rank(
        self,
        by: str | tuple[int | Sequence[int], int | Sequence[int]],
        top: int | None = 10,
        *,
        lowest: bool = False,
        progress: Progress | bool = True,
    ) -> list[tuple[int, int, float]]:
        """The heads that have most of something.

        Args:
            by: one of STATISTICS, or (query, key) as in `pair`: which heads look from one token to another.
            top: how many; None for all.
            lowest: those that have least instead.
            progress: as in `pair`.

        Returns:
            (layer, head, value), the first in front.
        """
        values = self.statistic(by, progress=progress) if isinstance(by, str) else self.pair(*by, progress=progress)
        order = np.argsort(values if lowest else -values, axis=None, kind="stable")[:top]
        return [(*divmod(int(place), self.heads), float(values.flat[place])) for place in order]

    def edges(self, layer: int, head: int, mass: float = 0.7) -> list[tuple[int, int, float]]:
        """Of a head, the fewest keys of each query whose weights add up to `mass`: (query, key, weight).

        Raises:
            ValueError: there is no such head, or `mass` is not above 0 and at most 1.
        """
        if not 0 < mass <= 1:
            raise ValueError(f"mass is {mass}; it must be above 0 and at most 1.")
        return measures.top_edges(self.attention(layer, head), mass)

    def rollout(self, up_to: int | None = None) -> np.ndarray:
        """What of each token of the text is in each token after a layer, (tokens, tokens) float32.

        Args:
            up_to: the last layer that counts; the last of all if not given. See `attention.rollout`.
        """
        last = self.layers - 1 if up_to is None else up_to
        self._check(last, 0)
        return measures.rollout(self._means[: last + 1])

    def hidden_state(self, i: int) -> np.ndarray:
        """State i, (tokens, hidden) float32."""
        if not 0 <= i <= self.layers:
            raise ValueError(f"There is no state {i}; there are 0 (the embeddings) to {self.layers}.")
        return self.hidden_states[i].float().numpy().copy()

    def ablate(
        self,
        heads: Sequence[tuple[int, int]] = (),
        layers: Sequence[int] = (),
        *,
        at: Sequence[int] | None = None,
        top_k: int = 5,
        progress: Progress | bool = True,
    ) -> Ablation:
        """Switch off heads, or all heads of some layers, and see the change at a mask or in a label.

        See `ablation.ablate`.
        """
        return ablate(self, heads, layers, at=at, top_k=top_k, progress=progress)

    def sweep(
        self,
        *,
        at: Sequence[int] | None = None,
        target: str | Sequence[str] | None = None,
        progress: Progress | bool = True,
    ) -> Sweep:
        """Switch off each head in turn and measure how much it matters; see `ablation.sweep`."""
        return sweep(self, at=at, target=target, progress=progress)

    def lens(
        self,
        positions: Sequence[int] | None = None,
        targets: str | Sequence[str] = (),
        top_k: int = 5,
        *,
        progress: Progress | bool = True,
    ) -> Lens:
        """What the LM head says of each state at some tokens; see `lens.lens`."""
        return lens(self, positions, targets, top_k, progress=progress)

    def stream(self, i: int) -> Tensor:
        """State i as it flows through the model, (1, tokens, hidden), where the model is."""
        return self.hidden_states[i][None].to(self.encoder.device)

    def places(self, name: str, places: int | Sequence[int], none: str = "") -> list[int]:
        """Places among the tokens as a list.

        Raises:
            ValueError: there is no such token, or none is named; `name` is what they are called, `none` what is then
                said.
        """
        found = list(places) if isinstance(places, Sequence | np.ndarray) else [places]
        for place in found:
            if not 0 <= place < len(self.tokens):
                raise ValueError(f"{name} is {place}; there are tokens 0 to {len(self.tokens) - 1}.")
        if not found:
            raise ValueError(none or f"{name} names no token; there are tokens 0 to {len(self.tokens) - 1}.")
        return found

    def chosen_heads(self, heads: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
        """Heads grouped by their layer, each once.

        Raises:
            ValueError: there is no such head, or none is named.
        """
        grouped: dict[int, list[int]] = {}
        for layer, head in dict.fromkeys((layer, head) for layer, head in heads):
            self._check(layer, head)
            grouped.setdefault(layer, []).append(head)
        if not grouped:
            raise ValueError("No head is named. Name some, each as (layer, head).")
        return grouped

    def _look(self, layer: int) -> Tensor:
        with torch.inference_mode():
            return self.encoder.look(layer, self.hidden_states[layer]).cpu()

    def _layer(self, layer: int) -> Tensor:
        self._check(layer, 0)
        return self._attention.get(layer)

    def _each(self, progress: Progress | bool, layers: Collection[int] | None = None) -> Iterator[tuple[int, Tensor]]:
        """Layers, all if none are named, with their weights."""
        layers = range(self.layers) if layers is None else layers
        with show_progress(progress, "Looking at heads", "layer") as told:
            for done, layer in enumerate(layers, 1):
                yield layer, self._layer(layer)
                told(done, len(layers))

    def _check(self, layer: int, head: int) -> None:
        if not (0 <= layer < self.layers and 0 <= head < self.heads):
            raise ValueError(
                f"There is no layer {layer} with a head {head}; there are layers 0 to {self.layers - 1} and heads 0 to "
                f"{self.heads - 1}."
            )
