"""Rows from files to files: every pair of formats, what is bad, kills at every moment, and the commands that use it."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import xlmrxl
from xlmrxl import row_tasks as batch
from xlmrxl.cli.main import main
from xlmrxl.errors import MissingDependencyError
from xlmrxl.tables.resumable import Counts, process
from xlmrxl.tables.table_options import TableOptions

ENDS = ["csv", "tsv", "jsonl", "ndjson", "parquet"]
TEXTS = ["Ein Hund", 'two\nlines, and "quotes"', "狗在花园里", "القطة\tتنام", "\U0001f600 end", "boom", "x" * 200_000]
ROWS = [{"id": str(i), "text": text, "note": "" if i % 2 else f"n{i}"} for i, text in enumerate(TEXTS * 3)]
RESULTS = ["upper", "length", "letters"]


def shout(rows: list[dict[str, Any]]) -> list[dict[str, Any] | Exception]:
    """Work that is quickly done; it refuses one text."""
    return [
        ValueError("It says boom.")
        if row["text"] == "boom"
        else {
            "upper": row["text"].upper(),
            "length": len(row["text"]),
            "letters": [{"letter": letter, "code": ord(letter) / 2} for letter in row["text"][:2]],
        }
        for row in rows
    ]


def convert(source: Path, target: Path, work: Any = shout, **options: Any) -> Counts:
    given: dict[str, Any] = {"columns": ["text"], "results": RESULTS, "settings": {}, "chunk": 4, "progress": False}
    return process(source, target, work, **given | options)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """With the plainest means, not those that are tested."""
    if path.suffix == ".parquet":
        arrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(arrow.Table.from_pylist(rows), path, row_group_size=5)
    elif path.suffix in (".csv", ".tsv"):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def content(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        return parquet.read_table(path).to_pylist()
    if path.suffix in (".csv", ".tsv"):
        before = csv.field_size_limit(1 << 30)
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True))
        csv.field_size_limit(before)
        return rows
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def errors(path: Path) -> list[str]:
    return [row["error"] for row in content(path)]


# --- What is written ---


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("begin", ENDS)
def test_every_format_becomes_every_other(begin: str, end: str, tmp_path: Path):
    pytest.importorskip("pyarrow")
    source, target = write(tmp_path / f"in.{begin}", ROWS), tmp_path / f"out.{end}"
    # Some texts have tabs and line breaks, which a .tsv holds with quotes only.
    table = TableOptions(quoting="minimal" if "tsv" in (begin, end) else None)
    assert convert(source, target, table=table) == Counts(21, 3)
    rows = content(target)
    assert [{name: row[name] for name in ROWS[0]} for row in rows] == ROWS
    assert list(rows[0]) == [*ROWS[0], *RESULTS, "error"]
    for row in rows:
        if row["text"] == "boom":
            assert row["error"] == "It says boom."
            assert [row[name] for name in RESULTS] == ([None] * 3 if end not in ("csv", "tsv") else [""] * 3)
            continue
        letters = json.loads(row["letters"]) if end in ("csv", "tsv") else row["letters"]
        assert (row["error"], row["upper"], int(row["length"])) == ("", row["text"].upper(), len(row["text"]))
        assert letters == [{"letter": letter, "code": ord(letter) / 2} for letter in row["text"][:2]]
    assert {path.name for path in tmp_path.iterdir()} == {source.name, target.name}


def test_parquet_keeps_its_types(tmp_path: Path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = arrow.table(
        {
            "text": arrow.array(["a", None, "c"]).dictionary_encode(),
            "when": arrow.array([1, 2, 1_700_000_000_123_456_789], arrow.timestamp("ns")),
            "raw": arrow.array([b"\xff", None, b""]),
            "small": arrow.array([1, None, -3], arrow.int8()),
            "inner": [{"a": [1]}, None, {"a": []}],
        }
    )
    parquet.write_table(table, tmp_path / "in.parquet")
    assert convert(tmp_path / "in.parquet", tmp_path / "out.parquet").bad == 1
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.select(table.column_names).equals(table)
    assert (found.schema.field("length").type, found.schema.field("error").type) == (arrow.int64(), arrow.string())
    convert(tmp_path / "in.parquet", tmp_path / "out.jsonl")
    assert content(tmp_path / "out.jsonl")[2]["when"] == "2023-11-14 22:13:20.123456789"
    assert content(tmp_path / "out.jsonl")[2]["small"] == -3


def test_rows_of_jsonl_may_differ(tmp_path: Path):
    pytest.importorskip("pyarrow")
    rows = [
        {"text": "a", "n": 1, "mixed": 1, "deep": {"x": 1}, "none": None, "empty": {}, "big": 2**60},
        {"n": 1.5, "text": "b", "mixed": "one", "deep": {"y": [None]}, "big": 10**30},
        {"text": "c", "late": True},
    ]
    source = write(tmp_path / "in.jsonl", rows)
    for end in ("csv", "parquet", "jsonl"):
        assert convert(source, tmp_path / f"out.{end}") == Counts(3, 0)
    first, second, third = content(tmp_path / "out.csv")
    assert list(first)[:8] == [*rows[0], "late"]
    assert (first["deep"], first["n"], second["n"], third["late"], third["n"]) == ('{"x": 1}', "1", "1.5", "true", "")
    first, second, third = content(tmp_path / "out.parquet")
    assert (first["mixed"], second["mixed"], first["n"], third["late"]) == ("1", "one", 1.0, True)
    assert (first["deep"], first["empty"], second["big"]) == ({"x": 1, "y": None}, "{}", str(10**30))
    first, second, third = content(tmp_path / "out.jsonl")
    assert second == rows[1] | shout([rows[1]])[0] | {"error": ""}


def test_numbers_that_fit_no_type_together_are_texts(tmp_path: Path):
    """Float64 holds whole numbers up to 2**53 only, which is seen when the rows are written, groups apart."""
    pytest.importorskip("pyarrow")
    rows = [{"text": "a", "n": 2**60 + 1 if i < 1200 else 0.5} for i in range(1300)]
    convert(write(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet", chunk=1000)
    found = content(tmp_path / "out.parquet")
    assert [row["n"] for row in found] == [str(row["n"]) for row in rows]


def test_names_that_are_taken(tmp_path: Path):
    source = write(tmp_path / "in.csv", [{"text": "a", "upper": "mine", "error": "old"}])
    assert convert(source, tmp_path / "out.csv").bad == 0
    assert content(tmp_path / "out.csv")[0] == {
        "text": "a",
        "upper": "mine",
        "error": "old",
        "upper_result": "A",
        "length": "1",
        "letters": '[{"letter": "a", "code": 48.5}]',
        "error_result": "",
    }


@pytest.mark.parametrize("end", ENDS)
def test_no_rows(end: str, tmp_path: Path):
    pytest.importorskip("pyarrow")
    (tmp_path / "in.csv").write_text("text,id\n")
    (tmp_path / "in.jsonl").write_text("")
    for begin in ("csv", "jsonl"):
        target = tmp_path / f"{begin}.{end}"
        assert convert(tmp_path / f"in.{begin}", target) == Counts(0, 0)
        assert content(target) == []
    if end == "csv":
        assert target.read_text().strip() == "upper,length,letters,error"


# --- What is bad ---


@pytest.mark.parametrize("end", ["csv", "jsonl", "parquet"])
def test_bad_lines_of_csv(end: str, tmp_path: Path):
    pytest.importorskip("pyarrow")
    lines = [
        b"\xef\xbb\xbftext,id",
        b"good,1",
        b"caf\xe9 au lait,2",
        b"too,many,fields",
        b"few",
        b"",
        b"NaN,6",
        b"   ,7",
        b'"broken" quote,8',
        "good é,9".encode(),
        b'"never closed,10',
        b"good,11",
    ]
    (tmp_path / "in.csv").write_bytes(b"\r\n".join(lines))
    target = tmp_path / f"out.{end}"
    assert convert(tmp_path / "in.csv", target) == Counts(11, 8)
    rows = content(target)
    said = errors(target)
    assert [i for i, error in enumerate(said, 1) if not error] == [1, 9, 11]
    assert [rows[0]["id"], rows[8]["id"]] == ["1", "9"]
    assert rows[1]["text"] == "caf\ufffd au lait"
    assert "not UTF-8" in said[1]
    assert said[2] == "The row has 3 fields, but the header has 2."
    assert (rows[2]["text"], rows[2]["id"], json.loads(rows[2]["unread"])) == ("too", "many", ["fields"])
    assert said[3] == "The row has 1 fields, but the header has 2."
    assert said[4] == "The row has 0 fields, but the header has 2."
    assert "NaN" in said[5]
    assert "empty" in said[6]
    assert (rows[7]["unread"], rows[9]["unread"]) == ('"broken" quote,8', '"never closed,10')
    assert said[7] == "Line 9 is not CSV: ',' expected after '\"'."
    assert said[9].startswith("Line 11 opens a quote that is never closed")


@pytest.mark.parametrize("end", ["csv", "jsonl", "parquet"])
def test_bad_lines_of_jsonl(end: str, tmp_path: Path):
    pytest.importorskip("pyarrow")
    lines = [
        b'\xef\xbb\xbf{"text": "good"}',
        b'{"text": "good", "id": ',
        b"",
        b'["good"]',
        b'{"text": NaN}',
        b'{"text": null}',
        b'{"text": ""}',
        b'{"text": 7.5}',
        b'{"id": 1}',
        b'{"text": "caf\xe9", "id": 2}',
        b'{"text": "good", "id": "\\ud83d"}',
        b"[" * 100_000,
        b'{"text": ' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"text": ' + b"9" * 5000 + b"}",
        b'{"text": "boom"}',
        b'{"text": "last"}',
    ]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    target = tmp_path / f"out.{end}"
    assert convert(tmp_path / "in.jsonl", target) == Counts(16, 13)
    rows, said = content(target), errors(target)
    assert [i for i, error in enumerate(said) if not error] == [0, 10, 15]
    expected = ["", "not JSON: Expecting value at character 24", "is empty", "not a JSON object", "NaN", "no text"]
    expected += ["is empty", "not 7.5", "no text", "not UTF-8", "", "as JSON", "nested", "", "It says boom", ""]
    assert all(words in error for words, error in zip(expected, said, strict=True))
    assert rows[1]["unread"] == '{"text": "good", "id": '
    assert rows[9]["text"] == "caf\ufffd"
    assert rows[10]["id"] == {"csv": "\ufffd", "jsonl": "\ud83d", "parquet": "\ufffd"}[end]


def test_bad_values_of_parquet(tmp_path: Path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table({"text": [1.5, math.nan, None]}), tmp_path / "in.parquet")
    assert convert(tmp_path / "in.parquet", tmp_path / "out.csv") == Counts(3, 3)
    first, second, third = errors(tmp_path / "out.csv")
    assert "must be a text, not 1.5" in first
    assert "NaN" in second
    assert third == "There is no text in column 'text'."


def test_bad_rows_never_reach_the_work(tmp_path: Path):
    seen = []

    def work(rows: list[dict[str, Any]]) -> list[dict[str, Any] | Exception]:
        seen.append([row["text"] for row in rows])
        return shout(rows)

    rows = [{"text": text, "id": "1"} for text in ["a", "", "b", "", "", "", "", "", "c"]]
    convert(write(tmp_path / "in.csv", rows), tmp_path / "out.csv", work)
    assert seen == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("in.csv", "text,id\na,1\n".encode("utf-16"), "is UTF-16"),
        ("in.jsonl", '{"text": "a"}\n'.encode("utf-16"), "is UTF-16"),
        ("in.csv", b"", "no first line"),
        ("in.csv", b"t\xe9xt,id\na,1\n", "cannot be read as CSV in UTF-8"),
        ("in.csv", b"text,text\na,b\n", "two columns called 'text'"),
        ("in.csv", b"satz,id\na,1\n", "no column 'text'. It has satz, id"),
        ("in.jsonl", b'{"satz": "a"}\n', "no column 'text'. It has satz"),
        ("in.parquet", b"PAR1 not at all", "cannot be read as Parquet"),
        ("in.xlsx", b"", "must end in .csv"),
        ("nothing.csv", None, "There is no file"),
    ],
)
def test_sources_that_cannot_be_read(name: str, data: bytes | None, words: str, tmp_path: Path):
    pytest.importorskip("pyarrow")
    source = tmp_path / name
    if data is not None:
        source.write_bytes(data)
    with pytest.raises(ValueError, match=words):
        convert(source, tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ([name] if data is not None else [])


def test_targets_that_cannot_be_written(tmp_path: Path):
    source, target = write(tmp_path / "in.csv", ROWS), tmp_path / "out.csv"
    target.write_text("precious")
    with pytest.raises(ValueError, match="exists already"):
        convert(source, target)
    assert target.read_text() == "precious"
    assert convert(source, target, force=True) == Counts(21, 3)
    assert len(content(target)) == 21
    with pytest.raises(ValueError, match="both read and written"):
        convert(source, source, force=True)
    with pytest.raises(ValueError, match="There is no folder"):
        convert(source, tmp_path / "nowhere" / "out.csv")
    with pytest.raises(ValueError, match="must end in"):
        convert(source, tmp_path / "out.txt")
    with pytest.raises(ValueError, match="chunk is 0"):
        convert(source, tmp_path / "other.csv", chunk=0)


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'pyarrow>="):
        convert(write(tmp_path / "in.csv", ROWS), tmp_path / "out.parquet")
    assert convert(tmp_path / "in.csv", tmp_path / "out.csv").rows == 21


def test_the_limit_of_fields_is_put_back(tmp_path: Path):
    before = csv.field_size_limit()
    convert(write(tmp_path / "in.csv", ROWS), tmp_path / "out.csv")
    assert csv.field_size_limit() == before


# --- Going on ---

KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_resumable import convert
source, target, moment = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
left = [0]
def counted(function):
    def call(*arguments, **options):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
os.fsync, os.replace, os.unlink = counted(os.fsync), counted(os.replace), counted(os.unlink)
Path.unlink = counted(Path.unlink)
def forked(work):  # this process computes nothing itself, so it has no threads, with which a fork may deadlock
    child = os.fork()
    if not child:
        work()
        sys.stdout.flush()
        os._exit(0)
    return os.waitpid(child, 0)[1]
def killed():
    left[0] = moment
    convert(source, target, chunk=8)
def continued():
    told = []
    convert(source, target, chunk=5, force=True, say=told.append)
    print(moment, target.read_bytes().hex(), *told, sep="|")
    target.unlink()
# Two processes for each moment, all from one that has imported what they need.
while (status := forked(killed)) == signal.SIGKILL:
    if status := forked(continued):
        break
    moment += 1
sys.exit(status != 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("end", ["csv", "jsonl", pytest.param("parquet", marks=pytest.mark.slow)])
def test_killed_before_every_write_it_goes_on(end: str, tmp_path: Path):
    """SIGKILL before the first fsync, rename or removal, before the second, and so on to the last."""
    if end == "parquet":
        pytest.importorskip("pyarrow")
    source = write(tmp_path / "in.csv", [row for row in ROWS if len(row["text"]) < 100])
    whole = tmp_path / f"whole.{end}"
    convert(source, whole)
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    folder = str(Path(__file__).parent)
    command = [sys.executable, str(script), folder, str(source), str(tmp_path / f"out.{end}"), "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    runs = [line.split("|") for line in done.stdout.splitlines()]
    assert [int(run[0]) for run in runs] == list(range(1, len(runs) + 1))
    assert len(runs) >= 12  # two for the start, three a chunk, and the end
    assert all(bytes.fromhex(run[1]) == whole.read_bytes() for run in runs)
    said = [run[2] for run in runs if len(run) > 2]
    assert {"Going on after 8 of 18 rows.", "Going on after 16 of 18 rows.", "Going on after 18 of 18 rows."} <= {*said}


SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_resumable import convert, shout
def work(rows):
    time.sleep(0.01 * len(rows))
    return shout(rows)
convert(Path(sys.argv[2]), Path(sys.argv[3]), work, chunk=3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.0, 0.1])
def test_killed_from_outside_it_goes_on(wait: float, tmp_path: Path):
    source, target = write(tmp_path / "in.jsonl", ROWS * 2), tmp_path / "out.jsonl"
    convert(source, tmp_path / "whole.jsonl")
    command = [sys.executable, "-c", SLOW, str(Path(__file__).parent), str(source), str(target)]
    kills = 0
    while not target.exists():
        child = subprocess.Popen(command)
        state = target.with_name(f".{target.name}.state")
        before = state.stat().st_mtime_ns if state.exists() else 0
        while child.poll() is None and (not state.exists() or state.stat().st_mtime_ns == before):
            time.sleep(0.005)
        try:
            assert child.wait(wait + 0.1 if kills < 4 else None) == 0
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
    assert kills > 0
    assert target.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not state.exists()


class Stop(BaseException):
    pass


def stopped(source: Path, target: Path, rows: int, **options: Any) -> None:
    """Leave work undone after so many rows."""

    def count(done: int, total: int) -> None:
        assert total == len(ROWS)
        if done >= rows:
            raise Stop

    with pytest.raises(Stop):
        convert(source, target, progress=count, **options)
    assert not target.exists()


def test_it_goes_on_only_with_the_same_settings_and_source(tmp_path: Path):
    source, target = write(tmp_path / "in.csv", ROWS), tmp_path / "out.csv"
    told: list[str] = []
    stopped(source, target, 8)
    stopped(source, target, 12, say=told.append)
    assert told.pop() == "Going on after 8 of 21 rows."
    stopped(source, target, 8, settings={"top_k": 3}, say=told.append)
    assert told.pop() == "The settings have changed since the 12 rows that were done: starting anew."
    stopped(source, target, 8, columns=["text", "id"], say=told.append)
    assert told.pop().startswith("The settings have changed")
    os.utime(source)  # only touched
    stopped(source, target, 12, columns=["text", "id"], say=told.append)
    assert told.pop() == "Going on after 8 of 21 rows."
    source.write_bytes(source.read_bytes().replace(b"Hund", b"Mund"))
    stopped(source, target, 4, say=told.append)
    assert told.pop() == "The source has changed since the 12 rows that were done: starting anew."
    target.with_name(".out.csv.partial").unlink()
    stopped(source, target, 4, say=told.append)
    assert told.pop().endswith("is gone: starting anew.")
    target.with_name(".out.csv.state").write_text("{")
    assert convert(source, target, say=told.append) == Counts(21, 3)
    assert told.pop().endswith("cannot be read: starting anew.")
    assert told == []
    assert [row["text"] for row in content(target)] == [row["text"].replace("Hund", "Mund") for row in ROWS]


def test_what_is_done_is_not_done_again(tmp_path: Path):
    source, target = write(tmp_path / "in.parquet", ROWS), tmp_path / "out.parquet"
    stopped(source, target, 12)
    seen = 0

    def work(rows: list[dict[str, Any]]) -> list[dict[str, Any] | Exception]:
        nonlocal seen
        seen += len(rows)
        return shout(rows)

    assert convert(source, target, work) == Counts(21, 3)
    assert seen == 9
    assert [row["id"] for row in content(target)] == [row["id"] for row in ROWS]


MEMORY = """
import sys, threading
from pathlib import Path
import psutil
from xlmrxl.tables.resumable import process
own = psutil.Process()
seen = [own.memory_full_info().uss]
stop = threading.Event()
def look():
    seen.append(own.memory_full_info().uss)
def watch():
    while not stop.wait(0.05):
        look()
def work(rows):
    look()
    return [{"fills": [{"fills": [{"text": row["text"], "probability": 0.5}] * 5}] * 2} for row in rows]
thread = threading.Thread(target=watch)  # sees what happens after the last row
thread.start()
counts = process(
    Path(sys.argv[1]), Path(sys.argv[2]), work, columns=["text"], results=["fills"], settings={}, progress=False
)
stop.set()
thread.join()
assert len(seen) > 390
print(counts.rows, (max(seen) - seen[0]) / 1e6)
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", ["csv", "jsonl", "parquet"])
def test_100_000_rows_stay_within_300_mb(end: str, tmp_path: Path):
    pytest.importorskip("pyarrow")
    rows = [{"id": i, "text": f"The capital of country {i} is <mask>.", "more": "x" * 100} for i in range(100_000)]
    source, target = write(tmp_path / f"in.{end}", rows), tmp_path / f"out.{end}"
    command = [sys.executable, "-c", MEMORY, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, more = done.stdout.split()
    assert int(count) == 100_000
    assert float(more) <= 300, f"{more} MB"
    assert [int(row["id"]) for row in content(target)] == list(range(100_000))


# --- Tasks on rows ---


def test_one_that_spoils_the_call_is_found():
    calls = []

    def call(items: list[int]) -> list[int]:
        calls.append(len(items))
        if any(item in (3, 60) for item in items):
            raise ValueError("spoilt")
        return [item * 2 for item in items]

    found = batch.isolate_errors(call, list(range(64)))
    assert [i for i, item in enumerate(found) if isinstance(item, ValueError)] == [3, 60]
    assert all(item == i * 2 for i, item in enumerate(found) if i not in (3, 60))
    assert len(calls) < 30
    with pytest.raises(OSError, match="disk"):  # not a fault of the items
        batch.isolate_errors(lambda _: (_ for _ in ()).throw(OSError("disk")), [1, 2])


@pytest.mark.parametrize(
    ("row", "column", "choices"),
    [
        ({"choices": ["a", "b"]}, None, ["a", "b"]),
        ({"choices": '["a", "b"]'}, None, ["a", "b"]),
        ({"given": ["a"], "choices": ["b"]}, "given", ["a"]),
        ({"choice1": "a", "choice2": "b", "choice4": "d"}, None, ["a", "b"]),
        ({"choice1": "a", "choice2": "b", "choice3": ""}, None, ["a", "b"]),
    ],
)
def test_choices_of_a_row(row: dict[str, Any], column: str | None, choices: list[str]):
    assert batch.read_choices(row, column) == choices


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "a"}, "neither a column 'choices'"),
        ({"choices": "a, b"}, "must hold a list"),
        ({"choices": None}, "must hold a list"),
        ({"choices": ["a", ""]}, "is empty"),
        ({"choices": ["a", math.nan]}, "NaN"),
        ({"choice1": "a", "choice2": "", "choice3": "c"}, "'choice2' is empty"),
    ],
)
def test_choices_that_are_none(row: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        batch.read_choices(row)


# --- The commands ---


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


MASKED = ["The capital of <mask> is Paris.", "no mask", "<mask> und <mask>.", "", "<mask>" + " Paris" * 200]


@pytest.mark.parametrize("end", ["csv", "jsonl", "parquet"])
def test_fill_on_a_file(end: str, tiny_folder: Path, tmp_path: Path):
    pytest.importorskip("pyarrow")
    source = write(tmp_path / f"in.{end}", [{"satz": text, "id": i} for i, text in enumerate(MASKED)])
    target = tmp_path / f"out.{end}"
    arguments = ["fill", "--input", source, "--output", target, "--text-column", "satz", "--model", tiny_folder]
    done = run(*arguments, "--top-k", 2)
    assert done.exit_code == 0, done.output
    assert done.stderr == f"5 rows, 3 of them bad: {target}\n"
    assert done.stdout == ""
    rows = content(target)
    assert [(row["satz"] or "", int(row["id"])) for row in rows] == list(zip(MASKED, range(5), strict=True))
    expected = xlmrxl.load(tiny_folder).fill_mask([MASKED[0], MASKED[2]], top_k=2)
    for row, result in zip([rows[0], rows[2]], expected, strict=True):
        fills = json.loads(row["fills"]) if end == "csv" else row["fills"]
        assert [[f["text"] for f in m["fills"]] for m in fills] == [[f.text for f in m.fills] for m in result.masks]
        assert row["fill"] == " | ".join(mask.fills[0].text for mask in result.masks)
    assert [row["error"][:12] for row in rows] == ["", "There is no ", "", "Column 'satz", "The text has"]
    done = run(*arguments)
    assert done.exit_code == 1
    assert "exists already" in done.stderr
    assert "Traceback" not in done.stderr
    assert run(*arguments, "--overwrite").exit_code == 0
    assert len(json.loads(content(target)[0]["fills"])[0]["fills"] if end == "csv" else "12345") == 5


def test_fill_with_options(tiny_folder: Path, tmp_path: Path):
    source = write(tmp_path / "in.jsonl", [{"text": MASKED[2]}])
    common = ["fill", "--input", source, "--model", tiny_folder]
    assert run(*common, "--output", tmp_path / "joint.jsonl", "--method", "joint", "--num-beams", 3).exit_code == 0
    (row,) = content(tmp_path / "joint.jsonl")
    assert row["fill"] == " | ".join(row["joint"][0]["fills"])
    assert run(*common, "--output", tmp_path / "words.jsonl", "--method", "words", "--max-subwords", 2).exit_code == 0
    targets = ["--target", "Paris", "--target", "Madrid"]
    assert run(*common, "--output", tmp_path / "targets.jsonl", *targets).exit_code == 0
    (row,) = content(tmp_path / "targets.jsonl")
    assert {fill["text"] for fill in row["fills"][0]["fills"]} == {"Paris", "Madrid"}
    shown = run("fill", MASKED[0], "--json", "--no-punctuation", "--no-repeats", "--script", "Latin",
                "--model", tiny_folder)  # fmt: skip
    assert json.loads(shown.stdout)["source"]["settings"] == {
        "script": "Latin",
        "punctuation": False,
        "repeats": False,
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fill", "--input", "in.csv"], "go together"),
        (["fill", "<mask>", "--input", "in.csv", "--output", "out.csv"], "not both"),
        (["fill", "--input", "none.csv", "--output", "out.csv"], "There is no file"),
        (["fill", "--input", "in.csv", "--output", "out.csv", "--text-column", "satz"], "no column 'satz'"),
        (["fill", "--input", "in.csv", "--output", "out.csv", "--script", "Klingon"], "no script 'Klingon'"),
        (
            ["fill", "--input", "in.csv", "--output", "out.csv", "--method", "words", "--target", "a"],
            "targets are compared",
        ),
        (["classify"], "Missing argument"),
        (["classify", "a", "--text-pair", "b", "--text-pair", "c"], "Give one for each"),
        (["choose"], "Missing argument"),
    ],
)
def test_mistakes_are_said_before_anything_is_written(
    arguments: list[str], words: str, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    write(Path("in.csv"), [{"text": MASKED[0]}])
    done = run(*arguments, "--model", tiny_folder)
    assert done.exit_code != 0
    assert words in done.stderr
    assert not isinstance(done.exception, ValueError)
    assert [path.name for path in Path().iterdir()] == ["in.csv"]


def test_if_all_rows_are_bad_so_is_the_status(tiny_folder: Path, tmp_path: Path):
    source = write(tmp_path / "in.csv", [{"text": "no mask", "id": "1"}])
    done = run("fill", "--input", source, "--output", tmp_path / "out.csv", "--model", tiny_folder)
    assert (done.exit_code, done.stderr) == (1, f"1 rows, 1 of them bad: {tmp_path / 'out.csv'}\n")
    assert "There is no <mask>" in errors(tmp_path / "out.csv")[0]


def test_a_stopped_fill_goes_on(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = write(tmp_path / "in.csv", [{"text": text, "id": str(i)} for i, text in enumerate(MASKED * 4)])
    arguments = ["fill", "--input", source, "--model", tiny_folder, "--chunk", 4, "--output"]
    assert run(*arguments, tmp_path / "whole.csv").exit_code == 0
    calls = iter(range(10))
    real = xlmrxl.Session.fill_mask

    def fill_mask(*given: Any, **options: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return real(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(xlmrxl.Session, "fill_mask", fill_mask)
        done = run(*arguments, tmp_path / "out.csv")
    assert done.exit_code == 1
    assert "The same command goes on from here." in done.stderr
    done = run(*arguments, tmp_path / "out.csv")
    assert done.exit_code == 0
    assert "Going on after " in done.stderr
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


needs_classify = pytest.mark.skipif(not hasattr(xlmrxl.Session, "classify"), reason="Session.classify is not there yet")
needs_choose = pytest.mark.skipif(not hasattr(xlmrxl.Session, "choose"), reason="Session.choose is not there yet")

CLASSIFY = ["--labels", "Paris,Madrid", "--template", "{text} <mask>", "--calibration", "none"]


@needs_classify
def test_classify(tiny_folder: Path, tmp_path: Path):
    texts = ["Der Hund schläft.", "La casa es grande.", "a <mask>", ""]
    arguments = [*CLASSIFY, "--model", tiny_folder]
    expected = [
        json.loads(run("classify", text, "--json", *arguments).stdout) if text and "<mask>" not in text else None
        for text in texts
    ]
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in texts])
    done = run("classify", "--input", source, "--output", tmp_path / "out.jsonl", *arguments)
    assert (done.exit_code, done.stderr) == (0, f"4 rows, 2 of them bad: {tmp_path / 'out.jsonl'}\n")
    rows = content(tmp_path / "out.jsonl")
    for row, result in zip(rows, expected, strict=True):
        if result is None:
            assert row["error"]
            assert row["label"] is None
            continue
        assert set(row["scores"]) == {"Paris", "Madrid"}
        assert row["label"] == result["labels"][0]["label"]
        assert row["score"] == pytest.approx(result["labels"][0]["score"], rel=1e-4) == row["scores"][row["label"]]
        assert row["truncated"] is False


@needs_classify
def test_classify_pairs_and_mistakes(tiny_folder: Path, tmp_path: Path):
    pairs = ["--labels", "Paris,Madrid", "--template", "{text} <mask> {text_pair}", "--model", tiny_folder]
    alone = json.loads(run("classify", "Der Hund", "--text-pair", "La casa", "--json", *pairs).stdout)
    source = write(tmp_path / "in.csv", [{"text": "Der Hund", "second": "La casa"}, {"text": "Der Hund", "second": ""}])
    done = run("classify", "--input", source, "--output", tmp_path / "out.csv", "--text-pair-column", "second", *pairs)
    assert done.exit_code == 0, done.output
    first, second = content(tmp_path / "out.csv")
    assert first["label"] == alone["labels"][0]["label"]
    assert "'second' is empty" in second["error"]
    for wrong in (["--labels", "Paris"], ["--labels", "Paris,Paris"], ["--labels", "Paris,"], ["--task", "nonsense"]):
        out = tmp_path / "wrong.csv"
        done = run("classify", "--input", source, "--output", out, *wrong, "--model", tiny_folder)
        assert done.exit_code == 1
        assert done.stderr.startswith("Error: ")
        assert not out.exists()


@needs_choose
def test_choose(tiny_folder: Path, tmp_path: Path):
    rows = [
        {"premise": "It rained.", "choice1": "The road is wet.", "choice2": "The house is old.", "question": "effect"},
        {"premise": "Es regnet.", "choice1": "Der Hund.", "choice2": "Das Dach.", "question": "cause"},
        {"premise": "It rained.", "choice1": "One.", "choice2": "", "question": "effect"},
        {"premise": "It rained.", "choice1": "One.", "choice2": "Two.", "question": "why"},
    ]
    for row, language in zip(rows, ["en", "de", "en", "en"], strict=True):
        row["language"] = language
    source = write(tmp_path / "in.csv", rows)
    done = run("choose", "--input", source, "--output", tmp_path / "out.jsonl", "--prompt-column", "premise",
               "--question-column", "question", "--language-column", "language", "--model", tiny_folder)  # fmt: skip
    assert done.exit_code == 0, done.output
    found = content(tmp_path / "out.jsonl")
    assert [bool(row["error"]) for row in found] == [False, False, True, True]
    for row in found[:2]:
        choices = [row["choice1"], row["choice2"]]
        alone = json.loads(run("choose", row["premise"], *choices, "--question", row["question"], "--language",
                               row["language"], "--json", "--model", tiny_folder).stdout)  # fmt: skip
        assert (row["choice"], row["choice_text"]) == (alone["best"], choices[alone["best"]])
        assert row["scores"] == pytest.approx([choice["score"] for choice in alone["choices"]], rel=1e-3, abs=1e-4)
