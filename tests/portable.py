"""Run the test suite under different processor kernels, numbers of threads and Python versions.

    python tests/portable.py                            # every setting, then every Python that is found
    python tests/portable.py default avx2 -- -x -m "not slow"

Names choose what runs: those of `SETTINGS`, `kernels` for all of these, `pythons` for all other Pythons, or one such
as `python3.12`. What follows `--` goes to pytest. What this machine lacks is skipped and reported, never counted as
passed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".portable"
VERSIONS = [(3, minor) for minor in range(10, 15)]
# What decides how floats are computed. PyTorch obeys the first even on a processor that lacks the instructions.
VARIABLES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "OMP_NUM_THREADS")
# Few runs in which each variable takes each of its values.
SETTINGS = {
    "default": ("default", "AVX2", "1"),
    "avx2": ("avx2", "AVX512_CORE", "4"),
    "avx512": ("avx512", "AVX512_CORE", "1"),
}
# In order of what they offer: a processor of one level can do what is before it.
LEVELS = ["DEFAULT", "AVX2", "AVX512"]


@dataclass
class Run:
    """One run of the suite, planned or finished."""

    name: str
    python: str
    variables: dict[str, str] = field(default_factory=dict)
    obstacle: str = ""  # why it cannot run here
    note: str = ""
    outcome: str = ""


def detect_capability() -> str:
    """Return the best kernels that PyTorch has for this processor, as `LEVELS` names them.

    A child without `VARIABLES` is asked, since PyTorch repeats what ATEN_CPU_CAPABILITY claims.
    """
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def plan_kernels() -> list[Run]:
    """Return a run for each of `SETTINGS`, with the obstacles and the limits of this processor."""
    best = detect_capability()
    level = LEVELS.index(best) if best in LEVELS else 0
    runs = []
    for name, values in SETTINGS.items():
        run = Run(name, sys.executable, dict(zip(VARIABLES, values, strict=True)))
        aten, onednn, _ = values
        if LEVELS.index(aten.upper()) > level:
            run.obstacle = f"this processor has no {aten}; PyTorch's best kernels for it are {best}"
        elif LEVELS.index(onednn.removesuffix("_CORE")) > level:
            run.note = f"oneDNN may use {onednn}, which this processor lacks: it computed with less"
        runs.append(run)
    return runs


def find_pythons() -> dict[tuple[int, int], str]:
    """Return a working interpreter for each of `VERSIONS` that is found.

    Looked at, in this order: the paths in the variable PYTHONS, `PATH`, and the versions that pyenv keeps.
    """
    candidates = [*os.environ.get("PYTHONS", "").split(), *list_pythons()]
    found: dict[tuple[int, int], str] = {}
    for path in candidates:
        code = "import sys; print(*sys.version_info[:2])"
        try:
            answer = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        except OSError:
            continue
        # pyenv's stand-ins exist for every version and fail for those that are not active.
        if answer.returncode == 0:
            major, minor = map(int, answer.stdout.split())
            found.setdefault((major, minor), path)
    return {version: found[version] for version in VERSIONS if version in found}


def list_pythons() -> Iterator[str]:
    """Yield the paths of interpreters that may exist, of `PATH` first and then of pyenv, the newest patch first."""
    for major, minor in VERSIONS:
        if path := shutil.which(f"python{major}.{minor}"):
            yield path
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for major, minor in VERSIONS:
        patches = {path.name.rpartition(".")[2]: path for path in versions.glob(f"{major}.{minor}.*")}
        for patch in sorted((int(patch) for patch in patches if patch.isdigit()), reverse=True):
            yield str(patches[str(patch)] / "bin" / "python")


def plan_pythons() -> list[Run]:
    """Return a run for each of `VERSIONS` but the one that runs this script, whose runs are those of the kernels."""
    found = find_pythons()
    runs = []
    for version in VERSIONS:
        if version == sys.version_info[:2]:
            continue
        run = Run("python{}.{}".format(*version), found.get(version, ""))
        if not run.python:
            run.obstacle = "not found on PATH, among pyenv's versions or in the variable PYTHONS"
        runs.append(run)
    return runs


def prepare(run: Run) -> str:
    """Return the interpreter that a run uses, after installing what the tests need into an environment of its own."""
    if run.variables:
        return run.python
    folder = ENVIRONMENTS / run.name
    stamp, python = folder / ".installed", str(folder / "bin" / "python")
    needed = [ROOT / "constraints.txt", ROOT / "pyproject.toml"]
    if not stamp.exists() or stamp.stat().st_mtime < max(file.stat().st_mtime for file in needed):
        print(f"Installing for {run.name} into {folder.relative_to(ROOT)}.", flush=True)
        subprocess.run([run.python, "-m", "venv", str(folder)], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--constraint", "constraints.txt", "--editable", ".[dev]"], cwd=ROOT, check=True)
        stamp.touch()
    return python


def execute(run: Run, arguments: Sequence[str]) -> None:
    """Run the suite as planned and record the outcome."""
    if run.obstacle:
        run.outcome = f"SKIPPED: {run.obstacle}"
        return
    print(f"\n== {run.name}: {describe(run)}", flush=True)
    began = time.monotonic()
    try:
        command = [prepare(run), "-m", "pytest", *arguments]
        code = subprocess.run(command, cwd=ROOT, env=os.environ | run.variables, check=False).returncode
        word = "passed" if code == 0 else f"FAILED (pytest returned {code})"
    except subprocess.CalledProcessError as error:
        word = f"FAILED (could not be installed: {error})"
    run.outcome = f"{word} after {time.monotonic() - began:.0f} s{f'; {run.note}' if run.note else ''}"


def describe(run: Run) -> str:
    """Return the variables of a run, or its interpreter where it sets none."""
    return " ".join(f"{name}={value}" for name, value in run.variables.items()) or run.python


def choose(names: Sequence[str]) -> list[Run]:
    """Return the runs that names ask for, all of them for none.

    Raises:
        SystemExit: If a name is not one of a run or of a group.
    """
    groups = {"kernels": [*SETTINGS], "pythons": ["python{}.{}".format(*version) for version in VERSIONS]}
    every = [name for group in groups.values() for name in group]
    if unknown := [name for name in names if name not in every and name not in groups]:
        raise SystemExit(f"Unknown: {', '.join(unknown)}. There are: {', '.join([*groups, *every])}.")
    wanted = [one for name in names or groups for one in groups.get(name, [name])]
    kernels = plan_kernels() if set(wanted) & set(SETTINGS) else []
    pythons = plan_pythons() if set(wanted) - set(SETTINGS) else []
    return [run for run in [*kernels, *pythons] if run.name in wanted]


def main() -> int:
    """Run what was asked for, print a table of outcomes and return 1 if anything failed or nothing ran."""
    arguments = sys.argv[1:]
    at = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="settings to run: all of them unless some are named")
    parser.add_argument("--list", action="store_true", help="say what would run and run nothing")
    options = parser.parse_args(arguments[:at])
    runs = choose(options.names)
    for run in runs:
        print(f"{run.name:12}{f'skipped: {run.obstacle}' if run.obstacle else describe(run)}")
    if options.list:
        return 0
    for run in runs:
        execute(run, arguments[at + 1 :])
    print("\n== Outcomes")
    for run in runs:
        print(f"{run.name:12}{run.outcome}")
    ran = [run for run in runs if not run.obstacle]
    return int(not ran or any("FAILED" in run.outcome for run in ran))


if __name__ == "__main__":
    sys.exit(main())
