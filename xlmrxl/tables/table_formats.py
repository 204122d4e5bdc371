"""Tables in files: CSV, TSV, JSONL and Parquet, a few rows at a time. A row that cannot be read is still a row."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlmrxl.errors import InputError
from xlmrxl.tables.decoding import describe_damage, mend, open_lines
from xlmrxl.tables.delimited import UNREAD, find_unwritable, read_delimited, read_header, write_record
from xlmrxl.tables.parquet import read_parquet, read_parquet_header
from xlmrxl.tables.table_options import BY_NAME, Dialect
from xlmrxl.tasks.result import to_json_value

MOST_COLUMNS = 10_000
DEEPEST = 100
"""Lists and objects within each other in JSON."""


@dataclass(frozen=True)
class Row:
    """One row of a source."""

    values: dict[str, Any]
    error: str = ""  # why its values cannot be trusted


def read(path: Path, dialect: Dialect | None = None) -> Iterator[Row]:
    """Return the rows of a file.

    Args:
        path: a .csv, .tsv, .jsonl, .ndjson or .parquet file.
        dialect: how it holds its table, as `TableOptions.find_dialect` says; found by its name if not given.

    Raises:
        InputError: it is not what its name says.
        DamagedFileError: here or later, it cannot be read to its end.
    """
    dialect = dialect or BY_NAME.find_dialect(path)
    if dialect.kind == "parquet":
        return map(Row, read_parquet(path))
    if dialect.kind == "csv":
        return (Row(values, error) for values, error in read_delimited(path, dialect))
    return _read_jsonl(path, dialect)


def _read_jsonl(path: Path, dialect: Dialect) -> Iterator[Row]:
    with path.open("rb") as file, open_lines(file, dialect.encoding) as lines:
        for line in lines:
            text = line.rstrip("\r\n")
            mended = mend(text)
            values, fault = _json_object(mended)
            error = "" if mended == text else describe_damage(dialect.encoding)
            yield Row(values, f"{error} {fault}".strip())


def _json_object(text: str) -> tuple[dict[str, Any], str]:
    """Return what a line holds, and what is wrong with it."""
    if not text.strip():
        return {}, "The line is empty."
    try:
        values = json.loads(text)
        if not isinstance(values, dict):
            fault = "The line is not a JSON object."
        elif _depth(values) > DEEPEST:
            fault = f"The line is nested more than {DEEPEST} deep."
        else:
            return values, ""
    except json.JSONDecodeError as error:
        fault = f"The line is not JSON: {error.msg} at character {error.pos + 1}."
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or endless brackets
        fault = f"The line cannot be read as JSON: {error}."
    return {UNREAD: text}, fault


def _depth(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inside), default=0)


def scan(path: Path, dialect: Dialect, target: Path, written: Dialect) -> tuple[list[str], int]:
    """Return the columns of all rows of a file, and how many rows there are.

    Args:
        path: the file.
        dialect: how it holds its table.
        target: the file that its rows are to be written into.
        written: how that is to hold them.

    Raises:
        InputError: there are too many columns, or a row that the target cannot hold.
    """
    if dialect.kind == "parquet":
        names, total = read_parquet_header(path)
        if written.kind == "csv" and not written.quoted:
            for number, row in enumerate(read(path, dialect), 1):
                _check_writable(row, names, number, path, target, written)
        return names, total
    columns: dict[str, None] = {}
    total = 0
    if dialect.kind == "csv":
        columns |= dict.fromkeys(read_header(path, dialect))
    late: dict[str, None] = {}  # columns of bad rows only come last
    for row in read(path, dialect):
        total += 1
        (late if row.error else columns).update(dict.fromkeys(row.values))
        if len(columns) > MOST_COLUMNS:
            raise InputError(f"The rows of {path} have more than {MOST_COLUMNS:,} different columns.")
        _check_writable(row, row.values, total, path, target, written)
    return list(columns | late), total


def _check_writable(row: Row, columns: Iterable[str], number: int, path: Path, target: Path, written: Dialect) -> None:
    """Find out whether a literal target can hold a row, before work is done on it.

    Raises:
        InputError: it cannot. A row that could not be read may be changed on its way, since it says so.
    """
    if not row.error and (name := find_unwritable(row.values, columns, written)) is not None:
        raise InputError(
            f"Row {number} of {path} has a tab or a line break in column {name!r}, which {target} cannot hold without "
            "quotes. Choose a name in .csv or .jsonl, or have it written with quotes (quoting='minimal', --quoting "
            "minimal)."
        )


class Writer:
    """How rows are written into the partial file. That of a Parquet target is JSONL, and becomes Parquet at the end."""

    def __init__(self, source: Dialect, target: Dialect, own: Sequence[str], new: Sequence[str]) -> None:
        """Choose the columns, and the head of the file."""
        # From Parquet to Parquet the source's columns are copied at the end, so that they keep their types.
        copied = source.kind == target.kind == "parquet"
        self.columns = [*([] if copied else own), *new]
        self.head = b""
        if target.kind == "csv":
            self.head = (codecs.BOM_UTF8 if target.bom else b"") + write_record(self.columns, target)
        self._target, self._copied = target, set(own) if copied else set()

    def find_unwritable(self, values: Mapping[str, Any]) -> str | None:
        """Return the first column whose cell the target cannot hold, or None."""
        return find_unwritable(values, self.columns, self._target)

    def line(self, values: Mapping[str, Any]) -> bytes:
        """Return a row."""
        if self._target.kind == "csv":
            return write_record([values.get(name) for name in self.columns], self._target)
        kept = to_json_value({name: value for name, value in values.items() if name not in self._copied})
        try:
            return json.dumps(kept, ensure_ascii=False).encode("utf-8") + b"\n"
        except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold when escaped
            return json.dumps(kept).encode("utf-8") + b"\n"
