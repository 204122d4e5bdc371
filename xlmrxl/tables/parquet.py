"""Parquet: rows from a file, JSONL to a file, and what is said of a file that is damaged."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from xlmrxl.errors import InputError, MissingDependencyError, get_first_line
from xlmrxl.tables.delimited import check_unique, to_cell
from xlmrxl.tables.table_options import format_of

GROUP = 1024
"""Rows in memory at once while Parquet is read or written, and in a row group of the target."""


class DamagedFileError(InputError):
    """A file that cannot be read to its end, however often one tries. The message names it and says what to do."""


def require_pyarrow() -> tuple[Any, Any]:
    """Return pyarrow and pyarrow.parquet.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415 - an extra
        import pyarrow.parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingDependencyError("Parquet needs pyarrow", "files") from error
    return pyarrow, pyarrow.parquet


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the values of each row.

    Raises:
        DamagedFileError: a part of the file cannot be read, or rows are missing at the end.
    """
    for batch in _batches(path):
        with _explain_parquet_errors(path):
            rows = batch.to_pylist()
        yield from rows


def read_parquet_header(path: Path) -> tuple[list[str], int]:
    """Return the names of the columns, and how many rows there are.

    Raises:
        DamagedFileError: the file cannot be read.
        InputError: two columns have one name.
    """
    file = _parquet(path)
    with _explain_parquet_errors(path):
        names = list(file.schema_arrow.names)
    return check_unique(path, names), file.metadata.num_rows


@contextlib.contextmanager
def _explain_parquet_errors(path: Path) -> Iterator[None]:
    """Turn whatever pyarrow says of a file that it cannot read into one sentence.

    Raises:
        DamagedFileError: the file is not the Parquet that it should be.
        InputError: the system does not let it be read.
    """
    try:
        yield
    except DamagedFileError:
        raise
    except Exception as error:  # pyarrow has its own kinds, and those of Python for OSError, MemoryError and ValueError
        if isinstance(error, OSError) and error.errno is not None:  # of the system, which numbers them
            raise InputError(
                f"{path} cannot be read ({get_first_line(error)}). Check its rights and its disk."
            ) from error
        raise DamagedFileError(
            f"{path} cannot be read as Parquet ({_shorten(get_first_line(error))}): it is damaged or was not copied "
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
            raise InputError(f"its parts have {sum(groups):,} rows together, and all of it {file.metadata.num_rows:,}")
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
                raise InputError(f"{rows:,} of {file.metadata.num_rows:,} rows are there")
            if batch is not None:
                batch.validate(full=True)
                if not as_stored and any(map(arrow.types.is_temporal, batch.schema.types)):
                    arrays = [a.cast(arrow.string()) if arrow.types.is_temporal(a.type) else a for a in batch.columns]
                    batch = arrow.RecordBatch.from_arrays(arrays, names=batch.schema.names)
        if batch is None:
            return
        rows += batch.num_rows
        yield batch


def to_parquet(partial: Path, target: Path, source: Path, columns: Sequence[str]) -> None:
    """Make Parquet of JSONL; the columns that are not in it come from a Parquet source.

    Raises:
        DamagedFileError: the source can no longer be read, or has other rows than the JSONL.
        InputError: Parquet cannot hold the rows.
        OSError: the target cannot be written.
    """
    arrow, _ = require_pyarrow()
    mixed: set[str] = set()
    try:
        while (name := _try_parquet(partial, target, source, columns, mixed)) is not None:
            mixed.add(name)
    except arrow.ArrowException as error:
        raise InputError(f"The rows cannot be written as Parquet ({get_first_line(error)}). Choose .jsonl.") from error


def _try_parquet(partial: Path, target: Path, source: Path, columns: Sequence[str], mixed: set[str]) -> str | None:
    """Return the column whose values turn out not to fit a type; then it is to be JSON, as the mixed ones are."""
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
    """Return an array of a type, or of texts."""
    arrow, _ = require_pyarrow()
    if kind is not None:
        return arrow.array(values, kind)
    return arrow.array([None if value is None else to_cell(value) for value in values], arrow.string())


def _types(partial: Path, columns: Sequence[str], mixed: set[str]) -> dict[str, Any]:
    """Return the type of each column that has one for all rows and holds more than text."""
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
