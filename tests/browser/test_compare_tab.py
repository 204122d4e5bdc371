"""The tab that compares precisions, as a person meets it, on the model that comes with the package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_app import serve

from xlmrxl.app.handlers.comparing import precisions
from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.rendering.formats import format_percent
from xlmrxl.tasks.compare_precisions import compare_precisions

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(DEFAULT, tmp_path_factory.mktemp("default") / "log.txt") as url:
        yield url


@pytest.fixture
def tab(page):
    page.get_by_role("tab", name="Precisions").click()
    page.locator("#compare-text textarea").wait_for()
    return page


def test_the_figures_are_those_of_compare(tab) -> None:
    text = "Paris is the <mask> of <i>France</i>."
    tab.locator("#compare-text textarea").fill(text)
    tab.locator("#compare-text textarea").press("Enter")
    tab.wait_for_function("t => document.querySelector('#compare-output .x-result')?.dataset.text === t", arg=text)
    found = compare_precisions(DEFAULT, text, precisions(), progress=False)
    heads = tab.locator("#compare-output .x-beside th").all_inner_texts()
    assert heads == ["rank", *precisions()]
    cells = tab.locator("#compare-output .x-beside tbody tr").first.locator("td").all_inner_texts()[1:]
    best = [result.masks[0].fills[0] for result in found.fills]
    assert [cell.split() for cell in cells] == [[fill.label, format_percent(fill.probability)] for fill in best]
    rows = tab.locator("#compare-output .x-measured tbody tr").all()
    for row, difference in zip(rows, found.differences[1:], strict=True):
        assert row.locator("th").inner_text() == difference.precision
        assert row.locator("td").all_inner_texts()[:2] == [f"{difference.kl:.4f}", format_percent(difference.top1)]


@pytest.mark.parametrize(
    ("text", "words"), [("No gap.", "There is no <mask>"), ("<mask> " * 5, "5 masks"), (" ", "is empty")]
)
def test_what_cannot_be_compared_is_said_in_a_sentence(tab, text: str, words: str) -> None:
    tab.locator("#compare-text textarea").fill(text)
    tab.get_by_role("button", name="Compare", exact=True).click()
    alert = tab.locator("#compare-output").get_by_role("alert")
    alert.wait_for()
    assert words in alert.inner_text()


TEXT = "Paris is the <mask> of France."


def compared(tab) -> None:
    tab.locator("#compare-text textarea").fill(TEXT)
    tab.get_by_role("button", name="Compare", exact=True).click()
    tab.wait_for_function("t => document.querySelector('#compare-output .x-result')?.dataset.text === t", arg=TEXT)


def test_what_is_shown_can_be_taken_away(tab) -> None:
    compared(tab)
    found = compare_precisions(DEFAULT, TEXT, precisions(), progress=False)
    names: dict = {}
    exec(tab.locator("#compare-output [data-copy]").first.get_attribute("data-copy"), names)
    assert names["result"].to_dict() == found.to_dict()
    files = {}
    for kind in ("csv", "json"):
        with tab.expect_download() as kept:
            tab.locator(f"#compare-output [data-file={kind}]").click()
        files[kind] = Path(kept.value.path()).read_text()
    assert files["csv"].startswith("precision,text,mask,fill,begins_word,probability,kl,top1")
    assert {**json.loads(files["json"]), "source": None} == {**json.loads(json.dumps(found.to_dict())), "source": None}
    again = tab.context.new_page()
    again.goto(tab.evaluate("window.xlmrxl.getLink('compare')"))
    again.locator("#compare-output .x-result").wait_for()
    assert (
        again.locator("#compare-output .x-beside").inner_text() == tab.locator("#compare-output .x-beside").inner_text()
    )


def test_loading_is_told_and_can_be_stopped(tab) -> None:
    tab.locator("#compare-text textarea").fill("The <mask> is not what was compared before.")
    tab.get_by_role("button", name="Compare", exact=True).click()
    tab.get_by_text("Loading").first.wait_for()
    stop = tab.locator("#compare-stop")
    stop.wait_for(state="visible")
    stop.click()
    tab.locator("#compare-output").get_by_role("alert").wait_for()
    assert tab.locator("#compare-output").get_by_role("alert").inner_text().endswith("Stopped.")
    stop.wait_for(state="hidden")
    compared(tab)  # and the next is not stopped
