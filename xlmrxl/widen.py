"""16-bit weights computed in 32 bits, for processors that have no 16-bit arithmetic.

Most laptops and many servers can store bfloat16 but not multiply it: torch then works number by number, three to six
times slower than in float32. Here a linear layer widens a block of its rows at a time into a buffer that stays in the
cache and multiplies that. The weights stay as they are on disk, mapped, and only they are rounded: activations, sums
and logits are float32. Swapped into a finished model from outside; the model knows nothing of it.
"""

from __future__ import annotations

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
        flat = input.reshape(-1, input.shape[-1])
        product: Tensor = _Product.apply(flat, self.weight)  # type: ignore[no-untyped-call]
        if self.bias is not None:
            product = product + self.bias
        return product.view(*input.shape[:-1], -1)


class _Product(torch.autograd.Function):
    """x Wᵀ, and in the backward pass g W: never more than a block of W at once in float32."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        rows, columns = weight.shape
        buffer = torch.empty(min(ROWS, rows), columns)
        # The large factor goes first: with few tokens that is twice as fast as x Wᵀ.
        transposed = x.t().contiguous()
        out = torch.empty(rows, x.shape[0])
        for start in range(0, rows, ROWS):
            block = buffer[: min(ROWS, rows - start)]
            block.copy_(weight[start : start + ROWS])
            torch.mm(block, transposed, out=out[start : start + ROWS])
        return out.t().contiguous()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        total = torch.zeros(grad.shape[0], weight.shape[1])
        for start in range(0, weight.shape[0], ROWS):
            total.addmm_(grad[:, start : start + ROWS], weight[start : start + ROWS].float())
        return total, None
