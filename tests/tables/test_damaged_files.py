"""Files that are damaged, change while they are read, or are not what their names say: one sentence that helps."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from xlmrxl.cli.main import main
from xlmrxl.row_tasks import read_column
from xlmrxl.tables.parquet import DamagedFileError
from xlmrxl.tables.resumable import Counts, process

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ROWS = [{"text": f"sentence {i} or sé <mask>", "n": i, "list": [i, 2], "inner": {"a": i}} for i in range(60)]
WAYS: dict[str, dict[str, Any]] = {
    "snappy": {},
    "plain": {"compression": "none"},
    "gzip": {"compression": "gzip", "use_dictionary": False},
    "zstd": {"compression": "zstd", "data_page_version": "2.0"},
    "checksums": {"write_page_checksum": True},
}
Work = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def shout(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"loud": row["text"].upper()} for row in rows]


def convert(source: Path, target: Path, work: Work = shout, **options: Any) -> Counts:
    options = {"columns": ["text"], "results": ["loud"], "settings": {}, "progress": False} | options
    return process(source, target, work, **options)


def write(path: Path, way: str = "snappy", rows: list[dict[str, Any]] = ROWS) -> bytes:
    parquet.write_table(arrow.Table.from_pylist(rows), path, row_group_size=20, **WAYS[way])
    return path.read_bytes()


def damage_pages(path: Path) -> None:
    """Spoil the last group of rows, and leave the footer as it is."""
    data = bytearray(write(path))
    group = parquet.ParquetFile(path).metadata.row_group(2).column(0)
    at = group.dictionary_page_offset or group.data_page_offset
    data[at : at + group.total_compressed_size] = b"\xff" * group.total_compressed_size
    path.write_bytes(data)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


MUTATED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_damaged_files import convert, mutations
source = Path(sys.argv[2])
for number, data in enumerate(mutations(source, 40)):
    source.write_bytes(data)
    for end in ("parquet", "jsonl"):
        print(number, end, flush=True)  # the last of these is what it died of
        target = source.with_name(f"out.{end}")
        try:
            convert(source, target, force=True)
        except ValueError as error:
            assert str(source) in str(error), error
            assert len(str(error)) < 600
            assert "\\n" not in str(error)
        left = {path.name for path in source.parent.iterdir()} - {source.name, "out.parquet", "out.jsonl"}
        assert not left, left
print("done")
"""


def mutations(path: Path, each: int) -> list[bytes]:
    """Files that were cut short, lack a piece, or have some bytes changed, in the footer more often than elsewhere."""
    found = []
    for way in WAYS:
        chance, whole = random.Random(way), write(path, way)
        for _ in range(each):
            data, how = bytearray(whole), chance.random()
            if how < 0.2:
                del data[chance.randrange(len(data)) :]
            elif how < 0.3:
                begin = chance.randrange(len(data))
                del data[begin : begin + chance.randrange(1, 50)]
            else:
                first = chance.choice([0, len(data) * 2 // 3])
                for _ in range(chance.choice([1, 1, 2, 8])):
                    data[chance.randrange(first, len(data))] = chance.randrange(256)
            found.append(bytes(data))
    return found


def test_mutated_parquet_gets_a_sentence(tmp_path: Path):
    """In a process of its own, which no damaged file may kill or hold up."""
    command = [sys.executable, "-c", MUTATED, str(Path(__file__).parent), str(tmp_path / "in.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout.splitlines()[-1:]
    assert done.stdout.endswith("done\n")


def test_no_rows_are_lost_in_silence(tmp_path: Path):
    """Every number of the footer that could be the 60 rows, or the 20 of a group, made another one."""
    source = tmp_path / "in.parquet"
    whole = write(source, "plain")
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    places = [i for i in range(footer, len(whole) - 8) if whole[i] in (120, 40)]  # zigzag
    refused = 0
    for number, place in enumerate(places):
        for other in (2, 38, 118, 119):
            source.write_bytes(whole[:place] + bytes([other]) + whole[place + 1 :])
            try:
                counts = convert(source, tmp_path / f"out{number}-{other}.jsonl")
            except ValueError as error:
                assert str(source) in str(error)  # noqa: PT017
                refused += 1
            else:
                assert counts.rows == 60
    assert refused >= 4


@pytest.mark.parametrize("end", ["parquet", "jsonl", "csv"])
def test_damaged_pages_leave_nothing_to_go_on_from(end: str, tmp_path: Path):
    source, target = tmp_path / "in.parquet", tmp_path / f"out.{end}"
    damage_pages(source)
    with pytest.raises(DamagedFileError, match=r"in\.parquet cannot be read as Parquet .*Make it again, or copy it"):
        convert(source, target, chunk=5)
    assert names(tmp_path) == {"in.parquet"}


def test_nobody_is_told_to_repeat_what_cannot_help(tiny_folder: Path, tmp_path: Path):
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    damage_pages(source)
    arguments = ["fill", "--input", str(source), "--output", str(target), "--model", str(tiny_folder)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert "in.parquet cannot be read as Parquet" in done.output
    assert "goes on" not in done.output
    assert names(tmp_path) == {"in.parquet"}


def test_a_damaged_copy_does_not_cost_what_was_done(tmp_path: Path):
    """The footer is gone: nothing was begun, and with the good copy the work goes on."""
    source, target = tmp_path / "in.parquet", tmp_path / "out.jsonl"
    whole = write(source)

    def stop(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if rows[0]["n"] >= 20:
            raise KeyboardInterrupt
        return shout(rows)

    with pytest.raises(KeyboardInterrupt):
        convert(source, target, stop, chunk=10)
    source.write_bytes(whole[:-100])
    with pytest.raises(DamagedFileError, match="Make it again"):
        convert(source, target)
    source.write_bytes(whole)
    said: list[str] = []
    assert convert(source, target, say=said.append) == Counts(60, 0)
    assert said == ["Going on after 20 of 60 rows."]


@pytest.mark.parametrize("end", ["parquet", "jsonl"])
@pytest.mark.parametrize("begin", ["parquet", "csv"])
def test_a_source_that_changes_meanwhile(begin: str, end: str, tmp_path: Path):
    source, other = tmp_path / f"in.{begin}", tmp_path / f"other.{begin}"
    if begin == "parquet":
        write(source)
        write(other, "gzip", [{**row, "text": "another"} for row in ROWS[:50]])
    else:
        source.write_text("text\n" + "a\n" * 60)
        other.write_text("text\n" + "another\n" * 50)
    whole = source.read_bytes()

    def touch(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        os.utime(source, (1, 1))
        return shout(rows)

    assert convert(source, tmp_path / f"out.{end}", touch, chunk=10).rows == 60

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if other.exists():
            os.replace(other, source)
        return shout(rows)

    with pytest.raises(ValueError, match=rf"in\.{begin} has changed while it was read. Run it again when"):
        convert(source, tmp_path / f"next.{end}", change, chunk=10)
    assert source.read_bytes() != whole
    assert names(tmp_path) == {source.name, f"out.{end}"}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("in.csv", gzip.compress(b"text\na\n"), "is compressed with gzip. Unpack it: gunzip < in.csv > unpacked.csv"),
        ("in.jsonl", gzip.compress(b'{"text": "a"}\n'), "is compressed with gzip"),
        ("in.csv", bz2.compress(b"text\na\n"), "bzip2"),
        ("in.csv", lzma.compress(b"text\na\n"), "xz"),
        ("in.csv", b"PK\x03\x04\x14\x00", "workbook"),
        ("in.jsonl", "text\na\n".encode("utf-16-le"), "--encoding utf-16-le"),
        ("in.csv", "text\na\n".encode("utf-16-be"), "--encoding utf-16-be"),
        ("in.csv", "text\na\n".encode("utf-16"), "is UTF-16. Say so: .*--encoding utf-16"),
        ("in.parquet", b"", "cannot be read as Parquet"),
        ("in.parquet", b"text\na\n", "cannot be read as Parquet"),
        ("in.parquet", b"PAR1PAR1", "cannot be read as Parquet"),
        ("in.parquet", gzip.compress(b"PAR1"), "cannot be read as Parquet"),
    ],
    ids=["gzip", "gzip-jsonl", "bzip2", "xz", "zip", "utf-16-le", "utf-16-be", "utf-16", "empty", "csv", "tiny", "gz"],
)
def test_what_is_not_what_its_name_says(name: str, data: bytes, words: str, tmp_path: Path):
    source = tmp_path / name
    source.write_bytes(data)
    for task in (lambda: convert(source, tmp_path / "out.jsonl"), lambda: list(read_column(source, "text"))):
        with pytest.raises(ValueError, match=words) as caught:
            task()
        assert str(source) in str(caught.value)
    assert names(tmp_path) == {name}


def test_parquet_under_the_name_of_csv(tmp_path: Path):
    write(tmp_path / "in.parquet")
    os.replace(tmp_path / "in.parquet", tmp_path / "in.csv")
    with pytest.raises(ValueError, match=r"in\.csv is Parquet"):
        convert(tmp_path / "in.csv", tmp_path / "out.csv")


def test_parquet_without_rows_is_in_order(tmp_path: Path):
    parquet.write_table(arrow.table({"text": arrow.array([], arrow.string())}), tmp_path / "in.parquet")
    assert convert(tmp_path / "in.parquet", tmp_path / "out.parquet") == Counts(0, 0)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the rights of files count for users only")
def test_a_file_that_may_not_be_read(tmp_path: Path):
    source = tmp_path / "in.csv"
    source.write_text("text\na\n")
    source.chmod(0)
    with pytest.raises(ValueError, match="may not be read"):
        convert(source, tmp_path / "out.csv")
