"""Layers with bitsandbytes' 8-bit and 4-bit weights, which stay as they are on disk.

bitsandbytes' own layers rewrite their weights at the first forward (for a faster kernel, or to move a pointer): two
threads can do it at once, saving after it spoils the weights, and a mapped file is copied. These never touch them. On
the CPU a linear layer restores a block of its rows at a time into the cache and multiplies that, which is also faster
than the kernel that the rewriting serves, except for the shortest texts. On a GPU bitsandbytes multiplies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from xlmrxl.errors import CheckpointError, InputError, describe
from xlmrxl.quantization.bnb_format import (
    BLOCK,
    KINDS,
    LARGEST_FP16,
    STATE,
    import_bitsandbytes,
    quantize_4bit,
    quantize_8bit,
    read_4bit,
    read_8bit,
)
from xlmrxl.quantization.layers import Quantized, QuantizedLinear
from xlmrxl.quantization.load_options import OUTLIER, LoadOptions
from xlmrxl.quantization.upcast import multiply_rows

UNQUANTIZED = ("lm_head", "classifier", "qa_outputs", "pooler")
"""What a checkpoint says of the modules that are never quantised here."""


class _BnbLinear(QuantizedLinear):
    """A linear layer in one of bitsandbytes' formats, which share what config.json says."""

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        kind = settings.get("bnb_4bit_quant_type", "nf4")
        if cls is Linear4bit and kind not in KINDS:
            raise CheckpointError(
                f"The quantization_config of config.json names the 4-bit type {describe(kind)}; there are "
                f"{' and '.join(KINDS)}. It is damaged: copy it again."
            )
        read_threshold(settings)

    @classmethod
    def read_request(cls, settings: Mapping[str, Any], precision: str) -> LoadOptions:
        if cls is Linear4bit and settings.get("bnb_4bit_quant_type", "fp4") != "nf4":
            raise InputError("bnb_4bit_quant_type must be 'nf4': weights are quantised to no other type of 4 bits.")
        compute = str(settings.get("bnb_4bit_compute_dtype")).removeprefix("torch.")
        return LoadOptions(
            # float32 is what the library says where nobody chose.
            getattr(torch, compute) if cls is Linear4bit and compute in ("bfloat16", "float16") else None,
            precision,
            double_quant=bool(settings.get("bnb_4bit_use_double_quant")),
            outlier=read_threshold(settings),
            skip=tuple(settings.get("llm_int8_skip_modules") or ()),
        )

    @classmethod
    def describe_settings(cls, options: LoadOptions) -> dict[str, Any]:
        four = cls is Linear4bit
        dtype = options.dtype if isinstance(options.dtype, torch.dtype) else torch.bfloat16
        return {
            "load_in_4bit": four,
            "load_in_8bit": not four,
            "_load_in_4bit": four,
            "_load_in_8bit": not four,
            "llm_int8_threshold": options.outlier,
            "llm_int8_has_fp16_weight": False,
            "llm_int8_enable_fp32_cpu_offload": False,
            # Without this list transformers 5 quantises the task heads as well.
            "llm_int8_skip_modules": [*UNQUANTIZED, *(name for name in options.skip if name not in UNQUANTIZED)],
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": options.double_quant,
            "bnb_4bit_compute_dtype": str(dtype).removeprefix("torch."),
            "bnb_4bit_quant_storage": "uint8",
        }


def read_threshold(settings: Mapping[str, Any]) -> float:
    """Return the activations from which on 8-bit layers compute in 16 bits, as a config.json has it.

    Raises:
        CheckpointError: it is no number from 0.
    """
    threshold = settings.get("llm_int8_threshold", OUTLIER)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold < math.inf:
        raise CheckpointError(
            f"The quantization_config of config.json has the llm_int8_threshold {describe(threshold)}; it must be a "
            f"number from 0, and is usually {OUTLIER}."
        )
    return float(threshold)


class Linear4bit(_BnbLinear):
    """A linear layer with NF4 weights (or FP4, where a file has them)."""

    parts = (
        "weight.absmax",
        "weight.quant_map",
        "weight.nested_absmax",
        "weight.nested_quant_map",
        f"{STATE}*",  # what a layer says of itself; its name says which kind of 4-bit numbers it has
    )
    textual: ClassVar[str] = STATE

    def __init__(self, in_features: int, out_features: int, bias: Tensor | None, packed: Tensor, state: Any) -> None:
        """Take packed weights, (weights / 2, 1) bytes, and bitsandbytes' QuantState of them."""
        super().__init__(in_features, out_features, bias)
        self.register_buffer("weight", packed)
        self.state = state

    @classmethod
    def quantize(
        cls, weight: Tensor, bias: Tensor | None, options: LoadOptions, on_read: Callable[[Tensor], None]
    ) -> Linear4bit:
        """Make a layer of an unquantised weight, in NF4."""
        dtype = options.choose_dtype(weight.dtype)
        packed, state = quantize_4bit(weight, dtype, options.device, options.double_quant, on_read)
        return cls(weight.shape[1], weight.shape[0], bias, packed, state)

    @classmethod
    def read(
        cls,
        weight: Tensor,
        parts: Mapping[str, Tensor],
        bias: Tensor | None,
        shape: tuple[int, int],
        device: torch.device,
        settings: Mapping[str, Any],
    ) -> Linear4bit:
        """Make a layer of the packed weights that a checkpoint has stored, after a check of all their parts."""
        packed, state = read_4bit(weight, parts, shape, device)
        if state.quant_type != settings.get("bnb_4bit_quant_type", state.quant_type):
            raise ValueError(f"it is {state.quant_type}, and config.json says otherwise")
        return cls(shape[1], shape[0], bias, packed, state)

    @staticmethod
    def count_bytes(rows: int, columns: int, double_quant: bool) -> int:
        """Return the bytes of packed weights and their scales; `double_quant` as in `LoadOptions`."""
        scales = rows * columns // BLOCK
        # Nested, a scale is a byte, and 256 of them share a float32; a table of 256 values goes with them.
        return rows * columns // 2 + (scales + scales // 64 + 1024 if double_quant else 4 * scales)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Quantized:
        super()._apply(fn, recurse)
        if self.state.absmax.device != self.weight.device:
            self.state.to(self.weight.device)
        return self

    def copy_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over packed weights with their scales, after a check of all their parts."""
        parts = {name: tensor for name, tensor in tensors.items() if name.startswith("weight.")}
        shape = (self.out_features, self.in_features)
        self.weight, self.state = read_4bit(tensors["weight"].clone(), parts, shape, self.weight.device)
        if self.bias is not None:
            self.bias.copy_(tensors["bias"])

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, scales, tables and bias as transformers stores them."""
        rest = {f"weight.{name}": tensor for name, tensor in self.state.as_dict(packed=True).items()}
        return {"weight": self.weight, **rest, **({} if self.bias is None else {"bias": self.bias})}

    def forward(self, x: Tensor) -> Tensor:
        """Return (…, outputs) of (…, inputs), in the type of the input."""
        library = import_bitsandbytes()
        bias = None if self.bias is None else self.bias.to(x.dtype)
        if x.device.type != "cpu":
            multiplied: Tensor = library.matmul_4bit(x, self.weight, quant_state=self.state, bias=bias)
            return multiplied
        out = multiply_rows(x, self._rows(x.dtype), self.out_features)
        return out if bias is None else out + bias

    def _rows(self, dtype: torch.dtype) -> Callable[[int, int], Tensor]:
        functional, state = import_bitsandbytes().functional, self.state
        width = self.in_features
        if width % state.blocksize:
            whole = functional.dequantize_4bit(self.weight, state).to(dtype)
            return lambda start, stop: whole[start:stop]
        scales = state.absmax
        if state.nested:
            scales = functional.dequantize_blockwise(scales, state.state2) + state.offset
        packed, scales = self.weight.view(-1, width // 2), scales.view(-1, width // state.blocksize)

        def rows(start: int, stop: int) -> Tensor:
            restored: Tensor = torch.ops.bitsandbytes.dequantize_4bit.default(
                packed[start:stop],
                scales[start:stop].reshape(-1),
                state.blocksize,
                state.quant_type,
                (stop - start, width),
                dtype,
            )
            return restored

        return rows


class Linear8bit(_BnbLinear):
    """A linear layer with 8-bit weights and activations, but for activations beyond OUTLIER."""

    SCB: Tensor
    parts = ("SCB", "weight_format")

    def __init__(
        self, in_features: int, out_features: int, bias: Tensor | None, rows: Tensor, scales: Tensor, outlier: float
    ) -> None:
        """Take rows, (outputs, inputs) int8, and scales, (outputs,): the absolute value that 127 stands for."""
        super().__init__(in_features, out_features, bias)
        self.register_buffer("weight", rows)
        self.register_buffer("SCB", scales)
        self.outlier = outlier

    @classmethod
    def quantize(
        cls, weight: Tensor, bias: Tensor | None, options: LoadOptions, on_read: Callable[[Tensor], None]
    ) -> Linear8bit:
        """Make a layer of an unquantised weight, each row in steps of its own."""
        rows, scales = quantize_8bit(weight, options.choose_dtype(weight.dtype), options.device, on_read)
        return cls(weight.shape[1], weight.shape[0], bias, rows, scales, options.outlier)

    @classmethod
    def read(
        cls,
        weight: Tensor,
        parts: Mapping[str, Tensor],
        bias: Tensor | None,
        shape: tuple[int, int],
        device: torch.device,
        settings: Mapping[str, Any],
    ) -> Linear8bit:
        """Make a layer of the 8-bit rows that a checkpoint has stored, after a check of their scales."""
        rows, scales = read_8bit(weight, parts, shape)
        return cls(shape[1], shape[0], bias, rows.to(device), scales.to(device), read_threshold(settings))

    @staticmethod
    def count_bytes(rows: int, columns: int, double_quant: bool) -> int:
        """Return the bytes of the rows and of a float32 scale for each."""
        return rows * columns + 4 * rows

    def tensors(self) -> dict[str, Tensor]:
        """Return rows, scales, their order and bias as transformers stores them."""
        form = torch.zeros((), dtype=torch.uint8)  # "row", the only one there is
        rest = {} if self.bias is None else {"bias": self.bias}
        return {"weight": self.weight, "SCB": self.SCB, "weight_format": form, **rest}

    def forward(self, x: Tensor) -> Tensor:
        """Return (…, outputs) of (…, inputs), in the type of the input."""
        out: Tensor = _Product8bit.apply(x.reshape(-1, self.in_features), self)  # type: ignore[no-untyped-call]
        return out.view(*x.shape[:-1], -1)


class _Product8bit(torch.autograd.Function):
    """LLM.int8() as bitsandbytes computes it; the gradient is that of the restored weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: Linear8bit) -> Tensor:
        ctx.layer = layer
        functional, operators = import_bitsandbytes().functional, torch.ops.bitsandbytes
        # float16 ends at 65504, where bfloat16 and float32 do not: rows have a scale of their own to take the rest.
        excess = (x.abs().amax().float() / LARGEST_FP16).clamp(min=1) if x.dtype != torch.float16 else None
        narrow = (x if excess is None else x / excess.to(x.dtype)).to(torch.float16)
        quantized, scales, outliers = functional.int8_vectorwise_quant(narrow, threshold=layer.outlier)
        if excess is not None:
            scales = scales * excess
        bias = None if layer.bias is None else layer.bias.to(x.dtype)
        if layer.outlier > 0:
            mixed: tuple[Tensor, Any] = operators.int8_mixed_scaled_mm.default(
                x, quantized, layer.weight, scales, layer.SCB, outliers, bias
            )
            return mixed[0]
        out: Tensor = operators.int8_scaled_mm.default(
            quantized, layer.weight, scales, layer.SCB, bias=bias, dtype=x.dtype
        )
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        layer = ctx.layer
        return grad @ _restored(layer.weight, layer.SCB, grad.dtype), None


def _restored(rows: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    return rows.to(dtype) * (scales[:, None] / 127).to(dtype)


class Embedding8bit(Quantized):
    """Word embeddings with 8-bit rows, (vocabulary, hidden) int8 and a scale each."""

    SCB: Tensor

    def __init__(self, rows: Tensor, scales: Tensor, padding_idx: int | None, dtype: torch.dtype) -> None:
        """Take rows, (vocabulary, hidden) int8, and their scales; `dtype` is that of what is looked up."""
        super().__init__()
        self.register_buffer("weight", rows)
        self.register_buffer("SCB", scales)
        self.num_embeddings, self.embedding_dim = rows.shape
        self.padding_idx, self.dtype = padding_idx, dtype

    @staticmethod
    def count_bytes(rows: int, columns: int) -> int:
        """Return the bytes that embeddings of (rows, columns) take, scales included."""
        return rows * columns + 4 * rows

    def tensors(self) -> dict[str, Tensor]:
        """Return the rows and their scales."""
        return {"weight": self.weight, "SCB": self.SCB}

    def count(self) -> int:
        """Return how many weights the rows stand for."""
        return self.weight.numel()

    def forward(self, input: Tensor) -> Tensor:
        """Return (…, hidden) of (…) ids."""
        return (
            nn.functional.embedding(input, self.weight).to(self.dtype)
            * (self.SCB[input] / 127).to(self.dtype)[..., None]
        )


class TiedDecoder8bit(nn.Module):
    """The LM decoder on the same 8-bit rows."""

    def __init__(self, embeddings: Embedding8bit, bias: nn.Parameter) -> None:
        """Share the rows of the word embeddings, which stay the only module that holds them."""
        super().__init__()
        self.bias = bias
        self._embeddings = (embeddings,)  # in a tuple, so that it is no second submodule

    def forward(self, x: Tensor) -> Tensor:
        """Return (…, vocabulary) of (…, hidden)."""
        embeddings = self._embeddings[0]
        rows, scales = embeddings.weight, embeddings.SCB
        out = multiply_rows(x, lambda start, stop: _restored(rows[start:stop], scales[start:stop], x.dtype), len(rows))
        return out + self.bias.to(x.dtype)
