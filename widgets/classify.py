"""`TextClassifier`: a text, its labels, and the words behind one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.progress import Progress
from xlmrxl.rendering.style import render_cell
from xlmrxl.tasks.linear_classifier import LinearClassifier
from xlmrxl.tasks.templates import FOLDER
from xlmrxl.tasks.texts import check_texts
from xlmrxl.widgets.task import Name, ResultWidget, load_named, read_module

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.attribution import Attribution
    from xlmrxl.tasks.classify_results import ClassifyResult

PAIRS = "entailment"
"""The task that reads two texts."""


class TextClassifier(ResultWidget):
    """Classify a text, and see which words made it so.

    Args:
        model: a session with a masked language model, or with a head for texts; a classifier that was fitted
            (`session.fit_classifier`); or the name of a model to load.
        text: what is classified.
        text_pair: the second text of a pair.
        labels: to choose from; those of the task if there are none. A dict gives each its words.
        task, language: whose templates, and whose labels, a masked language model is asked with.
        explained: a label whose words are shown.
        **options: others of `ClassifyOptions`, for every text: `templates`, `calibration`.
    """

    text = traitlets.Unicode("", help="What is classified.").tag(sync=True)
    text_pair = traitlets.Unicode("", help="The second text, where the task or the model reads pairs.").tag(sync=True)
    labels = traitlets.Union(
        [traitlets.List(traitlets.Unicode()), traitlets.Dict()],
        help="Labels of one's own, or a dict from them to their words; empty for those of the task.",
    ).tag(sync=True)
    task = traitlets.Unicode("topic", help="topic, sentiment or entailment.").tag(sync=True)
    language = traitlets.Unicode("en", help="Of the templates and the words.").tag(sync=True)
    explained = traitlets.Unicode("", help="The label whose words are shown; empty for none.").tag(sync=True)
    scores = traitlets.Dict(help="From each label to its probability (of a regression, its value), the best first.")
    best = traitlets.Unicode("", help="The best label; empty without an answer.")
    words = traitlets.List(traitlets.Dict(), help="What each word does for that label, dicts with `word` and `value`.")
    attribution = traitlets.Any(None, allow_none=True, help="The same as the whole result of `Session.attribute`.")
    form = traitlets.Dict(help="What the page offers to choose from.").tag(sync=True)

    _esm = read_module("classify")
    _question_traits = ("text", "text_pair", "labels", "task", "language", "explained")

    def __init__(
        self,
        model: Session | LinearClassifier | Name = DEFAULT,
        text: str = "",
        *,
        text_pair: str = "",
        labels: str | Sequence[str] | Mapping[str, Sequence[str]] = (),
        task: str = "topic",
        language: str = "en",
        explained: str = "",
        **options: Any,
    ) -> None:
        """Load the model where it is named, and classify."""
        self._model: Session | LinearClassifier = load_named(model)
        self._options = options
        self._last: tuple[tuple[str, str, dict[str, Any]], ClassifyResult] | None = None
        fitted = isinstance(self._model, LinearClassifier)
        self._cloze = not isinstance(self._model, LinearClassifier) and isinstance(
            self._model.model, XLMRobertaXLForMaskedLM
        )
        tasks = {path.stem: _labels(path) for path in sorted(FOLDER.glob("*.json"))} if self._cloze else {}
        form = {"tasks": tasks, "pairs": [PAIRS] if self._cloze else not fitted}
        super().__init__(
            text=text,
            text_pair=text_pair,
            labels=dict(labels) if isinstance(labels, Mapping) else check_texts(labels, "labels"),
            task=task,
            language=language,
            explained=explained,
            form=form,
        )

    def _question(self) -> dict[str, Any] | None:
        if not self.text.strip() and not self.text_pair.strip():
            return None
        asked: dict[str, Any] = dict(self._options)
        if self._cloze:
            asked |= {"labels": self.labels or None, "task": self.task, "language": self.language}
        return {"texts": (self.text, self.text_pair), "asked": asked, "explained": self.explained}

    def _answer(self, question: dict[str, Any], progress: Progress | bool) -> tuple[ClassifyResult, Attribution | None]:
        (text, text_pair), asked, label = question.values()
        if asked.get("task") == PAIRS and "templates" not in asked and not text_pair.strip():
            raise ValueError("The second text is empty: write what may follow from the first.")
        if self._last is None or self._last[0] != (text, text_pair, asked):
            texts: Any = (text, text_pair) if text_pair.strip() else text
            self._last = (text, text_pair, asked), self._model.classify(texts, **asked, progress=progress)
        result = self._last[1]
        if not label:
            return result, None
        if text_pair.strip():
            raise ValueError("Only a single text can be explained, not a pair: leave the second text out.")
        if isinstance(self._model, LinearClassifier):
            return result, self._model.attribute(text, label, progress=progress)
        return result, self._model.attribute(text, label=label, **asked, progress=progress)

    def _shown(self, answer: tuple[ClassifyResult, Attribution | None] | None) -> dict[str, Any]:
        if answer is None:
            return {"scores": {}, "best": "", "words": [], "attribution": None, "html": ""}
        result, attribution = answer
        scores = {each.label: each.score for each in result.labels}
        return {
            "result": result,
            "scores": scores,
            "best": max(scores, key=scores.__getitem__),
            "words": [] if attribution is None else attribution.rows(),
            "attribution": attribution,
            "html": _render(result, attribution),
        }

    def _static_html(self) -> str:
        return render_cell(_render(self.result, self.attribution, interactive=False))

    def _on_click(self, content: dict[str, Any]) -> None:
        """Show the words behind the label that was clicked."""
        index = content.get("index")
        if self.result is not None and isinstance(index, int) and 0 <= index < len(self.result.labels):
            self.explained = self.result.labels[index].label


def _render(result: ClassifyResult, attribution: Attribution | None, *, interactive: bool = True) -> str:
    """Return the labels and, where they are asked for, the words behind one."""
    words = "" if attribution is None else attribution.to_html(interactive=interactive)
    return result.to_html(interactive=interactive) + words


def _labels(path: Path) -> dict[str, list[str]]:
    """Of each language that a task's file has, its labels."""
    return {code: list(entry["labels"]) for code, entry in json.loads(path.read_text(encoding="utf-8")).items()}
