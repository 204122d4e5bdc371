"""What the benchmarks share: sentences with a mask, how long something takes, and the JSON that figures are written to.

Every script makes `Results`, adds its tables, and writes them to `benchmarks/results/NAME.json`: the figures, the
command, the machine, the versions, the date and the commit. The tables of the documentation are made from these files
(docs/generate.py). A machine that does other work beside is not quiet: its load before the run is written down as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeAlias

import psutil
import torch

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("xlmrxl", "torch", "transformers", "bitsandbytes", "gradio")
TEXT = """the old house near river was empty when they came back to village in summer and winter people small large
children water bread garden school friend night morning street city book letter music table window"""

Cell: TypeAlias = str | int | float


def make_sentences(count: int, tokens: int, length: Callable[[str], int]) -> list[str]:
    """Return texts of so many tokens, special ones included, each with one mask at another position.

    Args:
        count: how many.
        tokens: of each text.
        length: counts the tokens of a text.
    """
    generator = torch.Generator().manual_seed(0)
    pool = TEXT.split()
    found = []
    while len(found) < count:
        order = torch.randint(len(pool), (tokens,), generator=generator).tolist()
        words = [pool[i] for i in order]
        words[int(torch.randint(3, (1,), generator=generator))] = "<mask>"
        while length(" ".join(words)) > tokens:
            words.pop()
        found.append(" ".join(words))
    return found


def time_seconds(work: Callable[[], object]) -> float:
    """Run something and return how long it took, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of a benchmark's options, with where its figures are written."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="file for the figures; benchmarks/results/NAME.json if not given")
    return parser


class Results:
    """The figures of one run: printed as they come, written as JSON at the end."""

    def __init__(self, title: str) -> None:
        """Begin a run; `title` is that of its section in the documentation. The script's name is that of the file."""
        self.name = Path(sys.argv[0]).stem
        self.title = title
        self.tables: list[dict[str, object]] = []
        self.load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None

    def add(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Print a table and keep it.

        Args:
            title: what the table is of; empty where the run has one.
            columns: their names, with units.
            rows: a text or a figure for each column.
        """
        self.tables.append({"title": title, "columns": list(columns), "rows": [list(row) for row in rows]})
        cells = [list(columns), *([_format(cell) for cell in row] for row in rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
        if title:
            print(title)
        for row in cells:
            print("  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]))
        sys.stdout.flush()

    def write(self, path: Path | None = None) -> None:
        """Write everything that was added, with the machine, the versions, the date and the commit."""
        path = path or RESULTS / f"{self.name}.json"
        found = {
            "title": self.title,
            "command": " ".join(["python", f"benchmarks/{self.name}.py", *_list_arguments()]),
            "date": datetime.now(timezone.utc).date().isoformat(),
            "commit": read_commit(),
            "machine": {**describe_machine(), "load": self.load},
            "versions": {"python": platform.python_version(), **read_versions()},
            "note": "",
            "tables": self.tables,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(f"written to {path}")


def _format(cell: Cell) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _list_arguments() -> list[str]:
    """Return the arguments of the command; of a file only its name, since its folder is that of one machine."""
    arguments, skip = [], False
    for argument in sys.argv[1:]:
        if not skip and argument != "--out":
            arguments.append(Path(argument).name if os.sep in argument else argument)
        skip = argument == "--out"
    return arguments


def describe_machine() -> dict[str, Cell]:
    """Return the processor, how many threads torch takes of how many cores, and the memory in GB."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return {
        "processor": f"{name} ({torch.backends.cpu.get_cpu_capability()})",
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
    }


def read_versions() -> dict[str, str]:
    """Return the versions of what is measured and of its peers, where they are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def read_commit() -> str | None:
    """Return the commit that is measured, or None outside of a clone; `+` says that files were changed since."""
    done = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or None
