"""Every example of the README runs as it stands, and what it shows is what comes out.

Blocks of Python run one after the other on the embedded model, as a reader would type them. A block that follows one
and is marked `text` is what it prints. What needs a checkpoint that is not at hand is marked with a comment above it.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
NEEDS_XL = "<!-- needs the real checkpoint -->"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Block:
    """A block of code and what it prints, if the README says so."""

    language: str
    code: str
    shown: str | None
    needs_xl: bool

    def __str__(self) -> str:
        return self.code.strip().splitlines()[0][:50]


def blocks() -> list[Block]:
    """The blocks of the README in order, each with the output that follows it."""
    pattern = re.compile(r"^```(\w+)\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
    return [
        Block(match[1], match[2], match[3], README[: match.start()].rstrip().endswith(NEEDS_XL))
        for match in pattern.finditer(README)
    ]


def assert_shown(found: str, shown: str) -> None:
    """The same words; the numbers may differ by what another processor rounds otherwise."""
    assert NUMBER.sub("#", found).split() == NUMBER.sub("#", shown).split(), found
    for one, other in zip(NUMBER.findall(found), NUMBER.findall(shown), strict=True):
        step = 10.0 ** -len(other.partition(".")[2])
        assert math.isclose(float(one), float(other), abs_tol=2 * step, rel_tol=0.02), f"{one} is not {other}:\n{found}"


@pytest.mark.slow
def test_python_runs_and_prints_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    ran = 0
    for block in blocks():
        if block.language != "python" or block.needs_xl:
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block.code, f"README: {block}", "exec"), names)
        if block.shown is not None:
            assert_shown(out.getvalue(), block.shown)
        ran += 1
    assert ran >= 6


def commands() -> list[tuple[str, str | None]]:
    """The commands that the README shows with what they print."""
    return [
        (block.code, block.shown)
        for block in blocks()
        if block.language == "sh" and block.shown is not None and not block.needs_xl
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("code", "shown"), commands(), ids=[code[:50] for code, _ in commands()])
def test_commands_print_what_is_shown(code, shown, tmp_path):
    command = shlex.split(code.replace("\\\n", " "), comments=True)
    assert command.pop(0) == "xlmrxl"
    environment = {**os.environ, "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-m", "xlmrxl.cli", *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert_shown(done.stdout, shown)


def test_there_is_something_to_run():
    assert commands()
    assert sum(block.language == "python" and not block.needs_xl for block in blocks()) >= 6
