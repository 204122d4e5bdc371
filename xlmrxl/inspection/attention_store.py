"""How an inspection holds attention weights: in 16 or 8 bits, or not at all, computed again when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

KEEPS = ("recompute", "fp16", "uint8")
"""The ways to hold the weights; see `inspect`."""
CACHE_BYTES = 1 << 26
"""What recomputed layers may take: all of XL's at 128 tokens but five, and one of 34 MB at 512 besides another."""


class AttentionStore:
    """The attention of all layers in 16 or 8 bits."""

    def __init__(self, form: str) -> None:
        """Begin with no layer.

        Args:
            form: `"fp16"` or `"uint8"`; the latter with a scale for each row, so that a weight is at most 1/510 of the
                largest in its row off.
        """
        self.form = form
        self._layers: list[tuple[Tensor, Tensor | None]] = []

    def add(self, weights: Tensor) -> None:
        """Hold the next layer's weights, (heads, sequence, sequence)."""
        if self.form == "fp16":
            self._layers.append((weights.half().cpu(), None))
        else:
            scales = (weights.amax(-1, keepdim=True) / 255).clamp(min=torch.finfo(torch.float32).tiny)
            self._layers.append(((weights / scales).round().to(torch.uint8).cpu(), scales.cpu()))

    def get(self, layer: int) -> Tensor:
        """Return the weights of a layer, (heads, sequence, sequence) in float32."""
        weights, scales = self._layers[layer]
        return weights.float() if scales is None else weights.float() * scales

    @property
    def nbytes(self) -> int:
        """The bytes that are held."""
        return sum(part.nbytes for parts in self._layers for part in parts if part is not None)


class AttentionCache:
    """The attention of the layers that were asked for last; that of others is computed again."""

    def __init__(self, compute: Callable[[int], Tensor], layer_bytes: int, most: int = CACHE_BYTES) -> None:
        """Begin with no layer.

        Args:
            compute: from a layer to its weights.
            layer_bytes: what the weights of a layer take.
            most: bytes to hold, though one layer always is.
        """
        self._layer_bytes = layer_bytes
        self._compute = lru_cache(maxsize=max(1, most // layer_bytes))(compute)

    def get(self, layer: int) -> Tensor:
        """Return the weights of a layer, (heads, sequence, sequence) in float32."""
        return self._compute(layer)

    @property
    def nbytes(self) -> int:
        """The bytes that are held."""
        return self._compute.cache_info().currsize * self._layer_bytes
