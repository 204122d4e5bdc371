"""The catalogues of the interface's languages: alike in their keys, whole, and about texts that there are."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import gradio
import plotly
import pytest

import xlmrxl
from xlmrxl.app import handlers
from xlmrxl.app.languages import INTERFACE
from xlmrxl.app.theme import STATIC, TRANSLATIONS

PACKAGE = Path(xlmrxl.__file__).parent
SOURCES = (STATIC.parent, *(PACKAGE / name for name in ("views", "rendering", "tasks", "inspection", "space")))
KEY = re.compile(r"\{#?(\d*)\}")
SHOWN = re.compile(r"\{(\d*)!?\}")
OTHERS = (
    *Path(gradio.__file__).parent.glob("templates/frontend/assets/*.js"),
    Path(plotly.__file__).parent / "package_data" / "plotly.min.js",
)
"""Whose texts stand on the page as well."""


@cache
def catalogue(language: str) -> dict[str, str]:
    return json.loads((TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8"))


def languages() -> list[str]:
    return [language for language in INTERFACE if language != "en"]


def test_each_language_has_its_catalogue() -> None:
    assert sorted(path.stem for path in TRANSLATIONS.glob("*")) == sorted(languages())


@pytest.mark.parametrize("language", languages())
def test_a_catalogue_has_the_keys_and_places_of_all(language: str) -> None:
    found, first = catalogue(language), catalogue(languages()[0])
    assert list(found) == sorted(found)
    assert found.keys() == first.keys(), found.keys() ^ first.keys()
    for key, text in found.items():
        assert text == text.strip() != "", key
        places = [sorted(place or "0" for place in kind.findall(of)) for kind, of in ((KEY, key), (SHOWN, text))]
        assert places[0] == places[1], key
        assert re.search(r"[^\W\d_]{2}", KEY.sub("", key)), f"{key} would be any text"


def texts_of(source: str) -> Iterator[str]:
    """The strings of a Python module, what is put into them left out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "\n".join(part.value for part in node.values if isinstance(part, ast.Constant))


@cache
def sources() -> str:
    """All texts that may come to the page."""
    files = [path for folder in SOURCES for path in folder.rglob("*.py")] + [
        PACKAGE / name for name in ("session.py", "loaded_model.py", "plan.py")
    ]
    texts = [text for path in files for text in texts_of(path.read_text(encoding="utf-8"))]
    texts += [path.read_text(encoding="utf-8") for folder in SOURCES for path in folder.rglob("*.js")]
    whole = "\n".join(texts).replace("&lt;", "<").replace("&gt;", ">").lower()
    return whole + whole.replace("_", ", ")  # as the explorer writes the names of statistics


def is_there(text: str, corpus: str) -> bool:
    """Whether a text is there as a whole, or where it is put together, at least half of its pairs of words."""
    text = text.strip(" .,:;·×●✓✗").lower()
    words = text.split()
    pairs = [f"{first} {second}" for first, second in itertools.pairwise(words)]
    return text in corpus or (len(pairs) > 1 and 2 * sum(pair in corpus for pair in pairs) >= len(pairs))


def test_every_key_is_a_text_that_there_is() -> None:
    assert not is_there("purple sentences whistle sideways underground", sources())
    left = [key for key in catalogue("fr") if not all(is_there(part, sources()) for part in KEY.split(key)[::2])]
    others = "\n".join(path.read_text(encoding="utf-8", errors="ignore") for path in OTHERS).lower()
    left = [key for key in left if not all(is_there(part, others) for part in KEY.split(key)[::2])]
    assert not left, "\n".join(left)


def sentences() -> Iterator[tuple[str, ast.expr]]:
    """What the handlers say when they refuse something, and where."""
    for path in sorted(Path(handlers.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                said = node.exc.args[0]
                if isinstance(said, ast.Constant | ast.JoinedStr):
                    yield f"{path.name}:{node.lineno}", said


def filled(said: ast.expr) -> Iterator[str]:
    """A sentence with numbers and words in its places."""
    parts = said.values if isinstance(said, ast.JoinedStr) else [said]
    choices = [[part.value] if isinstance(part, ast.Constant) else ["7", "word", ""] for part in parts]
    yield from ("".join(chosen) for chosen in itertools.product(*choices))


def matches(text: str, key: str) -> bool:
    found, rest = "", key
    while place := KEY.search(rest):
        found += re.escape(rest[: place.start()]) + (r"[^a-z]+" if "#" in place.group() else ".+?")
        rest = rest[place.end() :]
    return re.fullmatch(found + re.escape(rest), text) is not None


def test_every_refusal_has_a_translation() -> None:
    found = list(sentences())
    assert len(found) > 40
    missing = [
        f"{place}: {ast.unparse(said)}"
        for place, said in found
        if any(character.isalpha() for character in "".join(texts_of(ast.unparse(said))))
        and not any(matches(text, key) for text in filled(said) for key in catalogue("fr"))
    ]
    assert not missing, "\n".join(missing)
