"""What one run of the model leaves of a text: its tokens and words, the hidden states, the attention of every head."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.inspection import attention as measures
from xlmrxl.inspection.attention_store import KEEPS, AttentionCache, AttentionStore
from xlmrxl.inspection.head_statistics import find_statistic, list_statistics, measure_norms, measure_weights
from xlmrxl.inspection.layerwise_encoder import LayerwiseEncoder
from xlmrxl.inspection.words import group_words, tokenize_segments
from xlmrxl.loaded_model import LoadedModel
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.result import Source

THUMBNAIL = 16
"""Rows and columns of a head's thumbnail."""


class InspectionData:
    """What one run of the model leaves of one text, or of one pair.

    Layers and heads are counted from 0, as in `output_attentions[layer][0, head]`. States are counted as in
    `output_hidden_states`: 0 are the embeddings, i is what layer i - 1 gives, and the last one is after the final layer
    norm. Attention weights are `[query, key]`: a row says where a token looks.

    Attributes:
        loaded_model: what has read the text.
        text: the text.
        text_pair: the second text of a pair; None where there is none.
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
        loaded_model: LoadedModel,
        text: str,
        text_pair: str | None = None,
        *,
        keep: str = "recompute",
        progress: Progress | bool = True,
    ) -> None:
        """Read a text; the arguments are those of `inspect`."""
        if keep not in KEEPS:
            raise InputError(f"keep is {keep!r}; it must be one of {', '.join(KEEPS)}.")
        self.loaded_model, self.text, self.text_pair, self.keep = loaded_model, text, text_pair, keep
        self.source = Source.from_model(loaded_model, keep=keep)
        self.encoder = encoder = LayerwiseEncoder(loaded_model)
        self.tokens, self.segments = tokenize_segments(loaded_model, text, text_pair)
        self.words = group_words(self.tokens, self.segments, (text, text_pair))
        self.layers, self.heads = len(encoder.layers), encoder.heads
        length = len(self.tokens)
        self._statistics = {
            name: np.empty((self.layers, self.heads), np.float32) for name in list_statistics("weights")
        }
        side = min(THUMBNAIL, length)
        self._thumbnails = np.empty((self.layers, self.heads, side, side), np.float32)
        self._means = np.empty((self.layers, length, length), np.float32)
        self._max = np.zeros((length, length), np.float32)
        self._received = np.empty((self.layers, self.heads, length), np.float32)
        store = None if keep == "recompute" else AttentionStore(keep)
        text_positions = torch.zeros(length, dtype=torch.bool)
        text_positions[self.text_positions] = True

        def measure(layer: int, weights: Tensor) -> None:
            is_text = text_positions.to(weights.device)
            for name, row in measure_weights(weights, is_text).items():
                self._statistics[name][layer] = row.cpu().numpy()
            self._received[layer] = weights[:, is_text].mean(1).cpu().numpy()
            self._thumbnails[layer] = measures.make_thumbnails(weights, THUMBNAIL).cpu().numpy()
            self._means[layer] = weights.mean(0).cpu().numpy()
            np.maximum(self._max, weights.amax(0).cpu().numpy(), out=self._max)
            if store is not None:
                store.add(weights)

        with show_progress(progress, "Reading", "layer") as report:
            self.hidden_states = encoder.run([token.id for token in self.tokens], measure, report)
        cache = AttentionCache(self._compute_attention, 4 * self.heads * length * length)
        self._attention = cache if store is None else store

    def __repr__(self) -> str:
        """Name the text, its size and the model."""
        text = self.text if len(self.text) <= 40 else self.text[:39] + "…"
        pair = "" if self.text_pair is None else " and a second text"
        return (
            f"{type(self).__name__}({text!r}{pair}, {len(self.tokens)} tokens, {self.layers} layers × {self.heads} "
            f"heads of {self.source.model!r} in {self.source.precision})"
        )

    @property
    def nbytes(self) -> int:
        """The bytes that are held of the text; the model is not counted."""
        arrays = [self._thumbnails, self._means, self._max, self._received, *self._statistics.values()]
        return self.hidden_states.nbytes + self._attention.nbytes + sum(array.nbytes for array in arrays)

    @property
    def text_positions(self) -> list[int]:
        """The positions of the tokens of the text, `<mask>` among them: all but `<s>` and `</s>`."""
        return [position for position, segment in enumerate(self.segments) if segment is not None]

    @property
    def mask_positions(self) -> tuple[int, ...]:
        """The positions of `<mask>` among the tokens."""
        mask = self.loaded_model.tokenizer.mask_token_id
        return tuple(position for position, token in enumerate(self.tokens) if token.id == mask)

    def layer_attention(self, layer: int) -> np.ndarray:
        """Return the weights of a layer's heads, (heads, tokens, tokens) float32."""
        return self._layer(layer).numpy().copy()

    def attention(self, layer: int, head: int) -> np.ndarray:
        """Return the weights of a head, (tokens, tokens) float32: rows are queries, columns keys."""
        self._check(layer, head)
        return self._layer(layer)[head].numpy().copy()

    def mean_attention(
        self, heads: Sequence[tuple[int, int]] | None = None, *, progress: Progress | bool = True
    ) -> np.ndarray:
        """Return the mean over some heads, each a (layer, head), or over all: (tokens, tokens) float32."""
        if heads is None:
            everything: np.ndarray = self._means.mean(0)
            return everything
        total, chosen = np.zeros(self._max.shape), self.group_heads(heads)
        for layer, weights in self._each(progress, chosen):
            total += weights[chosen[layer]].sum(0, dtype=torch.float64).numpy()
        mean: np.ndarray = total / sum(map(len, chosen.values()))
        return mean.astype(np.float32)

    def max_attention(
        self, heads: Sequence[tuple[int, int]] | None = None, *, progress: Progress | bool = True
    ) -> np.ndarray:
        """Return the largest weight among some heads, each a (layer, head), or among all: (tokens, tokens) float32."""
        most = self._max.copy() if heads is None else np.zeros_like(self._max)
        chosen = {} if heads is None else self.group_heads(heads)
        for layer, weights in self._each(progress, chosen):
            np.maximum(most, weights[chosen[layer]].amax(0).numpy(), out=most)
        return most

    def norm_attention(self, layer: int, head: int) -> np.ndarray:
        """Return how long the vector is that a head moves from a token j to a token i, (tokens, tokens) float32.

        Norm-weighted attention ‖aᵢⱼ f(xⱼ)‖ (Kobayashi et al. 2020, arXiv:2004.10102): f is the head's value and output
        projection, so that a large weight on a token which gives next to nothing, as on <s>, counts as little.
        """
        self._check(layer, head)
        with torch.inference_mode():
            norms = self.encoder.compute_value_norms(layer, self.hidden_states[layer])[head].cpu()
        return (self._layer(layer)[head] * norms).numpy()

    def thumbnails(self, size: int = THUMBNAIL, *, progress: Progress | bool = True) -> np.ndarray:
        """Return a small picture of every head, (layers, heads, size, size) float32: means over blocks of tokens.

        Only those of 16 blocks are at hand; others are computed from all weights. A short text has fewer blocks.
        """
        if size == THUMBNAIL:
            return self._thumbnails.copy()
        if size < 1:
            raise InputError(f"size is {size}; it must be at least 1.")
        return np.stack([measures.make_thumbnails(weights, size).numpy() for _, weights in self._each(progress)])

    def statistic(self, name: str, *, progress: Progress | bool = True) -> np.ndarray:
        """Return a statistic of every head, (layers, heads) float32.

        Args:
            name: `"entropy"`, `"distance"` or another of `head_statistics.STATISTICS` that one run of the model gives.
            progress: called with the layers that are done and how many there are; True for a bar.

        Raises:
            InputError: there is no such statistic, or it takes more than one run.
        """
        needs = find_statistic(name, "weights", "value_norms").needs
        if needs == "value_norms" and name not in self._statistics:
            norms = np.empty_like(self._received)
            with show_progress(progress, "Weighing attention", "layer") as report:
                for layer in range(self.layers):
                    with torch.inference_mode():
                        norms[layer] = self.encoder.compute_value_norms(layer, self.hidden_states[layer]).cpu().numpy()
                    report(layer + 1, self.layers)
            self._statistics.update(measure_norms(self._received, norms, self.text_positions))
        return self._statistics[name].copy()

    def pair_attention(
        self, query: int | Sequence[int], key: int | Sequence[int], *, progress: Progress | bool = True
    ) -> np.ndarray:
        """Return how much every head looks from one token to another, (layers, heads) float32.

        Args:
            query: the token that looks, or several: the mean of theirs.
            key: the token that is looked at, or several: the sum of what they get, as for the tokens of a word.
            progress: called with the layers that are done and how many there are; True for a bar.
        """
        queries, keys = self.check_positions("query", query), self.check_positions("key", key)
        rows = [weights[:, queries][:, :, keys].sum(2).mean(1).numpy() for _, weights in self._each(progress)]
        return np.stack(rows)

    def rank_heads(
        self,
        by: str | tuple[int | Sequence[int], int | Sequence[int]],
        top: int | None = 10,
        *,
        lowest: bool = False,
        progress: Progress | bool = True,
    ) -> list[tuple[int, int, float]]:
        """Rank heads by a statistic, or by how much they look from one token to another.

        Args:
            by: the name of a statistic, or (query, key) as in `pair_attention`.
            top: how many heads to return; None for all.
            lowest: whether to begin with the lowest value instead of the highest.
            progress: as in `pair_attention`.

        Returns:
            (layer, head, value) of each, in order.
        """
        if isinstance(by, str):
            values = self.statistic(by, progress=progress)
        else:
            values = self.pair_attention(*by, progress=progress)
        order = np.argsort(values if lowest else -values, axis=None, kind="stable")[:top]
        return [(*divmod(int(index), self.heads), float(values.flat[index])) for index in order]

    def strongest_pairs(self, layer: int, head: int, mass: float = 0.7) -> list[tuple[int, int, float]]:
        """Return for each query of a head the fewest keys whose weights add up to `mass`.

        Returns:
            (query, key, weight), by query, the heaviest first.

        Raises:
            InputError: there is no such head, or `mass` is not above 0 and at most 1.
        """
        if not 0 < mass <= 1:
            raise InputError(f"mass is {mass}; it must be above 0 and at most 1.")
        return measures.find_strongest_pairs(self.attention(layer, head), mass)

    def rollout(self, up_to: int | None = None) -> np.ndarray:
        """Return how much of each token of the text is in each token after a layer, (tokens, tokens) float32.

        Args:
            up_to: the last layer that counts; the last of all if not given. See `attention.compute_rollout`.
        """
        last = self.layers - 1 if up_to is None else up_to
        self._check(last, 0)
        return measures.compute_rollout(self._means[: last + 1])

    def hidden_state(self, state: int) -> np.ndarray:
        """Return a hidden state, (tokens, hidden) float32; 0 is the embeddings."""
        if not 0 <= state <= self.layers:
            raise InputError(f"There is no state {state}; there are 0 (the embeddings) to {self.layers}.")
        return self.hidden_states[state].float().numpy().copy()

    def state_on_device(self, state: int) -> Tensor:
        """Return a state in the type that flows through the model and where the model is, (1, tokens, hidden)."""
        return self.hidden_states[state][None].to(self.encoder.device)

    def source_with(self, **settings: Any) -> Source:
        """Return the source of a result: that of the inspection, with what was asked of it among the settings."""
        return replace(self.source, settings={**self.source.settings, **settings})

    def check_positions(self, name: str, positions: int | Sequence[int], if_none: str = "") -> list[int]:
        """Return positions among the tokens as a list.

        Args:
            name: of the argument that they were given as.
            positions: one, or several.
            if_none: the sentence of the error where there is none.

        Raises:
            InputError: there is no such token, or none is named.
        """
        found = list(positions) if isinstance(positions, Sequence | np.ndarray) else [positions]
        for position in found:
            if not 0 <= position < len(self.tokens):
                raise InputError(f"{name} is {position}; there are tokens 0 to {len(self.tokens) - 1}.")
        if not found:
            raise InputError(if_none or f"{name} names no token; there are tokens 0 to {len(self.tokens) - 1}.")
        return found

    def group_heads(self, heads: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
        """Return heads grouped by their layer, each once.

        Raises:
            InputError: there is no such head, or none is named.
        """
        grouped: dict[int, list[int]] = {}
        for layer, head in dict.fromkeys((layer, head) for layer, head in heads):
            self._check(layer, head)
            grouped.setdefault(layer, []).append(head)
        if not grouped:
            raise InputError("No head is named. Name some, each as (layer, head).")
        return grouped

    def _compute_attention(self, layer: int) -> Tensor:
        with torch.inference_mode():
            return self.encoder.compute_attention(layer, self.hidden_states[layer]).cpu()

    def _layer(self, layer: int) -> Tensor:
        self._check(layer, 0)
        return self._attention.get(layer)

    def _each(self, progress: Progress | bool, layers: Collection[int] | None = None) -> Iterator[tuple[int, Tensor]]:
        """Give layers, all if none are named, with their weights."""
        layers = range(self.layers) if layers is None else layers
        with show_progress(progress, "Looking at heads", "layer") as report:
            for done, layer in enumerate(layers, 1):
                yield layer, self._layer(layer)
                report(done, len(layers))

    def _check(self, layer: int, head: int) -> None:
        if not (0 <= layer < self.layers and 0 <= head < self.heads):
            raise InputError(
                f"There is no layer {layer} with a head {head}; there are layers 0 to {self.layers - 1} and heads 0 to "
                f"{self.heads - 1}."
            )
