"""Take the README's pictures from the running app: `python docs/pictures.py`, with a Chromium at hand."""

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


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=find(playwright.chromium.executable_path), args=["--no-sandbox"] if as_root else []
        )
        with serve("default", Path(scratch) / "log.txt") as url:
            for theme, name in (("light", "app.png"), ("dark", "app-dark.png")):
                page = browser.new_page(viewport={"width": 1280, "height": 960})
                page.goto(f"{url}/?__theme={theme}")
                page.locator("#fill-text textarea").fill(TEXT)
                page.locator("#fill-text textarea").press("Enter")
                page.locator(".x-result").wait_for()
                page.wait_for_timeout(500)  # fonts and the bars' movement
                page.screenshot(path=HERE / name)
        browser.close()


if __name__ == "__main__":
    main()
