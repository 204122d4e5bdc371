"""`load()`, and the session it gives: a model with its tokenizer, on which the tasks hang."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import torch

from xlmrxl import widen
from xlmrxl.checkpoint import Weights, open_weights
from xlmrxl.config import XLMRobertaXLConfig
from xlmrxl.device_map import dispatch, infer_device_map, single_device
from xlmrxl.heads import (
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLForMultipleChoice,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLForTokenClassification,
)
from xlmrxl.hub import DEFAULT, CheckpointError, describe, first_line
from xlmrxl.inspection.inspection import Inspection, inspect
from xlmrxl.inspection.languages import Parallel, parallel
from xlmrxl.loading import Hold, assign, narrow_type, stored_dtype, stored_precision
from xlmrxl.plan import Plan, size
from xlmrxl.plan import plan as make_plan
from xlmrxl.pretrained import XLMRobertaXLPreTrainedModel, without_values
from xlmrxl.progress import Progress, shown
from xlmrxl.tasks.answer import AnswerResult, answer
from xlmrxl.tasks.attribution import Attribution, attribute
from xlmrxl.tasks.choose import ChooseResult, choose
from xlmrxl.tasks.classify import ClassifyResult, classify
from xlmrxl.tasks.fill import FillResult, fill_mask
from xlmrxl.tasks.labels import Label
from xlmrxl.tasks.masked import require_finite
from xlmrxl.tasks.tag import TagResult, tag
from xlmrxl.tasks.taught_choices import TaughtChoices, teach_choices
from xlmrxl.tasks.teach import Taught, teach
from xlmrxl.tokenizer import XLMRobertaTokenizer

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


Text = str | tuple[str, str]
Labels = Sequence[str] | Mapping[str, Sequence[str]] | None
Head = TypeVar("Head", bound=XLMRobertaXLPreTrainedModel)


@dataclass(frozen=True, eq=False)
class Session:
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
            require_finite(self, found)
        except ValueError as error:
            raise CheckpointError(str(error)) from None

    @overload
    def fill_mask(self, text: str, top_k: int = 5, **options: Any) -> FillResult: ...
    @overload
    def fill_mask(self, text: list[str], top_k: int = 5, **options: Any) -> list[FillResult]: ...
    def fill_mask(self, text: str | list[str], top_k: int = 5, **options: Any) -> FillResult | list[FillResult]:
        """What the model expects at each `<mask>` of a text, or of several; see `tasks.fill.fill_mask`."""
        results = fill_mask(self, text, top_k=top_k, **options)
        return results[0] if isinstance(text, str) else results

    @overload
    def classify(self, text: Text, labels: Labels = None, **options: Any) -> ClassifyResult: ...
    @overload
    def classify(self, text: list[Text], labels: Labels = None, **options: Any) -> list[ClassifyResult]: ...
    def classify(
        self, text: Text | list[Text], labels: Labels = None, **options: Any
    ) -> ClassifyResult | list[ClassifyResult]:
        """Which label a text has, or a pair (a, b), or each of a list; see `tasks.classify.classify`."""
        if isinstance(text, str | tuple):
            return classify(self, [text], labels, **options)[0]
        return classify(self, text, labels, **options)

    def explain(
        self,
        text: str,
        labels: Labels = None,
        *,
        label: str | None = None,
        special_tokens: bool = False,
        progress: Progress | bool = True,
        **options: Any,
    ) -> Attribution:
        """Which words made `classify` say what it says; see `tasks.attribution.attribute`.

        Args:
            text: what is classified.
            labels: and `**options`, as in `classify`.
            label: the one to explain; the best if not given.
            special_tokens: as in `classify`.
            progress: called with the texts that are done and how many there are; True for a bar.
        """
        options["special_tokens"] = special_tokens
        wanted = label or classify(self, [text], labels, progress=False, **options)[0].labels[0].label

        def predict(texts: list[str]) -> list[float]:
            found = classify(self, texts, labels, progress=False, **options)
            scores = [{score.label: score.score for score in result.labels} for result in found]
            if wanted not in scores[0]:
                raise ValueError(f"There is no label {wanted!r}, only {', '.join(scores[0])}.")
            return [score[wanted] for score in scores]

        return attribute(text, predict, label=wanted, session=self, special_tokens=special_tokens, progress=progress)

    def teach(self, texts: str | Sequence[str], labels: str | Sequence[Label], **options: Any) -> Taught:
        """Fit a classifier of one's own on this model's frozen features; see `tasks.teach.teach`."""
        return teach(self, texts, labels, **options)

    @overload
    def choose(self, prompt: str, choices: Sequence[str], **options: Any) -> ChooseResult: ...
    @overload
    def choose(self, prompt: list[str], choices: Sequence[Sequence[str]], **options: Any) -> list[ChooseResult]: ...
    def choose(self, prompt: str | list[str], choices: Any, **options: Any) -> ChooseResult | list[ChooseResult]:
        """Which of some choices goes with a prompt, or with each of a list; see `tasks.choose.choose`."""
        if isinstance(prompt, str):
            return choose(self, [prompt], [choices], **options)[0]
        return choose(self, prompt, choices, **options)

    def teach_choices(
        self, prompts: Sequence[str], choices: Sequence[Sequence[str]], answers: Sequence[int], **options: Any
    ) -> TaughtChoices:
        """Fit a scorer of choices on this model's frozen features; see `tasks.taught_choices.teach_choices`."""
        return teach_choices(self, prompts, choices, answers, **options)

    @overload
    def tag(self, text: str, **options: Any) -> TagResult: ...
    @overload
    def tag(self, text: list[str], **options: Any) -> list[TagResult]: ...
    def tag(self, text: str | list[str], **options: Any) -> TagResult | list[TagResult]:
        """The label of each word, and the spans they make; see `tasks.tag.tag`."""
        results = tag(self, text, **options)
        return results[0] if isinstance(text, str) else results

    @overload
    def answer(self, question: str, context: str, **options: Any) -> AnswerResult: ...
    @overload
    def answer(self, question: list[str], context: list[str], **options: Any) -> list[AnswerResult]: ...
    def answer(
        self, question: str | list[str], context: str | list[str], **options: Any
    ) -> AnswerResult | list[AnswerResult]:
        """Where in a context the answer to a question stands; see `tasks.answer.answer`."""
        if isinstance(question, str) and isinstance(context, str):
            return answer(self, [question], [context], **options)[0]
        if isinstance(question, str) or isinstance(context, str):
            raise TypeError("Give one question and one context, or as many of the one as of the other.")
        return answer(self, question, context, **options)

    def inspect(self, text: str, second: str | None = None, **options: Any) -> Inspection:
        """What the model does inside with a text, or a pair; see `inspection.inspection.inspect`."""
        return inspect(self, text, second, **options)

    def parallel(
        self, texts: Sequence[str] | Mapping[str, str], languages: Sequence[str] | None = None, **options: Any
    ) -> Parallel:
        """Several texts inspected together, the same in several languages; see `inspection.languages.parallel`."""
        return parallel(self, texts, languages, **options)

    def __repr__(self) -> str:
        millions = self.model.num_parameters() / 1e6
        return f"Session({self.name!r}, {millions:,.0f} million parameters, {self.precision} on {self.device})"


def load(
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
) -> Session:
    """Load a model: a masked language model, or whatever head the checkpoint has.

    Args:
        name: `"default"` for the embedded one, a name on the Hub (`facebook/xlm-roberta-xl`), or a folder.
        precision: `"fp32"`, `"bf16"`, `"fp16"`, `"8bit"`, `"4bit"`, or `"auto"`: what a quantised checkpoint has;
            float32 for a small model on the CPU, which rounds nothing; otherwise the first of 16, 8 and 4 bits that
            fits the free memory. On the CPU 16 bits are the fastest as well, and a bfloat16 checkpoint is mapped, not
            copied.
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`, or `"auto"` for the best there is that the model fits.
        double_quant: in 4 bits, quantise the scales too (0.37 bits a weight less).
        embeddings_8bit: hold the word embeddings in 8-bit rows (half of them: 0.6 GB of XL).
        device_map: `"auto"` spreads the layers over all GPUs and what does not fit them over the CPU, a dict says
            where each module goes; both by accelerate, and `device` is then not used.
        force: load even what does not fit the free memory.
        progress: called with the bytes of the checkpoint that have been dealt with and how many there are; True shows a
            bar in a terminal or a notebook once it takes longer than a second.
        **where: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download`, `subfolder`.

    Raises:
        CheckpointError: there is no such model, it cannot be read, its parts do not fit together, or it does not fit
            the memory that is free.
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
    with without_values():
        model = head(config)
    stored = stored_precision(config)
    if stored is not None and precision not in ("auto", stored):
        raise CheckpointError(
            f"{label} has {stored} weights already and cannot be loaded as {precision}. Leave precision at 'auto', or "
            "load the unquantised checkpoint."
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
    with shown(progress, f"Loading {label} in {chosen}") as told:
        assign(
            model, weights, Hold(dtype, quantized, double_quant, embeddings_8bit, place, told), label, fresh_heads=False
        )
    model.eval()
    spread = None if device_map is None else infer_device_map(model, device_map)
    on_cpu = place.type == "cpu" if spread is None else {str(where) for where in spread.values()} == {"cpu"}
    if on_cpu and dtype != torch.float32 and not widen.has_native(dtype):
        widen.widen(model)
    if spread is not None:
        dispatch(model, spread)
    return Session(model, tokenizer, label, chosen, reason, where.get("revision"))


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
