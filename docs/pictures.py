"""Take the pictures of the README and of a Space from the running app: `python docs/pictures.py`, with a Chromium."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "browser"))

from chromium import find  # noqa: E402 - beside the tests
from running_app import serve  # noqa: E402

TEXT = "She opened the <mask> and looked outside."
WINDOW = {"width": 1280, "height": 960}
PICTURES = (
    ("light", TEXT, WINDOW, HERE / "app.png"),
    ("dark", TEXT, WINDOW, HERE / "app-dark.png"),
    # What is shown where someone shares a link to a Space.
    (
        "light",
        "Paris is the <mask> of France.",
        {"width": 1200, "height": 630},
        HERE.parent / "spaces" / "thumbnail.png",
    ),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=find(playwright.chromium.executable_path), args=["--no-sandbox"] if as_root else []
        )
        with serve("default", Path(scratch) / "log.txt") as url:
            for theme, text, size, path in PICTURES:
                page = browser.new_page(viewport=size)
                page.goto(f"{url}/?__theme={theme}")
                page.locator("#fill-text textarea").fill(text)
                page.locator("#fill-text textarea").press("Enter")
                page.locator(".x-result").wait_for()
                page.wait_for_timeout(500)  # fonts and the bars' movement
                page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    main()
