"""What a model takes of memory at each precision, from its config alone, and what of it is best on this machine.

Nothing else decides what fits. Weights are counted exactly, layer by layer, from a model without values. What a
sentence adds is the largest that is alive at once: the stream and one layer's work, the attention weights if they are
kept, and the logits of one mask.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch

from xlmrxl.errors import InputError, describe
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.model.module import init_empty_weights
from xlmrxl.model.pretrained import XLMRobertaXLPreTrainedModel
from xlmrxl.quantization.bnb_layers import Embedding8bit
from xlmrxl.quantization.layers import is_quantizable
from xlmrxl.quantization.precision import AUTO, PRECISIONS, Precision, find_precision
from xlmrxl.quantization.upcast import ROWS, has_native

LENGTHS = (16, 128, 512)
"""The numbers of tokens that a sentence is counted with."""
RUNTIME = 550_000_000
"""What Python, torch and its libraries take before any weight (half of it shared where another torch runs)."""
SMALL = 2_000_000_000
"""Up to this many bytes in float32, a model on the CPU is held in float32: it rounds nothing, and only processors with
bfloat16 arithmetic are faster in anything else."""


@dataclass(frozen=True)
class Need:
    """The bytes that a model takes at one precision.

    Attributes:
        precision: its name.
        weights: bytes of all weights.
        sentence: bytes that a sentence adds, by its number of tokens.
        attentions: the same, where all attention weights and hidden states are kept.
    """

    precision: str
    weights: int
    sentence: dict[int, int]
    attentions: dict[int, int]

    def count_total(self, tokens: int = 128, attentions: bool = False) -> int:
        """Return the bytes that the process takes with a sentence of some of `LENGTHS` tokens."""
        return RUNTIME + self.weights + (self.attentions if attentions else self.sentence)[tokens]


@dataclass(frozen=True)
class Device:
    """A place for a model.

    Attributes:
        name: as `load` takes it.
        title: what a person calls it.
        free: bytes that are free there.
        total: bytes that there are.
    """

    name: str
    title: str
    free: int
    total: int

    @property
    def type(self) -> str:
        """Return the kind of device, as torch has it: `cuda` of `cuda:1`."""
        return self.name.partition(":")[0]

    def has_name(self, name: str) -> bool:
        """Return whether a name means this device; a plain `cuda` is the first of them."""
        return self.name in (name, f"{name}:0", name.removesuffix(":0"))


@dataclass(frozen=True)
class Choice:
    """The precision and the device that are best for a model.

    Attributes:
        precision: its name.
        device: its name.
        reason: why these, in a clause.
        total: bytes that the model takes so, with a sentence.
        free: bytes that are free on the device.
    """

    precision: str
    device: str
    reason: str
    total: int
    free: int

    @property
    def fits(self) -> bool:
        """Return whether the model has room there."""
        return self.total <= self.free


@dataclass(frozen=True)
class Plan:
    """What a model needs and what there is.

    Attributes:
        model: its name.
        parameters: their number.
        needs: one for each precision.
        devices: of this machine, the fastest first.
    """

    model: str
    parameters: int
    needs: tuple[Need, ...]
    devices: tuple[Device, ...]

    def get_need(self, precision: str) -> Need:
        """Return what a precision takes.

        Raises:
            InputError: there is no such precision.
        """
        name = find_precision(precision).name
        return next(need for need in self.needs if need.precision == name)

    def get_device(self, name: str) -> Device:
        """Return the device of a name; a plain `cuda` is the first.

        Raises:
            InputError: it is not there.
        """
        return select_devices(self.devices, name)[0]

    def fits(self, precision: str, device: str, tokens: int = 128) -> bool:
        """Return whether a precision has room on a device, with a sentence of some of `LENGTHS` tokens."""
        return self.get_need(precision).count_total(tokens) <= self.get_device(device).free

    def choose(self, precision: str = AUTO, device: str = AUTO, dtype: torch.dtype | None = None) -> Choice:
        """Choose how and where to hold the model: the fastest that fits.

        Args:
            precision: its name, or "auto": float32 for a small model on the CPU, otherwise the first of 16, 8 and 4
                bits that fits.
            device: its name, or "auto" for the first that the model fits.
            dtype: the type that the checkpoint has, where it is known.

        Returns:
            The choice; where nothing fits, the smallest precision there is, on the last device.

        Raises:
            InputError: there is no such precision or device, or the device does not compute with the precision.
        """
        places = select_devices(self.devices, device)
        if precision != AUTO:
            able = [place for place in places if place.type in find_precision(precision, auto=True).devices]
            if not able:
                raise InputError(f"{precision} is not computed on {device}; choose another precision or device.")
            fitting = [place for place in able if self.fits(precision, place.name)]
            return self._describe_choice(precision, (fitting or able[-1:])[0], "as asked for")
        for place in places:
            if place.type == "cpu" and self.parameters * 4 <= SMALL:
                return self._describe_choice("fp32", place, "small enough for float32, which rounds nothing")
            candidates = _list_candidates(place, dtype)
            for name in candidates:
                if self.fits(name, place.name):
                    need, why = self.get_need(name).count_total(), "the fastest"
                    why = why if name == candidates[0] else "more would not fit"
                    reason = f"{format_size(need)} of the {format_size(place.free)} free on {place.name}; {why}"
                    return self._describe_choice(name, place, reason)
        smallest = min(_list_candidates(places[-1], dtype), key=lambda name: self.get_need(name).count_total())
        return self._describe_choice(smallest, places[-1], "the smallest there is")

    def _describe_choice(self, precision: str, device: Device, reason: str) -> Choice:
        return Choice(precision, device.name, reason, self.get_need(precision).count_total(), device.free)

    def add_free(self, device: torch.device, count: int) -> Plan:
        """Return the plan as it would be if so many more bytes were free on a device."""
        name = str(device)
        devices = (replace(each, free=each.free + count) if each.has_name(name) else each for each in self.devices)
        return replace(self, devices=tuple(devices))

    def to_dict(self) -> dict[str, object]:
        """Return plain values, bytes throughout."""
        return {
            "model": self.model,
            "parameters": self.parameters,
            "precisions": [
                {
                    "precision": need.precision,
                    "weights": need.weights,
                    "sentence": {str(n): size for n, size in need.sentence.items()},
                    "sentence_with_attentions": {str(n): size for n, size in need.attentions.items()},
                    "fits": {device.name: self.fits(need.precision, device.name) for device in self.devices},
                }
                for need in self.needs
            ],
            "devices": [vars(device) for device in self.devices],
            "runtime": RUNTIME,
        }

    def __str__(self) -> str:
        """Return the plan as a table with a row for each precision."""
        head = ["precision", "weights", *(f"+{n} tokens" for n in LENGTHS), *(f"{n} with attentions" for n in LENGTHS)]
        head += [device.name for device in self.devices]
        rows = [
            [
                need.precision,
                format_size(need.weights),
                *(format_size(need.sentence[n]) for n in LENGTHS),
                *(format_size(need.attentions[n]) for n in LENGTHS),
                *("fits" if self.fits(need.precision, device.name) else "no" for device in self.devices),
            ]
            for need in self.needs
        ]
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        lines = [f"{self.model}: {self.parameters / 1e6:,.1f} million parameters"]
        for row in [head, *rows]:
            lines.append(
                "  ".join(
                    text.ljust(w) if i == 0 else text.rjust(w)
                    for i, (text, w) in enumerate(zip(row, widths, strict=True))
                )
            )
        lines.append(
            f"In addition {format_size(RUNTIME)} for Python, torch and bitsandbytes. Fits: with a text of 128 tokens."
        )
        lines += [
            f"{device.name}: {device.title}, {format_size(device.free)} of {format_size(device.total)} free"
            for device in self.devices
        ]
        return "\n".join(lines)


def format_size(count: float) -> str:
    """Return a number of bytes as people read it: 10^9 is a GB."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.3g} {unit}" if count < 1000 * step else f"{count / step:,.0f} {unit}"
    return f"{count:.0f} bytes"


def make_plan(
    name: str,
    model: XLMRobertaXLPreTrainedModel | XLMRobertaXLConfig,
    *,
    double_quant: bool = True,
    embeddings_8bit: bool = False,
    devices: Sequence[Device] | None = None,
) -> Plan:
    """Return the plan of a model; of a config, that of its masked language model.

    Args:
        name: for the title.
        model: without values, or its config.
        double_quant: quantise the scales of 4-bit weights too.
        embeddings_8bit: hold the word embeddings in 8-bit rows.
        devices: the places to hold it; those of this machine if not given.
    """
    if isinstance(model, XLMRobertaXLConfig):
        with init_empty_weights():
            model = XLMRobertaXLForMaskedLM(model)
    needs = tuple(estimate_need(model, precision, double_quant, embeddings_8bit) for precision in PRECISIONS.values())
    return Plan(name, model.num_parameters(), needs, tuple(list_devices() if devices is None else devices))


def estimate_need(
    model: XLMRobertaXLPreTrainedModel, precision: Precision, double_quant: bool = True, embeddings_8bit: bool = False
) -> Need:
    """Return what a model takes at one precision; the arguments are those of `make_plan`."""
    weights, counted = 0, set()
    for path, module in model.named_modules():
        for kind, parameter in module.named_parameters(recurse=False):
            if id(parameter) in counted:
                continue
            counted.add(id(parameter))
            if kind == "weight" and is_quantizable(path, module):
                weights += precision.count_bytes(parameter.shape[0], parameter.shape[1], double_quant)
            elif embeddings_8bit and path.endswith("word_embeddings"):
                weights += Embedding8bit.count_bytes(parameter.shape[0], parameter.shape[1])
            else:
                weights += parameter.numel() * precision.rest_bytes
    config = model.config
    wide = 4 if precision.rest_bytes == 4 or not has_native(torch.bfloat16) else 2

    def sentence(tokens: int, attentions: bool) -> int:
        hidden, inner_, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
        stream = tokens * hidden * wide
        work = tokens * (2 * inner_ + 4 * hidden) * wide + 2 * heads * tokens * tokens * wide
        work += ROWS * inner_ * wide
        logits = 3 * config.vocab_size * 4
        kept = 0
        if attentions:
            kept = config.num_hidden_layers * (heads * tokens * tokens + tokens * hidden) * wide
        return stream * 3 + max(work, logits) + kept

    return Need(
        precision.name,
        weights,
        {n: sentence(n, False) for n in LENGTHS},
        {n: sentence(n, True) for n in LENGTHS},
    )


def list_devices() -> tuple[Device, ...]:
    """Return the GPUs, the Apple GPU and the CPU of this machine, the fastest first."""
    found = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            found.append(Device(f"cuda:{index}", torch.cuda.get_device_name(index), free, total))
    memory = psutil.virtual_memory()
    free, total = memory.available, memory.total
    limit = read_container_limit()
    if limit is not None and limit[1] < total:
        free, total = min(free, limit[1] - limit[0]), limit[1]
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU, in the same memory", free, total))
    found.append(Device("cpu", f"{os.cpu_count()} cores", free, total))
    return tuple(found)


def select_devices(devices: Sequence[Device], name: str) -> tuple[Device, ...]:
    """Return the devices that a name means: all for "auto", otherwise one; a plain `cuda` is the first.

    Raises:
        InputError: the name is none, or that of a device that is not there.
    """
    if name == AUTO:
        return tuple(devices)
    for device in devices:
        if device.has_name(name):
            return (device,)
    try:
        torch.device(name)
    except (RuntimeError, TypeError):
        raise InputError(f"device is {describe(name)}; it must be auto, cpu, mps, cuda or cuda:N.") from None
    there = ", ".join(device.name for device in devices)
    raise InputError(f"device {describe(name)} is not available here; use auto or one of {there}.")


def _list_candidates(device: Device, dtype: torch.dtype | None) -> list[str]:
    """Return the precisions to try on a device, the fastest first: its 16-bit type, then ever fewer bits."""
    first = "bf16"
    is_stored = device.type == "cpu" and dtype == torch.float16
    if is_stored or (device.type == "cuda" and not torch.cuda.is_bf16_supported()):
        first = "fp16"
    quantized = [each for each in PRECISIONS.values() if each.is_quantized and device.type in each.devices]
    return [first, *(each.name for each in sorted(quantized, key=lambda each: -each.bits))]


def read_container_limit(root: Path = Path("/sys/fs/cgroup")) -> tuple[int, int] | None:
    """Return what a container has used of the memory it may have, and how much that is; None outside of one."""
    for used, most in (
        ("memory.current", "memory.max"),
        ("memory/memory.usage_in_bytes", "memory/memory.limit_in_bytes"),
    ):
        try:
            taken, limit = int((root / used).read_text()), (root / most).read_text().strip()
        except (OSError, ValueError):
            continue
        if limit.isdigit():
            return taken - _read_reclaimable(root), int(limit)
    return None


def _read_reclaimable(root: Path) -> int:
    """Return the bytes of files in a container's account, which the system takes back when they are wanted."""
    for file in ("memory.stat", "memory/memory.stat"):
        try:
            pairs = dict(line.split() for line in (root / file).read_text().splitlines())
        except (OSError, ValueError):
            continue
        return int(pairs.get("inactive_file", 0)) + int(pairs.get("active_file", 0))
    return 0
