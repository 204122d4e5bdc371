"""Tasks on the rows of a file: what is asked about a row, and which columns the answer has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from xlmrxl.checkpoints.strict_json import parse_json
from xlmrxl.progress import Progress
from xlmrxl.tables.delimited import long_fields
from xlmrxl.tables.resumable import Counts, check_source, describe_missing_column, process, text_of
from xlmrxl.tables.table_formats import Row, read
from xlmrxl.tables.table_options import BY_NAME, TableOptions
from xlmrxl.tasks.labels import to_label_texts
from xlmrxl.tasks.options import FillOptions
from xlmrxl.tasks.result import Result, Source

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.linear_classifier import Taught

T = TypeVar("T")
R = TypeVar("R")
Values = dict[str, Any]

EXAMPLE = ("a", "e")
"""Asked about before the rows are, since a wrong setting is no fault of theirs; any vocabulary can spell these."""


@dataclass(frozen=True)
class RowTask:
    """What is to be done with every row."""

    name: str
    call: Callable[[list[Values], Values], Sequence[Result]]  # with rows and settings
    cells: Callable[[Values], Values]  # the columns of a result's content
    columns: Sequence[str]  # of a row that must hold a text
    results: Sequence[str]  # what `cells` gives
    settings: Values
    example: Values  # a row that is good
    own: Mapping[str, str] = field(default_factory=dict)  # settings that each row has its own of, and their columns


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
    """Do a task with every row of a file; see `files.process`.

    Raises:
        ValueError: a file or a setting cannot be used; what is wrong with a row alone stands in its `error`.
    """
    task.call([task.example], task.settings)
    columns = [*task.columns, *task.own.values()]

    def work(rows: list[Values]) -> list[Values | Exception]:
        groups: dict[tuple[str, ...], list[int]] = {}
        for i, row in enumerate(rows):
            groups.setdefault(tuple(row[column] for column in task.own.values()), []).append(i)
        answers: dict[int, Result | Exception] = {}
        for values, places in groups.items():
            settings = task.settings | dict(zip(task.own, values, strict=True))

            def call(part: list[Values], settings: Values = settings) -> Sequence[Result]:
                return task.call(part, settings)

            answers |= zip(places, apart(call, [rows[i] for i in places]), strict=True)
        ordered = [answers[i] for i in range(len(rows))]
        return [found if isinstance(found, Exception) else task.cells(found.content()) for found in ordered]

    # The example names the columns that are read.
    made = {"task": task.name, "own": dict(task.own), "example": task.example}
    settings = Source.from_model(session, **task.settings).to_dict() | made
    return process(
        source,
        target,
        work,
        columns=columns,
        results=task.results,
        settings=settings,
        table=table,
        chunk=chunk,
        force=force,
        progress=progress,
        say=say,
    )


def apart(call: Callable[[list[T]], Sequence[R]], items: list[T]) -> list[R | Exception]:
    """What a call gives for each item. One that spoils it is found by halving, so that the others are still had."""
    try:
        return list(call(items))
    except (ValueError, TypeError) as error:
        if len(items) == 1:
            return [error]
    half = len(items) // 2
    return [*apart(call, items[:half]), *apart(call, items[half:])]


def answer_each(call: Callable[[list[T]], Sequence[R]], items: list[T], example: T) -> list[R | Exception]:
    """Return what a call gives for each item, or what is wrong with it.

    Args:
        call: takes several items.
        items: of which some may be bad.
        example: an item that is good.

    Raises:
        ValueError: nothing is wrong with an item, but with the settings of the call.
        TypeError: as well.
    """
    try:
        return list(call(items))
    except (ValueError, TypeError) as error:
        if len(items) == 1:
            return [error]
    call([example])
    half = len(items) // 2
    return [*apart(call, items[:half]), *apart(call, items[half:])]


def fill(session: Session, options: FillOptions, text: str = "text") -> RowTask:
    """Fill the masks of the texts in a column."""

    def call(rows: list[Values], settings: Values) -> Sequence[Result]:
        return session.fill_mask([row[text] for row in rows], **settings, progress=False)

    def cells(found: Values) -> Values:
        none: Values = {"text": "", "begins_word": None}
        best = [mask["fills"][0] if mask["fills"] else none for mask in found["masks"]]
        fills = [fill["text"] for fill in best]
        begins = [fill["begins_word"] for fill in best]
        ways = found.get("joint", [])
        if ways:
            fills, begins = ways[0]["fills"], ways[0]["begins_word"]
        return {"fill": " | ".join(fills), "begins_word": begins, "fills": found["masks"], "joint": ways}

    results = ["fill", "begins_word", "fills", *(["joint"] if options.method == "joint" else [])]
    return RowTask("fill", call, cells, [text], results, options.changed(), {text: "<mask>"})


def classify(
    session: Session,
    settings: Values,
    text: str = "text",
    pair: str | None = None,
    language: str | None = None,
    taught: Taught | None = None,
) -> RowTask:
    """Classify the texts in a column, or with another column pairs of them; by a taught classifier if there is one."""
    columns = [text] if pair is None else [text, pair]
    if taught is not None:  # what its results depend on, so that another one does not go on with them
        settings = {"layer": taught.layer, "pooling": taught.pooling, "weight": float(taught.weight.double().sum())}

    def call(rows: list[Values], settings: Values) -> Sequence[Result]:
        if taught is not None:
            return taught.classify([row[text] for row in rows], progress=False)
        given = [row[text] if pair is None else (row[text], row[pair]) for row in rows]
        return session.classify(given, **settings, progress=False)

    def cells(found: Values) -> Values:
        best = found["labels"][0]
        name = "score" if taught is None else "probability"
        scores = {label["label"]: label[name] for label in found["labels"]}
        return {"label": best["label"], "score": best[name], "scores": scores, "truncated": found["truncated"]}

    results = ["label", "score", "scores", "truncated"]
    own = {} if language is None else {"language": language}
    return RowTask("classify", call, cells, columns, results, settings, dict(zip(columns, EXAMPLE, strict=False)), own)


def choose(
    session: Session,
    settings: Values,
    prompt: str = "prompt",
    choices: str | None = None,
    question: str | None = None,
    language: str | None = None,
) -> RowTask:
    """Choose for the prompts in a column between the choices in another, or in the columns choice1, choice2 …"""

    def call(rows: list[Values], settings: Values) -> Sequence[Result]:
        given = [choices_of(row, choices) for row in rows]
        return session.choose([row[prompt] for row in rows], given, **settings, progress=False)

    def cells(found: Values) -> Values:
        best, every = found["best"], found["choices"]
        return {"choice": best, "choice_text": every[best]["text"], "scores": [choice["score"] for choice in every]}

    own = {"question": question, "language": language}
    return RowTask(
        "choose",
        call,
        cells,
        [prompt],
        ["choice", "choice_text", "scores"],
        settings,
        {prompt: EXAMPLE[0], choices or "choices": list(EXAMPLE)},
        {name: column for name, column in own.items() if column is not None},
    )


def read_column(path: Path, column: str, table: TableOptions = BY_NAME) -> Iterator[str | ValueError]:
    """Yield the text of each row of a file, or what is wrong with it.

    Raises:
        ValueError: the file cannot be read, or has no such column.
    """
    table.check([path])
    for row in _rows(path, [column], table):
        try:
            if row.error:
                raise ValueError(row.error)
            yield text_of(row.values.get(column), column)
        except ValueError as error:
            yield error


def read_examples(
    path: Path, text: str, label: str, language: str | None = None, table: TableOptions = BY_NAME
) -> list[list[str]]:
    """Return the texts of a file of examples, their labels, and their languages if there is a column of them.

    Labels may be whole numbers and booleans where the file has such, see `tasks.labels`.

    Raises:
        ValueError: the file cannot be read, lacks a column, or a row has no text or no label in one.
    """
    texts: list[str] = []
    labels: list[Any] = []
    languages: list[str] = []
    columns = [text, label, *([] if language is None else [language])]
    for number, row in enumerate(_rows(path, columns, table), 1):
        try:
            if row.error:
                raise ValueError(row.error)
            texts.append(text_of(row.values.get(text), text))
            value = row.values.get(label)
            number_or_boolean = isinstance(value, int | float) and value == value  # noqa: PLR0124 - NaN is missing
            labels.append(value if number_or_boolean else text_of(value, label))
            if language is not None:
                languages.append(text_of(row.values.get(language), language))
        except ValueError as error:
            raise ValueError(f"Row {number} of {path}: {error}") from None
    named = to_label_texts(labels, lambda index: f"Column {label!r} in row {index + 1} of {path}")
    return [texts, named, *([] if language is None else [languages])]


def _rows(path: Path, columns: Sequence[str], table: TableOptions) -> Iterator[Row]:
    """Yield the rows of a file that has some columns.

    Raises:
        ValueError: it cannot be read, or lacks one.
    """
    check_source(path)
    dialect = table.find_dialect(path)
    with long_fields():
        for row in read(path, dialect):
            absent = (
                [] if row.error or dialect.kind == "jsonl" else [name for name in columns if name not in row.values]
            )
            if absent:
                raise ValueError(describe_missing_column(path, absent[0], list(row.values), dialect))
            yield row


def choices_of(row: Mapping[str, Any], column: str | None = None) -> list[str]:
    """The choices of a row: a list, or one as JSON; or choice1, choice2 …, of which the last may be empty.

    Raises:
        ValueError: there are none, or one is no text.
    """
    name = column or "choices"
    if column is None and name not in row:
        return _numbered(row)
    given = row.get(name)
    if isinstance(given, str):
        try:
            given = parse_json(given)
        except ValueError:
            given = None
    if not isinstance(given, list):
        raise ValueError(f"Column {name!r} must hold a list of choices, in CSV as JSON: " + '["one", "another"].')
    return [text_of(choice, name) for choice in given]


def _numbered(row: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    while (name := f"choice{len(names) + 1}") in row:
        names.append(name)
    if not names:
        raise ValueError("The row has neither a column 'choices' nor 'choice1' and 'choice2'.")
    while names and row[names[-1]] in (None, ""):  # rows of one table may have different numbers of choices
        names.pop()
    return [text_of(row[name], name) for name in names]
