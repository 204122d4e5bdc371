"""`load()`, and the session it gives: a loaded model with every task and inspection as a method."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, overload

from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.inspection.inspection import Inspection, inspect
from xlmrxl.inspection.parallel import Parallel, parallel
from xlmrxl.loaded_model import LoadedModel, load_model
from xlmrxl.progress import Progress
from xlmrxl.tasks.answer import AnswerResult, answer
from xlmrxl.tasks.attribution import Attribution, attribute
from xlmrxl.tasks.choose import ChooseResult, choose
from xlmrxl.tasks.classify import ClassifyResult, classify
from xlmrxl.tasks.fill import FillResult, fill_mask
from xlmrxl.tasks.labels import Label
from xlmrxl.tasks.linear_chooser import TaughtChoices, teach_choices
from xlmrxl.tasks.linear_classifier import Taught, teach
from xlmrxl.tasks.tag import TagResult, tag

Text = str | tuple[str, str]
Labels = Sequence[str] | Mapping[str, Sequence[str]] | None


class Session(LoadedModel):
    """A loaded model, on which the tasks and the inspections are methods."""

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
    loaded_model = load_model(
        name,
        precision=precision,
        device=device,
        double_quant=double_quant,
        embeddings_8bit=embeddings_8bit,
        device_map=device_map,
        force=force,
        progress=progress,
        **where,
    )
    return Session(**vars(loaded_model))
