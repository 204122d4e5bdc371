"""16-bit weights computed in 32 bits, for processors that have no 16-bit arithmetic.

Most laptops and many servers can store bfloat16 but not multiply it: torch then works number by number, three to six
times slower than in float32. Here a linear layer widens a block of its rows at a time into a buffer that stays in the
cache and multiplies that. The weights stay as they are on disk, mapped, and only they are rounded: activations, sums
and logits are float32. Swapped into a finished model from outside; the model knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

ROWS = 512
"""Rows a block: 5 MB in float32 for XL's 2,560 columns. From 256 to 1,024 the speed is the same."""
NATIVE = {torch.bfloat16: {"avx512_bf16", "amx_bf16", "bf16"}, torch.float16: {"avx512_fp16", "amx_fp16", "fp16"}}
"""The processor features that make torch's own 16-bit product the faster one."""


def has_native(dtype: torch.dtype) -> bool:
    """Whether this processor multiplies numbers of a 16-bit type itself."""
    if hasattr(torch.cpu, "get_capabilities"):
        features = torch.cpu.get_capabilities()
        return any(features.get(name, False) for name in NATIVE[dtype])
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)  # torch < 2.11
    return dtype == torch.bfloat16 and bool(supported())


def widen(model: nn.Module) -> None:
    """Let a model with 16-bit weights on the CPU compute in float32; its weights are frozen by this.

    Args:
        model: changed in place. Linear layers and embeddings keep their 16-bit weights; biases and layer norms, which
            are small, become float32.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear) and module.weight.dtype in NATIVE:
            module.__class__ = WideningLinear
        elif isinstance(module, nn.Embedding) and module.weight.dtype in NATIVE:
            module.__class__ = WideningEmbedding
    large = {id(m.weight) for m in model.modules() if isinstance(m, WideningLinear | WideningEmbedding)}
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        if id(parameter) not in large and parameter.dtype in NATIVE:
            parameter.data = parameter.data.float()


class WideningEmbedding(nn.Embedding):
    """16-bit rows, looked up as float32."""

    def forward(self, input: Tensor) -> Tensor:
        """(…) ids to (…, width) in float32."""
        return super().forward(input).float()


class WideningLinear(nn.Linear):
    """A frozen 16-bit weight, multiplied in float32."""

    def forward(self, input: Tensor) -> Tensor:
        """(…, inputs) in float32 to (…, outputs) in float32."""
        buffer = torch.empty(min(ROWS, self.out_features), self.in_features)

        def rows(start: int, stop: int) -> Tensor:
            return buffer[: stop - start].copy_(self.weight[start:stop])

        out = product(input, rows, self.out_features)
        return out if self.bias is None else out + self.bias


def product(x: Tensor, rows: Callable[[int, int], Tensor], height: int) -> Tensor:
    """x Wᵀ for a frozen W that is made a block of rows at a time, when it is needed and again for the gradient.

    Args:
        x: (…, inputs).
        rows: from a first and a last row, excluded, to these rows of W in the type and on the device of x; what it
            returned before may be overwritten.
        height: how many rows W has.

    Returns:
        (…, height).
    """
    out: Tensor = _Product.apply(x.reshape(-1, x.shape[-1]), rows, height)  # type: ignore[no-untyped-call]
    return out.view(*x.shape[:-1], height)


class _Product(torch.autograd.Function):
    """x Wᵀ, and in the backward pass g W."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Callable[[int, int], Tensor], height: int) -> Tensor:
        ctx.rows = rows
        # The large factor goes first: with few tokens that is twice as fast as x Wᵀ.
        transposed = x.t().contiguous()
        out = x.new_empty(height, x.shape[0])
        for start in range(0, height, ROWS):
            stop = min(start + ROWS, height)
            torch.mm(rows(start, stop), transposed, out=out[start:stop])
        return out.t().contiguous()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        total: Tensor | None = None
        for start in range(0, grad.shape[1], ROWS):
            stop = min(start + ROWS, grad.shape[1])
            part = grad[:, start:stop] @ ctx.rows(start, stop)
            total = part if total is None else total + part
        assert total is not None
        return total, None, None
