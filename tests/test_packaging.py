"""What is built and installed: every module and data file, nothing else; a version and install lines in one place."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import xlmrxl

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[1]
FOLDERS = {"xlmrxl": "xlmrxl", "app": "xlmrxl/app", "widgets": "xlmrxl/widgets", "spaces": "xlmrxl/spaces"}
"""The folders of the repository that are packages, and where they are installed."""
IN_SDIST = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "README.md", "constraints.txt", "pyproject.toml"}
BUNDLED = {".css", ".js", ".ts"}
LARGEST_WHEEL = 48_000_000
"""Bytes. The embedded model is 43 million of them, and hardly compresses."""
INSTALLING = "docs/installing.md"
"""The one place that says how to install an extra, until the package is on an index."""


def read_metadata() -> dict:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def list_shipped() -> dict[str, str]:
    """Return where each file of the packages is installed, by its path in the repository.

    Of JavaScript and its styles only what is bundled is shipped, which pyproject.toml names.
    """
    setuptools = read_metadata()["tool"]["setuptools"]
    shipped = {}
    for folder, target in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*")):
            inner = path.relative_to(ROOT / folder)
            if not path.is_file() or "__pycache__" in inner.parts:
                continue
            folders = [target.replace("/", "."), *inner.parts[:-1]]
            depth = max(n for n in range(1, len(folders) + 1) if ".".join(folders[:n]) in setuptools["packages"])
            named = setuptools["package-data"].get(".".join(folders[:depth]), [])
            if path.suffix in BUNDLED and not any(inner.match(name) for name in named):
                continue
            shipped[f"{folder}/{inner.as_posix()}"] = f"{target}/{inner.as_posix()}"
    return shipped


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build a source distribution and, from it, a wheel, with the setuptools that is installed: nothing is fetched."""
    pytest.importorskip("build")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in sorted(IN_SDIST):
        shutil.copy2(ROOT / name, source)
    for name in (*FOLDERS, "training", "benchmarks", "tests", "docs"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "build", "node_modules")
        )
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(built: tuple[Path, Path]):
    _, wheel = built
    assert wheel.name == f"xlmrxl-{xlmrxl.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == set(list_shipped().values())
    assert 40_000_000 < wheel.stat().st_size < LARGEST_WHEEL


@pytest.mark.slow
def test_the_source_distribution_has_what_is_built_and_nothing_else(built: tuple[Path, Path]):
    with tarfile.open(built[0]) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    made = {"PKG-INFO", "setup.cfg"}
    assert {name for name in names if not name.startswith("xlmrxl.egg-info/")} - made == IN_SDIST | set(list_shipped())


@pytest.mark.slow
def test_the_wheel_works_where_it_is_installed(built: tuple[Path, Path], tmp_path: Path):
    """In an environment of its own, beside the dependencies of this one; the editable install is not seen there."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    command = [programs / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", built[1]]
    subprocess.run(command, check=True)
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib"), "PYTHONSAFEPATH": "1"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    where = run(str(programs / "python"), "-c", "import xlmrxl; print(xlmrxl.__file__)")
    assert Path(where.strip()).is_relative_to(home)
    program = str(programs / "xlmrxl")
    assert run(program, "--version").split()[-1] == xlmrxl.__version__
    assert "The <mask> is blue." in run(program, "fill", "The <mask> is blue.", "--top-k", "1")


def test_the_version_stands_once():
    metadata = read_metadata()
    assert "version" not in metadata["project"]
    assert metadata["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "xlmrxl.version.__version__"}
    assert not re.search(r"^version:", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest
    assert newest[1] in {"Unreleased", xlmrxl.__version__}


def test_every_package_is_installed():
    setuptools = read_metadata()["tool"]["setuptools"]
    packages = {
        ".".join((target, *path.parent.relative_to(ROOT / folder).parts)).replace("/", ".")
        for folder, target in FOLDERS.items()
        for path in (ROOT / folder).rglob("*.py")
    }
    assert packages == set(setuptools["packages"])


def test_only_one_page_says_how_to_install_an_extra():
    """The package is on no index: a line that asks one for it gets nothing, or somebody else's."""
    said = re.compile(r"pip install[^\n`]*\bxlmrxl\b")
    texts = [
        path
        for folder in (".", *FOLDERS, "docs", "training", "benchmarks", "tests")
        for path in ((ROOT / folder).glob("*") if folder == "." else (ROOT / folder).rglob("*"))
        if path.suffix in {".md", ".py", ".js", ".json", ".ipynb", ".toml", ".cff"}
        and not {"_build", "node_modules"} & set(path.parts)
    ]
    assert len(texts) > 200
    found = {path.relative_to(ROOT).as_posix() for path in texts if said.search(path.read_text(encoding="utf-8"))}
    assert found == {INSTALLING}
