"""The tab that chooses, as a person meets it: typing, pressing, an example, an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from xlmrxl.app.examples import CHOICES
from xlmrxl.rendering.formats import format_percent, format_signed
from xlmrxl.session import Session

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHOSEN = "#choose-output .x-choices > ol > li"


@pytest.fixture
def tab(page):
    page.get_by_role("tab", name="Choose").click()
    page.locator("#choose-prompt textarea").wait_for()
    return page


def write(page, prompt: str, *choices: str) -> None:
    page.locator("#choose-prompt textarea").fill(prompt)
    for number, choice in enumerate(choices, 1):
        page.locator(f"#choose-{number} textarea").fill(choice)


def wait_for_result(page, prompt: str) -> None:
    page.wait_for_function("t => document.querySelector('#choose-output .x-result')?.dataset.text === t", arg=prompt)


def test_typed_choices_show_what_the_session_answers(tab, session: Session) -> None:
    write(tab, "It is here.", "She came.", "", "<b>He</b> left.")
    tab.get_by_role("radio", name="cause").check()
    tab.get_by_role("button", name="Choose", exact=True).click()
    wait_for_result(tab, "It is here.")
    found = session.choose("It is here.", ["She came.", "<b>He</b> left."], question="cause")
    rows = tab.locator(CHOSEN).all()
    shown = [row.locator(".x-percent").inner_text() for row in rows]
    assert shown == [format_percent(choice.probability) for choice in found.choices]
    assert rows[found.best].locator(".x-tag").inner_text() == "best"
    assert tab.locator("#choose-output .x-tag").count() == 1
    assert rows[1].locator(".x-choice").inner_text().startswith("<b>He</b> left.")


def test_example_fills_the_form_and_chooses(tab) -> None:
    example = CHOICES[1]
    write(tab, "", "", "", "left over")
    tab.locator('#choose-examples [data-index="1"]').click()
    wait_for_result(tab, example.text)
    assert tab.locator(CHOSEN).count() == len(example.choices)
    assert tab.locator("#choose-1 textarea").input_value() == example.choices[0]
    assert tab.locator("#choose-3 textarea").input_value() == ""
    assert tab.get_by_role("radio", name=example.question).is_checked()


def test_error_stands_in_place(tab) -> None:
    write(tab, "It is here.", "only one")
    tab.locator("#choose-1 textarea").press("Enter")
    problem = tab.get_by_role("alert")
    problem.wait_for()
    assert "two choices" in problem.inner_text()


def test_choices_are_added_up_to_ten_and_open_again_by_link(tab, session: Session) -> None:
    given = [f"He saw {number}." for number in range(10)]
    add = tab.get_by_role("button", name="Add a choice")
    for number in range(4, 11):
        assert tab.locator(f"#choose-{number}").count() == 0 or not tab.locator(f"#choose-{number}").is_visible()
        add.click()
        tab.locator(f"#choose-{number} textarea").wait_for()
        tab.wait_for_function("n => document.activeElement.placeholder === `Choice ${n}`", arg=number)
    add.wait_for(state="hidden")
    write(tab, "It is here.", *given)
    tab.get_by_role("button", name="Choose", exact=True).click()
    wait_for_result(tab, "It is here.")
    found = session.choose("It is here.", given)
    expected = [format_percent(choice.probability) for choice in found.choices]
    assert tab.locator(f"{CHOSEN} .x-percent").all_inner_texts() == expected
    tab.wait_for_function("location.hash.includes('choice10=')")
    other = tab.context.new_page()
    other.goto(tab.url)
    wait_for_result(other, "It is here.")
    assert other.locator("#choose-10 textarea").input_value() == given[9]
    assert other.locator(f"{CHOSEN} .x-percent").all_inner_texts() == expected
    other.close()


def test_scores_are_explained_and_saved(tab, session: Session) -> None:
    write(tab, "It is here.", "She came.", "He left.")
    tab.get_by_role("button", name="Choose", exact=True).click()
    wait_for_result(tab, "It is here.")
    steps = tab.locator("#choose-output .x-steps")
    assert not steps.locator("ol").is_visible()
    steps.locator("summary").click()
    found = session.choose("It is here.", ["She came.", "He left."])
    best = found.choices[found.best]
    assert format_signed(best.prior, 2) in steps.locator("li").nth(2).inner_text()
    with tab.expect_download() as started:
        tab.locator("#choose-output").get_by_role("button", name="CSV").click()
    assert Path(started.value.path()).read_bytes().decode() == found.to_csv()
