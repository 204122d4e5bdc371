"""Rows from a file and to a file: CSV, JSONL and Parquet, a few at a time, in order, going on after a kill.

It knows nothing of models: what is done with the rows is a function. Work in progress is two files beside the target,
`.NAME.partial` with the rows that are done and `.NAME.state`, which says how many they are and what they came from.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from xlmrxl.checkpoints.strict_json import parse_json
from xlmrxl.errors import InputError
from xlmrxl.output_lock import check_unlocked, lock_output
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tables.delimited import OPEN_QUOTE, UNREAD, find_free_name, long_fields
from xlmrxl.tables.parquet import DamagedFileError, require_pyarrow, to_parquet
from xlmrxl.tables.table_formats import Row, Writer, read, scan
from xlmrxl.tables.table_options import BY_NAME, Dialect, TableOptions, format_of
from xlmrxl.tasks.result import to_json_value

Work = Callable[[list[dict[str, Any]]], Sequence[dict[str, Any] | Exception]]
"""Takes rows, returns for each what was found, or what is wrong with it."""

WORK_FILES = ("partial", "state")
"""What lies beside a target while it is made: the rows that are done, and how many they are."""

ERROR = "error"
"""The column that says what is wrong with a row; empty when nothing is."""


@dataclass(frozen=True)
class Counts:
    """How it went."""

    rows: int
    bad: int


def process(
    source: Path,
    target: Path,
    work: Work,
    *,
    columns: Sequence[str],
    results: Sequence[str],
    settings: Mapping[str, Any],
    table: TableOptions = BY_NAME,
    chunk: int = 256,
    force: bool = False,
    progress: Progress | bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Counts:
    """Do some work with every row of a file.

    The target gets every row of the source in order, with the source's columns, the results and `error`. A row is bad,
    and is passed on with the reason in `error` and without results, if the line cannot be read, if one of `columns` is
    not there, empty or no text, or if `work` returned an exception for it. What of a bad line has no column stands in
    `unread`. A result whose name the source has already is called `NAME_result`. In CSV, lists and objects are JSON;
    in Parquet, so are columns that mix types. A target without quotes, as a .tsv is, can hold no tab and no line break
    in a cell: with one in the source the work does not begin, and a row with one in its results is bad.

    Killed at any moment, it goes on when called again with the same source, settings and rules of the two tables, from
    the last chunk that was done. The target appears when it is complete.

    Args:
        source: a .csv, .tsv, .jsonl, .ndjson or .parquet file.
        target: another of them; the formats may differ.
        work: what is done with the rows that are good, at most `chunk` at a time.
        columns: that must be there and hold a text.
        results: the columns of what `work` returns.
        settings: whatever the results depend on; with others the work starts anew.
        table: how the source is read and the target written.
        chunk: rows at a time. As many are done again at most after a kill.
        force: replace a target that exists.
        progress: called with how many rows are done and how many there are; True for a bar.
        say: told in a sentence that the work goes on or starts anew, or that the source seems to be cut off in quotes.

    Raises:
        InputError: the source cannot be read, lacks a column or has what the target cannot hold, or the target exists
            or is written by another job. What is done is kept, unless the source is damaged or has changed meanwhile:
            then it is of no use.
        OSError: the target cannot be written; what is done is kept.
    """
    _check_paths(source, target, force, table)
    if chunk < 1:
        raise InputError(f"chunk is {chunk}; it must be at least 1.")
    with lock_output(target):
        _check_paths(source, target, force, table)  # another job may have written it since
        return _process(source, target, work, columns, results, settings, table, chunk, progress, say)


def _process(
    source: Path,
    target: Path,
    work: Work,
    columns: Sequence[str],
    results: Sequence[str],
    settings: Mapping[str, Any],
    table: TableOptions,
    chunk: int,
    progress: Progress | bool,
    say: Callable[[str], None],
) -> Counts:
    """Do what `process` says, alone on the target."""
    partial, note = (_path_beside(target, kind) for kind in WORK_FILES)
    before = source.stat()
    found = table.find_dialect(source)
    written = table.target_dialect(target, source, found)
    wanted = to_json_value({"settings": settings, "columns": columns, "results": results})
    wanted |= {"read": asdict(found), "written": asdict(written)}
    with long_fields(), show_progress(progress, target.name, "row") as told:
        key = {"source": _fingerprint(source), **wanted}
        state = _resumed(note, partial, key, say)
        if state is None:
            own, total = scan(source, found, target, written)
            if set(own) - {UNREAD} and (absent := [name for name in columns if name not in own]):
                raise InputError(describe_missing_column(source, absent[0], own, found))
            state = _State(key, own, total)
            note.unlink(missing_ok=True)
        names = {name: find_free_name(name, state.own) for name in (*results, ERROR)}
        writer = Writer(found, written, state.own, list(names.values()))
        if not state.rows:
            partial.write_bytes(writer.head)
            state = replace(state, size=len(writer.head))
            state.save(note)
        with _discard_if_useless(source, before, target):
            rows = islice(read(source, found), state.rows, None)
            with partial.open("r+b") as file:
                file.truncate(state.size)
                file.seek(state.size)
                while part := list(islice(rows, chunk)):
                    for row in part:
                        if OPEN_QUOTE in row.error:  # may be the last of a file that was longer
                            say(f"{source}: {row.error}")
                    done = _done(part, work, columns, names, writer)
                    bad = sum(1 for values in done if values[names[ERROR]])
                    file.write(b"".join(map(writer.line, done)))
                    file.flush()
                    os.fsync(file.fileno())
                    state = replace(state, rows=state.rows + len(done), bad=state.bad + bad, size=file.tell())
                    state.save(note)
                    told(state.rows, state.total)
            finished = partial
            if format_of(target) == "parquet":
                finished = _path_beside(target, "merged")
                to_parquet(partial, finished, source, writer.columns)
            if _has_changed(source, before) and _fingerprint(source) != key["source"]:
                raise _SourceChangedError
            os.replace(finished, target)
    partial.unlink(missing_ok=True)
    note.unlink()
    return Counts(state.rows, state.bad)


class _SourceChangedError(Exception):
    """The rows that are done are not all of one file."""


@contextmanager
def _discard_if_useless(source: Path, before: os.stat_result, target: Path) -> Iterator[None]:
    """Remove the rows that are done where they are of no use: of a source that is damaged or no longer the same.

    Raises:
        DamagedFileError: the source is damaged.
        InputError: the source has changed.
    """
    try:
        yield
    except (DamagedFileError, _SourceChangedError) as error:
        for kind in WORK_FILES:
            _path_beside(target, kind).unlink(missing_ok=True)
        if isinstance(error, _SourceChangedError) or _has_changed(source, before):
            raise InputError(
                f"{source} has changed while it was read. Run it again when nothing else writes the file."
            ) from error
        raise
    finally:
        _path_beside(target, "merged").unlink(missing_ok=True)


def _path_beside(target: Path, kind: str) -> Path:
    """Return the path of a file that is there only while a target is made."""
    return target.with_name(f".{target.name}.{kind}")


def _has_changed(path: Path, before: os.stat_result) -> bool:
    """Say whether a file may have been written since, by what the system knows of it."""
    try:
        now = path.stat()
    except OSError:
        return True
    return (now.st_size, now.st_mtime_ns, now.st_ino) != (before.st_size, before.st_mtime_ns, before.st_ino)


def check(source: Path, target: Path, force: bool = False, table: TableOptions = BY_NAME) -> None:
    """Find out whether a file can be made from another, before a model is loaded.

    Raises:
        InputError: it cannot, or another job is making it.
    """
    _check_paths(source, target, force, table)
    table.find_dialect(source)
    try:
        check_unlocked(target)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error}). Check the rights of its folder.") from error


def _check_paths(source: Path, target: Path, force: bool, table: TableOptions) -> None:
    """Find out whether a file can be made from another, but for jobs that are at it.

    Raises:
        InputError: it cannot.
    """
    check_source(source)
    table.check([source], target)
    if format_of(target) == "parquet":
        require_pyarrow()
    if not target.parent.is_dir():
        raise InputError(f"There is no folder {target.parent} to write {target.name} into.")
    if target.exists():
        if source.samefile(target):
            raise InputError(f"{target} cannot be both read and written. Choose another target.")
        if not force or not target.is_file():
            raise InputError(
                f"{target} exists already. Remove it, choose another, or have it replaced (force=True, --overwrite)."
            )


def check_source(path: Path) -> None:
    """Make sure that a file can be read.

    Raises:
        InputError: it cannot.
    """
    if format_of(path) == "parquet":
        require_pyarrow()
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read. Check its rights.")


def describe_missing_column(path: Path, name: str, columns: Sequence[str], dialect: Dialect) -> str:
    """Return the sentence about a column that a file does not have."""
    columns = [column for column in columns if column != UNREAD]
    said = f"{path} has no column {name!r}. It has {', '.join(columns)}. Name the right one of them."
    other = sorted({sign for sign in ",;|\t" if any(sign in column for column in columns)} - {dialect.delimiter})
    if dialect.kind == "csv" and other:
        said += f" Or if its columns are separated by {other[0]!r}, say so (--delimiter)."
    return said


def text_of(value: Any, name: str) -> str:
    """Return a value that must be a text.

    Raises:
        InputError: it is missing, empty, not a number (as pandas writes what is missing), or something else.
    """
    if value is None or value != value or (isinstance(value, str) and value.strip() in ("nan", "NaN")):  # noqa: PLR0124
        raise InputError(f"There is no text in column {name!r}{'' if value is None else ', but NaN'}.")
    if not isinstance(value, str):
        raise InputError(
            f"Column {name!r} must be a text, not {json.dumps(to_json_value(value), ensure_ascii=False):.80}."
        )
    if not value.strip():
        raise InputError(f"Column {name!r} is empty.")
    return value


@dataclass(frozen=True)
class _State:
    """How far the work is."""

    key: dict[str, Any]  # what it is of: source, settings, columns
    own: list[str]  # columns of the source
    total: int  # rows of the source
    rows: int = 0  # done
    bad: int = 0
    size: int = 0  # bytes of the partial file that hold them

    def save(self, path: Path) -> None:
        """At once or not at all."""
        new = path.with_name(path.name + ".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)


def _resumed(note: Path, partial: Path, key: dict[str, Any], say: Callable[[str], None]) -> _State | None:
    """Where to go on, or None to start."""
    try:
        state = _State(**parse_json(note.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        say(f"{note} cannot be read: starting anew.")
        return None
    if state.key != key:
        changed = "The source has changed" if state.key["source"] != key["source"] else "The settings have changed"
        say(f"{changed} since the {state.rows:,} rows that were done: starting anew.")
    elif not partial.is_file() or partial.stat().st_size < state.size:
        say(f"{partial} with the rows that were done is gone: starting anew.")
    else:
        if state.rows:
            say(f"Going on after {state.rows:,} of {state.total:,} rows.")
        return state
    return None


def _fingerprint(path: Path) -> dict[str, Any]:
    """All of its bytes: a file that was only copied or touched is the same, one with a letter changed is another."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"size": path.stat().st_size, "sha256": digest.hexdigest()}


def _done(
    part: Sequence[Row], work: Work, columns: Sequence[str], names: Mapping[str, str], writer: Writer
) -> list[dict[str, Any]]:
    """Return rows as they go into the target: with results, or with an error."""
    faults = [row.error or _fault(row.values, columns) for row in part]
    good = [row.values for row, fault in zip(part, faults, strict=True) if not fault]
    found = list(work(good)) if good else []
    if len(found) != len(good):
        raise RuntimeError(f"{len(good)} rows were given to the work, but {len(found)} came back.")
    answers = iter(found)
    done = []
    for row, fault in zip(part, faults, strict=True):
        answer = InputError(fault) if fault else next(answers)
        if not isinstance(answer, Exception):
            values = row.values | {new: answer.get(name) for name, new in names.items()} | {names[ERROR]: ""}
            if (unwritable := writer.find_unwritable(values)) is None:
                done.append(values)
                continue
            answer = InputError(f"Its {unwritable!r} has a tab or a line break, which a .tsv cannot hold.")
        said = str(answer) or type(answer).__name__
        done.append(row.values | dict.fromkeys(names.values()) | {names[ERROR]: said})
    return done


def _fault(values: Mapping[str, Any], columns: Sequence[str]) -> str:
    try:
        for name in columns:
            text_of(values.get(name), name)
    except ValueError as error:
        return str(error)
    return ""
