"""Take the pictures of the README and of a Space from the running app: `python docs/pictures.py`, with a Chromium."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "browser"))

from chromium import find  # noqa: E402 - beside the tests
from running_app import serve  # noqa: E402

TEXT = "Once upon a <mask> there was a king."
WINDOW = {"width": 1280, "height": 960}


def show_fills(page: Page, text: str = TEXT) -> None:
    """Fill a text in the first tab."""
    page.locator("#fill-text textarea").fill(text)
    page.locator("#fill-text textarea").press("Enter")
    page.locator(".x-result").wait_for()


def show_thumbnail(page: Page) -> None:
    """Fill the text of the picture that stands where someone shares a link to a Space."""
    show_fills(page, "I do not <mask> what you want.")


def show_attention(page: Page) -> None:
    """Open the attention explorer on its first example."""
    page.get_by_role("tab", name="Attention").click()
    page.locator("#attention-examples button").first.click()
    page.locator("#attention-explorer canvas").first.wait_for()


def show_states(page: Page) -> None:
    """Draw the hidden states of the first example."""
    page.get_by_role("tab", name="Hidden states").click()
    page.locator("#states-examples button").first.click()
    page.locator("#states-figure .main-svg").first.wait_for()


PICTURES: tuple[tuple[str, Callable[[Page], None], ViewportSize, Path], ...] = (
    *((theme, show_fills, WINDOW, HERE / f"app{end}.png") for theme, end in (("light", ""), ("dark", "-dark"))),
    *(
        (theme, show, {"width": 1280, "height": 1360}, HERE / f"{name}{end}.png")
        for name, show in (("attention", show_attention), ("states", show_states))
        for theme, end in (("light", ""), ("dark", "-dark"))
    ),
    ("light", show_thumbnail, {"width": 1200, "height": 630}, HERE.parent / "spaces" / "thumbnail.png"),
)


def main() -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=find(playwright.chromium.executable_path), args=["--no-sandbox"] if as_root else []
        )
        with serve("default", Path(scratch) / "log.txt") as url:
            for theme, show, size, path in PICTURES:
                page = browser.new_page(viewport=size)
                page.add_init_script("localStorage.setItem('xlmrxl-visited', '1')")  # no hint for newcomers
                page.goto(f"{url}/?__theme={theme}")
                page.locator("#fill-text textarea").wait_for()
                show(page)
                page.wait_for_timeout(1500)  # fonts and the bars' movement
                page.screenshot(path=path)
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
