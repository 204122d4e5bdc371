"""What a model takes of memory at each precision, from its config alone, and what of it fits this machine.

Weights are counted exactly, layer by layer, from a model without values. What a sentence adds is the largest that is
alive at once: the stream and one layer's work, the attention weights if they are kept, and the logits of one mask.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from torch import nn

from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.model.module import init_empty_weights
from xlmrxl.model.pretrained import XLMRobertaXLPreTrainedModel
from xlmrxl.quantization.bnb_layers import BLOCK
from xlmrxl.quantization.upcast import ROWS, has_native

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
PRECISIONS = ("fp32", "bf16", "fp16", "8bit", "4bit")
LENGTHS = (16, 128, 512)
RUNTIME = 550_000_000
"""What Python, torch and its libraries take before any weight (half of it shared where another torch runs)."""


@dataclass(frozen=True)
class Need:
    """The bytes that a model takes at one precision."""

    precision: str
    weights: int
    sentence: dict[int, int]  # by number of tokens, in addition
    attentions: dict[int, int]  # the same, all attention weights and hidden states kept

    def total(self, tokens: int = 128, attentions: bool = False) -> int:
        return RUNTIME + self.weights + (self.attentions if attentions else self.sentence)[tokens]


@dataclass(frozen=True)
class Device:
    """A place for a model, and the bytes that are free there."""

    name: str  # as `load` takes it
    title: str
    free: int
    total: int


@dataclass(frozen=True)
class Plan:
    """What a model needs and what there is."""

    model: str
    parameters: int
    needs: tuple[Need, ...]
    devices: tuple[Device, ...]

    def need(self, precision: str) -> Need:
        return next(need for need in self.needs if need.precision == precision)

    def device(self, name: str) -> Device:
        """The device of a name; a plain `cuda` is the first."""
        return next(device for device in self.devices if device.name in (name, f"{name}:0"))

    def fits(self, precision: str, device: str, tokens: int = 128) -> bool:
        return self.need(precision).total(tokens) <= self.device(device).free

    def to_dict(self) -> dict[str, object]:
        """Plain values, bytes throughout."""
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
        head = ["precision", "weights", *(f"+{n} tokens" for n in LENGTHS), *(f"{n} with attentions" for n in LENGTHS)]
        head += [device.name for device in self.devices]
        rows = [
            [
                need.precision,
                size(need.weights),
                *(size(need.sentence[n]) for n in LENGTHS),
                *(size(need.attentions[n]) for n in LENGTHS),
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
            f"In addition {size(RUNTIME)} for Python, torch and bitsandbytes. Fits: with a text of 128 tokens."
        )
        lines += [
            f"{device.name}: {device.title}, {size(device.free)} of {size(device.total)} free"
            for device in self.devices
        ]
        return "\n".join(lines)


def size(count: float) -> str:
    """Bytes for people: 10^9 is a GB."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.3g} {unit}" if count < 1000 * step else f"{count / step:,.0f} {unit}"
    return f"{count:.0f} bytes"


def plan(
    name: str,
    model: XLMRobertaXLPreTrainedModel | XLMRobertaXLConfig,
    *,
    double_quant: bool = True,
    embeddings_8bit: bool = False,
) -> Plan:
    """The plan of a model; of a config, that of its masked language model.

    Args:
        name: for the title.
        model: without values, or its config.
        double_quant, embeddings_8bit: as in `load`.
    """
    if isinstance(model, XLMRobertaXLConfig):
        with init_empty_weights():
            model = XLMRobertaXLForMaskedLM(model)
    needs = tuple(need(model, precision, double_quant, embeddings_8bit) for precision in PRECISIONS)
    return Plan(name, model.num_parameters(), needs, devices())


def need(
    model: XLMRobertaXLPreTrainedModel, precision: str, double_quant: bool = True, embeddings_8bit: bool = False
) -> Need:
    """What one precision takes."""
    weights, counted = 0, set()
    for path, module in model.named_modules():
        for kind, parameter in module.named_parameters(recurse=False):
            if id(parameter) in counted:
                continue
            counted.add(id(parameter))
            count, rows = parameter.numel(), parameter.shape[0]
            inner = isinstance(module, nn.Linear) and "encoder.layer." in path and kind == "weight"
            if precision == "4bit" and inner:
                scales = count // BLOCK
                weights += count // 2 + (scales + scales // 64 + 1024 if double_quant else 4 * scales)
            elif (precision == "8bit" and inner) or (embeddings_8bit and path.endswith("word_embeddings")):
                weights += count + 4 * rows
            else:
                weights += count * BYTES.get(precision, 2)
    config = model.config
    wide = 4 if precision == "fp32" or not has_native(torch.bfloat16) else 2

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
        precision,
        weights,
        {n: sentence(n, False) for n in LENGTHS},
        {n: sentence(n, True) for n in LENGTHS},
    )


def devices() -> tuple[Device, ...]:
    """The GPUs, the Apple GPU and the CPU of this machine, the fastest first."""
    found = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            found.append(Device(f"cuda:{index}", torch.cuda.get_device_name(index), free, total))
    memory = psutil.virtual_memory()
    free, total = memory.available, memory.total
    limit = container_limit()
    if limit is not None and limit[1] < total:
        free, total = min(free, limit[1] - limit[0]), limit[1]
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU, in the same memory", free, total))
    found.append(Device("cpu", f"{os.cpu_count()} cores", free, total))
    return tuple(found)


def container_limit(root: Path = Path("/sys/fs/cgroup")) -> tuple[int, int] | None:
    """What a container has used of the memory it may have, and how much that is; None outside of one."""
    for used, most in (
        ("memory.current", "memory.max"),
        ("memory/memory.usage_in_bytes", "memory/memory.limit_in_bytes"),
    ):
        try:
            taken, limit = int((root / used).read_text()), (root / most).read_text().strip()
        except (OSError, ValueError):
            continue
        if limit.isdigit():
            return taken - reclaimable(root), int(limit)
    return None


def reclaimable(root: Path) -> int:
    """Pages of files in a container's account, which the system takes back when they are wanted."""
    for file in ("memory.stat", "memory/memory.stat"):
        try:
            pairs = dict(line.split() for line in (root / file).read_text().splitlines())
        except (OSError, ValueError):
            continue
        return int(pairs.get("inactive_file", 0)) + int(pairs.get("active_file", 0))
    return 0
