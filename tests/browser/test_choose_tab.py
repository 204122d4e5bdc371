"""The tab that chooses, as a person meets it: typing, pressing, an example, an error."""

from __future__ import annotations

import pytest

from xlmrxl.app.examples import CHOICES
from xlmrxl.app.render import percent
from xlmrxl.session import Session

pytestmark = pytest.mark.browser


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
    rows = tab.locator("#choose-output li").all()
    shown = [row.locator(".x-percent").inner_text() for row in rows]
    assert shown == [percent(choice.probability) for choice in found.choices]
    assert rows[found.best].locator(".x-tag").inner_text() == "best"
    assert tab.locator("#choose-output .x-tag").count() == 1
    assert rows[1].locator(".x-choice").inner_text().startswith("<b>He</b> left.")


def test_example_fills_the_form_and_chooses(tab) -> None:
    example = CHOICES[1]
    write(tab, "", "", "", "left over")
    tab.locator('#choose-examples [data-index="1"]').click()
    wait_for_result(tab, example.text)
    assert tab.locator("#choose-output li").count() == len(example.choices)
    assert tab.locator("#choose-1 textarea").input_value() == example.choices[0]
    assert tab.locator("#choose-3 textarea").input_value() == ""
    assert tab.get_by_role("radio", name=example.question).is_checked()


def test_error_stands_in_place(tab) -> None:
    write(tab, "It is here.", "only one")
    tab.locator("#choose-1 textarea").press("Enter")
    problem = tab.get_by_role("alert")
    problem.wait_for()
    assert "two choices" in problem.inner_text()
