"""8-bit and 4-bit weights: bitsandbytes' formats, bytes and numbers, in layers that keep the bytes as they are on disk.

bitsandbytes' own layers rewrite their weights at the first forward (for a faster kernel, or to move a pointer): two
threads can do it at once, saving after it spoils the weights, and a mapped file is copied. These never touch them. On
the CPU a linear layer restores a block of its rows at a time into the cache and multiplies that, which is also faster
than the kernel that the rewriting serves, except for the shortest texts. On a GPU bitsandbytes multiplies.

4-bit is NF4 (Dettmers et al. 2023, arXiv:2305.14314), 8-bit is LLM.int8() (Dettmers et al. 2022, arXiv:2208.07339).
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xlmrxl.checkpoints.strict_json import parse_json
from xlmrxl.errors import MissingDependencyError, describe
from xlmrxl.quantization.upcast import product

PRECISIONS = ("8bit", "4bit")
BLOCK = 64
"""Weights that share a scale in 4 bits."""
BLOCK_SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Those that bitsandbytes has."""
KINDS = ("nf4", "fp4")
"""bitsandbytes' kinds of 4-bit numbers."""
STATE = "weight.quant_state.bitsandbytes__"
"""How the name of what a 4-bit layer says of itself begins; its kind follows."""
MAX_STATE = 4096
"""Bytes of that; it has some 170."""
STORAGE = (torch.uint8, torch.int8, torch.bfloat16, torch.float16, torch.float32, torch.float64)
"""The types that packed 4-bit weights may be stored as (`bnb_4bit_quant_storage`): the bytes are the same."""
OUTLIER = 6.0
"""Activations from here on are multiplied in 16 bits; transformers' default too."""
LARGEST_FP16 = 65504.0
CHUNK = 1 << 22
"""Weights quantised at a time: 8 MB in bfloat16, so that a layer's work needs little beside its result."""
NEAR = 4e-5
"""How close to a boundary of NF4 bitsandbytes' table for the CPU may err, with room to spare (it errs by 1.6e-5)."""


@cache
def bitsandbytes() -> Any:
    """The library, imported without its warning, its question to the Hub for a kernel, and two compilers.

    Triton's serves Intel's GPUs only. Torch's takes twice as long to import as torch itself, and 130 MB: bitsandbytes
    wraps two functions that nothing here calls in `torch.compile`, and takes them as they are where that fails, so it
    is made to fail; and torch hides every kernel that is registered from it, which imports it at the first call.

    Raises:
        CheckpointError: it is not installed.
    """
    hidden = [name for name in ("kernels", "triton") if name not in sys.modules]
    log = logging.getLogger("bitsandbytes.backends.cpu.ops")
    level = log.level
    log.setLevel(logging.ERROR)
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    compiler, hide = torch.compile, getattr(torch, "_disable_dynamo", None)
    torch.compile = _no_compiler  # type: ignore[assignment]
    if hide is not None:
        setattr(torch, "_disable_dynamo", _as_it_is)  # noqa: B010 - the type checker knows it as private
    try:
        import bitsandbytes as library  # noqa: PLC0415 - most people need no quantised weights
        import bitsandbytes.functional  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingDependencyError("8-bit and 4-bit weights need bitsandbytes", "quant") from error
    finally:
        torch.compile = compiler
        if hide is not None:
            setattr(torch, "_disable_dynamo", hide)  # noqa: B010
        log.setLevel(level)
        for name in hidden:
            del sys.modules[name]
    return library


def _no_compiler(*_: Any, **__: Any) -> None:
    raise RuntimeError("torch.compile is not needed here")


def _as_it_is(fn: Any = None, recursive: bool = True) -> Any:
    return _as_it_is if fn is None else fn


# Quantising


def pieces(tensor: Tensor) -> Iterator[tuple[int, int]]:
    """Ranges of rows of about CHUNK elements each."""
    rows = max(1, CHUNK // max(1, tensor[:1].numel())) if len(tensor) else 1
    for start in range(0, len(tensor), rows):
        yield start, min(start + rows, len(tensor))


def quantize_4bit(
    weight: Tensor, dtype: torch.dtype, device: torch.device, double: bool, done: Callable[[Tensor], None]
) -> tuple[Tensor, Any]:
    """NF4 of a matrix, a piece at a time, with the very bytes that bitsandbytes makes of the whole.

    Args:
        weight: (outputs, inputs), perhaps mapped.
        dtype: what it is rounded to first: the type that the rest of the model has.
        device: where it is quantised and stays.
        double: quantise the scales too, by 256 to 8 bits.
        done: told of each part of `weight` that has been used.

    Returns:
        (weights / 2, 1) bytes and bitsandbytes' QuantState.
    """
    functional = bitsandbytes().functional
    if weight.shape[1] % BLOCK:
        whole = weight.to(device, dtype)
        done(weight)
        packed, state = functional.quantize_4bit(whole, blocksize=BLOCK, compress_statistics=double, quant_type="nf4")
        return packed, state
    packed = torch.empty(weight.numel() // 2, 1, dtype=torch.uint8, device=device)
    scales = torch.empty(weight.numel() // BLOCK, device=device)
    width = weight.shape[1]
    for start, stop in pieces(weight):
        part = weight[start:stop]
        some, absmax = _nf4(part.to(device, dtype))
        packed[start * width // 2 : stop * width // 2] = some
        scales[start * width // BLOCK : stop * width // BLOCK] = absmax
        done(part)
    offset = nested = None
    if double:
        offset = scales.mean()
        scales, nested = functional.quantize_blockwise(scales - offset, blocksize=256)
    state = functional.QuantState(
        absmax=scales,
        shape=weight.shape,
        code=functional.get_4bit_type("nf4", device=device),
        blocksize=BLOCK,
        quant_type="nf4",
        dtype=dtype,
        offset=offset,
        state2=nested,
    )
    return packed, state


@cache
def _boundaries() -> tuple[Tensor, Tensor]:
    """NF4's 15 boundaries, and a table of 256 values for bitsandbytes' 8-bit quantiser that finds the same ones.

    Each of the 16 NF4 values has 16 entries. The outermost two lie so close to the boundaries that what falls to them
    may be on the wrong side, and is looked at again; whatever falls to the others is right.
    """
    values = bitsandbytes().functional.get_4bit_type("nf4", device="cpu")
    bounds = (values[1:].double() + values[:-1].double()) / 2
    one = torch.ones(1, dtype=torch.double)
    rows = [
        torch.cat([first, torch.linspace(float(second), float(third), 14, dtype=torch.double), last])
        for first, second, third, last in zip(
            torch.cat([-1.1 * one, bounds + NEAR])[:, None],
            torch.cat([-one, bounds + 3 * NEAR]),
            torch.cat([bounds - 3 * NEAR, one]),
            torch.cat([bounds - NEAR, 1.1 * one])[:, None],
            strict=True,
        )
    ]
    return bounds.float(), torch.cat(rows).float()


def _nf4(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Packed NF4 and scales of a matrix whose width is a multiple of BLOCK.

    On the CPU bitsandbytes searches 15 boundaries for every weight; its 8-bit quantiser looks them up in a table, four
    times as fast, and serves here.
    """
    operators = torch.ops.bitsandbytes
    if weight.device.type != "cpu":
        packed, absmax = operators.quantize_4bit.default(weight, BLOCK, "nf4", torch.uint8)
        return packed, absmax
    bounds, table = _boundaries()
    found, absmax = operators.quantize_blockwise.default(weight, table, BLOCK)
    found, flat = found.view(-1), weight.reshape(-1)
    doubtful = (((found + 1) & 14) == 0).nonzero().view(-1)
    tiny = absmax < 1e-37  # bitsandbytes divides by no less than 1e-38; the table is not made for that
    if tiny.any():
        doubtful = torch.cat([doubtful, tiny.repeat_interleave(BLOCK).nonzero().view(-1)])
    scaled = flat[doubtful].float() * (1.0 / absmax.clamp(min=1e-38))[doubtful // BLOCK]
    found[doubtful] = (torch.bucketize(scaled.clamp(-1, 1), bounds) << 4).to(torch.uint8)
    pairs = found.view(torch.int16)  # the first of two neighbours is the low byte here and the high half below
    return ((pairs & 0xF0) | ((pairs >> 12) & 0xF)).to(torch.uint8)[:, None], absmax


def quantize_8bit(
    weight: Tensor, dtype: torch.dtype, device: torch.device, done: Callable[[Tensor], None]
) -> tuple[Tensor, Tensor]:
    """8-bit rows and the largest absolute value of each: (outputs, inputs) int8 and (outputs,) float32.

    The arguments are those of `quantize_4bit`.
    """
    functional = bitsandbytes().functional
    rows = torch.empty(weight.shape, dtype=torch.int8, device=device)
    scales = torch.empty(weight.shape[0], device=device)
    for start, stop in pieces(weight):
        part = weight[start:stop]
        rows[start:stop], scales[start:stop], _ = functional.int8_vectorwise_quant(
            part.to(device, dtype).to(torch.float16)
        )
        done(part)
    return rows, scales


# Reading what others have quantised


def read_4bit(
    stored: Tensor, parts: Mapping[str, Tensor], shape: tuple[int, ...], device: torch.device
) -> tuple[Tensor, Any]:
    """Check all that a file says of a 4-bit weight, and make of it what bitsandbytes takes.

    bitsandbytes' kernels trust what they are given: a scale too few, or a block size that is none, and they read past
    the end of memory.

    Args:
        stored: the packed weights, two a byte, in any type of `STORAGE`.
        parts: what else the file has of the layer, by the names of a checkpoint (`weight.absmax`, …).
        shape: (outputs, inputs) of the layer.
        device: where it goes.

    Returns:
        (weights / 2, 1) bytes and bitsandbytes' QuantState.

    Raises:
        ValueError: something is missing, too much, or not what it must be; the message is a clause.
    """
    functional = bitsandbytes().functional
    kind, values = _read_state(parts)
    size = math.prod(shape)
    if values.get("shape") != list(shape):
        raise ValueError(f"it is said to have the shape {describe(values.get('shape'))}, the model's is {shape}")
    if stored.dtype not in STORAGE or not stored.is_contiguous() or stored.nbytes != -(-size // 2):
        raise ValueError(f"it has {stored.nbytes:,} bytes of {stored.dtype}, where {shape} takes {-(-size // 2):,}")
    block = _one_of("blocksize", values.get("blocksize"), BLOCK_SIZES)
    dtype = _one_of("dtype", values.get("dtype"), ("float32", "bfloat16", "float16"))
    count = -(-size // block)
    nested = "weight.nested_absmax" in parts
    scales = _part(parts, "absmax", count, torch.uint8 if nested else torch.float32)
    code = functional.get_4bit_type(kind, device=device)
    _check_table(parts, "quant_map", code)
    offset = second = None
    if nested:
        step = _one_of("nested_blocksize", values.get("nested_blocksize"), BLOCK_SIZES)
        _one_of("nested_dtype", values.get("nested_dtype"), ("float32",))
        shift = values.get("nested_offset")
        if isinstance(shift, bool) or not isinstance(shift, int | float) or not 0 <= shift <= LARGEST_FP16:
            raise ValueError(f"its nested_offset is {describe(shift)}")
        second_code = functional.create_dynamic_map().to(device)
        _check_table(parts, "nested_quant_map", second_code)
        second_scales = _part(parts, "nested_absmax", -(-count // step), torch.float32)
        offset = torch.tensor(float(shift), device=device)
        second = functional.QuantState(
            absmax=second_scales.to(device), blocksize=step, code=second_code, dtype=torch.float32
        )
    elif unexpected := {"weight.nested_quant_map"} & parts.keys() or {
        name for name in values if name.startswith("nested_")
    }:
        raise ValueError(f"it has {sorted(unexpected)[0]} but no nested_absmax")
    state = functional.QuantState(
        absmax=scales.to(device),
        shape=torch.Size(shape),
        code=code,
        blocksize=block,
        quant_type=kind,
        dtype=getattr(torch, dtype),
        offset=offset,
        state2=second,
    )
    return stored.view(-1).view(torch.uint8)[:, None].to(device), state


def _read_state(parts: Mapping[str, Tensor]) -> tuple[str, dict[str, Any]]:
    """Return the kind of a 4-bit weight and what its file says of it besides tensors."""
    named = [name for name in parts if name.startswith(STATE)]
    if len(named) != 1:
        raise ValueError(f"it has {len(named)} quant_state, and needs one")
    kind = _one_of("quant_state", named[0].removeprefix(STATE), KINDS)
    packed = parts[named[0]]
    if packed.dtype != torch.uint8 or packed.dim() != 1 or packed.numel() > MAX_STATE:
        raise ValueError("its quant_state is no text")
    try:
        values = parse_json(bytes(packed.tolist()))
    except ValueError as error:
        raise ValueError(f"its quant_state is no JSON: {error}") from None
    if not isinstance(values, dict) or values.get("quant_type") != kind:
        raise ValueError(f"its quant_state is not one of {kind}")
    return str(kind), values


def _one_of(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    if isinstance(value, bool) or not isinstance(value, type(choices[0])) or value not in choices:
        raise ValueError(f"its {name} is {describe(value)}, not one of {', '.join(map(str, choices))}")
    return value


def _part(parts: Mapping[str, Tensor], name: str, count: int, dtype: torch.dtype) -> Tensor:
    """Return a row of scales of a 4-bit weight."""
    scales = parts.get(f"weight.{name}")
    if scales is None or scales.dtype != dtype or scales.shape != (count,):
        has = "no scales" if scales is None else f"{scales.numel():,} scales of {scales.dtype}"
        raise ValueError(f"it has {has} in {name} instead of {count:,} of {dtype}")
    check_scales(name, scales)
    return scales


def check_scales(name: str, scales: Tensor) -> None:
    """Refuse scales that are no numbers from 0 up.

    Raises:
        ValueError: one is negative, infinite or not a number; the message is a clause.
    """
    if scales.is_floating_point() and not bool(((scales >= 0) & (scales < math.inf)).all()):
        raise ValueError(f"{name} has scales that are negative, infinite or no numbers")


def _check_table(parts: Mapping[str, Tensor], name: str, expected: Tensor) -> None:
    """Refuse a table of values other than the only one there is, which is used instead of the file's."""
    table = parts.get(f"weight.{name}")
    if (
        table is None
        or not table.is_floating_point()
        or table.shape != expected.shape
        or not torch.allclose(table.to(expected.device, expected.dtype), expected, rtol=0, atol=1e-5)
    ):
        raise ValueError(f"its {name} is not that of bitsandbytes")


# Layers


class Quantized(nn.Module):
    """What the layers share: their tensors move between devices but never change their type, and nothing is trained."""

    weight: Tensor

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Quantized:
        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        for name, buffer in self._buffers.items():
            if buffer is not None:
                # The bias belongs to the activations, and follows their type.
                self._buffers[name] = fn(buffer) if name == "bias" else move(buffer)
        return self

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        destination.update({prefix + name: tensor for name, tensor in self.tensors().items()})

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Tensor],
        prefix: str,
        _: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Copy what was saved of such a layer; a state without it, such as that of an adapter, leaves it alone."""
        own = self.tensors()
        given = {name: state_dict[prefix + name] for name in own if prefix + name in state_dict}
        if strict or given:
            missing_keys.extend(prefix + name for name in own.keys() - given.keys())
        if not given:
            return
        try:
            for name, tensor in given.items():
                # What a 4-bit weight says of itself is a text, whose length varies.
                same = tensor.shape == own[name].shape or STATE in name
                if tensor.dtype != own[name].dtype or not same:
                    raise ValueError(f"{name} is {tensor.dtype} of shape {tuple(tensor.shape)}")
            self.copy_from({**own, **given})
        except ValueError as error:
            error_msgs.append(
                f"{prefix}weight is quantised and the state dict has another kind of weight for it ({error}): load the "
                "checkpoint with from_pretrained() instead."
            )

    def copy_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over tensors as `tensors` gives them.

        Raises:
            ValueError: they are not what they must be.
        """
        for name, buffer in self.named_buffers(recurse=False):
            buffer.copy_(tensors[name])

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds of the layer, by name within it."""
        raise NotImplementedError

    def count(self) -> int:
        """How many weights it stands for, those of a bias included."""
        raise NotImplementedError


class _Linear(Quantized):
    bias: Tensor | None

    def __init__(self, in_features: int, out_features: int, bias: Tensor | None) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.register_buffer("bias", bias)

    def count(self) -> int:
        return self.in_features * self.out_features + (0 if self.bias is None else self.out_features)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Linear4bit(_Linear):
    """A linear layer with NF4 weights."""

    def __init__(self, in_features: int, out_features: int, bias: Tensor | None, packed: Tensor, state: Any) -> None:
        """packed: (weights / 2, 1) bytes; state: bitsandbytes' QuantState of them."""
        super().__init__(in_features, out_features, bias)
        self.register_buffer("weight", packed)
        self.state = state

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Quantized:
        super()._apply(fn, recurse)
        if self.state.absmax.device != self.weight.device:
            self.state.to(self.weight.device)
        return self

    def copy_from(self, tensors: Mapping[str, Tensor]) -> None:
        parts = {name: tensor for name, tensor in tensors.items() if name.startswith("weight.")}
        shape = (self.out_features, self.in_features)
        self.weight, self.state = read_4bit(tensors["weight"].clone(), parts, shape, self.weight.device)
        if self.bias is not None:
            self.bias.copy_(tensors["bias"])

    def tensors(self) -> dict[str, Tensor]:
        rest = {f"weight.{name}": tensor for name, tensor in self.state.as_dict(packed=True).items()}
        return {"weight": self.weight, **rest, **({} if self.bias is None else {"bias": self.bias})}

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs), in the type of the input."""
        library = bitsandbytes()
        bias = None if self.bias is None else self.bias.to(x.dtype)
        if x.device.type != "cpu":
            multiplied: Tensor = library.matmul_4bit(x, self.weight, quant_state=self.state, bias=bias)
            return multiplied
        out = product(x, self._rows(x.dtype), self.out_features)
        return out if bias is None else out + bias

    def _rows(self, dtype: torch.dtype) -> Callable[[int, int], Tensor]:
        functional, state = bitsandbytes().functional, self.state
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


class Linear8bit(_Linear):
    """A linear layer with 8-bit weights and activations, but for activations beyond OUTLIER."""

    SCB: Tensor

    def __init__(
        self, in_features: int, out_features: int, bias: Tensor | None, rows: Tensor, scales: Tensor, outlier: float
    ) -> None:
        """rows: (outputs, inputs) int8; scales: (outputs,), the absolute value that 127 stands for."""
        super().__init__(in_features, out_features, bias)
        self.register_buffer("weight", rows)
        self.register_buffer("SCB", scales)
        self.outlier = outlier

    def tensors(self) -> dict[str, Tensor]:
        form = torch.zeros((), dtype=torch.uint8)  # "row", the only one there is
        rest = {} if self.bias is None else {"bias": self.bias}
        return {"weight": self.weight, "SCB": self.SCB, "weight_format": form, **rest}

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs), in the type of the input."""
        out: Tensor = _Product8bit.apply(x.reshape(-1, self.in_features), self)  # type: ignore[no-untyped-call]
        return out.view(*x.shape[:-1], -1)


class _Product8bit(torch.autograd.Function):
    """LLM.int8() as bitsandbytes computes it; the gradient is that of the restored weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: Linear8bit) -> Tensor:
        ctx.layer = layer
        functional, operators = bitsandbytes().functional, torch.ops.bitsandbytes
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
        """dtype: of what is looked up."""
        super().__init__()
        self.register_buffer("weight", rows)
        self.register_buffer("SCB", scales)
        self.num_embeddings, self.embedding_dim = rows.shape
        self.padding_idx, self.dtype = padding_idx, dtype

    def tensors(self) -> dict[str, Tensor]:
        return {"weight": self.weight, "SCB": self.SCB}

    def count(self) -> int:
        return self.weight.numel()

    def forward(self, input: Tensor) -> Tensor:
        """(…) ids to (…, width)."""
        return F.embedding(input, self.weight).to(self.dtype) * (self.SCB[input] / 127).to(self.dtype)[..., None]


class TiedDecoder8bit(nn.Module):
    """The LM decoder on the same 8-bit rows."""

    def __init__(self, embeddings: Embedding8bit, bias: nn.Parameter) -> None:
        super().__init__()
        self.bias = bias
        self._embeddings = (embeddings,)  # in a tuple, so that it is no second submodule

    def forward(self, x: Tensor) -> Tensor:
        """(…, hidden) to (…, vocabulary)."""
        embeddings = self._embeddings[0]
        rows, scales = embeddings.weight, embeddings.SCB
        out = product(x, lambda start, stop: _restored(rows[start:stop], scales[start:stop], x.dtype), len(rows))
        return out + self.bias.to(x.dtype)
