"""Tasks on the rows of a file: what is done with a row, and which columns the result has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from xlmrxl.checkpoints.strict_json import parse_json
from xlmrxl.errors import InputError
from xlmrxl.progress import Progress
from xlmrxl.tables.delimited import long_fields
from xlmrxl.tables.resumable import Counts, check_source, describe_missing_column, process, text_of
from xlmrxl.tables.table_formats import Row, read
from xlmrxl.tables.table_options import BY_NAME, TableOptions
from xlmrxl.tasks.labels import to_label_texts
from xlmrxl.tasks.options import ChooseOptions, ClassifyOptions, FillOptions
from xlmrxl.tasks.result import Result, Source

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.linear_classifier import LinearClassifier

T = TypeVar("T")
R = TypeVar("R")
Values = dict[str, Any]
NOTHING: Mapping[str, str] = MappingProxyType({})

EXAMPLE = ("a", "e")
"""Tried before the rows are, since a wrong setting is no fault of theirs; any vocabulary can spell these."""


@dataclass(frozen=True)
class RowTask:
    """What is to be done with every row of a file.

    Attributes:
        name: of the task.
        call: returns the results of some rows, with options by their names.
        to_columns: returns the columns that a result's content has in the file.
        columns: of a row that must hold a text.
        result_columns: those that `to_columns` gives.
        settings: options by their names, and whatever else the results depend on.
        example: a row that is good.
        option_columns: options that each row has its own of, and their columns.
    """

    name: str
    call: Callable[[list[Values], Values], Sequence[Result]]
    to_columns: Callable[[Values], Values]
    columns: Sequence[str]
    result_columns: Sequence[str]
    settings: Values
    example: Values
    option_columns: Mapping[str, str] = field(default_factory=dict)


def run(
    session: Session,
    task: RowTask,
    source: Path,
    target: Path,
    *,
    table: TableOptions = BY_NAME,
    chunk: int = 256,
    force: bool = False,
    progress: Progress | bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Counts:
    """Do a task with every row of a file; see `resumable.process`.

    Raises:
        InputError: a file or a setting cannot be used; what is wrong with a row alone stands in its `error`.
    """
    task.call([task.example], task.settings)
    columns = [*task.columns, *task.option_columns.values()]

    def work(rows: list[Values]) -> list[Values | Exception]:
        groups: dict[tuple[str, ...], list[int]] = {}
        for i, row in enumerate(rows):
            groups.setdefault(tuple(row[column] for column in task.option_columns.values()), []).append(i)
        answers: dict[int, Result | Exception] = {}
        for values, indices in groups.items():
            settings = task.settings | dict(zip(task.option_columns, values, strict=True))

            def call(part: list[Values], settings: Values = settings) -> Sequence[Result]:
                return task.call(part, settings)

            answers |= zip(indices, isolate_errors(call, [rows[i] for i in indices]), strict=True)
        ordered = [answers[i] for i in range(len(rows))]
        return [found if isinstance(found, Exception) else task.to_columns(found.content()) for found in ordered]

    # The example names the columns that are read.
    made = {"task": task.name, "option_columns": dict(task.option_columns), "example": task.example}
    settings = Source.from_model(session, **task.settings).to_dict() | made
    return process(
        source,
        target,
        work,
        columns=columns,
        results=task.result_columns,
        settings=settings,
        table=table,
        chunk=chunk,
        force=force,
        progress=progress,
        say=say,
    )


def isolate_errors(call: Callable[[list[T]], Sequence[R]], items: list[T]) -> list[R | Exception]:
    """Return what a call gives for each item, or its error, which is found by halving so that the others are had."""
    try:
        return list(call(items))
    except (ValueError, TypeError) as error:
        if len(items) == 1:
            return [error]
    half = len(items) // 2
    return [*isolate_errors(call, items[:half]), *isolate_errors(call, items[half:])]


def answer_each(call: Callable[[list[T]], Sequence[R]], items: list[T], example: T) -> list[R | Exception]:
    """Return what a call gives for each item, or what is wrong with it.

    Args:
        call: takes several items.
        items: of which some may be bad.
        example: an item that is good.

    Raises:
        InputError: nothing is wrong with an item, but with the settings of the call.
        TypeError: as well.
    """
    try:
        return list(call(items))
    except (ValueError, TypeError) as error:
        if len(items) == 1:
            return [error]
    call([example])
    half = len(items) // 2
    return [*isolate_errors(call, items[:half]), *isolate_errors(call, items[half:])]


def fill(session: Session, options: FillOptions, text: str = "text") -> RowTask:
    """Return the task that fills the masks of the texts in a column."""

    def call(rows: list[Values], settings: Values) -> Sequence[Result]:
        return session.fill_mask([row[text] for row in rows], **settings, progress=False)

    def to_columns(found: Values) -> Values:
        none: Values = {"text": "", "begins_word": None}
        best = [mask["fills"][0] if mask["fills"] else none for mask in found["masks"]]
        fills = [fill["text"] for fill in best]
        begins = [fill["begins_word"] for fill in best]
        joint = found.get("joint", [])
        if joint:
            fills, begins = joint[0]["fills"], joint[0]["begins_word"]
        return {"fill": " | ".join(fills), "begins_word": begins, "fills": found["masks"], "joint": joint}

    results = ["fill", "begins_word", "fills", *(["joint"] if options.method == "joint" else [])]
    return RowTask("fill", call, to_columns, [text], results, options.changed(), {text: "<mask>"})


def classify(
    session: Session,
    options: ClassifyOptions,
    text: str = "text",
    text_pair: str | None = None,
    option_columns: Mapping[str, str] = NOTHING,
    classifier: LinearClassifier | None = None,
) -> RowTask:
    """Return the task that classifies the texts in a column, or with another column pairs of them.

    Args:
        session: whose model classifies.
        options: of the task; a classifier has none.
        text: the column.
        text_pair: the column with the second texts.
        option_columns: options that each row has its own of, and their columns.
        classifier: one that was fitted, which classifies instead of the model's own head.
    """
    columns = [text] if text_pair is None else [text, text_pair]
    settings = options.changed()
    if classifier is not None:  # what its results depend on, so that another one does not go on with them
        weight = float(classifier.weight.double().sum())
        settings = {"state": classifier.state, "pooling": classifier.pooling, "weight": weight}

    def call(rows: list[Values], settings: Values) -> Sequence[Result]:
        if classifier is not None:
            return classifier.classify([row[text] for row in rows], progress=False)
        given = [row[text] if text_pair is None else (row[text], row[text_pair]) for row in rows]
        return session.classify(given, **settings, progress=False)

    def to_columns(found: Values) -> Values:
        best = found["labels"][0]
        scores = {label["label"]: label["score"] for label in found["labels"]}
        return {"label": best["label"], "score": best["score"], "scores": scores, "truncated": found["truncated"]}

    results = ["label", "score", "scores", "truncated"]
    example = dict(zip(columns, EXAMPLE, strict=False))
    return RowTask("classify", call, to_columns, columns, results, settings, example, option_columns)


def choose(
    session: Session,
    options: ChooseOptions,
    prompt: str = "prompt",
    choices: str | None = None,
    option_columns: Mapping[str, str] = NOTHING,
) -> RowTask:
    """Return the task that chooses for the prompts in a column.

    Args:
        session: whose model chooses.
        options: of the task.
        prompt: the column with the prompts.
        choices: the column with lists of choices; `choices`, or choice1, choice2 … if not given.
        option_columns: options that each row has its own of, and their columns.
    """

    def call(rows: list[Values], settings: Values) -> Sequence[Result]:
        given = [read_choices(row, choices) for row in rows]
        return session.choose([row[prompt] for row in rows], given, **settings, progress=False)

    def to_columns(found: Values) -> Values:
        best, every = found["best"], found["choices"]
        return {"choice": best, "choice_text": every[best]["text"], "scores": [choice["score"] for choice in every]}

    results = ["choice", "choice_text", "scores"]
    example = {prompt: EXAMPLE[0], choices or "choices": list(EXAMPLE)}
    return RowTask("choose", call, to_columns, [prompt], results, options.changed(), example, option_columns)


def read_column(path: Path, column: str, table: TableOptions = BY_NAME) -> Iterator[str | ValueError]:
    """Yield the text of each row of a file, or what is wrong with it.

    Raises:
        InputError: the file cannot be read, or has no such column.
    """
    table.check([path])
    for row in _rows(path, [column], table):
        try:
            if row.error:
                raise InputError(row.error)
            yield text_of(row.values.get(column), column)
        except ValueError as error:
            yield error


def read_examples(
    path: Path, text: str, label: str, language: str | None = None, table: TableOptions = BY_NAME
) -> list[list[str]]:
    """Return the texts of a file of examples, their labels, and their languages if there is a column of them.

    Labels may be whole numbers and booleans where the file has such, see `tasks.labels`.

    Raises:
        InputError: the file cannot be read, lacks a column, or a row has no text or no label in one.
    """
    texts: list[str] = []
    labels: list[Any] = []
    languages: list[str] = []
    columns = [text, label, *([] if language is None else [language])]
    for number, row in enumerate(_rows(path, columns, table), 1):
        try:
            if row.error:
                raise InputError(row.error)
            texts.append(text_of(row.values.get(text), text))
            value = row.values.get(label)
            number_or_boolean = isinstance(value, int | float) and value == value  # noqa: PLR0124 - NaN is missing
            labels.append(value if number_or_boolean else text_of(value, label))
            if language is not None:
                languages.append(text_of(row.values.get(language), language))
        except ValueError as error:
            raise InputError(f"Row {number} of {path}: {error}") from None
    named = to_label_texts(labels, lambda index: f"Column {label!r} in row {index + 1} of {path}")
    return [texts, named, *([] if language is None else [languages])]


def _rows(path: Path, columns: Sequence[str], table: TableOptions) -> Iterator[Row]:
    """Yield the rows of a file that has some columns.

    Raises:
        InputError: it cannot be read, or lacks one.
    """
    check_source(path)
    dialect = table.find_dialect(path)
    with long_fields():
        for row in read(path, dialect):
            absent = (
                [] if row.error or dialect.kind == "jsonl" else [name for name in columns if name not in row.values]
            )
            if absent:
                raise InputError(describe_missing_column(path, absent[0], list(row.values), dialect))
            yield row


def read_choices(row: Mapping[str, Any], column: str | None = None) -> list[str]:
    """Return the choices of a row: a list, or one as JSON; or choice1, choice2 …, of which the last may be empty.

    Raises:
        InputError: there are none, or one is no text.
    """
    name = column or "choices"
    if column is None and name not in row:
        return _read_numbered_choices(row)
    given = row.get(name)
    if isinstance(given, str):
        try:
            given = parse_json(given)
        except ValueError:
            given = None
    if not isinstance(given, list):
        raise InputError(f"Column {name!r} must hold a list of choices, in CSV as JSON: " + '["one", "another"].')
    return [text_of(choice, name) for choice in given]


def _read_numbered_choices(row: Mapping[str, Any]) -> list[str]:
    """Return the choices in the columns choice1, choice2 and so on."""
    names: list[str] = []
    while (name := f"choice{len(names) + 1}") in row:
        names.append(name)
    if not names:
        raise InputError("The row has neither a column 'choices' nor 'choice1' and 'choice2'.")
    while names and row[names[-1]] in (None, ""):  # rows of one table may have different numbers of choices
        names.pop()
    return [text_of(row[name], name) for name in names]
