"""Labels of texts, and the words that made them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from xlmrxl.app.handlers import COMMAS, MAX_TEXT, checked_text, is_masked, language_code, whole_number
from xlmrxl.tables.decoding import split_lines
from xlmrxl.tasks.templates import FOLDER, TEXT_PAIR, load_templates

if TYPE_CHECKING:
    from xlmrxl.progress import Progress
    from xlmrxl.session import Session
    from xlmrxl.tasks.attribution import Attribution
    from xlmrxl.tasks.classify_results import ClassifyResult

    Item = str | tuple[str, str]  # a text, or a pair

MAX_LABELS = 20
MAX_LABEL = 40  # characters
MAX_TEMPLATES = 8
MAX_TEMPLATE = 200  # characters
MAX_EXPLAINED = 60  # words; the text is classified once without each
OWN = "own"
TASKS = ("topic", "sentiment", "entailment", OWN)  # for labels of one's own, the templates of the topics


class LabelJson(TypedDict):
    """One label: its probability, and the one before calibration; of a fine-tuned model, its logit."""

    label: str
    score: float
    raw: float


class ClassifyJson(TypedDict):
    """What the endpoint `/classify` answers: the text as it was sent and its labels, the best first."""

    text: str
    labels: list[LabelJson]


class WordJson(TypedDict):
    """One word: its place in the text, in characters, and how much lower the label's score is without it."""

    word: str
    start: int
    end: int
    value: float


class ExplainJson(TypedDict):
    """What the endpoint `/explain` answers: the label and its score, and the words of the text in order."""

    text: str
    label: str
    score: float
    words: list[WordJson]


class ClassifyAsked(NamedTuple):
    """How texts are classified: those that ask for the same are classified together."""

    task: str | None = None  # None: by the head of a fine-tuned model, which has labels of its own
    language: str = ""
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()  # with their words; none: those of the task
    templates: tuple[str, ...] = ()  # none: those of the task

    def options(self) -> dict[str, Any]:
        """What `Session.classify` is told beside the text."""
        if self.task is None:
            return {}
        found: dict[str, Any] = {"task": self.task, "language": self.language}
        if self.labels:
            themselves = all(words == (name,) for name, words in self.labels)
            found["labels"] = [name for name, _ in self.labels] if themselves else dict(self.labels)
        if self.templates:
            found["templates"] = list(self.templates)
        return found


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
    return ", ".join(load_templates(task, language).labels) if task in TASKS and task != OWN else ""


def task_templates(task: Any, language: Any) -> str:
    """The templates of a task in a language, one a line; "" where there are none."""
    known = language if language in languages() else "en"
    return "\n".join(load_templates("topic" if task == OWN else task, known).templates) if task in TASKS else ""


def changed_templates(given: Any, task: Any, language: Any) -> str:
    """The templates as they were written, or "" where they are still the task's own."""
    if not isinstance(given, str) or _lines(given) == _lines(task_templates(task, language)):
        return ""
    return given


def classify(
    session: Session,
    text: Any,
    labels: Any = "",
    language: Any = "en",
    task: Any = OWN,
    text_pair: Any = "",
    templates: Any = "",
    together: Callable[[Item, ClassifyAsked], ClassifyResult] | None = None,
) -> Classified:
    """Which label a text has, or a pair where there is a second text. Raises ValueError with one actionable sentence.

    Args:
        session: with a masked language model, or a head for texts, which has its own labels.
        text: what is classified.
        labels: separated by commas. Those that the task knows stand for its words in the language, others for
            themselves. None of them: those of the task, and where this is one's own, topics.
        language: of templates and words.
        task: one of `TASKS`.
        text_pair: text of the pair.
        templates: one a line; without any, those of the task.
        together: classifies a text with those of other visitors.
    """
    text = checked_text(text, "text", MAX_TEXT)
    if text_pair is not None and not isinstance(text_pair, str):
        raise ValueError("The second text must be a string.")
    pair = checked_text(text_pair, "second text", MAX_TEXT) if text_pair and text_pair.strip() else None
    asked = ClassifyAsked()
    if is_masked(session) or labels or templates:
        asked = _asked(labels, language_code(language), task, templates)
    if task == "entailment" and asked.task and pair is None:
        raise ValueError("The second text is empty: write what may follow from the first.")
    if pair is None and any(TEXT_PAIR in template for template in asked.templates):
        raise ValueError(f"The templates have {TEXT_PAIR}, but there is no second text: leave {TEXT_PAIR} out of them.")
    item = text if pair is None else (text, pair)
    result = classify_all(session, [item], asked)[0] if together is None else together(item, asked)
    return Classified(result, asked.options())


def classify_all(session: Session, items: list[Item], asked: ClassifyAsked) -> list[ClassifyResult]:
    """Several visitors' texts, classified together."""
    return session.classify(items, progress=False, **asked.options())


def _asked(labels: Any, language: str, task: Any, own: Any) -> ClassifyAsked:
    """Labels, task, language and templates, of which those that are the task's are left out."""
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
    shipped = load_templates("topic" if task == OWN else task, language)
    known = {} if task == OWN else shipped.labels
    asked = ClassifyAsked("topic" if task == OWN else task, language, (), _templates(own, shipped.templates))
    if not names or names == list(known):
        return asked
    return asked._replace(labels=tuple((name, known.get(name, (name,))) for name in names))


def _templates(given: Any, own: tuple[str, ...]) -> tuple[str, ...]:
    """Templates of a visitor; none where they are the task's own, or there are none. What they need the task says."""
    if given is not None and not isinstance(given, str):
        raise ValueError("The templates must be a string: write them one a line.")
    found = _lines(given or "")
    if len(found) > MAX_TEMPLATES:
        raise ValueError(f"There are {len(found)} templates, the app takes {MAX_TEMPLATES}: leave some out.")
    if any(len(template) > MAX_TEMPLATE for template in found):
        raise ValueError(f"A template has more than {MAX_TEMPLATE} characters: shorten it.")
    return () if found == own else found


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in split_lines(text) if line.strip())


def of_label(done: Classified, label: Any) -> dict[str, int]:
    """How a page would name a label; "" is the best. Raises ValueError with one actionable sentence."""
    names = [each.label for each in done.result.labels]
    if label and label not in names:
        raise ValueError("There is no such label: choose one from the list.")
    return {"index": names.index(label) if label else 0}


def explain(session: Session, done: Classified, data: Any, progress: Progress | bool = False) -> Attribution:
    """Which words made a text have the label that the page named by its index. Raises ValueError as the others do."""
    index = whole_number(data, "index")
    if index is None or not 0 <= index < len(done.result.labels):
        raise ValueError("There is no such label: choose one from the list.")
    text = done.result.text
    if done.result.text_pair is not None:
        raise ValueError("Only a single text can be explained, not a pair: leave the second text out.")
    count = _count_words(session, text)
    if count > MAX_EXPLAINED:
        raise ValueError(f"The text has {count} words, the app explains {MAX_EXPLAINED}: shorten it.")
    return session.attribute(text, label=done.result.labels[index].label, progress=progress, **done.options)


def _count_words(session: Session, text: str) -> int:
    """How many words are left out in turn, or a few more."""
    from xlmrxl.tasks.masked_lm import classify_character, find_words, tokenize_within_limit  # noqa: PLC0415 - brings torch along

    spaceless = any(classify_character(character) == "own" for character in text)
    return len(find_words(tokenize_within_limit(session, text))) if spaceless else len(text.split())
