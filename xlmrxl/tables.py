"""Tables in files: CSV, JSONL and Parquet, a few rows at a time. A row that cannot be read is still a row."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from xlmrxl.hub import first_line
from xlmrxl.tasks.result import plain

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
UNREAD = "unread"
"""The column for what of a line could not be put in columns; there only if there are such lines."""
GROUP = 1024
"""Rows in memory at once while Parquet is read or written, and in a row group of the target."""
LONGEST = 16 << 20
"""Characters of a CSV field. The standard library takes 131,072, and a quote left open is searched for no further."""
MOST_COLUMNS = 10_000
DEEPEST = 100
"""Lists and objects within each other in JSON."""
NOT_UTF8 = "The row has bytes that are not UTF-8, shown as \ufffd."


MAGIC_BYTES = {
    r"\x1f\x8b": "is compressed with gzip. Unpack it: gunzip < {name} > unpacked{suffix}",
    r"BZh[1-9]1AY&SY": "is compressed with bzip2. Unpack it: bunzip2 < {name} > unpacked{suffix}",
    r"\xfd7zXZ": "is compressed with xz. Unpack it: unxz < {name} > unpacked{suffix}",
    r"\x28\xb5\x2f\xfd": "is compressed with zstd. Unpack it: unzstd < {name} > unpacked{suffix}",
    r"PK\x03\x04": "is a zip archive or a workbook. Unpack it, or save its table as CSV in UTF-8",
    r"\xd0\xcf\x11\xe0": "is a workbook. Save its table as CSV in UTF-8",
    r"PAR1[\x00-\x1f]": "is Parquet. Give it a name that ends in .parquet",
    r"\xff\xfe|\xfe\xff": "is UTF-16. Convert it to UTF-8: iconv -f UTF-16 -t UTF-8 {name}",
    r"\x00[^\x00]": "looks like UTF-16. Convert it to UTF-8: iconv -f UTF-16BE -t UTF-8 {name}",
    r"[^\x00]\x00": "looks like UTF-16. Convert it to UTF-8: iconv -f UTF-16LE -t UTF-8 {name}",
}
"""How files begin that are not the text which their name promises, and what to do about each."""


class DamagedFileError(ValueError):
    """A file that cannot be read to its end, however often one tries. The message names it and says what to do."""


@dataclass(frozen=True)
class Row:
    """One row of a source."""

    values: dict[str, Any]
    error: str = ""  # why its values cannot be trusted


@contextlib.contextmanager
def long_fields() -> Iterator[None]:
    """Let fields of CSV be long; the standard library has one limit for the process."""
    before = csv.field_size_limit(LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def read(path: Path) -> Iterator[Row]:
    """Return the rows of a file.

    Raises:
        ValueError: it is not what its name says.
        DamagedFileError: here or later, it cannot be read to its end.
    """
    kind = format_of(path)
    if kind == "parquet":
        return _read_parquet(path)
    with path.open("rb") as file:
        begin = file.read(16).decode("latin-1")
    if remedy := next((remedy for pattern, remedy in MAGIC_BYTES.items() if re.match(pattern, begin)), ""):
        raise ValueError(f"{path} {remedy.format(name=path.name, suffix=path.suffix)}")
    return _read_csv(path) if kind == "csv" else _read_jsonl(path)


def format_of(path: Path) -> str:
    """`"csv"`, `"jsonl"` or `"parquet"`, by the end of the name."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"The name of {path} must end in {', '.join(FORMATS)}: that says how it is read or written.")
    return FORMATS[path.suffix.lower()]


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _read_csv(path: Path) -> Iterator[Row]:
    # Bytes that are not UTF-8 become half surrogates, by which their row is known; others decode as if alone.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        records = _records(file, _delimiter(path))
        header = _header(path, records)
        unread = free(UNREAD, header)
        for text, fields in records:
            if isinstance(fields, csv.Error):
                yield Row({unread: _mended(text.rstrip("\r\n"))}, f"The line is not CSV: {fields}.")
                continue
            faults = []
            if not text.isascii() and _mended(text) != text:
                fields = [_mended(field) for field in fields]  # noqa: PLW2901
                faults.append(NOT_UTF8)
            values: dict[str, Any] = dict(zip(header, fields, strict=False))
            if len(fields) != len(header):
                faults.append(f"The row has {len(fields)} fields, but the header has {len(header)}.")
            if len(fields) > len(header):
                values[unread] = json.dumps(fields[len(header) :], ensure_ascii=False)
            yield Row(values, " ".join(faults))


def _records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[str, list[str] | csv.Error]]:
    """The lines of each record, and its fields. One that cannot be read is one line, and the next is tried as another:
    a quote left open must not take the rest of the file with it."""
    again: deque[str] = deque()
    taken: list[str] = []

    def feed() -> Iterator[str]:
        while line := again.popleft() if again else next(lines, ""):
            taken.append(line)
            yield line

    while True:
        taken.clear()
        try:
            fields = next(csv.reader(feed(), delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error as error:
            again.extendleft(reversed(taken[1:]))
            yield taken[0], error
        else:
            yield "".join(taken), fields


def _header(path: Path, records: Iterator[tuple[str, list[str] | csv.Error]]) -> list[str]:
    text, header = next(records, ("", []))
    if isinstance(header, csv.Error) or _mended(text) != text:
        raise ValueError(f"The first line of {path}, which names the columns, cannot be read as CSV in UTF-8.")
    if not any(header):
        raise ValueError(f"{path} has no first line with the names of the columns.")
    return _unique(path, header)


def _unique(path: Path, names: list[str]) -> list[str]:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{path} has two columns called {twice[0]!r}. Rename one.")
    return names


def _mended(text: str) -> str:
    """Half surrogates, be they of wrong bytes or of halved characters, as U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        with contextlib.suppress(UnicodeEncodeError):
            return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _read_jsonl(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        if file.read(3) != codecs.BOM_UTF8:
            file.seek(0)
        for raw in file:
            line, error = raw.rstrip(b"\r\n"), ""
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError:
                text, error = line.decode("utf-8", "replace"), NOT_UTF8
            values, fault = _json_object(text)
            yield Row(values, f"{error} {fault}".strip())


def _json_object(text: str) -> tuple[dict[str, Any], str]:
    """What a line holds, and what is wrong with it."""
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


def _read_parquet(path: Path) -> Iterator[Row]:
    for batch in _batches(path):
        with _explain_parquet_errors(path):
            rows = batch.to_pylist()
        yield from map(Row, rows)


def require_pyarrow() -> tuple[Any, Any]:
    """pyarrow and pyarrow.parquet, or a sentence on how to get them."""
    try:
        import pyarrow  # noqa: PLC0415 - an extra
        import pyarrow.parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ValueError("Parquet needs pyarrow. Install it with: pip install 'xlmrxl[files]'") from error
    return pyarrow, pyarrow.parquet


@contextlib.contextmanager
def _explain_parquet_errors(path: Path) -> Iterator[None]:
    """Turn whatever pyarrow says of a file that it cannot read into one sentence.

    Raises:
        DamagedFileError: the file is not the Parquet that it should be.
        ValueError: the system does not let it be read.
    """
    try:
        yield
    except DamagedFileError:
        raise
    except Exception as error:  # pyarrow has its own kinds, and those of Python for OSError, MemoryError and ValueError
        if isinstance(error, OSError) and error.errno is not None:  # of the system, which numbers them
            raise ValueError(f"{path} cannot be read ({first_line(error)}). Check its rights and its disk.") from error
        raise DamagedFileError(
            f"{path} cannot be read as Parquet ({_shorten(first_line(error))}): it is damaged or was not copied "
            "completely. Make it again, or copy it again."
        ) from error


def _shorten(text: str, most: int = 200) -> str:
    """Cut a text that may hold bytes of a damaged file."""
    text = "".join(each if each.isprintable() else "\ufffd" for each in text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _parquet(path: Path) -> Any:
    """Open a Parquet file whose metadata agree with each other."""
    _, parquet = require_pyarrow()
    with _explain_parquet_errors(path):
        # Without a buffer, whole columns of a row group would be read at once.
        file = parquet.ParquetFile(path, buffer_size=1 << 20, page_checksum_verification=True)
        groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        if min(groups, default=0) < 0 or sum(groups) != file.metadata.num_rows:
            raise ValueError(f"its parts have {sum(groups):,} rows together, and all of it {file.metadata.num_rows:,}")
        return file


def _batches(path: Path, as_stored: bool = False) -> Iterator[Any]:
    """Yield record batches; unless `as_stored`, dates and times are texts, since Python's hold no nanoseconds.

    Raises:
        DamagedFileError: a part of the file cannot be read, or rows are missing at the end.
    """
    arrow, _ = require_pyarrow()
    file = _parquet(path)
    with _explain_parquet_errors(path):
        batches = file.iter_batches(batch_size=GROUP)
    rows = 0
    while True:
        with _explain_parquet_errors(path):
            batch = next(batches, None)
            if batch is None and rows != file.metadata.num_rows:
                raise ValueError(f"{rows:,} of {file.metadata.num_rows:,} rows are there")
            if batch is not None:
                batch.validate(full=True)
                if not as_stored and any(map(arrow.types.is_temporal, batch.schema.types)):
                    arrays = [a.cast(arrow.string()) if arrow.types.is_temporal(a.type) else a for a in batch.columns]
                    batch = arrow.RecordBatch.from_arrays(arrays, names=batch.schema.names)
        if batch is None:
            return
        rows += batch.num_rows
        yield batch


def scan(path: Path) -> tuple[list[str], int]:
    """The columns of all rows of a file, and how many rows there are."""
    if format_of(path) == "parquet":
        file = _parquet(path)
        with _explain_parquet_errors(path):
            names = list(file.schema_arrow.names)
        return _unique(path, names), file.metadata.num_rows
    rows = read(path)
    columns: dict[str, None] = {}
    total = 0
    if format_of(path) == "csv":
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            columns |= dict.fromkeys(_header(path, _records(file, _delimiter(path))))
    late: dict[str, None] = {}  # columns of bad rows only come last
    for row in rows:
        total += 1
        (late if row.error else columns).update(dict.fromkeys(row.values))
        if len(columns) > MOST_COLUMNS:
            raise ValueError(f"The rows of {path} have more than {MOST_COLUMNS:,} different columns.")
    return list(columns | late), total


def free(name: str, taken: Iterable[str]) -> str:
    """The name, or where it is taken the first like it that is not."""
    while name in taken:
        name += "_result"
    return name


class Writer:
    """How rows are written into the partial file. That of a Parquet target is JSONL, and becomes Parquet at the end."""

    def __init__(self, target: Path, source: Path, own: Sequence[str], new: Sequence[str]) -> None:
        # From Parquet to Parquet the source's columns are copied at the end, so that they keep their types.
        copied = format_of(source) == format_of(target) == "parquet"
        self.columns = [*([] if copied else own), *new]
        self._delimiter = _delimiter(target) if format_of(target) == "csv" else ""
        self.head = self._record(self.columns) if self._delimiter else b""
        self._copied = set(own) if copied else set()

    def line(self, values: Mapping[str, Any]) -> bytes:
        """A row."""
        if self._delimiter:
            return self._record([_cell(values.get(name)) for name in self.columns])
        kept = plain({name: value for name, value in values.items() if name not in self._copied})
        try:
            return json.dumps(kept, ensure_ascii=False).encode("utf-8") + b"\n"
        except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold when escaped
            return json.dumps(kept).encode("utf-8") + b"\n"

    def _record(self, cells: Sequence[str]) -> bytes:
        out = io.StringIO()
        csv.writer(out, delimiter=self._delimiter).writerow(cells)
        return out.getvalue().encode("utf-8")


def _cell(value: Any) -> str:
    """A value as text: what is no text as JSON."""
    value = plain(value)
    if value is None:
        return ""
    return _mended(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def to_parquet(partial: Path, target: Path, source: Path, columns: Sequence[str]) -> None:
    """Make Parquet of JSONL; the columns that are not in it come from a Parquet source.

    Raises:
        DamagedFileError: the source can no longer be read, or has other rows than the JSONL.
        ValueError: Parquet cannot hold the rows.
        OSError: the target cannot be written.
    """
    arrow, _ = require_pyarrow()
    mixed: set[str] = set()
    try:
        while (name := _try_parquet(partial, target, source, columns, mixed)) is not None:
            mixed.add(name)
    except arrow.ArrowException as error:
        raise ValueError(f"The rows cannot be written as Parquet ({first_line(error)}). Choose .jsonl.") from error


def _try_parquet(partial: Path, target: Path, source: Path, columns: Sequence[str], mixed: set[str]) -> str | None:
    """Returns the column whose values turn out not to fit a type; then it is to be JSON, as the mixed ones are."""
    arrow, parquet = require_pyarrow()
    types = _types(partial, columns, mixed)
    fields = [arrow.field(name, types.get(name, arrow.string())) for name in columns]
    copied = format_of(source) == "parquet"
    with _explain_parquet_errors(source):
        own = list(_parquet(source).schema_arrow) if copied else []
    batches = _batches(source, as_stored=True) if copied else None
    with partial.open(encoding="utf-8") as lines, parquet.ParquetWriter(target, arrow.schema(own + fields)) as writer:
        while True:
            batch = next(batches, None) if batches is not None else None
            rows = [json.loads(line) for line in islice(lines, GROUP if batch is None else batch.num_rows)]
            if copied and len(rows) != (0 if batch is None else batch.num_rows):
                raise DamagedFileError(f"{source} has other rows than those that were read before.")
            if not rows:
                return None
            arrays = list(batch.columns) if batch is not None else []
            for name in columns:
                values = [row.get(name) for row in rows]
                try:
                    arrays.append(_array(values, types.get(name)))
                except (arrow.ArrowException, OverflowError):
                    if name in mixed:
                        raise
                    return name
            writer.write_batch(arrow.RecordBatch.from_arrays(arrays, schema=arrow.schema(own + fields)))


def _array(values: list[Any], kind: Any) -> Any:
    """An array of a type, or of texts."""
    arrow, _ = require_pyarrow()
    if kind is not None:
        return arrow.array(values, kind)
    return arrow.array([None if value is None else _cell(value) for value in values], arrow.string())


def _types(partial: Path, columns: Sequence[str], mixed: set[str]) -> dict[str, Any]:
    """The type of each column that has one for all rows and holds more than text."""
    arrow, _ = require_pyarrow()
    schemas = {name: arrow.schema([(name, arrow.null())]) for name in columns if name not in mixed}
    with partial.open(encoding="utf-8") as lines:
        while rows := [json.loads(line) for line in islice(lines, GROUP)]:
            for name, before in list(schemas.items()):
                try:
                    found = arrow.schema([(name, arrow.array([row.get(name) for row in rows]).type)])
                    schemas[name] = arrow.unify_schemas([before, found], promote_options="permissive")
                except (arrow.ArrowException, OverflowError, UnicodeEncodeError):
                    del schemas[name]
    types = {name: schema.field(name).type for name, schema in schemas.items()}
    return {
        name: kind
        for name, kind in types.items()
        if not (arrow.types.is_string(kind) or arrow.types.is_null(kind) or _hollow(kind))
    }


def _hollow(kind: Any) -> bool:
    """Whether a type has an object without names somewhere, which Parquet cannot hold."""
    arrow, _ = require_pyarrow()
    if arrow.types.is_list(kind):
        return _hollow(kind.value_type)
    if not arrow.types.is_struct(kind):
        return False
    return kind.num_fields == 0 or any(_hollow(kind.field(i).type) for i in range(kind.num_fields))
