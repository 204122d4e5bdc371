"""How a table in a file is read and written: what a caller says of it, and what its name and its first line say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xlmrxl.errors import InputError
from xlmrxl.tables.decoding import UTF8, check_encoding, check_is_text, open_lines

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
QUOTINGS = ("minimal", "none")
LONGEST = 16 << 20
"""Characters of a CSV field. The standard library takes 131,072, and a quote left open is searched for no further."""


@dataclass(frozen=True)
class Dialect:
    """How one file holds its table."""

    kind: str  # "csv" (TSV as well), "jsonl" or "parquet"
    delimiter: str = ""  # between the cells of CSV
    quoted: bool = False  # whether quotes hold a cell together; otherwise they are signs like others
    encoding: str = ""  # of text
    separator_line: bool = False  # whether a first line sep=; precedes the header
    bom: bool = False  # only of what is written
    spreadsheet_safe: bool = False  # only of what is written


@dataclass(frozen=True)
class TableOptions:
    """What a caller says of the tables that are read and written; by default their names and first lines say it.

    A .csv has commas, or semicolons where its header has some and no comma outside quotes; its cells may be quoted, as
    RFC 4180 has it. A .tsv has tabs, and is read literally: a quote is a sign like others, and no cell has a tab or a
    line break. In both, a first line such as `sep=;` names the delimiter.

    Written are a .csv with quotes where they are needed, with the delimiter of a .csv that it is made from; and a .tsv
    literally, with tabs. All that is written is UTF-8, and is read again without options, but for another delimiter
    than , and ; and for a .tsv with quotes.

    Raises:
        InputError: an option is none of those that there are.
    """

    delimiter: str | None = None
    """One character; of the source, or where that has none of a .csv target."""
    quoting: str | None = None
    """`"minimal"`: cells may be quoted; `"none"`: they are literal. Of the source, and of a .tsv target."""
    encoding: str = UTF8
    """Of the source."""
    bom: bool = False
    """Begin a .csv or .tsv target with the mark by which spreadsheets know UTF-8."""
    spreadsheet_safe: bool = False
    """Write an apostrophe before texts in a .csv or .tsv target that a spreadsheet would run as formulas."""

    def __post_init__(self) -> None:
        """Refuse options that there are not."""
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n\0\ufeff'):
            raise InputError(f"delimiter is {self.delimiter!r}; it must be one character, and no quote or line break.")
        if self.quoting is not None and self.quoting not in QUOTINGS:
            raise InputError(f"quoting is {self.quoting!r}; it must be one of {', '.join(QUOTINGS)}.")
        object.__setattr__(self, "encoding", check_encoding(self.encoding))

    def check(self, sources: Sequence[Path], target: Path | None = None) -> None:
        """Find out whether the options that are set say something of some files.

        Args:
            sources: that are read.
            target: that is written.

        Raises:
            InputError: one does not, so that something else must have been meant.
        """
        begins, ends = {format_of(source) for source in sources}, target and format_of(target)
        for name, written in (("delimiter", ".csv"), ("quoting", ".tsv")):
            of_target = target is not None and target.suffix.lower() == written
            if getattr(self, name) is not None and "csv" not in begins and not of_target:
                raise InputError(
                    f"{name} (--{name}) is of a .csv or .tsv that is read, or of a {written} that is written, and "
                    "there is none. Leave it out."
                )
        if self.encoding != UTF8 and begins == {"parquet"}:
            raise InputError(f"encoding (--encoding) is of text, and {sources[0]} is Parquet. Leave it out.")
        for name in ("bom", "spreadsheet_safe"):
            if getattr(self, name) and ends != "csv":
                raise InputError(
                    f"{name} (--{name.replace('_', '-')}) is of a .csv or .tsv that is written, and there is none. "
                    "Leave it out."
                )

    def find_dialect(self, source: Path) -> Dialect:
        """Return how a file that is there holds its table.

        Raises:
            InputError: it is not what its name says.
        """
        kind = format_of(source)
        if kind == "parquet":
            return Dialect(kind)
        with source.open("rb") as file:
            check_is_text(file, str(source), self.encoding, source.suffix)
            if kind == "jsonl":
                return Dialect(kind, encoding=self.encoding)
            quoted = self.quoting == "minimal" if self.quoting else not _is_tsv(source)
            with open_lines(file, self.encoding, "" if quoted else "\n") as lines:
                first = next(lines, "")
                named = re.fullmatch('sep=([^"\r\n])(\r\n|\n|\r)?', first)
                if self.delimiter:
                    delimiter = self.delimiter
                elif named:
                    delimiter = named[1]
                else:
                    delimiter = "\t" if _is_tsv(source) else _recognize_delimiter(first, lines, quoted)
        return Dialect(kind, delimiter, quoted, self.encoding, bool(named))

    def target_dialect(self, target: Path, source: Path, found: Dialect) -> Dialect:
        """Return how a table is to be written that is made from another.

        Args:
            target: the file to be written.
            source: the file that is read.
            found: how the source holds its table.
        """
        kind = format_of(target)
        if kind != "csv":
            return Dialect(kind, encoding="" if kind == "parquet" else UTF8)
        if _is_tsv(target):
            delimiter, quoted = "\t", self.quoting == "minimal"
        else:
            own = found.delimiter if _is_csv(source) else self.delimiter if found.kind != "csv" else None
            delimiter, quoted = own or ",", True
        return Dialect(kind, delimiter, quoted, UTF8, bom=self.bom, spreadsheet_safe=self.spreadsheet_safe)


BY_NAME = TableOptions()
"""Nothing said: names and first lines decide."""


def format_of(path: Path) -> str:
    """Return `"csv"` (for TSV as well), `"jsonl"` or `"parquet"`, by the end of a name.

    Raises:
        InputError: it ends in something else.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"The name of {path} must end in {', '.join(FORMATS)}: that says how it is read or written.")
    return FORMATS[path.suffix.lower()]


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _is_tsv(path: Path) -> bool:
    return path.suffix.lower() == ".tsv"


def _recognize_delimiter(header: str, lines: Iterator[str], quoted: bool) -> str:
    """Return a semicolon if a header has some and no comma outside quotes, and otherwise a comma.

    Args:
        header: the first line.
        lines: those after it, of which more are read where a name has a line break in quotes.
        quoted: whether quotes hold cells together.
    """
    while quoted and header.count('"') % 2 and len(header) < LONGEST and (more := next(lines, "")):
        header += more
    outside = re.sub('"[^"]*"', "", header) if quoted else header
    return ";" if ";" in outside and "," not in outside else ","
