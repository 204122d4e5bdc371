"""The tab that classifies, as a person meets it: typing, pressing, labels of one's own, the words behind a label."""

from __future__ import annotations

import pytest

from xlmrxl.app.examples import TEXTS
from xlmrxl.app.render import percent
from xlmrxl.session import Session

pytestmark = pytest.mark.browser

TEXT = "She is here today"
OUTPUT, WHY = "#classify-output", "#classify-why"


@pytest.fixture
def tab(page):
    page.get_by_role("tab", name="Classify").click()
    page.locator("#classify-text textarea").wait_for()
    return page


def classify(page, text: str, labels: str) -> None:
    page.locator("#classify-labels textarea").fill(labels)
    page.locator("#classify-text textarea").fill(text)
    page.get_by_role("button", name="Classify", exact=True).click()


def wait_for_result(page, text: str) -> None:
    page.wait_for_function("t => document.querySelector('#classify-output .x-result')?.dataset.text === t", arg=text)


def on_screen(page) -> list[tuple[str, list[str]]]:
    rows = page.locator(f"{OUTPUT} tbody tr").all()
    return [(row.locator("th").inner_text(), row.locator(".x-percent").all_inner_texts()) for row in rows]


def test_typed_text_shows_what_the_session_answers(tab, session: Session) -> None:
    classify(tab, TEXT, "cat, dog, here")
    wait_for_result(tab, TEXT)
    # As the task is still that of the topics, so are the templates.
    found = session.classify(TEXT, ["cat", "dog", "here"]).labels
    assert on_screen(tab) == [(label.label, [percent(label.score), percent(label.raw)]) for label in found]


def test_words_behind_a_label_show_when_they_are_asked_for(tab, session: Session) -> None:
    classify(tab, TEXT, "cat, dog")
    wait_for_result(tab, TEXT)
    assert tab.locator(f"{WHY} .x-why").count() == 0
    tab.get_by_role("button", name="Which words made it so").click()
    words = tab.locator(f"{WHY} .x-words span")
    words.first.wait_for()
    assert words.all_inner_texts() == TEXT.split()
    words.last.hover()
    assert tab.locator(f"{WHY} .x-readout").inner_text().startswith("today ")
    second = session.classify(TEXT, ["cat", "dog"]).labels[1].label
    tab.get_by_role("button", name=second, exact=True).click()
    tab.locator(f"{WHY} h2 b", has_text=second).wait_for()
    # Another text takes the words away.
    classify(tab, "Another text", "cat, dog")
    wait_for_result(tab, "Another text")
    assert tab.locator(f"{WHY} .x-why").count() == 0


def test_task_brings_its_labels_and_its_second_text(tab) -> None:
    tab.locator("#classify-task input").click()
    tab.get_by_role("option", name="Entailment").click()
    tab.locator("#classify-second textarea").wait_for()
    assert "contradiction" in tab.locator("#classify-labels textarea").input_value()
    tab.locator("#classify-text textarea").fill(TEXT)
    tab.locator("#classify-second textarea").fill("He is there")
    tab.locator("#classify-second textarea").press("Enter")
    wait_for_result(tab, TEXT)
    assert {name for name, _ in on_screen(tab)} == {"entailment", "neutral", "contradiction"}
    assert tab.get_by_role("button", name="Which words made it so").count() == 0


def test_example_and_error_stand_in_place(tab, session: Session) -> None:
    tab.locator('#classify-examples [data-index="0"]').click()
    wait_for_result(tab, TEXTS[0].text)
    assert len(on_screen(tab)) == len(session.classify(TEXTS[0].text).labels)
    classify(tab, TEXT, "one")
    problem = tab.get_by_role("alert")
    problem.wait_for()
    assert "two or more" in problem.inner_text()


def test_what_is_typed_stays_text(tab) -> None:
    text = "a <img src=x onerror='window.hacked = 1'> ${window.hacked = 1}"
    classify(tab, text, "cat, <script>here</script>")
    wait_for_result(tab, text)
    tab.get_by_role("button", name="Which words made it so").click()
    tab.locator(f"{WHY} .x-words").wait_for()
    assert tab.locator(f"{WHY} .x-words").inner_text() == text
    assert tab.evaluate("window.hacked") is None
    assert tab.locator(":is(#classify-output, #classify-why) :is(script, img)").count() == 0
