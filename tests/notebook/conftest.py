"""A real JupyterLab, its notebooks in a browser that can reach nothing but this machine. All of it is slow."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "browser"))  # what the tests of the app drive a browser with

from browser.conftest import browser, refuse  # noqa: E402, F401 - a fixture, and how a test is skipped
from running_app import make_checkpoint  # noqa: E402

LOCAL = {"127.0.0.1"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    try:
        from running_lab import serve_lab
    except ModuleNotFoundError as error:
        refuse(f"{error.name} is not installed: pip install jupyterlab")
    with serve_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def notebook(browser, lab, request: pytest.FixtureRequest) -> Iterator[Callable]:  # noqa: F811
    """Opens a notebook of some cells. Whatever it does, no request may leave this machine and no script may fail."""
    from running_lab import Notebook

    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    page = context.new_page()
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.on("pageerror", lambda error: failed.append(str(error)))

    def opened(*cells: str) -> Notebook:
        name = f"{request.node.name}.ipynb"
        lab.write(name, cells)
        return Notebook(page, lab, name)

    yield opened
    context.close()
    outside = [url for url in asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}]
    assert {urlsplit(url).hostname for url in outside} == LOCAL, outside
    assert not failed
