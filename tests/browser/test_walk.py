"""One person's walk through every tab, on the model that comes with the package: what is seen is what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interface_texts import Walk
from running_app import make_checkpoint, serve
from test_accessibility import FILLED
from test_attention_tab import explorer, look, shown, wait_for_effect
from test_choose_tab import CHOSEN
from test_choose_tab import wait_for_result as wait_for_choice
from test_choose_tab import write as write_choices
from test_classify_tab import as_taught, taught_on_screen, teach, wait_for_lesson
from test_compare_tab import compared
from test_fill_tab import expected, fill, on_screen, wait_for_result
from test_model_tab import load
from test_states_tab import slide, title, write

import xlmrxl
from xlmrxl.app.handlers import comparing, teaching
from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.rendering.formats import format_percent
from xlmrxl.session import Session

pytestmark = pytest.mark.browser

TEXT = "The capital of France is <mask>."
SLEEPS = "The dog sleeps in the <mask>."
SPORT = ("They won the match.", "The team scored two goals.", "She ran the race in ten seconds.",
         "The players train every day.", "The final was lost on penalties.", "He broke the swimming record.",
         "The coach chose a young goalkeeper.", "Our club leads the league.")  # fmt: skip
FOOD = ("Boil the rice in a pan.", "The soup needs salt.", "She baked bread and a cake.",
        "Cut the onions and fry them.", "We ate fish with potatoes.", "The cheese is from the village.",
        "He drinks tea with milk.", "Add butter and sugar to the flour.")  # fmt: skip
EXAMPLES = "\n".join([f"sport: {text}" for text in SPORT] + [f"food: {text}" for text in FOOD])
TESTS = """sport: Die Mannschaft hat das Spiel gewonnen.
food: Die Suppe ist zu heiß.
sport: El equipo ganó el partido.
food: La sopa está caliente."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(DEFAULT, tmp_path_factory.mktemp("default") / "log.txt") as url:
        yield url


@pytest.fixture(scope="module")
def session() -> Session:
    return xlmrxl.load()


def turn_to(page: Any, tab: str) -> None:
    page.get_by_role("tab", name=tab).click()


@pytest.mark.slow
def test_a_walk_through_every_tab(page, browser, session: Session, tmp_path: Path) -> None:
    fills_and_masks_a_word(page, session)
    teaches_by_sixteen_examples_and_tests_in_two_languages(page, session)
    chooses(page, session)
    switches_a_head_off(page, session)
    opens_its_link_in_another_window(page, browser)
    turns_the_plane_to_other_layers(page)
    turn_to(page, "Precisions")
    compared(page)
    assert page.locator("#compare-output .x-beside th").all_inner_texts() == ["rank", *comparing.precisions()]
    switches_the_model_and_back(page, session, make_checkpoint(tmp_path))


def fills_and_masks_a_word(page: Any, session: Session) -> None:
    fill(page, TEXT)
    wait_for_result(page, TEXT)
    assert on_screen(page) == expected(session, TEXT)
    page.locator("#fill-output").get_by_role("button", name="capital").click()
    masked = TEXT.replace("capital", "<mask>")
    wait_for_result(page, masked)
    assert page.locator("#fill-text textarea").input_value() == masked
    assert on_screen(page) == expected(session, masked)


def teaches_by_sixteen_examples_and_tests_in_two_languages(page: Any, session: Session) -> None:
    turn_to(page, "Classify")
    teach(page)
    page.locator("#teach-examples textarea").fill(EXAMPLES)
    page.locator("#teach-tests textarea").fill(TESTS)
    page.get_by_role("button", name="Teach and test").click()
    wait_for_lesson(page, 4)
    assert len(EXAMPLES.splitlines()) == 16
    assert taught_on_screen(page) == as_taught(teaching.learn(session, EXAMPLES, TESTS).results)


def chooses(page: Any, session: Session) -> None:
    prompt, choices = "It rained all night.", ["The street is wet.", "The street is long."]
    turn_to(page, "Choose")
    write_choices(page, prompt, *choices)
    page.get_by_role("radio", name="effect").check()
    page.get_by_role("button", name="Choose", exact=True).click()
    wait_for_choice(page, prompt)
    found = session.choose(prompt, choices, question="effect")
    shown = page.locator(f"{CHOSEN} .x-percent").all_inner_texts()
    assert shown == [format_percent(each.probability) for each in found.choices]


def switches_a_head_off(page: Any, session: Session) -> None:
    turn_to(page, "Attention")
    look(page, SLEEPS)
    place = explorer(page, SLEEPS)
    for name, value in (("Layer", "2"), ("Head", "5")):
        place.get_by_role("spinbutton", name=name).fill(value)
        place.get_by_role("spinbutton", name=name).press("Enter")
    place.get_by_role("heading", name="L2 H5").wait_for()
    page.wait_for_function("() => document.querySelector('#attention-explorer [aria-busy=true]') === null")
    inspection = session.inspect(SLEEPS)
    weights = inspection.attention(2, 5)
    assert np.abs(shown(page) - weights).max() <= weights.max() / 255 + 1e-6
    place.get_by_role("button", name="L2 H5 off").click()
    wait_for_effect(page, inspection.ablate([(2, 5)], progress=False).effects[0].kl)


def opens_its_link_in_another_window(page: Any, browser: Any) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    window = context.new_page()
    window.goto(page.evaluate("window.xlmrxl.getLink('attention')"))
    place = explorer(window, SLEEPS)
    there = """document.querySelector('#attention-explorer .xlmrxl-attention').shadowRoot
        .querySelector('.x-effect').dataset.kl"""
    place.locator(".x-effect").wait_for()
    assert float(window.evaluate(there)) == pytest.approx(float(page.evaluate(there)), rel=1e-4)
    assert place.locator(".x-head h3").inner_text() == "L2 H5"
    assert np.array_equal(shown(window), shown(page))
    assert window.get_by_role("tab", name="Attention").get_attribute("aria-selected") == "true"
    assert window.locator("#attention-text textarea").input_value() == SLEEPS
    context.close()


def turns_the_plane_to_other_layers(page: Any) -> None:
    turn_to(page, "Hidden states")
    write(page, "The dog sleeps.\nDer Hund schläft.")
    title(page, "Tokens in a plane")
    before = slide(page, 1)
    assert not np.allclose(slide(page, 4), before, atol=1e-3)


def switches_the_model_and_back(page: Any, session: Session, other: Path) -> None:
    text = "The <mask> is here."
    for folder, model in ((other, xlmrxl.load(other)), (DEFAULT, session)):
        load(page, folder)
        turn_to(page, "Fill masks")
        page.locator("#fill-text textarea").fill("")
        fill(page, text)
        page.wait_for_function(
            "name => document.querySelector('#header').innerText.includes(name)", arg=Path(folder).name
        )
        page.wait_for_function(
            "([best]) => document.querySelector('#fill-output tbody th bdi')?.innerText === best",
            arg=[expected(model, text)[0][0][0]],
        )
        wait_for_result(page, text)
        assert on_screen(page) == expected(model, text)


@pytest.mark.slow
@pytest.mark.parametrize(("theme", "width", "language"), [
    ("light", 1280, "en"), ("dark", 1280, "ar"), ("light", 375, "ar"), ("dark", 375, "en"),
])  # fmt: skip
def test_every_tab_fits_its_screen(page, served: str, theme: str, width: int, language: str, tmp_path: Path) -> None:
    """Whatever runs from right to left as well; the pictures stay beside what else tests leave, to be looked at."""
    page.goto(f"{served}/?__theme={theme}&lang={language}")
    walk = Walk(page, lambda _: None)
    page.set_viewport_size({"width": width, "height": 812 if width < 500 else 900})
    for name, (place, result) in zip(walk.names, FILLED.values(), strict=True):
        walk.turn(name)
        if place:
            arabic = page.locator(f"{place} button[lang=ar]")
            (arabic if arabic.count() else page.locator(f"{place} button")).first.click()
        page.locator(result).first.wait_for()
        page.wait_for_function("() => document.querySelector('.generating, .pending, [aria-busy=true]') === null")
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
