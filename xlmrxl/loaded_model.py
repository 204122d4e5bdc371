"""A model with its tokenizer, loaded: what every task and every inspection works on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.errors import CheckpointError, InputError, describe, get_first_line
from xlmrxl.model.checkpoint import Checkpoint, load_checkpoint, open_checkpoint
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.device_map import find_single_device
from xlmrxl.model.heads import (
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLForMultipleChoice,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLForTokenClassification,
)
from xlmrxl.model.module import init_empty_weights
from xlmrxl.model.pretrained import XLMRobertaXLPreTrainedModel
from xlmrxl.plan import format_size, list_devices, make_plan, select_devices
from xlmrxl.progress import Progress, show_progress
from xlmrxl.quantization.load_options import SIXTEEN_BITS, LoadOptions
from xlmrxl.quantization.precision import AUTO, find_precision
from xlmrxl.tokenization.tokenizer import XLMRobertaTokenizer

HEADS: dict[type[XLMRobertaXLPreTrainedModel], str] = {
    XLMRobertaXLForMaskedLM: "masked language modelling",
    XLMRobertaXLForSequenceClassification: "the classification of texts",
    XLMRobertaXLForMultipleChoice: "multiple choice",
    XLMRobertaXLForTokenClassification: "the classification of tokens",
    XLMRobertaXLForQuestionAnswering: "question answering",
}
"""The heads that a session can have, and what each is for."""
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
            InputError: an unknown precision or device, or a device that does not compute with the precision.
        """
        label = os.fspath(name)
        select_devices(list_devices(), device)
        asked = None if precision == AUTO else find_precision(precision, auto=True).name
        config = XLMRobertaXLConfig.from_pretrained(name, **where)
        tokenizer = XLMRobertaTokenizer.from_pretrained(name, **where)
        _check_vocabulary(label, tokenizer, config)
        checkpoint = open_checkpoint(name, config, **where)
        head = _find_head(checkpoint)
        with init_empty_weights():
            model = head(config)
        if device_map is not None:
            single = find_single_device(device_map)
            device, device_map = ("cpu", device_map) if single is None else (str(single), None)
        plan = make_plan(label, model, double_quant=double_quant, embeddings_8bit=embeddings_8bit)
        wanted = checkpoint.settle_precision(asked) or AUTO
        choice = plan.choose(wanted, device, checkpoint.dtype)
        if not force and not choice.fits:
            raise CheckpointError(
                f"{label} in {choice.precision} needs {format_size(choice.total)} on {choice.device}, where "
                f"{format_size(choice.free)} are free.\n{plan}\n"
                "Choose a precision that fits, free some memory, or force it (force=True, --force)."
            )
        chosen = find_precision(choice.precision)
        with show_progress(progress, f"Loading {label} in {chosen.name}") as report:
            options = LoadOptions(
                dtype=chosen.dtype or SIXTEEN_BITS,
                precision=chosen.name if chosen.is_quantized else None,
                double_quant=double_quant,
                embeddings_8bit=embeddings_8bit,
                device=torch.device(choice.device),
                progress=report,
            )
            load_checkpoint(model, checkpoint, options, fresh_heads=False, device_map=device_map)
        return cls(model, tokenizer, label, chosen.name, choice.reason, where.get("revision"))

    @property
    def device(self) -> torch.device:
        """Return where the model is."""
        return self.model.device

    def require(self, head: type[Head]) -> Head:
        """Return the model, if it has the head that a task needs.

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
            raise CheckpointError(f"{self.name} was loaded but cannot compute ({get_first_line(error)}).") from error
        try:
            self.require_finite(found)
        except InputError as error:
            raise CheckpointError(str(error)) from None

    def require_finite(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return what the model has computed, if it is numbers.

        Raises:
            InputError: there is an infinity among it, or what is no number.
        """
        if not bool(numbers.isfinite().all()):
            raise InputError(
                f"{self.name} computes infinities, or what is no number: some of its weights are damaged, or "
                f"too large for {self.precision}. Load it in another precision (bf16 or fp32), or copy it again."
            )
        return numbers

    def __repr__(self) -> str:
        """Return the name, the size, the precision and the device of the model."""
        millions = self.model.num_parameters() / 1e6
        kind = type(self).__name__
        return f"{kind}({self.name!r}, {millions:,.0f} million parameters, {self.precision} on {self.device})"


def _find_head(checkpoint: Checkpoint) -> type[XLMRobertaXLPreTrainedModel]:
    """Return the class of a checkpoint's model."""
    if any(key.startswith("lm_head.") for key in checkpoint.weights):
        return XLMRobertaXLForMaskedLM
    named = set(checkpoint.config.architectures or ())
    for head in HEADS:
        if head.__name__ in named and head is not XLMRobertaXLForMaskedLM:
            return head
    raise CheckpointError(
        f"{checkpoint.name} has no head, neither one for masked language modelling nor another that its config.json "
        "names under architectures, so it has no task. Load its hidden states with XLMRobertaXLModel.from_pretrained."
    )


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
