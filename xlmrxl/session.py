"""`load()`, and the session it gives: a model with its tokenizer, on which the tasks hang."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, overload

import torch

from xlmrxl import widen
from xlmrxl.checkpoint import open_weights
from xlmrxl.config import XLMRobertaXLConfig
from xlmrxl.heads import XLMRobertaXLForMaskedLM
from xlmrxl.hub import DEFAULT, CheckpointError
from xlmrxl.pretrained import assign, stored_dtype, without_values
from xlmrxl.tasks.fill import FillResult, fill_mask
from xlmrxl.tokenizer import XLMRobertaTokenizer

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SMALL = 2_000_000_000
"""Up to this many bytes in float32, a model on the CPU is held in float32: nothing else is as fast there."""
SPARE_ROWS = 2048
"""A vocabulary may have this many more rows than tokens (XL has 878); beyond, the two do not belong together."""


@dataclass(frozen=True, eq=False)
class Session:
    """A loaded model.

    Attributes:
        model: in eval mode.
        tokenizer: the model's own.
        name: what was loaded.
        precision: `"fp32"`, `"bf16"` or `"fp16"`: how the weights are held.
    """

    model: XLMRobertaXLForMaskedLM
    tokenizer: XLMRobertaTokenizer
    name: str
    precision: str

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @overload
    def fill_mask(self, text: str, top_k: int = 5) -> FillResult: ...
    @overload
    def fill_mask(self, text: list[str], top_k: int = 5) -> list[FillResult]: ...
    def fill_mask(self, text: str | list[str], top_k: int = 5) -> FillResult | list[FillResult]:
        """What the model expects at each `<mask>` of a text, or of several; see `tasks.fill.fill_mask`."""
        texts = [text] if isinstance(text, str) else list(text)
        results = fill_mask(self.model, self.tokenizer, texts, top_k=top_k, name=self.name, precision=self.precision)
        return results[0] if isinstance(text, str) else results

    def __repr__(self) -> str:
        millions = self.model.num_parameters() / 1e6
        return f"Session({self.name!r}, {millions:,.0f} million parameters, {self.precision} on {self.device})"


def load(
    name: str | os.PathLike[str] = DEFAULT,
    *,
    precision: str = "auto",
    device: str = "auto",
    **where: Any,
) -> Session:
    """Load a masked language model.

    Args:
        name: `"default"` for the embedded one, a name on the Hub (`facebook/xlm-roberta-xl`), or a folder.
        precision: `"fp32"`, `"bf16"`, `"fp16"`, or `"auto"`: float32 for a small model on the CPU, the checkpoint's
            own type for a large one (so that its files are mapped and not copied), 16 bits on a GPU.
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`, or `"auto"` for the best there is.
        **where: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download`, `subfolder`.

    Raises:
        CheckpointError: there is no such model, or it cannot be read, or its parts do not fit together.
        ValueError: an unknown precision or device.
    """
    label = os.fspath(name)
    target = _device(device)
    if precision != "auto" and precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; it must be one of auto, {', '.join(PRECISIONS)}.")
    config = XLMRobertaXLConfig.from_pretrained(name, **where)
    tokenizer = XLMRobertaTokenizer.from_pretrained(name, **where)
    _check_vocabulary(label, tokenizer, config)
    weights = open_weights(name, **where)
    if not any(key.startswith("lm_head.") for key in weights):
        raise CheckpointError(
            f"{label} has no masked-language-model head, so it cannot fill masks. Load it with the class that its "
            "config.json names under architectures."
        )
    with without_values():
        model = XLMRobertaXLForMaskedLM(config)
    if precision == "auto":
        precision = _pick(target, stored_dtype(weights), model.num_parameters())
    dtype = PRECISIONS[precision]
    assign(model, weights, dtype, label)
    model.eval()
    if target.type != "cpu":
        model.to(target)
    elif dtype != torch.float32 and not widen.has_native(dtype):
        widen.widen(model)
    return Session(model, tokenizer, label, precision)


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise ValueError(f"device is {wanted!r}; it must be auto, cpu, mps, cuda or cuda:N.") from None
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.type, False):
        raise ValueError(f"device {wanted!r} is not available here; use 'cpu' or 'auto'.")
    if device.type == "cuda" and device.index is not None and device.index >= torch.cuda.device_count():
        raise ValueError(f"device {wanted!r} is not available here; there are {torch.cuda.device_count()} GPUs.")
    return device


def _pick(device: torch.device, stored: torch.dtype, parameters: int) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if parameters * 4 <= SMALL:
        return "fp32"
    return next((name for name, dtype in PRECISIONS.items() if dtype == stored), "fp32")


def _check_vocabulary(label: str, tokenizer: XLMRobertaTokenizer, config: XLMRobertaXLConfig) -> None:
    spare = config.vocab_size - tokenizer.vocab_size
    if not 0 <= spare <= SPARE_ROWS:
        raise CheckpointError(
            f"The tokenizer of {label} has {tokenizer.vocab_size:,} tokens, but its config.json says vocab_size "
            f"{config.vocab_size:,}. One of sentencepiece.bpe.model and config.json belongs to another model."
        )
