"""Every text of the interface in every language: this test lists those that no catalogue has.

To add one, write its English as a key of all files in `app/translations/`, with {} for what is put in (several: {0},
{1}; {#} for numbers), and {!} in a translation where what is put in is a text of the interface itself.
"""

from __future__ import annotations

import json
import re

import pytest
from interface_texts import OWN_NAMES, TEXTS, Walk, speak, texts

from xlmrxl.app.examples import EXAMPLES
from xlmrxl.app.languages import INTERFACE, named
from xlmrxl.app.theme import TRANSLATIONS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CATALOGUES = {
    language: json.loads((TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8"))
    for language in INTERFACE
    if language != "en"
}
PLACE = re.compile(r"\\?\{(?:\\?#)?\d*!?\\?\}")


def alike(language: str) -> re.Pattern[str]:
    """The texts that a language writes as English does."""
    same = [key for key, text in CATALOGUES[language].items() if PLACE.sub("{}", key) == PLACE.sub("{}", text)]
    return re.compile("|".join(PLACE.sub("(?:.+?)", re.escape(key)) for key in same))


def english_left(page, english: dict[str, str], language: str) -> list[str]:
    """The texts that are on the page as they were in English."""
    shown, same = texts(page), alike(language)
    return [f"{text!r} in {where}" for text, where in english.items() if text in shown and not same.fullmatch(text)]


def problems(missing: dict[str, str]) -> str:
    return "no translation of:\n" + "\n".join(f"  {text} ({language})" for text, language in missing.items())


def test_every_text_has_a_translation_and_english_comes_back(page) -> None:
    """All tabs in English; at every stop the page is turned to each language and back."""
    missing: dict[str, str] = {}
    stayed: set[str] = set()
    count = 0

    def stop(name: str) -> None:
        nonlocal count
        english = texts(page)
        count += len(english)
        for language in CATALOGUES:
            speak(page, language)
            missing.update(dict.fromkeys(english_left(page, english, language), f"{language}, {name}"))
        speak(page, "en")  # after Hindi, whose letters cannot be overlooked
        stayed.update(text for text, _ in page.evaluate(TEXTS) if re.search("[\u0900-\u097f]", text))

    Walk(page, stop).all()
    assert not missing, problems(missing)
    assert stayed <= OWN_NAMES
    assert count > 2000


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_link_and_then_the_browser_keep_the_language(page, served: str, language: str) -> None:
    own, catalogue = named([language])[0][0], CATALOGUES[language]
    page.goto(f"{served}/?lang={language}")
    tab = page.locator("[role=tab][data-tab-id=fill]")
    tab.get_by_text(catalogue["Fill masks"]).wait_for()
    assert page.evaluate("document.documentElement.lang") == language
    assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
    assert re.sub("[\u2066-\u2069]", "", page.title()) == catalogue["xlmrxl: look inside XLM-RoBERTa-XL"]
    assert page.locator("#header option:checked").inner_text() == own
    # What comes later is translated as well, and a choice is kept for the next visit.
    page.locator('#fill-examples [data-index="0"]').click()
    page.locator("#fill-output .x-title", has_text=catalogue["Completed"]).wait_for()
    assert page.locator("#fill-output .x-sentence").inner_text().startswith(EXAMPLES[0].text.partition("<mask>")[0])
    page.goto(served)
    page.get_by_text("Fill with").wait_for()
    speak(page, language)
    page.goto("about:blank")
    page.goto(served)
    page.get_by_text(catalogue["Fill with"], exact=True).wait_for()


def test_what_the_browser_speaks_is_the_first_choice(browser, served: str) -> None:
    context = browser.new_context(locale="es-MX")
    page = context.new_page()
    page.goto(served)
    page.get_by_role("tab", name=CATALOGUES["es"]["Classify"], exact=True).click()
    context.close()


def test_texts_of_people_stay_as_they_are(page) -> None:
    """Even where they are a key."""
    box = page.locator("#fill-text textarea")
    box.fill("Labels <mask> Tokens")
    box.press("Enter")
    page.locator(".x-result").wait_for()
    speak(page, "fr")
    assert box.input_value() == "Labels <mask> Tokens"
    assert page.locator(".x-sentence").inner_text().startswith("Labels ")
    assert page.locator(".x-reading .x-title").inner_text().startswith(CATALOGUES["fr"]["Tokens"])
    box.fill("<b>Labels</b>")
    box.press("Enter")
    problem = page.get_by_role("alert")
    problem.wait_for()
    assert problem.inner_text() == next(
        text for key, text in CATALOGUES["fr"].items() if key.endswith("France is <mask>.'")
    )


def test_a_list_of_choices_shows_the_language_and_chooses_as_before(page) -> None:
    speak(page, "fr")
    page.locator("[role=tab][data-tab-id=classify]").click()
    box = page.locator("#classify-task input")
    box.wait_for()
    assert box.input_value() == CATALOGUES["fr"]["Topic"]
    box.click()
    page.get_by_role("option", name=CATALOGUES["fr"]["Entailment"], exact=True).click()
    page.locator("#classify-text-pair textarea").wait_for()
    page.locator("h1").click()
    assert box.input_value() == CATALOGUES["fr"]["Entailment"]
    assert "contradiction" in page.locator("#classify-labels textarea").input_value()
    speak(page, "en")
    assert box.input_value() == "Entailment"
    box.click()
    page.get_by_role("option", name="Sentiment", exact=True).click()
    page.locator("#classify-text-pair textarea").wait_for(state="hidden")


@pytest.mark.parametrize(("width", "theme"), [(375, "dark"), (1280, "light")])
def test_from_right_to_left(page, served: str, width: int, theme: str) -> None:
    """All tabs are mirrored and none is wider than the screen."""
    page.goto(f"{served}/?lang=ar&__theme={theme}")
    page.wait_for_function("document.documentElement.dir === 'rtl'")
    stops: list[str] = []

    def stop(name: str) -> None:
        stops.append(name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name

    walk = Walk(page, stop)
    page.set_viewport_size({"width": width, "height": 812})
    first, *_, last = page.locator("[role=tab]").evaluate_all("all => all.map((it) => it.getBoundingClientRect().x)")
    assert first > last
    for name in walk.names:
        walk.turn(name)
        stop(name)
        walk.first_example()
    walk.turn("fill")
    assert page.locator("#fill-top-k input[type=range]").evaluate("(it) => getComputedStyle(it).direction") == "rtl"
    bar = page.locator("#fill-output .x-bar div").first.bounding_box()
    cell = page.locator("#fill-output .x-bar").first.bounding_box()
    assert bar["x"] + bar["width"] == pytest.approx(cell["x"] + cell["width"], abs=1.5)
    assert len(stops) > 10


def test_the_hint_of_a_first_visit(browser, served: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    hint = page.locator("#header [role=note]")
    page.goto(f"{served}/#tab=fill&text=The+%3Cmask%3E+is+here.")
    page.locator(".x-result").wait_for()
    assert hint.is_hidden()  # a link is followed for what it opens
    page.goto("about:blank")
    page.goto(served)
    hint.wait_for()
    hint.get_by_role("button").click()
    hint.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "tab"
    page.goto("about:blank")
    page.goto(served)
    page.locator("#fill-text textarea").wait_for()
    assert hint.is_hidden()
    context.close()
