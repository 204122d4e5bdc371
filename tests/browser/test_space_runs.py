"""Built Spaces in environments of their own, made from their own requirements, as a person meets them in a browser.

Each needs a Python of its version and some gigabytes of packages: continuous integration runs them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import test_classify_tab as classify
from test_attention_tab import explorer, look
from test_fill_tab import expected, fill, on_screen, wait_for_result

import xlmrxl
from xlmrxl.session import Session
from xlmrxl.space.build import build
from xlmrxl.space.check import check
from xlmrxl.space.start import Running, check_start, find_free_port, run_space

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TEXT = "Paris is the <mask> of France."
LENT = str(Path(__file__).with_name("lent_gpu.py"))


def python_of(version: str) -> str:
    """A Python of a version such as 3.10, or a reason to skip."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for path in [shutil.which(f"python{version}"), *root.glob(f"{version}.*/bin/python")]:
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(path)
    pytest.skip(f"no Python {version} at hand")


class Environments:
    """Virtual environments, filled by uv, which is installed beside them; all of it is removed at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", folder / "uv"], check=True)
        subprocess.run([folder / "uv" / "bin" / "pip", "install", "--quiet", "uv"], check=True)

    def make(self, version: str) -> str:
        """The Python of a new environment."""
        self._uv("venv", "--python", python_of(version), str(self.folder / version))
        return str(self.folder / version / "bin" / "python")

    def install(self, python: str, space: Path) -> None:
        """What a Space requires, from the package index alone: not all that it names may be in reach."""
        lines = (space / "requirements.txt").read_text().splitlines()
        needed = self.folder / "requirements.txt"
        needed.write_text("\n".join(line for line in lines if not line.startswith("--extra-index-url")))
        self._uv("pip", "install", "--python", python, "--requirement", str(needed))

    def _uv(self, *arguments: str) -> None:
        environment = {**os.environ, "UV_CACHE_DIR": str(self.folder / "cache")}
        for ours, theirs in (("UV_DEFAULT_INDEX", "PIP_INDEX_URL"), ("SSL_CERT_FILE", "PIP_CERT")):
            if theirs in os.environ:
                environment.setdefault(ours, os.environ[theirs])
        subprocess.run([self.folder / "uv" / "bin" / "uv", "--quiet", *arguments], env=environment, check=True)


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environments]:
    folder = tmp_path_factory.mktemp("environments")
    yield Environments(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def session() -> Session:
    return xlmrxl.load()


@pytest.fixture(scope="module")
def zerogpu(environments: Environments, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A ZeroGPU Space with the embedded model in 8 bits, and a Python that has its requirements."""
    space = build(tmp_path_factory.mktemp("zerogpu") / "space", "zerogpu", model="default", torch="2.8.0").folder
    python = str(environments.folder / "3.12" / "bin" / "python")
    if not Path(python).exists():
        environments.make("3.12")
    environments.install(python, space)
    return space, python


@contextmanager
def visited(browser, space: Running) -> Iterator:
    """The page of a Space; no script may fail on it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(space.address)
    page.locator("#fill-text textarea").wait_for()
    yield page
    context.close()
    assert not failed


def fills(page, text: str = TEXT) -> list[list[tuple[str, str]]]:
    fill(page, text)
    wait_for_result(page, text)
    return on_screen(page)


@pytest.mark.parametrize(("version", "torch"), [("3.10", "2.11.0"), ("3.12", "2.8.0")])
def test_a_cpu_space_answers_and_comes_back_after_a_kill(
    version: str, torch: str, browser, environments: Environments, session: Session, tmp_path: Path
) -> None:
    space = build(tmp_path / "space", python=version, torch=torch).folder
    before = sorted(space.rglob("*"))
    python = environments.make(version)
    environments.install(python, space)
    said = "import platform, torch; print(platform.python_version(), torch.__version__.partition('+')[0])"
    done = subprocess.run([python, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{version}.")
    assert done.stdout.split()[1] == torch
    port = find_free_port()
    with run_space(space, [python, "app.py"], port=port) as running, visited(browser, running) as page:
        assert fills(page) == expected(session, TEXT)
        running.process.kill()
        running.process.wait()
        with run_space(space, [python, "app.py"], port=port):
            page.reload()
            assert fills(page) == expected(session, TEXT)
            assert "Traceback" not in running.read_log()
    assert sorted(space.rglob("*")) == before


def test_pip_finds_the_requirements_and_says_what_it_does_not(tmp_path: Path) -> None:
    space = build(tmp_path / "space", python="3.10").folder
    faults = check(space)
    assert [str(fault) for fault in faults if fault.grave] == []
    needed = space / "requirements.txt"
    needed.write_text(needed.read_text().replace("numpy==2.2.6", "numpy==2.4.6"))  # which has no wheel for this Python
    assert any("cannot be installed with Python 3.10" in str(fault) for fault in check(space))


def test_a_zerogpu_space_starts_where_there_is_no_zerogpu(browser, zerogpu: tuple[Path, str]) -> None:
    space, python = zerogpu
    origin = "import spaces; print(spaces.__file__)"
    done = subprocess.run([python, "-c", origin], cwd=space, capture_output=True, text=True, check=True)
    assert "site-packages" in done.stdout
    assert check_start(space, python) == []
    with run_space(space, [python, "app.py"]) as running, visited(browser, running) as page:
        assert fills(page) == expected(xlmrxl.load(precision="8bit"), TEXT)


def test_all_tabs_of_a_zerogpu_space_share_one_process_with_the_gpu(browser, zerogpu: tuple[Path, str]) -> None:
    """By ZeroGPU's own package, which pretends the GPU, forks and pickles, and a stand-in for its scheduler."""
    space, python = zerogpu
    there = expected(xlmrxl.load(precision="8bit"), TEXT)
    with run_space(space, [python, LENT, "app.py"]) as running:
        assert "LENT" not in running.read_log()
        with visited(browser, running) as page:
            # A GPU computes in bfloat16 what a CPU without it computes in float32, so close ones may change places.
            here, others = ({word: float(share.strip("%")) for word, share in side[0]} for side in (fills(page), there))
            both = here.keys() & others.keys()
            assert len(both) >= len(others) - 1
            assert all(abs(here[word] - others[word]) < 4 for word in both)
            page.get_by_role("tab", name="Classify").click()
            classify.classify(page, "The team won.", "sports, food")
            classify.wait_for_result(page, "The team won.")
            page.get_by_role("button", name="Which words made it so").click()
            page.locator(f"{classify.WHY} .x-words span").first.wait_for()
            page.get_by_role("tab", name="Attention").click()
            look(page, TEXT)
            explorer(page, TEXT)
        said = running.read_log()
        assert "Traceback" not in said
        assert said.count("LENT 30") >= 5
        assert said.count("MOVED") == 1
