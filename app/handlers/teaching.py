"""Classifiers taught by a visitor's examples, and what they say about other texts."""

from __future__ import annotations

import base64
import io
import re
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, cast

from xlmrxl.app.handlers import MAX_TEXT
from xlmrxl.app.handlers.classifying import MAX_LABEL, MAX_LABELS
from xlmrxl.errors import MissingDependencyError
from xlmrxl.tables import table_formats as tables
from xlmrxl.tables.decoding import split_lines
from xlmrxl.tasks.result import Result

if TYPE_CHECKING:
    from xlmrxl.progress import Progress
    from xlmrxl.session import Session
    from xlmrxl.tasks.classifier_report import ClassifierReport
    from xlmrxl.tasks.classify_results import ClassifyResult
    from xlmrxl.tasks.linear_classifier import LinearClassifier

MAX_CHARACTERS = 200_000  # of all examples, and of all texts to test
MAX_FILE = 200_000  # bytes
MAX_ROWS = 200  # examples, and texts to test
MAX_PROBLEM = 300  # characters: what is wrong may quote what is in a file
FILES = (".csv", ".tsv", ".jsonl")
COLONS = re.compile("[:：]")
EXAMPLE = "“sports: They won the match.”"


class LabelProbabilityJson(TypedDict):
    """One label: the probability that a text has it."""

    label: str
    probability: float


class PredictionJson(TypedDict):
    """One text: the labels that were taught, the most probable first, and its own label where that was given."""

    text: str
    labels: list[LabelProbabilityJson]
    given: str | None


class TestedJson(TypedDict):
    """The texts whose labels were given: how many there are, and which share got theirs."""

    texts: int
    accuracy: float
    majority: float


class ReportJson(TypedDict):
    """What was taught: accuracies from 0 to 1, cross-validated and of the texts whose labels were given.

    Each stands beside `majority`, what the most frequent label alone would get.
    """

    examples: dict[str, int]
    accuracy: float
    folds: int
    majority: float
    state: int
    pooling: str
    C: float
    tested: TestedJson | None


class TeachJson(TypedDict):
    """What the endpoint `/teach` answers: what was taught, and what it says about the texts, in their order."""

    report: ReportJson
    predictions: list[PredictionJson]


class Example(NamedTuple):
    label: str
    text: str


class Tested(NamedTuple):
    text: str
    label: str | None  # where it was given


@dataclass(frozen=True)
class Lesson(Result):
    """What was taught, and what it says about some texts."""

    taught: LinearClassifier  # without its model, which a visitor does not hold
    results: tuple[ClassifyResult, ...]
    given: tuple[str | None, ...]  # the label of each text, where it was given
    tested: ClassifierReport | None  # on those whose label was given

    @property
    def majority(self) -> float:
        """What the most frequent label would get of the examples."""
        counts = self.taught.examples.values()
        return max(counts) / sum(counts)

    def content(self) -> dict[str, Any]:
        """`{"report": {…}, "predictions": [{"text": …, "labels": [{"label": …, "probability": …}, …], …}, …]}`."""
        taught, found = self.taught, self.tested
        tested = found and {"texts": found.texts, "accuracy": found.accuracy, "majority": found.majority}
        return {
            "report": {
                "examples": taught.examples,
                "accuracy": taught.accuracy,
                "folds": taught.folds,
                "majority": self.majority,
                "state": taught.state,
                "pooling": taught.pooling,
                "C": taught.C,
                "tested": tested,
            },
            "predictions": [
                {
                    "text": result.text,
                    "labels": [{"label": each.label, "probability": each.score} for each in result.labels],
                    "given": given,
                }
                for result, given in zip(self.results, self.given, strict=True)
            ],
        }

    def rows(self) -> list[dict[str, Any]]:
        """A row a text."""
        return [
            {"text": result.text, "given": given, "label": result.label, "probability": result.labels[0].score}
            for result, given in zip(self.results, self.given, strict=True)
        ]


def learn(session: Session, examples: Any, texts: Any, progress: Progress | bool = False) -> Lesson:
    """Teach a classifier, and have it classify some texts. Raises ValueError with one actionable sentence.

    Args:
        session: with any head.
        examples: lines or a list of `label: text`; a tab may stand for the colon.
        texts: lines or a list, in any languages; a label that was taught may stand before one.
        progress: is told how far the teaching is, and then the classifying.
    """
    given = examples_asked(examples)
    tests = tests_asked(texts, {example.label for example in given})
    try:
        taught = session.fit_classifier(
            [example.text for example in given], [example.label for example in given], progress=progress
        )
    except MissingDependencyError as error:
        raise ValueError(str(error)) from None
    return _lesson(taught, tests, progress)


def try_out(session: Session, kept: LinearClassifier | None, texts: Any, progress: Progress | bool = False) -> Lesson:
    """What a classifier that a visitor has taught says about other texts. Raises ValueError as `learn` does."""
    if kept is None:
        raise ValueError("Nothing has been taught on this page yet: write examples and press “Teach and test”.")
    tests = tests_asked(texts, set(kept.labels))
    if not tests:
        raise ValueError("There is no text to test: write one a line.")
    return _lesson(bound(session, kept), tests, progress)


def bound(session: Session, kept: LinearClassifier) -> LinearClassifier:
    """A classifier with the model that it was taught with. Raises ValueError if another one is loaded by now."""
    source = kept.source
    if (source.model, source.revision, source.precision) != (session.name, session.revision, session.precision):
        raise ValueError("The model has been changed since this was taught: teach again.")
    return replace(kept, loaded_model=session)


def packed(session: Session, kept: LinearClassifier | None) -> str:
    """The files that `LinearClassifier.load` reads, as a ZIP archive in base64. Raises ValueError as `try_out` does."""
    if kept is None:
        raise ValueError("Nothing has been taught on this page yet: write examples and press “Teach and test”.")
    archive = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        bound(session, kept).save(folder)
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(Path(folder).iterdir()):
                entry = zipfile.ZipInfo(f"classifier/{path.name}")  # without the time, which is nobody's business
                file.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return base64.b64encode(archive.getvalue()).decode()


def _lesson(taught: LinearClassifier, tests: tuple[Tested, ...], progress: Progress | bool) -> Lesson:
    from xlmrxl.tasks.classifier_report import ClassifierReport  # noqa: PLC0415 - torch comes along

    results = taught.classify([test.text for test in tests], progress=progress) if tests else []
    known = [(result, test.label) for result, test in zip(results, tests, strict=True) if test.label is not None]
    tested = None
    if known:
        shares = [{each.label: each.score for each in result.labels} for result, _ in known]
        rows = [[share[label] for label in taught.labels] for share in shares]
        tested = ClassifierReport.from_probabilities(
            results[0].source, taught.labels, rows, [label for _, label in known]
        )
    kept = replace(taught, loaded_model=cast(Any, None))
    return Lesson(taught.source, kept, tuple(results), tuple(test.label for test in tests), tested)


def examples_asked(given: Any) -> tuple[Example, ...]:
    """Examples as they were written. Raises ValueError with one actionable sentence."""
    lines = _lines(given, "examples")
    if not lines:
        raise ValueError(f"There are no examples: write one a line, such as {EXAMPLE}")
    found = [_example(number, line) for number, line in enumerate(lines, 1)]
    counts = Counter(example.label for example in found)
    if len(counts) > MAX_LABELS:
        raise ValueError(f"There are {len(counts)} labels, the app takes {MAX_LABELS}: leave some out.")
    if len(counts) < 2:
        raise ValueError(f"All examples have the label {found[0].label!r}: give some of another one, too.")
    for label, count in counts.items():
        if count < 2:
            raise ValueError(f"There is one example of {label!r}: give two or more of each label, better eight.")
    return tuple(found)


def _example(number: int, line: str) -> Example:
    parts = _parted(line)
    if parts is None:
        raise ValueError(f"Example {number} has no label: write it before a colon, such as {EXAMPLE}")
    label, text = parts
    if not label or not text:
        raise ValueError(f"Example {number} lacks its {'text' if label else 'label'}: write {EXAMPLE}")
    if len(label) > MAX_LABEL:
        raise ValueError(f"The label of example {number} has more than {MAX_LABEL} characters: shorten it.")
    _check_length(text, f"Example {number}")
    return Example(label, text)


def tests_asked(given: Any, labels: set[str]) -> tuple[Tested, ...]:
    """Texts to test, and their labels, where one that was taught stands before them."""
    found = []
    for number, line in enumerate(_lines(given, "texts to test"), 1):
        label, text = _parted(line) or ("", line)
        test = Tested(text, label) if label in labels and text else Tested(line.strip(), None)
        _check_length(test.text, f"Text {number}")
        found.append(test)
    return tuple(found)


def _parted(line: str) -> tuple[str, str] | None:
    """What is before the first tab, or else the first colon, and what is after it."""
    label, found, text = line.partition("\t")
    if not found:
        parts = COLONS.split(line, maxsplit=1)
        if len(parts) < 2:
            return None
        label, text = parts
    return label.strip(), text.strip()


def _lines(given: Any, name: str) -> list[str]:
    if isinstance(given, str):
        if len(given) > MAX_CHARACTERS:
            raise ValueError(f"The {name} have more than {MAX_CHARACTERS:,} characters: leave some out.")
        given = split_lines(given)
    if not isinstance(given, list | tuple) or not all(isinstance(line, str) for line in given):
        raise ValueError(f"The {name} must be a list of strings, or one a line.")
    lines = [line for line in given if line.strip()]
    if len(lines) > MAX_ROWS:
        raise ValueError(f"There are {len(lines)} {name}, the app takes {MAX_ROWS}: leave some out.")
    return lines


def _check_length(text: str, name: str) -> None:
    if len(text) > MAX_TEXT:
        raise ValueError(f"{name} has {len(text):,} characters, the app takes {MAX_TEXT:,}: shorten it.")


def from_file(path: Any) -> str:
    """The examples of a file, one a line. Raises ValueError with one actionable sentence, whatever the file is."""
    if not isinstance(path, str):
        raise ValueError("There is no file: choose one.")
    file = Path(path)
    if file.suffix.lower() not in FILES:
        raise ValueError(f"The name of the file must end in {', '.join(FILES)}: save your table as one of these.")
    try:
        with file.open("rb") as opened:
            start = opened.read(MAX_FILE + 1)
    except OSError:
        raise ValueError("The file did not arrive: choose it again.") from None
    if len(start) > MAX_FILE:
        raise ValueError(f"The file has more than {MAX_FILE:,} bytes: leave some rows out.")
    if b"\0" in start:
        raise ValueError("The file is no text in UTF-8: save your table as CSV with that encoding.")
    try:
        rows = list(islice(tables.read(file), MAX_ROWS + 1))
    except ValueError as error:
        problem = str(error).replace(path, "the file").replace(file.name, "the file")
        raise ValueError(problem[:1].upper() + problem[1:MAX_PROBLEM]) from None
    if not rows:
        raise ValueError("The file has no rows: it needs the columns text and label.")
    if len(rows) > MAX_ROWS:
        raise ValueError(f"The file has more than {MAX_ROWS} rows, which the app takes: leave some out.")
    lines = [_line(number, row) for number, row in enumerate(rows, 1)]
    labels = [value for row in rows for name, value in row.values.items() if name.strip().lower() == "label"]
    if len({float if isinstance(label, int) and not isinstance(label, bool) else type(label) for label in labels}) > 1:
        raise ValueError(
            "The labels of the file are of several kinds: make them all texts, all numbers or all booleans."
        )
    return "\n".join(lines)


def _line(number: int, row: tables.Row) -> str:
    """A row as a person would write it."""
    if row.error:
        raise ValueError(f"Row {number} of the file cannot be read: {row.error}")
    values = {name.strip().lower(): value for name, value in row.values.items() if isinstance(name, str)}
    cells = []
    for column in ("label", "text"):
        if column not in values:
            raise ValueError(f"Row {number} of the file has no column {column}: call the columns text and label.")
        value = values[column]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, str | int) or not str(value).strip():
            raise ValueError(f"Row {number} of the file has no {column}: write one, or leave the row out.")
        cells.append(" ".join(str(value).split()))
    if len(cells[0]) > MAX_LABEL:
        raise ValueError(f"The label of row {number} has more than {MAX_LABEL} characters: shorten it.")
    _check_length(cells[1], f"The text of row {number}")
    return f"{cells[0]}\t{cells[1]}" if COLONS.search(cells[0]) else f"{cells[0]}: {cells[1]}"
