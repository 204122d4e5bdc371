"""The command line as a person or a program runs it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import xlmrxl
from xlmrxl.cli.main import main

TEXT = "The capital of France is <mask>."


def run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xlmrxl.cli.main", *arguments], capture_output=True, text=True, input=text, check=False
    )


def test_json_is_the_contract(tiny_folder: Path):
    done = run("fill", TEXT, "<mask> and <mask>", "--top-k", "3", "--json", "--model", str(tiny_folder))
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    expected = [
        json.loads(r.to_json()) for r in xlmrxl.load(tiny_folder).fill_mask([TEXT, "<mask> and <mask>"], top_k=3)
    ]
    assert [line["text"] for line in lines] == [TEXT, "<mask> and <mask>"]
    for line, result in zip(lines, expected, strict=True):
        assert set(line) == {"text", "masks", "source"}
        for mask, wanted in zip(line["masks"], result["masks"], strict=True):
            assert set(mask) == {"fills"}
            assert [fill["text"] for fill in mask["fills"]] == [fill["text"] for fill in wanted["fills"]]
            probabilities = [fill["probability"] for fill in mask["fills"]]
            assert probabilities == sorted(probabilities, reverse=True)
            assert probabilities == pytest.approx([fill["probability"] for fill in wanted["fills"]], rel=1e-4)


def test_text_for_people(tiny_folder: Path):
    done = run("fill", "-", "--model", str(tiny_folder), text=f"{TEXT}\n\n<mask>.\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert TEXT in done.stdout
    assert done.stdout.count("%") == 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fill", "no mask here"], "There is no <mask>"),
        (["fill", TEXT, "--model", "./nowhere"], "There is no folder './nowhere'"),
        (["fill", TEXT, "--top-k", "0"], "0 is not in the range"),
        (["fill", TEXT, "--device", "warp"], "device is 'warp'"),
        (["fill"], "Missing argument"),
        (["fil", TEXT], "No such command"),
    ],
)
def test_mistakes_get_a_sentence_and_no_traceback(arguments: list[str], words: str, tiny_folder: Path):
    if "--model" not in arguments:
        arguments = [*arguments, "--model", str(tiny_folder)] if len(arguments) > 1 else arguments
    done = run(*arguments)
    assert done.returncode != 0
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_gradio_the_app_says_what_to_install(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    for name in [name for name in sys.modules if name.startswith("xlmrxl.app")]:
        monkeypatch.delitem(sys.modules, name)
    done = CliRunner().invoke(main, ["app", "--model", str(tiny_folder)])
    assert done.exit_code == 1
    assert "pip install 'gradio" in done.output


def test_version_and_help():
    assert xlmrxl.__version__ in run("--version").stdout
    done = run("--help")
    assert "fill" in done.stdout
    assert "app" in done.stdout


def test_the_installed_command(tiny_folder: Path):
    command = Path(sys.executable).with_name("xlmrxl")
    if not command.exists():
        pytest.skip("the package is not installed, so there is no xlmrxl command")
    done = subprocess.run(
        [command, "fill", TEXT, "--json", "--model", tiny_folder], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["text"] == TEXT


@pytest.mark.slow
def test_a_cold_fill_takes_little_more_than_importing_torch():
    """At most 1.5 times `import torch`: measured in turn, as processes of their own, the medians compared."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    commands = ([sys.executable, "-c", "import torch"], [sys.executable, "-m", "xlmrxl.cli.main", "fill", TEXT])
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(8):
        for command, taken in zip(commands, times, strict=True):
            start = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True, env=environment)
            if turn:
                taken.append(time.perf_counter() - start)
    assert statistics.median(times[1]) <= 1.5 * statistics.median(times[0])
