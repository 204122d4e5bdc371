"""What the TEXT of a command stands for: itself, the lines of a file, the rows of a table, or the standard input."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from xlmrxl.errors import InputError
from xlmrxl.row_tasks import read_column
from xlmrxl.tables.decoding import UTF8, check_is_text, mend, open_lines
from xlmrxl.tables.table_options import BY_NAME, FORMATS, TableOptions

STDIN = "-"
FILE_NAME = re.compile(rf"[^\s<>]+({'|'.join(map(re.escape, ('.txt', *FORMATS)))})", re.IGNORECASE)
"""A text like this was meant as the name of a file, be there one or not."""
AS_TEXT = "If it is a text, let it come by the standard input (-)."


@dataclass(frozen=True)
class GivenText:
    """One text that a command was given."""

    text: str
    place: str = ""  # where it stands, for messages; empty for a text of the command line itself
    error: str = ""  # why it cannot be read


def read_texts(
    given: Sequence[str], stdin: Callable[[], BinaryIO], column: str = "text", table: TableOptions = BY_NAME
) -> list[GivenText]:
    """Return the texts that arguments stand for, in order.

    An argument that names a file stands for its lines, or where that is a table for the texts in a column; `-` for the
    lines of the standard input; anything else for itself. Lines end in a line feed, with or without a carriage return
    before it, and in nothing else; those without
    a text are left out. A line or row that cannot be read is among the texts, with its error.

    Args:
        given: the arguments.
        stdin: returns the standard input, in bytes.
        column: of tables.
        table: how tables are read, and the encoding of files and of the standard input.

    Raises:
        InputError: an argument names a folder or a file that cannot be read.
    """
    texts: list[GivenText] = []
    for argument in given:
        if argument == STDIN:
            texts += _read_lines(stdin(), "the standard input", table)
        elif (path := find_file(argument)) is None:
            texts.append(GivenText(argument))
        elif path.suffix.lower() in FORMATS:
            for number, found in enumerate(read_column(path, column, table), 1):
                place = f"Row {number} of {path}"
                bad = isinstance(found, ValueError)
                texts.append(GivenText("", place, f"{place}: {found}") if bad else GivenText(str(found), place))
        else:
            with _open(path) as file:
                texts += _read_lines(file, str(path), table)
    return texts


def read_document(given: str, stdin: Callable[[], BinaryIO], encoding: str = UTF8) -> str:
    """Return the one text that an argument stands for: itself, or all of a file or of the standard input.

    Raises:
        InputError: it names a folder or a file that cannot be read, or a line is not of the encoding.
    """
    path = None if given == STDIN else find_file(given)
    if path is not None:
        with _open(path) as file:
            return _read_document(file, str(path), encoding)
    return _read_document(stdin(), "the standard input", encoding) if given == STDIN else given


def _read_document(file: BinaryIO, name: str, encoding: str) -> str:
    check_is_text(file, name, encoding)
    with open_lines(file, encoding) as lines:
        found = list(lines)
    for number, line in enumerate(found, 1):
        if mend(line) != line:
            raise InputError(_describe_line(number, name, encoding))
    return "".join(found)


def find_file(text: str) -> Path | None:
    """Return the file that a text names, or None if it is just a text, however long and of whatever characters.

    Raises:
        InputError: it names a folder, or it looks like the name of a file and there is none.
    """
    try:
        mode = os.stat(text).st_mode
    except (OSError, ValueError):  # too long, or with characters that no name has
        if FILE_NAME.fullmatch(text):
            raise InputError(f"There is no file {text}. {AS_TEXT}") from None
        return None
    if stat.S_ISDIR(mode):
        raise InputError(f"{text} is a folder. Name a file in it. {AS_TEXT}")
    return Path(text)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check its rights and its disk.") from error


def _read_lines(file: BinaryIO, name: str, table: TableOptions) -> Iterator[GivenText]:
    """Yield the lines that have a text."""
    if table.delimiter is not None or table.quoting is not None:
        raise InputError(f"{name} has a text a line: leave out what is of tables (--delimiter, --quoting).")
    check_is_text(file, name, table.encoding)
    with open_lines(file, table.encoding) as lines:
        for number, line in enumerate(lines, 1):
            text = line.removesuffix("\n").removesuffix("\r")
            if mend(text) != text:
                yield GivenText("", f"Line {number} of {name}", _describe_line(number, name, table.encoding))
            elif text.strip():
                yield GivenText(text, f"Line {number} of {name}")


def _describe_line(number: int, name: str, encoding: str) -> str:
    """Return the sentence about a line whose bytes are not of its encoding."""
    return (
        f"Line {number} of {name} has bytes that are not {encoding.upper()}. Mend it, or say in which encoding it is "
        "(--encoding)."
    )
