"""A model with its tokenizer, loaded: what every task and every inspection works on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.checkpoints.weight_files import Weights, open_weights
from xlmrxl.errors import CheckpointError, describe, first_line
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.device_map import dispatch, infer_device_map, single_device
from xlmrxl.model.heads import (
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLForMultipleChoice,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLForTokenClassification,
)
from xlmrxl.model.loading import LoadOptions, load_weights, narrow_type, stored_dtype, stored_precision
from xlmrxl.model.module import init_empty_weights
from xlmrxl.model.pretrained import XLMRobertaXLPreTrainedModel
from xlmrxl.plan import Plan, size
from xlmrxl.plan import plan as make_plan
from xlmrxl.progress import Progress, show_progress
from xlmrxl.quantization import upcast as widen
from xlmrxl.tokenization.tokenizer import XLMRobertaTokenizer

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "8bit": None, "4bit": None}
"""The types of the weights; the quantised ones have 16 bits beside them, of the kind that the device computes."""
HEADS: dict[type[XLMRobertaXLPreTrainedModel], str] = {
    XLMRobertaXLForMaskedLM: "masked language modelling",
    XLMRobertaXLForSequenceClassification: "the classification of texts",
    XLMRobertaXLForMultipleChoice: "multiple choice",
    XLMRobertaXLForTokenClassification: "the classification of tokens",
    XLMRobertaXLForQuestionAnswering: "question answering",
}
"""The heads that a session can have, and what each is for."""
SMALL = 2_000_000_000
"""Up to this many bytes in float32, a model on the CPU is held in float32: it rounds nothing, and only processors with
bfloat16 arithmetic are faster in anything else."""
SPARE_ROWS = 2048
"""A vocabulary may have this many more rows than tokens (XL has 878); beyond, the two do not belong together."""


Head = TypeVar("Head", bound=XLMRobertaXLPreTrainedModel)
Loaded = TypeVar("Loaded", bound="LoadedModel")


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A loaded model.

    Attributes:
        model: in eval mode.
        tokenizer: the model's own.
        name: what was loaded.
        precision: `"fp32"`, `"bf16"`, `"fp16"`, `"8bit"` or `"4bit"`: how the weights are held.
        reason: why it is this precision, in a sentence.
        revision: of the model on the Hub, as it was asked for.
    """

    model: XLMRobertaXLPreTrainedModel
    tokenizer: XLMRobertaTokenizer
    name: str
    precision: str
    reason: str = ""
    revision: str | None = None

    @classmethod
    def load(
        cls: type[Loaded],
        name: str | os.PathLike[str] = DEFAULT,
        *,
        precision: str = "auto",
        device: str = "auto",
        double_quant: bool = True,
        embeddings_8bit: bool = False,
        device_map: str | dict[str, Any] | None = None,
        force: bool = False,
        progress: Progress | bool = True,
        **where: Any,
    ) -> Loaded:
        """Load a model: a masked language model, or one with whatever head the checkpoint has.

        Args:
            name: `"default"` for the embedded one, a name on the Hub (`facebook/xlm-roberta-xl`), or a folder.
            precision: `"fp32"`, `"bf16"`, `"fp16"`, `"8bit"`, `"4bit"`, or `"auto"`: what a quantised checkpoint has;
                float32 for a small model on the CPU, which rounds nothing; otherwise the first of 16, 8 and 4 bits
                that fits the free memory. On the CPU 16 bits are the fastest as well, and a bfloat16 checkpoint is
                mapped, not copied.
            device: `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`, or `"auto"` for the best there is that the model fits.
            double_quant: in 4 bits, quantise the scales too (0.37 bits a weight less).
            embeddings_8bit: hold the word embeddings in 8-bit rows (half of them: 0.6 GB of XL).
            device_map: `"auto"` spreads the layers over all GPUs and what does not fit them over the CPU, a dict says
                where each module goes; both by accelerate, and `device` is then not used.
            force: load even what does not fit the free memory.
            progress: called with the bytes of the checkpoint that have been dealt with and how many there are; True
                shows a bar in a terminal or a notebook once it takes longer than a second.
            **where: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download`, `subfolder`.

        Raises:
            CheckpointError: there is no such model, it cannot be read, its parts do not fit together, or it does not
                fit the memory that is free.
            ValueError: an unknown precision or device.
        """
        label = os.fspath(name)
        if device != "auto":
            _check_device(device)
        if precision != "auto" and precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}; it must be one of auto, {', '.join(PRECISIONS)}.")
        config = XLMRobertaXLConfig.from_pretrained(name, **where)
        tokenizer = XLMRobertaTokenizer.from_pretrained(name, **where)
        _check_vocabulary(label, tokenizer, config)
        weights = open_weights(name, **where)
        head = _head(label, config, weights)
        with init_empty_weights():
            model = head(config)
        stored = stored_precision(config)
        if stored is not None and precision not in ("auto", stored):
            raise CheckpointError(
                f"{label} has {stored} weights already and cannot be loaded as {precision}. Leave precision at 'auto', "
                "or load the unquantised checkpoint."
            )
        if device_map is not None:
            device = "cpu"
            single = single_device(device_map)
            device_map = device_map if single is None else {"": str(single)}
        table = make_plan(label, model, double_quant=double_quant, embeddings_8bit=embeddings_8bit)
        chosen, target, reason = _choose(table, stored or precision, device, stored_dtype(weights))
        if not force and not table.fits(chosen, target):
            need, there = table.need(chosen).total(), table.device(target)
            raise CheckpointError(
                f"{label} in {chosen} needs {size(need)} on {target}, where {size(there.free)} are free.\n{table}\n"
                "Choose a precision that fits, free some memory, or force it (force=True, --force)."
            )
        place = torch.device(target)
        narrow = narrow_type(config, weights)
        if narrow == torch.bfloat16 and place.type == "cuda" and not torch.cuda.is_bf16_supported():
            narrow = torch.float16
        dtype = PRECISIONS[chosen] or narrow
        quantized = chosen if chosen in ("8bit", "4bit") else None
        with show_progress(progress, f"Loading {label} in {chosen}") as told:
            load_weights(
                model,
                weights,
                LoadOptions(dtype, quantized, double_quant, embeddings_8bit, place, told),
                label,
                fresh_heads=False,
            )
        model.eval()
        spread = None if device_map is None else infer_device_map(model, device_map)
        on_cpu = place.type == "cpu" if spread is None else {str(where) for where in spread.values()} == {"cpu"}
        if on_cpu and dtype != torch.float32 and not widen.has_native(dtype):
            widen.widen(model)
        if spread is not None:
            dispatch(model, spread)
        return cls(model, tokenizer, label, chosen, reason, where.get("revision"))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    def require(self, head: type[Head]) -> Head:
        """The model, if it has the head that a task needs.

        Raises:
            CheckpointError: it has another.
        """
        if isinstance(self.model, head):
            return self.model
        raise CheckpointError(
            f"This needs a model with a head for {HEADS[head]}, but {self.name} has one for "
            f"{HEADS[type(self.model)]}. Load another checkpoint."
        )

    def try_forward(self) -> None:
        """Run the model once, on a few tokens, as a test of whether it computes anything at all.

        Raises:
            CheckpointError: it does not.
        """
        try:
            inputs: dict[str, Any] = self.tokenizer("Try <mask>.", return_tensors="pt").to(self.device)
            if isinstance(self.model, XLMRobertaXLForMultipleChoice):
                inputs = {name: value[:, None] for name, value in inputs.items()}
            with torch.inference_mode():
                found = self.model(**inputs, return_dict=False)[0]
        except Exception as error:
            raise CheckpointError(f"{self.name} was loaded but cannot compute ({first_line(error)}).") from error
        try:
            self.require_finite(found)
        except ValueError as error:
            raise CheckpointError(str(error)) from None

    def require_finite(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return what the model has computed, if it is numbers.

        Raises:
            ValueError: there is an infinity among it, or what is no number.
        """
        if not bool(numbers.isfinite().all()):
            raise ValueError(
                f"{self.name} computes infinities, or what is no number: some of its weights are damaged, or "
                f"too large for {self.precision}. Load it in another precision (bf16 or fp32), or copy it again."
            )
        return numbers

    def __repr__(self) -> str:
        millions = self.model.num_parameters() / 1e6
        kind = type(self).__name__
        return f"{kind}({self.name!r}, {millions:,.0f} million parameters, {self.precision} on {self.device})"


def _head(label: str, config: XLMRobertaXLConfig, weights: Weights) -> type[XLMRobertaXLPreTrainedModel]:
    """The class of a checkpoint's model."""
    if any(key.startswith("lm_head.") for key in weights):
        return XLMRobertaXLForMaskedLM
    named = set(config.architectures or ())
    for head in HEADS:
        if head.__name__ in named and head is not XLMRobertaXLForMaskedLM:
            return head
    raise CheckpointError(
        f"{label} has no head, neither one for masked language modelling nor another that its config.json names under "
        "architectures, so it has no task. Load its hidden states with XLMRobertaXLModel.from_pretrained."
    )


def _choose(table: Plan, precision: str, device: str, stored: torch.dtype) -> tuple[str, str, str]:
    """The precision, the device and why: the fastest that fits."""
    places = [place.name for place in table.devices] if device == "auto" else [table.device(device).name]
    if precision != "auto":
        fitting = [place for place in places if table.fits(precision, place)]
        return precision, (fitting or places[-1:])[0], "as asked for"
    for place in places:
        if place == "cpu":
            if table.parameters * 4 <= SMALL:
                return "fp32", place, "small enough for float32, which rounds nothing"
            first = "fp16" if stored == torch.float16 else "bf16"
        else:
            first = "bf16" if place == "mps" or torch.cuda.is_bf16_supported() else "fp16"
        for kind in (first, "8bit", "4bit"):
            if table.fits(kind, place):
                need, free = table.need(kind).total(), table.device(place).free
                why = "the fastest" if kind == first else "more would not fit"
                return kind, place, f"{size(need)} of the {size(free)} free on {place}; {why}"
    return "4bit", places[-1], "the smallest there is"


def _check_device(wanted: str) -> None:
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise ValueError(f"device is {wanted!r}; it must be auto, cpu, mps, cuda or cuda:N.") from None
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.type, False):
        raise ValueError(f"device {wanted!r} is not available here; use 'cpu' or 'auto'.")
    if device.type == "cuda" and device.index is not None and device.index >= torch.cuda.device_count():
        raise ValueError(f"device {wanted!r} is not available here; there are {torch.cuda.device_count()} GPUs.")


def _check_vocabulary(label: str, tokenizer: XLMRobertaTokenizer, config: XLMRobertaXLConfig) -> None:
    """Refuse a tokenizer and a config that do not belong together.

    Raises:
        CheckpointError: the tokenizer has more ids than the model has rows, far fewer, or pads with another one.
    """
    spare = config.vocab_size - tokenizer.vocab_size
    added = [i for i in tokenizer.token_ids if i >= config.vocab_size]
    if spare >= 0 and added:
        token = tokenizer.convert_ids_to_tokens(added[0])
        raise CheckpointError(
            f"The tokenizer of {label} has the added token {describe(token)} with the id {added[0]:,}, but its "
            f"config.json says vocab_size {config.vocab_size:,}: the model has no row for it. Resize the embeddings "
            "(resize_token_embeddings) and save the model again, or take the token out of the tokenizer's files."
        )
    if not 0 <= config.vocab_size - len(tokenizer) <= SPARE_ROWS:
        raise CheckpointError(
            f"The tokenizer of {label} has {len(tokenizer):,} tokens, but its config.json says vocab_size "
            f"{config.vocab_size:,}. One of the tokenizer's files and config.json belongs to another model."
        )
    if config.pad_token_id != tokenizer.pad_token_id:
        raise CheckpointError(
            f"The config.json of {label} says pad_token_id {config.pad_token_id}, but the tokenizer pads with "
            f"{tokenizer.pad_token_id}. Correct the config.json."
        )
