"""Labels of texts, and the words that made them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from xlmrxl.app.handlers import MAX_TEXT, checked_text, is_masked, language_code, whole_number
from xlmrxl.tasks.templates import FOLDER, templates

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.attribution import Attribution
    from xlmrxl.tasks.classify import ClassifyResult

MAX_LABELS = 20
MAX_LABEL = 40  # characters
MAX_EXPLAINED = 60  # words; the text is classified once without each
OWN = "own"
TASKS = ("topic", "sentiment", "entailment", OWN)  # for labels of one's own, the templates of the topics
COMMAS = r"[,，،、\n]"


class LabelJson(TypedDict):
    """One label: its probability, and the one before calibration; of a fine-tuned model, its logit."""

    label: str
    score: float
    raw: float


class ClassifyJson(TypedDict):
    """What the endpoint `/classify` answers: the text as it was sent and its labels, the best first."""

    text: str
    labels: list[LabelJson]


@dataclass(frozen=True)
class Classified:
    """A result, and what `Session.classify` was told beside the text: it takes both to explain it later."""

    result: ClassifyResult
    options: Mapping[str, Any]


def languages() -> tuple[str, ...]:
    """The codes of those that have templates."""
    return tuple(json.loads((FOLDER / "topic.json").read_text(encoding="utf-8")))


def task_labels(task: Any, language: str = "en") -> str:
    """The labels of a task as they are written into one line; "" where they are one's own."""
    return ", ".join(templates(task, language).labels) if task in TASKS and task != OWN else ""


def classify(
    session: Session, text: Any, labels: Any = "", language: Any = "en", task: Any = OWN, second: Any = ""
) -> Classified:
    """Which label a text has, or a pair where there is a second text. Raises ValueError with one actionable sentence.

    Args:
        session: with a masked language model, or a head for texts, which has its own labels.
        text: what is classified.
        labels: separated by commas. Those that the task knows stand for its words in the language, others for
            themselves. None of them: those of the task, and where this is one's own, topics.
        language: of templates and words.
        task: one of `TASKS`.
        second: text of the pair.
    """
    text = checked_text(text, "text", MAX_TEXT)
    if second is not None and not isinstance(second, str):
        raise ValueError("The second text must be a string.")
    pair = checked_text(second, "second text", MAX_TEXT) if second and second.strip() else None
    options: dict[str, Any] = {}
    if is_masked(session) or labels:
        options = _labels(labels, language_code(language), task)
    if task == "entailment" and options and pair is None:
        raise ValueError("The second text is empty: write what may follow from the first.")
    result = session.classify(text if pair is None else (text, pair), progress=False, **options)
    return Classified(result, options)


def _labels(labels: Any, language: str, task: Any) -> dict[str, Any]:
    """Labels, task and language as `Session.classify` takes them."""
    if task not in TASKS:
        raise ValueError(f"Choose a task: {', '.join(TASKS)}.")
    if not isinstance(labels, str):
        raise ValueError("The labels must be a string: write them in one line, with commas between them.")
    names = [name.strip() for name in re.split(COMMAS, labels) if name.strip()]
    if len(names) > MAX_LABELS:
        raise ValueError(f"There are {len(names)} labels, the app takes {MAX_LABELS}: leave some out.")
    for name in names:
        if len(name) > MAX_LABEL:
            raise ValueError(f"A label has {len(name):,} characters, the app takes {MAX_LABEL}: shorten it.")
        if names.count(name) > 1:
            raise ValueError(f"The label {name!r} is there twice: give each once.")
    options = {"task": "topic" if task == OWN else task, "language": language}
    known = templates(**options).labels
    if task == OWN and names:
        return {"labels": names, **options}
    if not names or names == list(known):
        return options
    return {"labels": {name: known.get(name, (name,)) for name in names}, **options}


def explain(session: Session, done: Classified, data: Any) -> Attribution:
    """Which words made a text have the label that the page named by its index. Raises ValueError as the others do."""
    index = whole_number(data, "index")
    if index is None or not 0 <= index < len(done.result.labels):
        raise ValueError("There is no such label: choose one from the list.")
    text = done.result.text
    if done.result.pair is not None:
        raise ValueError("Only a single text can be explained, not a pair: leave the second text out.")
    count = _count_words(session, text)
    if count > MAX_EXPLAINED:
        raise ValueError(f"The text has {count} words, the app explains {MAX_EXPLAINED}: shorten it.")
    return session.explain(text, label=done.result.labels[index].label, progress=False, **done.options)


def _count_words(session: Session, text: str) -> int:
    """How many words are left out in turn, or a few more."""
    from xlmrxl.tasks.masked import kind_of, tokens_of, words  # noqa: PLC0415 - brings torch along

    spaceless = any(kind_of(character) == "own" for character in text)
    return len(words(tokens_of(session, text))) if spaceless else len(text.split())
