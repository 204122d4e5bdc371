"""Every example of the README and of docs/ runs as it stands, and what it shows is what comes out.

On each page, blocks of Python run one after the other on the embedded model, as a reader would type them. A block that
follows one and is marked `text` is what it prints. A block marked `sh` is a command with what it prints; the lines of
unmarked blocks that begin with `xlmrxl` are commands that run one after the other.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if not {"_build", "_generated"} & set(path.parts)
}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
FILES = {
    "sentences.txt": "Paris is the <mask> of France.\nShe <mask> born in London.\n",
    "sentences.csv": "text\nParis is the <mask> of France.\n",
    "reviews.jsonl": '{"text": "I love this book.", "language": "en"}\n{"text": "Ein gutes Buch.", "language": "de"}\n',
    "questions.jsonl": '{"premise": "It fell.", "question": "effect", "choices": ["It broke.", "It sang."]}\n',
    "reviews.csv": "text,label,language\n"
    + "".join(f"A {word} book {i}.,{label},en\n" for i in range(4) for word, label in (("good", "yes"), ("bad", "no"))),
    "others.csv": "text,label,language\nUn bon livre.,yes,fr\nEin schlechtes Buch.,no,de\n",
}
"""What the commands of the pages read."""
ELSEWHERE = re.compile(r"facebook/|xlmrxl (app|space)")
"""What needs the Hub, or goes on until it is stopped; other tests start these."""


@dataclass(frozen=True)
class Block:
    """A block of code and what it prints, if the page says so."""

    language: str
    code: str
    shown: str | None

    def __str__(self) -> str:
        return self.code.strip().splitlines()[0][:50]


def read_blocks(page: str) -> list[Block]:
    """Return the marked blocks of a page in order, each with the output that follows it."""
    pattern = re.compile(r"^```(\w+)\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], match[3]) for match in pattern.finditer(PAGES[page])]


def read_commands(page: str) -> list[str]:
    """Return each command of a page that stands in an unmarked block."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)
    lines = [line for language, code in blocks if not language for line in code.splitlines()]
    return [line for line in lines if line.startswith("xlmrxl ") and not ELSEWHERE.search(line)]


def assert_shown(found: str, shown: str) -> None:
    """Compare the words; the numbers may differ by what another processor rounds otherwise."""
    assert NUMBER.sub("#", found).split() == NUMBER.sub("#", shown).split(), found
    for one, other in zip(NUMBER.findall(found), NUMBER.findall(shown), strict=True):
        step = 10.0 ** -len(other.partition(".")[2])
        assert math.isclose(float(one), float(other), abs_tol=2 * step, rel_tol=0.02), f"{one} is not {other}:\n{found}"


def run_command(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of xlmrxl in a folder."""
    command = shlex.split(line.replace("\\\n", " "), comments=True)
    assert command.pop(0) == "xlmrxl"
    done = subprocess.run(
        [sys.executable, "-m", "xlmrxl.cli.main", *command],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stderr[-1500:]}"
    return done


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language == "python" for b in read_blocks(page))])
def test_python_runs_and_prints_what_is_shown(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in read_blocks(page):
        if block.language != "python":
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block.code, f"{page}: {block}", "exec"), names)
        if block.shown is not None:
            assert_shown(out.getvalue(), block.shown)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "block"),
    [(page, block) for page in PAGES for block in read_blocks(page) if block.language == "sh"],
    ids=str,
)
def test_commands_print_what_is_shown(page: str, block: Block, tmp_path: Path):
    assert block.shown is not None, page
    assert_shown(run_command(block.code, tmp_path).stdout, block.shown)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if read_commands(page)])
def test_commands_run_one_after_the_other(page: str, tmp_path: Path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for line in read_commands(page):
        done = run_command(line, tmp_path)
        if "--output" in line:
            written = re.search(r"--output (\S+)", line)
            assert written
            assert (tmp_path / written[1]).stat().st_size > 0
        else:
            assert done.stdout.strip() or done.stderr.strip()


def test_there_is_something_to_run():
    blocks = [block for page in PAGES for block in read_blocks(page)]
    assert len([block for block in blocks if block.language == "python"]) >= 15
    assert len([block for block in blocks if block.language == "python" and block.shown]) >= 9
    assert len([block for block in blocks if block.language == "sh"]) >= 2
    assert sum(len(read_commands(page)) for page in PAGES) >= 10


def test_the_readme_is_short_and_its_examples_are_real():
    assert len(PAGES["README.md"].splitlines()) <= 120
    examples = [block for block in read_blocks("README.md") if block.language in ("python", "sh")]
    assert len(examples) == 5
    assert all(example.shown for example in examples)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_what_is_there(page: str):
    targets = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", PAGES[page])
    for target in filter(None, (one or other for one, other in targets)):
        if "://" not in target and not target.startswith("#"):
            assert ((ROOT / page).parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/how_it_works.md"])
def test_the_map_names_what_is_there(page: str):
    named = set(re.findall(r"[\w/]*\w+\.(?:py|json)\b", (ROOT / page).read_text(encoding="utf-8")))
    folders = ("xlmrxl", "app", "widgets", "spaces", "tests", "docs", "benchmarks", "training")
    files = [path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.*")]
    assert len(named) > 5
    assert [name for name in sorted(named) if not any(f"/{file}".endswith(f"/{name}") for file in files)] == []


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch):
    """What makes the generated pages."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import generate

    return generate


def test_the_readme_quotes_the_figures_of_the_benchmarks(generate):
    quoted = re.search(r"<!-- figures: .* -->\n(.*?)\n<!-- end of figures -->", PAGES["README.md"], re.DOTALL)
    assert quoted
    assert quoted[1] == generate.write_readme_figures()


RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_have_one_shape(path: Path, generate):
    result = json.loads(path.read_text(encoding="utf-8"))
    assert set(result) == {"title", "command", "date", "commit", "machine", "versions", "note", "tables"}
    assert result["machine"].keys() <= {"processor", "cores", "threads", "memory_gb", "load"}
    # A script's name, or that and what it was run with.
    script = re.search(r"benchmarks/(\w+)\.py|^xlmrxl ", result["command"])
    assert script
    assert script[1] is None or (ROOT / "benchmarks" / f"{script[1]}.py").exists()
    assert result["date"] is None or re.fullmatch(r"\d{4}-\d\d-\d\d", result["date"])
    assert result["date"] or result["note"]
    assert result["tables"]
    for table in result["tables"]:
        assert all(len(row) == len(table["columns"]) for row in table["rows"])
    assert result["title"] in generate.write_benchmarks(path.parent)
    assert str(Path.home()) not in path.read_text(encoding="utf-8")


def test_a_benchmark_writes_what_the_documentation_reads(tmp_path: Path, generate, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import measure

    monkeypatch.setattr(sys, "argv", ["benchmarks/shown.py", "/some/where/XL", "--out", "x.json", "--rounds", "3"])
    results = measure.Results("A title")
    results.add("What was measured", ["", "time, s"], [["one | two", 1.23456], ["three", 4567.8]])
    results.write(tmp_path / "shown.json")
    found = json.loads((tmp_path / "shown.json").read_text(encoding="utf-8"))
    assert found["command"] == "python benchmarks/shown.py XL --rounds 3"
    assert found["machine"]["processor"]
    page = generate.write_benchmarks(tmp_path)
    assert "## A title" in page
    assert "| one \\| two | 1.23 |\n| three | 4,568 |" in page
    assert f"measured on {found['date']}" in page
