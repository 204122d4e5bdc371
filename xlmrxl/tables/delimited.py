"""Rows of CSV and TSV to and from text: quoted cells or literal ones, what a bad line says, what a spreadsheet runs."""

from __future__ import annotations

import contextlib
import csv
import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xlmrxl.errors import InputError
from xlmrxl.tables.decoding import describe_damage, mend, open_lines
from xlmrxl.tables.table_options import LONGEST, Dialect
from xlmrxl.tasks.result import to_json_value

UNREAD = "unread"
"""The column for what of a line could not be put in columns; there only if there are such lines."""
OPEN_QUOTE = "opens a quote that is never closed"
"""What is said of a line after which a file may be cut off."""
FORMULA = re.compile("[=+\\-@\t\r]")
"""How a cell begins that a spreadsheet would run."""
NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?")
"""A cell that begins like a formula and is a number."""


@contextlib.contextmanager
def long_fields() -> Iterator[None]:
    """Let fields of CSV be long; the standard library has one limit for the process."""
    before = csv.field_size_limit(LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def read_delimited(path: Path, dialect: Dialect) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the values of each row, and what is wrong with it.

    Raises:
        InputError: there is no header.
    """
    with path.open("rb") as file, open_lines(file, dialect.encoding, "" if dialect.quoted else "\n") as lines:
        records = _records(lines, dialect)
        header = _header(path, records, dialect)
        unread = find_free_name(UNREAD, header)
        for text, fields in records:
            if isinstance(fields, str):
                yield {unread: mend(text.rstrip("\r\n"))}, fields
                continue
            faults = []
            if not text.isascii() and mend(text) != text:
                fields = [mend(field) for field in fields]  # noqa: PLW2901
                faults.append(describe_damage(dialect.encoding))
            values: dict[str, Any] = dict(zip(header, fields, strict=False))
            if len(fields) != len(header):
                faults.append(f"The row has {len(fields)} fields, but the header has {len(header)}.")
            if len(fields) > len(header):
                values[unread] = json.dumps(fields[len(header) :], ensure_ascii=False)
            yield values, " ".join(faults)


def read_header(path: Path, dialect: Dialect) -> list[str]:
    """Return the names of the columns.

    Raises:
        InputError: there are none, they cannot be read, or two are the same.
    """
    with path.open("rb") as file, open_lines(file, dialect.encoding, "" if dialect.quoted else "\n") as lines:
        return _header(path, _records(lines, dialect), dialect)


def _records(lines: Iterator[str], dialect: Dialect) -> Iterator[tuple[str, list[str] | str]]:
    """Yield the text of each record, and its fields or what is wrong with it."""
    if dialect.separator_line:
        next(lines, "")
    if dialect.quoted:
        yield from _quoted_records(lines, dialect.delimiter, 1 + dialect.separator_line)
    else:
        for line in lines:
            yield line, line.removesuffix("\n").removesuffix("\r").split(dialect.delimiter)


def _quoted_records(lines: Iterator[str], delimiter: str, number: int) -> Iterator[tuple[str, list[str] | str]]:
    """Yield records of RFC 4180, from the line of that number on.

    One that cannot be read is one line, and the next is tried as another: a quote left open must not take the rest of
    the file with it.
    """
    again: deque[str] = deque()
    taken: list[str] = []

    def feed() -> Iterator[str]:
        while line := again.popleft() if again else next(lines, ""):
            taken.append(line)
            yield line

    while True:
        number += len(taken)
        taken.clear()
        try:
            fields = next(csv.reader(feed(), delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error as error:
            opened = _find_open_quote(taken, delimiter)
            if opened is None:
                fault = f"Line {number} is not CSV: {error}."
            else:
                fault = (
                    f"Line {number + opened} {OPEN_QUOTE}, as in a file that is cut off. What follows it was read as "
                    "rows of their own."
                )
            again.extendleft(reversed(taken[1:]))
            del taken[1:]
            yield taken[0], fault
        else:
            yield "".join(taken), fields


def _find_open_quote(lines: Sequence[str], delimiter: str) -> int | None:
    """Return the index of the line in which a record opens the quote that is open at its end, or None."""
    opened, inside, closed, begins = 0, False, False, True
    for index, line in enumerate(lines):
        for character in line:
            if character == '"' and (inside or closed or begins):
                if begins:
                    opened = index
                inside, closed, begins = not inside, inside, False
            else:
                closed, begins = False, not inside and character == delimiter
    return opened if inside else None


def _header(path: Path, records: Iterator[tuple[str, list[str] | str]], dialect: Dialect) -> list[str]:
    text, header = next(records, ("", []))
    if isinstance(header, str) or mend(text) != text:
        said = f" ({header})" if isinstance(header, str) else ""
        raise InputError(
            f"The first line of {path}, which names the columns, cannot be read as CSV in "
            f"{dialect.encoding.upper()}{said}. Mend it, or name the encoding that it is in."
        )
    if not any(header):
        raise InputError(f"{path} has no first line with the names of the columns.")
    return check_unique(path, header)


def check_unique(path: Path, names: list[str]) -> list[str]:
    """Return the names of columns.

    Raises:
        InputError: two are the same.
    """
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"{path} has two columns called {twice[0]!r}. Rename one.")
    return names


def find_free_name(name: str, taken: Iterable[str]) -> str:
    """Return the name, or where it is taken the first like it that is not."""
    while name in taken:
        name += "_result"
    return name


def to_cell(value: Any) -> str:
    """Return a value as text: what is no text as JSON."""
    value = to_json_value(value)
    if value is None:
        return ""
    return mend(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def find_unwritable(values: Mapping[str, Any], columns: Iterable[str], dialect: Dialect) -> str | None:
    """Return the first column whose cell a literal table cannot hold, since it has a tab or a line break; or None."""
    if dialect.kind != "csv" or dialect.quoted:
        return None
    return next((name for name in columns if _breaks(to_cell(values.get(name)), dialect)), None)


def _breaks(cell: str, dialect: Dialect) -> bool:
    return not {dialect.delimiter, "\n", "\r"}.isdisjoint(cell)


def write_record(values: Sequence[Any], dialect: Dialect) -> bytes:
    """Return a row as a line.

    A cell that a literal table cannot hold is written as JSON, which has no tabs and line breaks; `find_unwritable`
    says before whether there is one.
    """
    cells = [to_cell(value) for value in values]
    if dialect.spreadsheet_safe:
        cells = [
            f"'{cell}" if isinstance(value, str) and FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell
            for value, cell in zip(values, cells, strict=True)
        ]
    if dialect.quoted:
        # Commas and semicolons are quoted even where they separate nothing: a header must not be taken for that of
        # another delimiter, and a spreadsheet has a delimiter of its own.
        needed = {dialect.delimiter, *',;"\r\n'}
        cells = [cell if needed.isdisjoint(cell) else '"' + cell.replace('"', '""') + '"' for cell in cells]
        return (dialect.delimiter.join(cells) + "\r\n").encode()
    cells = [json.dumps(cell, ensure_ascii=False) if _breaks(cell, dialect) else cell for cell in cells]
    return (dialect.delimiter.join(cells) + "\n").encode()
