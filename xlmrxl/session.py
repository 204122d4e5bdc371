"""`load()`, and the session it gives: a loaded model with every task and inspection as a method.

The arguments of the tasks are those of their dataclasses in `tasks.options`, written out for editors and type checkers;
`tests/tasks/test_options.py` holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

from xlmrxl.errors import InputError
from xlmrxl.inspection.inspection import Inspection, inspect
from xlmrxl.inspection.parallel import ParallelInspection, inspect_parallel
from xlmrxl.loaded_model import LoadedModel
from xlmrxl.progress import Progress
from xlmrxl.tasks.answer import AnswerResult, answer
from xlmrxl.tasks.attribution import Attribution, attribute_label
from xlmrxl.tasks.choose import choose
from xlmrxl.tasks.choose_results import ChooseResult
from xlmrxl.tasks.classify import classify
from xlmrxl.tasks.classify_results import ClassifyResult
from xlmrxl.tasks.fill import fill_mask
from xlmrxl.tasks.fill_results import FillResult
from xlmrxl.tasks.labels import Label
from xlmrxl.tasks.linear_chooser import LinearChooser, fit_chooser
from xlmrxl.tasks.linear_classifier import LinearClassifier, fit_classifier
from xlmrxl.tasks.option_fields import document_options
from xlmrxl.tasks.options import (
    AnswerOptions,
    AttributeOptions,
    Calibration,
    ChooseOptions,
    ClassifierPooling,
    ClassifyOptions,
    FillMethod,
    FillOptions,
    FitChooserOptions,
    FitClassifierOptions,
    Labels,
    Normalization,
    Pooling,
    Question,
    TagOptions,
)
from xlmrxl.tasks.tag import TagResult, tag

Text = str | tuple[str, str]
"""A text, or a pair of them."""


class Session(LoadedModel):
    """A loaded model, on which the tasks and the inspections are methods."""

    @overload
    def fill_mask(
        self,
        text: str,
        *,
        top_k: int = 5,
        method: FillMethod = "subwords",
        max_subwords: int = 3,
        num_beams: int = 5,
        targets: Sequence[str] | None = None,
        script: str | None = None,
        punctuation: bool = True,
        repeats: bool = True,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> FillResult: ...
    @overload
    def fill_mask(
        self,
        text: list[str],
        *,
        top_k: int = 5,
        method: FillMethod = "subwords",
        max_subwords: int = 3,
        num_beams: int = 5,
        targets: Sequence[str] | None = None,
        script: str | None = None,
        punctuation: bool = True,
        repeats: bool = True,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> list[FillResult]: ...
    @document_options(
        FillOptions,
        text="with one `<mask>` or more.",
        progress="called with how many forwards are done and how many there are; True for a bar.",
    )
    def fill_mask(
        self,
        text: str | list[str],
        *,
        top_k: int = 5,
        method: FillMethod = "subwords",
        max_subwords: int = 3,
        num_beams: int = 5,
        targets: Sequence[str] | None = None,
        script: str | None = None,
        punctuation: bool = True,
        repeats: bool = True,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> FillResult | list[FillResult]:
        """Fill the masks of a text, or of several; see `tasks.fill.fill_mask`.

        Raises:
            InputError: a text without a mask or too long, or an option that cannot be had.
        """
        results = fill_mask(self, text, FillOptions.from_arguments(locals()), progress=progress)
        return results[0] if isinstance(text, str) else results

    @overload
    def classify(
        self,
        text: Text,
        labels: Labels | None = None,
        *,
        task: str = "topic",
        language: str = "en",
        templates: Sequence[str] | None = None,
        calibration: Calibration = "contextual",
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> ClassifyResult: ...
    @overload
    def classify(
        self,
        text: list[Text],
        labels: Labels | None = None,
        *,
        task: str = "topic",
        language: str = "en",
        templates: Sequence[str] | None = None,
        calibration: Calibration = "contextual",
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> list[ClassifyResult]: ...
    @document_options(
        ClassifyOptions,
        text="a text, or a tuple of two.",
        progress="called with how many forwards are done and how many there are; True for a bar.",
    )
    def classify(
        self,
        text: Text | list[Text],
        labels: Labels | None = None,
        *,
        task: str = "topic",
        language: str = "en",
        templates: Sequence[str] | None = None,
        calibration: Calibration = "contextual",
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> ClassifyResult | list[ClassifyResult]:
        """Say how well labels fit a text, a pair of texts, or each of a list; see `tasks.classify.classify`.

        Raises:
            InputError: an empty text, or labels or templates that cannot be used.
        """
        options = ClassifyOptions.from_arguments(locals())
        if isinstance(text, str | tuple):
            return classify(self, [text], options, progress=progress)[0]
        return classify(self, text, options, progress=progress)

    @document_options(
        AttributeOptions,
        text="of two words or more.",
        progress="called with the texts that are done and how many there are; True for a bar.",
    )
    def attribute(
        self,
        text: str,
        labels: Labels | None = None,
        *,
        task: str = "topic",
        language: str = "en",
        templates: Sequence[str] | None = None,
        calibration: Calibration = "contextual",
        special_tokens: bool = False,
        label: str | None = None,
        progress: Progress | bool = True,
    ) -> Attribution:
        """Attribute what `classify` says of a text to its words; see `tasks.attribution.attribute`.

        Raises:
            InputError: as `classify`, too few words or too many, or a label that there is not.
        """
        return attribute_label(self, text, AttributeOptions.from_arguments(locals()), progress=progress)

    @document_options(
        FitClassifierOptions,
        texts="the examples; eight of each label are enough for a start.",
        labels="of each text: all texts, all whole numbers, or all booleans.",
        languages="of each text, where each language's mean is to be taken off.",
        progress="called with how many steps are done and how many there are; True for a bar.",
    )
    def fit_classifier(
        self,
        texts: str | Sequence[str],
        labels: str | Sequence[Label],
        *,
        languages: str | Sequence[str] | None = None,
        state: int | None = None,
        pooling: ClassifierPooling | None = None,
        C: float | None = None,
        seed: int = 0,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> LinearClassifier:
        """Fit a classifier of texts on this model's frozen features; see `tasks.linear_classifier.fit_classifier`.

        Raises:
            InputError: examples or options that cannot be used.
            MissingDependencyError: scikit-learn is missing.
        """
        options = FitClassifierOptions.from_arguments(locals())
        return fit_classifier(self, texts, labels, options, languages=languages, progress=progress)

    @overload
    def choose(
        self,
        prompt: str,
        choices: Sequence[str],
        *,
        question: Question | Sequence[Question | None] | None = None,
        language: str | Sequence[str] = "en",
        normalization: Normalization = "pmi",
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> ChooseResult: ...
    @overload
    def choose(
        self,
        prompt: list[str],
        choices: Sequence[Sequence[str]],
        *,
        question: Question | Sequence[Question | None] | None = None,
        language: str | Sequence[str] = "en",
        normalization: Normalization = "pmi",
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> list[ChooseResult]: ...
    @document_options(
        ChooseOptions,
        prompt="what comes before.",
        choices="two or more, or as many for each prompt.",
        progress="called with the tokens that are done and how many there are; True for a bar.",
    )
    def choose(
        self,
        prompt: str | list[str],
        choices: Sequence[str] | Sequence[Sequence[str]],
        *,
        question: Question | Sequence[Question | None] | None = None,
        language: str | Sequence[str] = "en",
        normalization: Normalization = "pmi",
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> ChooseResult | list[ChooseResult]:
        """Choose between continuations of a prompt, or of each of a list; see `tasks.choose.choose`.

        Raises:
            InputError: prompts, choices or options that cannot be used.
        """
        options = ChooseOptions.from_arguments(locals())
        given: Any = choices  # a list of them for a list of prompts, as the overloads say
        if isinstance(prompt, str):
            return choose(self, [prompt], [given], options, progress=progress)[0]
        return choose(self, prompt, given, options, progress=progress)

    @document_options(
        FitChooserOptions,
        prompts="of the examples.",
        choices="of each prompt.",
        answers="index of the right choice of each prompt.",
        progress="called with the texts that are read and how many there are; True for a bar.",
    )
    def fit_chooser(
        self,
        prompts: Sequence[str],
        choices: Sequence[Sequence[str]],
        answers: Sequence[int],
        *,
        question: Question | Sequence[Question | None] | None = None,
        language: str | Sequence[str] = "en",
        state: int | None = None,
        pooling: Pooling | None = None,
        C: float = 1.0,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> LinearChooser:
        """Fit a scorer of choices on this model's frozen features; see `tasks.linear_chooser.fit_chooser`.

        Raises:
            InputError: examples or options that cannot be used.
            MissingDependencyError: scikit-learn is missing.
        """
        options = FitChooserOptions.from_arguments(locals())
        return fit_chooser(self, prompts, choices, answers, options, progress=progress)

    @overload
    def tag(
        self,
        text: str,
        *,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> TagResult: ...
    @overload
    def tag(
        self,
        text: list[str],
        *,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> list[TagResult]: ...
    @document_options(
        TagOptions,
        text="of any language and length.",
        progress="called with the windows that are done and how many there are; True for a bar.",
    )
    def tag(
        self,
        text: str | list[str],
        *,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> TagResult | list[TagResult]:
        """Label the words of a text, or of several, and find the spans they make; see `tasks.tag.tag`.

        Raises:
            InputError: a text that cannot be read.
        """
        results = tag(self, text, TagOptions.from_arguments(locals()), progress=progress)
        return results[0] if isinstance(text, str) else results

    @overload
    def answer(
        self,
        question: str,
        context: str,
        *,
        top_k: int = 3,
        max_answer_tokens: int = 30,
        null_threshold: float | None = None,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> AnswerResult: ...
    @overload
    def answer(
        self,
        question: list[str],
        context: list[str],
        *,
        top_k: int = 3,
        max_answer_tokens: int = 30,
        null_threshold: float | None = None,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> list[AnswerResult]: ...
    @document_options(
        AnswerOptions,
        question="one, or several.",
        context="one, or as many.",
        progress="called with the windows that are done and how many there are; True for a bar.",
    )
    def answer(
        self,
        question: str | list[str],
        context: str | list[str],
        *,
        top_k: int = 3,
        max_answer_tokens: int = 30,
        null_threshold: float | None = None,
        special_tokens: bool = False,
        progress: Progress | bool = True,
    ) -> AnswerResult | list[AnswerResult]:
        """Find where in a context the answer to a question stands, or to each of a list; see `tasks.answer.answer`.

        Raises:
            InputError: questions, contexts or options that cannot be used.
        """
        options = AnswerOptions.from_arguments(locals())
        if isinstance(question, str) and isinstance(context, str):
            return answer(self, [question], [context], options, progress=progress)[0]
        if isinstance(question, str) or isinstance(context, str):
            raise InputError("Give one question and one context, or as many of the one as of the other.")
        return answer(self, question, context, options, progress=progress)

    def inspect(
        self, text: str, text_pair: str | None = None, *, keep: str = "recompute", progress: Progress | bool = True
    ) -> Inspection:
        """Run the model once over a text, or over a pair, and keep what it takes to look into it.

        The arguments are those of `inspection.inspection.inspect`.
        """
        return inspect(self, text, text_pair, keep=keep, progress=progress)

    def inspect_parallel(
        self,
        texts: Sequence[str] | Mapping[str, str],
        languages: Sequence[str] | None = None,
        *,
        keep: str = "recompute",
        progress: Progress | bool = True,
    ) -> ParallelInspection:
        """Inspect several texts together, the same in several languages.

        The arguments are those of `inspection.parallel.inspect_parallel`.
        """
        return inspect_parallel(self, texts, languages, keep=keep, progress=progress)


load = Session.load
