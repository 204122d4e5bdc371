"""A real browser on the real app: the app runs in a process of its own, on a small random checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chromium import find

import xlmrxl
from xlmrxl.session import Session

ARGUMENTS = [
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # as if the network were off
]


def refuse(reason: str) -> None:
    """Skip, or fail where a browser is required."""
    if os.environ.get("XLMRXL_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def session(checkpoint: Path) -> Session:
    return xlmrxl.load(checkpoint)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        refuse("playwright is not installed: pip install playwright")
    # For a module only: while it is open, its event loop blocks those of other tests.
    with sync_playwright() as playwright:
        path = find(playwright.chromium.executable_path)
        if path is None:
            refuse("no Chromium: set XLMRXL_CHROMIUM, or install one with: playwright install chromium")
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        arguments = [*ARGUMENTS, "--no-sandbox"] if as_root else ARGUMENTS
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, served: str) -> Iterator:
    """A page on the app. Whatever the test does, no request may leave this machine and no script may fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(f"{served}/?__theme=light")
    page.locator("#fill-text textarea").wait_for()
    yield page
    context.close()
    outside = [url for url in asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}]
    assert {urlsplit(url).hostname for url in outside} == {"127.0.0.1"}, outside
    assert not failed
