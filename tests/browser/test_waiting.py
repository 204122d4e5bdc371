"""The page that is there while a model loads, and the app in its place when it has loaded."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_app import START, answers, started

from xlmrxl.app.waiting import PROGRESS, Waiting

pytestmark = pytest.mark.browser


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    server = Waiting("127.0.0.1", None, "<script>alert(1)</script>")
    yield server
    server.close()


def test_it_says_that_it_is_not_ready_and_how_far_it_is(waiting: Waiting) -> None:
    url = f"http://127.0.0.1:{waiting.port}"
    with pytest.raises(urllib.error.HTTPError, match="503") as refused:
        urllib.request.urlopen(f"{url}/?text=a", timeout=5)
    page = refused.value.read().decode()
    refused.value.close()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    waiting(3, 7)
    with urllib.request.urlopen(url + PROGRESS, timeout=5) as answer:
        assert json.load(answer) == {"waiting": [3, 7]}


def test_a_second_app_takes_the_next_port(waiting: Waiting) -> None:
    other = Waiting("127.0.0.1", None, "model")
    other.close()
    assert other.port > waiting.port
    with pytest.raises(OSError, match="in use"):
        Waiting("127.0.0.1", waiting.port, "model")


def test_the_page_shows_the_bytes_that_were_read(browser, waiting: Waiting) -> None:
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{waiting.port}")
    waiting(3_500_000_000, 7_000_000_000)
    page.get_by_text("3.5 of 7.0 GB read").wait_for()
    assert page.locator("progress").evaluate("it => it.value / it.max") == 0.5
    page.close()


@pytest.mark.slow
def test_a_visitor_of_the_first_second_gets_the_app_without_doing_anything(
    browser, checkpoint: Path, tmp_path: Path
) -> None:
    with started(checkpoint, tmp_path / "log.txt") as (url, process):
        page = browser.new_page()
        while not answers(url, ready=False):
            assert process.poll() is None
        page.goto(url)
        assert "Loading" in page.locator("#what").inner_text()
        page.locator("#fill-text textarea").wait_for(timeout=START * 1000)
        page.close()
