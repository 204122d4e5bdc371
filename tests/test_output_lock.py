"""One job at a time on one output, with real processes; one that is stopped halfway stands for one that takes long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from xlmrxl.cli.main import main
from xlmrxl.errors import CheckpointError
from xlmrxl.output_lock import check_unlocked, lock_output
from xlmrxl.quantize import quantize
from xlmrxl.space.build import build
from xlmrxl.tables.resumable import process

posix = pytest.mark.skipif(sys.platform == "win32", reason="stops processes by signals")
HOLD = """
import sys, time
from pathlib import Path
from xlmrxl.output_lock import lock_output
with lock_output(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""
WORK = """
import os, signal, sys
from pathlib import Path
from xlmrxl.tables.resumable import process
calls = []
def work(rows):
    calls.append(rows)
    if len(calls) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGSTOP)
    return [{"loud": row["text"].upper()} for row in rows]
said = []
process(Path(sys.argv[1]), Path(sys.argv[2]), work, columns=["text"], results=["loud"], settings={}, chunk=1,
        progress=False, say=said.append)
print(*said)
"""
QUANTIZE = """
import os, signal, sys
from xlmrxl.quantize import quantize
calls = []
def progress(done, total):
    calls.append(done)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGSTOP)
quantize(sys.argv[1], sys.argv[2], "8bit", progress=progress)
"""
BUILD = """
import os, signal, shutil, sys
from xlmrxl.space import build
copytree = shutil.copytree
def copy(*arguments, **options):
    shutil.copytree = copytree
    os.kill(os.getpid(), signal.SIGSTOP)
    return copytree(*arguments, **options)
shutil.copytree = copy
build.build(sys.argv[1])
"""


@contextmanager
def halted(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that has stopped itself, and that goes on to its end afterwards unless it is killed."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        _, status = os.waitpid(job.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), job.stderr and job.stderr.read()
        yield job
        job.send_signal(signal.SIGCONT)
        _, errors = job.communicate(timeout=120)
        assert job.returncode in (0, -signal.SIGKILL), errors
    finally:
        job.kill()
        job.communicate()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def sentences(path: Path, count: int) -> Path:
    path.write_text("text\n" + "".join(f"sentence {i}\n" for i in range(count)))
    return path


def test_a_lock_is_held_once_and_leaves_nothing(tmp_path: Path):
    target = tmp_path / "out.csv"
    with lock_output(target):
        with pytest.raises(ValueError, match=r"Another job is writing .*out.csv. Wait until it ends, or choose"):
            check_unlocked(target)
        with lock_output(tmp_path / "other.csv"):
            pass
        assert names(tmp_path) == {".out.csv.lock"}
    check_unlocked(target)
    assert names(tmp_path) == set()


def test_a_killed_process_leaves_no_lock(tmp_path: Path):
    target = tmp_path / "out.csv"
    command = [sys.executable, "-c", HOLD, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(ValueError, match="Another job"), lock_output(target):
            pass
        holder.kill()
    with lock_output(target):
        pass
    assert names(tmp_path) == set()


def test_many_at_once_are_never_two_inside(tmp_path: Path):
    """The file is removed and made anew all the time; whoever has opened the old one must notice."""
    code = """
import os, sys
from pathlib import Path
from xlmrxl.output_lock import lock_output
target, inside, times = Path(sys.argv[1]), Path(sys.argv[2]), 0
while times < 200:
    try:
        with lock_output(target):
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
            inside.unlink()
            times += 1
    except ValueError:
        pass
"""
    command = [sys.executable, "-c", code, str(tmp_path / "out"), str(tmp_path / "inside")]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for each in processes:
        _, errors = each.communicate(timeout=120)
        assert (each.returncode, errors) == (0, "")
    assert names(tmp_path) == set()


@posix
def test_two_jobs_on_one_file(tmp_path: Path):
    source, target = sentences(tmp_path / "in.csv", 40), tmp_path / "out.csv"
    arguments = ["fill", "--input", str(source), "--output", str(target), "--text-column", "text", "--overwrite"]
    with halted(WORK, source, target, 20):
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(ValueError, match=r"Another job is writing .*out.csv"):
            process(source, target, list, columns=["text"], results=[], settings={}, force=True, progress=False)
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 1
        assert "Another job is writing" in done.output
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert target.read_text().splitlines()[40] == "sentence 39,SENTENCE 39,"
    assert names(tmp_path) == {"in.csv", "out.csv"}


@posix
def test_after_a_kill_the_next_job_goes_on(tmp_path: Path):
    source, target = sentences(tmp_path / "in.csv", 100), tmp_path / "out.csv"
    with halted(WORK, source, target, 20) as first:
        first.kill()
    command = [sys.executable, "-c", WORK, str(source), str(target), "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "Going on after 19 of 100 rows.\n"
    assert names(tmp_path) == {"in.csv", "out.csv"}


@posix
def test_two_jobs_on_one_quantised_checkpoint(tiny_folder: Path, tmp_path: Path):
    target = tmp_path / "new" / "small"
    with halted(QUANTIZE, tiny_folder, target):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(ValueError, match=r"Another job is writing .*small"):
            quantize(tiny_folder, target, "8bit", progress=False)
        assert sorted(tmp_path.rglob("*")) == before
    assert {"config.json", "model.safetensors"} <= names(target)
    assert names(target.parent) == {"small"}
    with pytest.raises(CheckpointError, match="exists already"):
        quantize(tiny_folder, target, "8bit", progress=False)


@posix
def test_two_jobs_on_one_space(tmp_path: Path):
    target = tmp_path / "new" / "space"
    with halted(BUILD, target):
        with pytest.raises(ValueError, match=r"Another job is writing .*space"):
            build(target, overwrite=True)
        assert names(target.parent) == {".space.partial", ".space.lock"}
    assert {"app.py", "README.md", "xlmrxl"} <= names(target)
    assert names(target.parent) == {"space"}
