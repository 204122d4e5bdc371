"""`load()`, and the session it gives: a loaded model with every task and inspection as a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, overload

from xlmrxl.inspection.inspection import Inspection, inspect
from xlmrxl.inspection.parallel import ParallelInspection, inspect_parallel
from xlmrxl.loaded_model import LoadedModel
from xlmrxl.progress import Progress
from xlmrxl.tasks.answer import AnswerResult, answer
from xlmrxl.tasks.attribution import Attribution, attribute
from xlmrxl.tasks.choose import ChooseResult, choose
from xlmrxl.tasks.classify import ClassifyResult, classify
from xlmrxl.tasks.fill import fill_mask
from xlmrxl.tasks.fill_results import FillResult
from xlmrxl.tasks.labels import Label
from xlmrxl.tasks.linear_chooser import TaughtChoices, teach_choices
from xlmrxl.tasks.linear_classifier import Taught, teach
from xlmrxl.tasks.option_fields import document_options
from xlmrxl.tasks.options import FillMethod, FillOptions
from xlmrxl.tasks.tag import TagResult, tag

Text = str | tuple[str, str]
Labels = Sequence[str] | Mapping[str, Sequence[str]] | None


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
    @document_options(FillOptions)
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

        Args:
            text: with one `<mask>` or more.
            progress: called with how many forwards are done and how many there are; True for a bar.

        Raises:
            InputError: a text without a mask or too long, or an option that cannot be had.
        """
        results = fill_mask(self, text, FillOptions.from_arguments(locals()), progress=progress)
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
        kinds: set[str] = set()

        def predict(texts: list[str]) -> list[float]:
            found = classify(self, texts, labels, progress=False, **options)
            kinds.update(result.kind for result in found)
            scores = [{score.label: score.score for score in result.labels} for result in found]
            if wanted not in scores[0]:
                raise ValueError(f"There is no label {wanted!r}, only {', '.join(scores[0])}.")
            return [score[wanted] for score in scores]

        found = attribute(
            text, predict, label=wanted, loaded_model=self, special_tokens=special_tokens, progress=progress
        )
        return replace(found, is_probability="regression" not in kinds)

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
