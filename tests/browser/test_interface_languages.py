"""Every text of the interface in every language: this test lists those that no catalogue has.

To add one, write its English as a key of all files in `app/translations/`, with {} for what is put in (several: {0},
{1}; {#} for numbers), and {!} in a translation where what is put in is a text of the interface itself.
"""

from __future__ import annotations

import json
import re

import pytest
from interface_texts import Walk, speak, texts

from xlmrxl.app.languages import INTERFACE
from xlmrxl.app.theme import TRANSLATIONS

pytestmark = pytest.mark.browser

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
    changed: list[str] = []
    count = 0

    def stop(name: str) -> None:
        nonlocal count
        english = texts(page)
        count += len(english)
        for language in CATALOGUES:
            speak(page, language)
            missing.update(dict.fromkeys(english_left(page, english, language), f"{language}, {name}"))
        speak(page, "en")
        changed.extend(set(english) ^ set(texts(page)))

    Walk(page, stop).all()
    assert not missing, problems(missing)
    assert not changed
    assert count > 2000
