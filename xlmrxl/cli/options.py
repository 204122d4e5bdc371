"""Options that several commands have, and what they make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xlmrxl import row_tasks
from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.errors import CheckpointError, MissingDependencyError
from xlmrxl.quantization.precision import AUTO, PRECISIONS
from xlmrxl.tables.resumable import check
from xlmrxl.tables.table_options import QUOTINGS, TableOptions
from xlmrxl.tasks.option_fields import Option, TaskOptions

if TYPE_CHECKING:
    from xlmrxl.session import Session

FAILURES = (CheckpointError, MissingDependencyError, ValueError, TypeError)
"""What a person can cause and mend; anything else is a bug and keeps its traceback."""


@contextmanager
def failing() -> Iterator[None]:
    """Turn what a person can mend into one message without a traceback."""
    try:
        yield
    except FAILURES as error:
        raise click.ClickException(str(error)) from error


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that loads a model."""
    for option in (
        click.option("--force", is_flag=True, help="Load even what does not fit the free memory."),
        click.option("--embeddings-8bit", is_flag=True, help="Hold the word embeddings in 8 bits."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps."),
        click.option("--precision", default=AUTO, show_default=True, type=click.Choice([AUTO, *PRECISIONS])),
        click.option(
            "--model", default=DEFAULT, show_default=True, help="A name on the Hub, a folder, or the embedded model."
        ),
    ):
        command = option(command)
    return command


class CommaList(click.ParamType[list[str]]):
    """Words with commas between them, as one argument."""

    name = "A,B,C"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the words of an argument as a list."""
        return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


def make_flag(option: Option) -> Callable[..., Any]:
    """Return the flag of an option of a task: `--top-k`, `--no-punctuation`, or `--target` for each of `targets`."""
    name, bounds = (option.item or option.name).replace("_", "-"), option.bounds
    default = ",".join(option.default) if isinstance(option.default, tuple) else option.default
    shown: dict[str, Any] = {"default": default, "show_default": option.default is not None, "help": option.help}
    if option.kind == "boolean":
        names = f"--{name}/--no-{name}" if option.default else f"--{name}"
        return click.option(names, option.name, is_flag=True, default=option.default, help=option.help)
    if option.item:
        return click.option(
            f"--{name}", option.name, multiple=True, metavar="TEXT", help=f"{option.help} Give several."
        )
    minimum, maximum = (None if bound is None else int(bound) for bound in (bounds.minimum, bounds.maximum))
    kinds: dict[str, Any] = {
        "integer": click.IntRange(minimum, maximum),
        "number": click.FloatRange(
            bounds.minimum if bounds.above is None else bounds.above, bounds.maximum, min_open=bounds.above is not None
        ),
        "choice": click.Choice(option.choices),
        "labels": CommaList(),
        "texts": CommaList(),
    }
    return click.option(f"--{name}", option.name, type=kinds.get(option.kind, str), **shown)


def task_options(kind: type[TaskOptions], *, columns: bool = False) -> Callable[..., Any]:
    """Add a flag for each option of a task to a command, which gets them as `options`.

    Args:
        kind: the options.
        columns: add a flag for a column of --input, too, where each row may have its own value; the command gets those
            that were given as `option_columns`, from the names of options to those of columns.
    """
    varying = [each for each in kind.declared() if columns and each.column]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_options(**given: Any) -> Any:
            taken = {each.name: given.pop(each.name) for each in kind.declared()}
            # click has no flag that is given several times and not there at all
            taken = {name: value for name, value in taken.items() if value != ()}
            if columns:
                named = {each.name: given.pop(f"{each.name}_column") for each in varying}
                given["option_columns"] = {name: column for name, column in named.items() if column is not None}
            with failing():
                options = kind(**taken)
            return command(options=options, **given)

        decorated: Callable[..., Any] = with_options
        for each in reversed(varying):
            decorated = click.option(
                f"--{each.name}-column", help=f"Column of --input with the {each.name} of each row."
            )(decorated)
        for each in reversed(kind.declared()):
            decorated = make_flag(each)(decorated)
        return decorated

    return decorate


def show_examples(*lines: str) -> Callable[..., Any]:
    """Add examples to the help of a command, each on a line of its own."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        command.__doc__ = "\n".join([cleandoc(command.__doc__ or ""), "", "\b", *lines])  # \b: keep the line breaks
        return command

    return decorate


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option of every command that prints results."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object a text.")(command)


def text_column_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option of every command whose texts may be in a table."""
    return click.option("--text-column", default="text", show_default=True, help="Column of a table with the texts.")(
        command
    )


def encoding_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option of every command that reads text from files or the standard input."""
    return click.option(
        "--encoding",
        default="utf-8",
        show_default=True,
        help="Of what is read, such as utf-16, latin-1, cp1252; what is written is UTF-8.",
    )(command)


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that reads tables; it gets them as `table`."""

    @wraps(command)
    def with_table(delimiter: str | None, quoting: str | None, encoding: str, **rest: Any) -> Any:
        with failing():
            table = TableOptions(
                {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter),
                quoting,
                encoding,
                rest.pop("bom", False),
                rest.pop("spreadsheet_safe", False),
            )
        return command(table=table, **rest)

    with_options: Callable[..., Any] = with_table
    for option in (
        encoding_option,
        click.option(
            "--quoting",
            type=click.Choice(QUOTINGS),
            help="minimal: quotes hold a cell together, as in a .csv; none: cells are literal, as in a .tsv.",
        ),
        click.option(
            "--delimiter",
            metavar="SIGN",
            help="Between the cells of a .csv or .tsv: one character, or tab. Recognised if not given: tabs by .tsv, ; "
            "by a header that has some and no comma, any by a first line such as sep=;",
        ),
    ):
        with_options = option(with_options)
    return with_options


@dataclass(frozen=True)
class Files:
    """A file with a row for each text, and the one to be made of it."""

    source: Path
    target: Path
    table: TableOptions
    chunk: int
    overwrite: bool

    def run(self, session: Session, task: row_tasks.RowTask) -> None:
        """Do a task with every row, say how it went, and exit with 1 if all were bad."""
        try:
            with failing():
                counts = row_tasks.run(
                    session,
                    task,
                    self.source,
                    self.target,
                    table=self.table,
                    chunk=self.chunk,
                    force=self.overwrite,
                    say=lambda sentence: click.echo(sentence, err=True),
                )
        except KeyboardInterrupt:
            click.echo("Stopped. The same command goes on from here.", err=True)
            raise
        except OSError as error:
            raise click.ClickException(f"{error}. When that is mended, the same command goes on from here.") from error
        click.echo(f"{counts.rows:,} rows, {counts.bad:,} of them bad: {self.target}", err=True)
        if counts.bad and counts.bad == counts.rows:
            raise click.exceptions.Exit(1)


def file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that works on files; it gets `table`, and `files`, None without them."""

    @wraps(command)
    def with_files(
        source: Path | None, target: Path | None, chunk: int, overwrite: bool, table: TableOptions, **rest: Any
    ) -> Any:
        files = None
        if source is not None and target is not None:
            files = Files(source, target, table, chunk, overwrite)
            with failing():
                check(source, target, overwrite, table)
        elif source is not None or target is not None:
            raise click.UsageError("--input and --output go together.")
        elif table.bom or table.spreadsheet_safe:
            raise click.UsageError("--bom and --spreadsheet-safe are for --output.")
        return command(files=files, table=table, **rest)

    with_options = table_options(with_files)
    path = click.Path(path_type=Path)
    for option in (
        click.option(
            "--spreadsheet-safe",
            is_flag=True,
            help="Write an apostrophe before each text in a .csv or .tsv --output that a spreadsheet would run: one "
            "that begins with = + - @, a tab or a carriage return and is no number. It stays when that is read again.",
        ),
        click.option(
            "--bom", is_flag=True, help="Begin a .csv or .tsv --output with the mark by which spreadsheets know UTF-8."
        ),
        click.option("--overwrite", is_flag=True, help="Replace --output if it exists."),
        click.option("--chunk", default=256, show_default=True, type=click.IntRange(min=1), help="Rows at a time."),
        click.option(
            "--output",
            "target",
            type=path,
            help="Another, for every row of --input with its results. What is wrong with a bad row is in the column "
            "`error`; the exit status is 1 only if all rows are bad. Stopped, the same command goes on.",
        ),
        click.option("--input", "source", type=path, help="A .csv, .tsv, .jsonl or .parquet file, a text a row."),
    ):
        with_options = option(with_options)
    return with_options
