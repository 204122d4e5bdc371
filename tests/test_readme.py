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
        [sys.executable, "-m", "xlmrxl.cli.main", *command],
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


FILES = {
    "sentences.txt": "Paris is the <mask> of France.\nShe <mask> born in London.\n",
    "sentences.csv": "text\nParis is the <mask> of France.\n",
    "reviews.jsonl": '{"text": "I love this book.", "language": "en"}\n{"text": "Ein gutes Buch.", "language": "de"}\n',
    "questions.jsonl": '{"premise": "It fell.", "question": "effect", "choices": ["It broke.", "It sang."]}\n',
    "reviews.csv": "text,label,language\n"
    + "".join(f"A {word} book {i}.,{label},en\n" for i in range(4) for word, label in (("good", "yes"), ("bad", "no"))),
    "others.csv": "text,label,language\nUn bon livre.,yes,fr\nEin schlechtes Buch.,no,de\n",
}
"""What the commands of the README read."""
ELSEWHERE = re.compile(r"facebook/|xlmrxl (app|space)")
"""What needs the Hub, or goes on until it is stopped; other tests start these."""


def lines() -> list[str]:
    """Each command of the README that stands in a block of several."""
    found = re.findall(r"^(xlmrxl [^\n]*)$", re.sub(r"^```sh\n.*?^```$", "", README, flags=re.M | re.S), re.MULTILINE)
    return [line for line in found if not ELSEWHERE.search(line)]


@pytest.mark.slow
def test_commands_run_one_after_the_other(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert len(lines()) >= 8
    for line in lines():
        command = shlex.split(line, comments=True)[1:]
        done = subprocess.run(
            [sys.executable, "-m", "xlmrxl.cli.main", *command],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr[-1500:]}"
        if "--output" in command:
            assert (tmp_path / command[command.index("--output") + 1]).stat().st_size > 0
        else:
            assert done.stdout.strip() or done.stderr.strip()
