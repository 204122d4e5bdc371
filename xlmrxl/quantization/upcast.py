"""16-bit weights computed in 32 bits, for processors that have no 16-bit arithmetic.

Most laptops and many servers can store bfloat16 but not multiply it: torch then works number by number, three to six
times slower than in float32. Here a linear layer upcasts a block of its rows at a time into a buffer that stays in the
cache and multiplies that. The parameters stay as they are on disk, mapped, and only they are rounded: activations, sums
and logits are float32. Swapped into a finished model from outside; the model knows nothing of it. Moved to a GPU or
cast to another type, the layers compute as any others.
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
    """Return whether this processor multiplies numbers of a 16-bit type itself."""
    if hasattr(torch.cpu, "get_capabilities"):
        features = torch.cpu.get_capabilities()
        return any(features.get(name, False) for name in NATIVE[dtype])
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)  # torch < 2.11
    return dtype == torch.bfloat16 and bool(supported())


def upcast_where_needed(model: nn.Module) -> None:
    """Let a model on the CPU compute in float32 where this processor lacks the arithmetic of its 16-bit weights."""
    narrow = {parameter.dtype for parameter in model.parameters() if parameter.device.type == "cpu"} & NATIVE.keys()
    if any(not has_native(dtype) for dtype in narrow):
        upcast(model)


def is_upcast(model: nn.Module) -> bool:
    """Return whether a model has 16-bit weights and computes in float32."""
    return any(isinstance(module, tuple(UPCASTING.values())) for module in model.modules())


def upcast(model: nn.Module) -> None:
    """Let a model with 16-bit weights compute in float32.

    Args:
        model: changed in place: its linear layers, embeddings and layer norms get another class and keep their
            parameters, so that it is trained, saved and counted as before.
    """
    for module in model.modules():
        for plain, upcasting in UPCASTING.items():
            if type(module) is plain and module.weight.dtype in NATIVE:
                module.__class__ = upcasting


def _is_narrow(weight: Tensor) -> bool:
    """Return whether a weight still has to be upcast: it is in 16 bits and on the CPU."""
    return weight.dtype in NATIVE and weight.device.type == "cpu"


class UpcastEmbedding(nn.Embedding):
    """16-bit rows, looked up as float32."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the rows of ids (…), (…, width) in float32."""
        rows = super().forward(input)
        return rows.float() if _is_narrow(self.weight) else rows


class UpcastLinear(nn.Linear):
    """A 16-bit weight, multiplied in float32."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (…, outputs) in float32 of (…, inputs)."""
        if not _is_narrow(self.weight):
            return super().forward(input)
        buffer = torch.empty(min(ROWS, self.out_features), self.in_features)

        def rows(start: int, stop: int) -> Tensor:
            return buffer[: stop - start].copy_(self.weight.detach()[start:stop])

        out = multiply_rows(input.float(), rows, self.out_features, self.weight)
        return out if self.bias is None else out + self.bias.float()


class UpcastLayerNorm(nn.LayerNorm):
    """A layer norm with 16-bit parameters, computed in float32."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (…, width) in float32 of the same."""
        if not _is_narrow(self.weight):
            return super().forward(input)
        weight, bias = self.weight.float(), None if self.bias is None else self.bias.float()
        return nn.functional.layer_norm(input.float(), self.normalized_shape, weight, bias, self.eps)


UPCASTING: dict[type[Any], type[Any]] = {
    nn.Linear: UpcastLinear,
    nn.Embedding: UpcastEmbedding,
    nn.LayerNorm: UpcastLayerNorm,
}


def multiply_rows(x: Tensor, rows: Callable[[int, int], Tensor], height: int, weight: Tensor | None = None) -> Tensor:
    """Return x Wᵀ for a W that is made a block of rows at a time, when it is needed and again for the gradient.

    Args:
        x: (…, inputs).
        rows: from a first and a last row, excluded, to these rows of W in the type and on the device of x; what it
            returned before may be overwritten.
        height: how many rows W has.
        weight: the parameter that W is made of, (height, inputs), where it can be trained.

    Returns:
        (…, height).
    """
    flat = x.reshape(-1, x.shape[-1])
    out: Tensor = _Product.apply(flat, weight, rows, height)  # type: ignore[no-untyped-call]
    return out.view(*x.shape[:-1], height)


class _Product(torch.autograd.Function):
    """x Wᵀ; in the backward pass g W, and gᵀ x where W is trained."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, rows: Callable[[int, int], Tensor], height: int) -> Tensor:
        ctx.rows = rows
        ctx.save_for_backward(*((x, weight) if ctx.needs_input_grad[1] else ()))
        # The large factor goes first: with few tokens that is twice as fast as x Wᵀ.
        transposed = x.t().contiguous()
        out = x.new_empty(height, x.shape[0])
        for start in range(0, height, ROWS):
            stop = min(start + ROWS, height)
            torch.mm(rows(start, stop), transposed, out=out[start:stop])
        return out.t().contiguous()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        of_x = of_weight = None
        if ctx.needs_input_grad[1]:
            x, weight = ctx.saved_tensors
            of_weight = torch.empty_like(weight)
        for start in range(0, grad.shape[1], ROWS):
            stop = min(start + ROWS, grad.shape[1])
            block = grad[:, start:stop]
            if of_weight is not None:
                of_weight[start:stop] = block.t() @ x
            if ctx.needs_input_grad[0]:
                part = block @ ctx.rows(start, stop)
                of_x = part if of_x is None else of_x + part
        return of_x, of_weight, None, None
