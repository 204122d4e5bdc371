"""bitsandbytes' 8-bit and 4-bit weights: the same bytes, made a piece at a time, and checked when they are read.

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
from torch import Tensor

from xlmrxl.checkpoints.strict_json import parse_json
from xlmrxl.errors import MissingDependencyError, describe

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
LARGEST_FP16 = 65504.0
CHUNK = 1 << 22
"""Weights quantised at a time: 8 MB in bfloat16, so that a layer's work needs little beside its result."""
NEAR = 4e-5
"""How close to a boundary of NF4 bitsandbytes' table for the CPU may err, with room to spare (it errs by 1.6e-5)."""


@cache
def import_bitsandbytes() -> Any:
    """Import the library without its warning, its question to the Hub for a kernel, and two compilers.

    Triton's serves Intel's GPUs only. Torch's takes twice as long to import as torch itself, and 130 MB: bitsandbytes
    wraps two functions that nothing here calls in `torch.compile`, and takes them as they are where that fails, so it
    is made to fail; and torch hides every kernel that is registered from it, which imports it at the first call.

    Raises:
        MissingDependencyError: it is not installed.
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


def split_rows(tensor: Tensor) -> Iterator[tuple[int, int]]:
    """Yield the first and last row, excluded, of ranges of about CHUNK elements each."""
    rows = max(1, CHUNK // max(1, tensor[:1].numel())) if len(tensor) else 1
    for start in range(0, len(tensor), rows):
        yield start, min(start + rows, len(tensor))


def quantize_4bit(
    weight: Tensor, dtype: torch.dtype, device: torch.device, double: bool, on_read: Callable[[Tensor], None]
) -> tuple[Tensor, Any]:
    """Quantise a matrix to NF4, a piece at a time, with the very bytes that bitsandbytes makes of the whole.

    Args:
        weight: (outputs, inputs), perhaps mapped.
        dtype: what it is rounded to first: the type that the rest of the model has.
        device: where it is quantised and stays.
        double: quantise the scales too, by 256 to 8 bits.
        on_read: called with each part of `weight` that has been used.

    Returns:
        (weights / 2, 1) bytes and bitsandbytes' QuantState.
    """
    functional = import_bitsandbytes().functional
    if weight.shape[1] % BLOCK:
        whole = weight.to(device, dtype)
        on_read(weight)
        packed, state = functional.quantize_4bit(whole, blocksize=BLOCK, compress_statistics=double, quant_type="nf4")
        return packed, state
    packed = torch.empty(weight.numel() // 2, 1, dtype=torch.uint8, device=device)
    scales = torch.empty(weight.numel() // BLOCK, device=device)
    width = weight.shape[1]
    for start, stop in split_rows(weight):
        part = weight[start:stop]
        some, absmax = _nf4(part.to(device, dtype))
        packed[start * width // 2 : stop * width // 2] = some
        scales[start * width // BLOCK : stop * width // BLOCK] = absmax
        on_read(part)
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
    """Return NF4's 15 boundaries, and a table of 256 values by which bitsandbytes' 8-bit quantiser finds the same.

    Each of the 16 NF4 values has 16 entries. The outermost two lie so close to the boundaries that what falls to them
    may be on the wrong side, and is looked at again; whatever falls to the others is right.
    """
    values = import_bitsandbytes().functional.get_4bit_type("nf4", device="cpu")
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
    """Return packed NF4 and scales of a matrix whose width is a multiple of BLOCK.

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
    weight: Tensor, dtype: torch.dtype, device: torch.device, on_read: Callable[[Tensor], None]
) -> tuple[Tensor, Tensor]:
    """Quantise the rows of a matrix to 8 bits.

    The arguments are those of `quantize_4bit`.

    Returns:
        (outputs, inputs) int8, and the largest absolute value of each row, (outputs,) float32.
    """
    functional = import_bitsandbytes().functional
    rows = torch.empty(weight.shape, dtype=torch.int8, device=device)
    scales = torch.empty(weight.shape[0], device=device)
    for start, stop in split_rows(weight):
        part = weight[start:stop]
        rows[start:stop], scales[start:stop], _ = functional.int8_vectorwise_quant(
            part.to(device, dtype).to(torch.float16)
        )
        on_read(part)
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
    functional = import_bitsandbytes().functional
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


def read_8bit(weight: Tensor, parts: Mapping[str, Tensor], shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Check all that a file says of 8-bit rows; return them with their scales in float32.

    Args:
        weight: (outputs, inputs) int8.
        parts: `SCB`, the scales, and perhaps `weight_format`, the order of the values.
        shape: (outputs, inputs) of the layer.

    Raises:
        ValueError: something is not what it must be; the message is a clause.
    """
    scales, form = parts.get("SCB"), parts.get("weight_format")
    if scales is None:
        raise ValueError("it has no SCB")
    if weight.dtype != torch.int8 or weight.shape != shape or not weight.is_contiguous():
        raise ValueError(f"it is {weight.dtype} of shape {tuple(weight.shape)}, not int8 of {shape}")
    if scales.dtype not in (torch.float32, torch.float16, torch.bfloat16) or scales.shape != shape[:1]:
        raise ValueError(f"SCB is {scales.dtype} of shape {tuple(scales.shape)}, not float32 of {shape[:1]}")
    check_scales("SCB", scales)
    # 0 is "row"; the others are orders of values that bitsandbytes had for some GPUs.
    if form is not None and (form.numel() != 1 or form.is_complex() or form.item() != 0):
        raise ValueError("its weight_format is not that of rows")
    return weight, scales.float()
