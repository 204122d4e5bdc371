"""The templates and words that classification by cloze comes with: a JSON file a task, to which a person can add."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from xlmrxl.errors import InputError
from xlmrxl.tokenization.tokenizer_json import MASK_TOKEN

FOLDER = Path(__file__).parent / "cloze_templates"
TEXT, TEXT_PAIR = "{text}", "{text_pair}"


@dataclass(frozen=True)
class Templates:
    """What a task is asked with in one language."""

    templates: tuple[str, ...]  # each with {text} and <mask>, those of a task on pairs with {text_pair} as well
    labels: Mapping[str, tuple[str, ...]]  # to the words that stand for each at the mask


@lru_cache
def load_templates(task: str, language: str) -> Templates:
    """Return the templates and the labels of a task in a language.

    Args:
        task: the name of a file in `cloze_templates`: `"topic"`, `"sentiment"` or `"entailment"`.
        language: a key of that file: `"en"`, `"zh"` …

    Raises:
        InputError: there is no such task or language, or what the file says cannot be used.
    """
    tasks = sorted(path.stem for path in FOLDER.glob("*.json"))
    if task not in tasks:
        raise InputError(
            f"task is {task!r}; it must be one of {', '.join(tasks)}. For others give labels and templates."
        )
    path = FOLDER / f"{task}.json"
    try:
        languages = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is no JSON in UTF-8: {error}.") from error
    if language not in languages:
        raise InputError(
            f"language is {language!r}; for {task} there are {', '.join(sorted(languages))}. Add yours to {path.name}, "
            "or give labels and templates."
        )
    try:
        entry = languages[language]
        return Templates(check_templates(entry["templates"]), check_labels(entry["labels"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path.name} cannot be used for {language!r}: {error}") from error


def check_templates(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return templates, if they can be filled.

    Raises:
        TypeError: one is no string.
        InputError: there are none, one lacks its `{text}` or `<mask>`, or not all are for pairs that should be.
    """
    found = (given,) if isinstance(given, str) else tuple(given)  # what is no string is said below
    if not found:
        raise InputError("There is no template. Give one such as '{text} Topic: <mask>'.")
    for template in found:
        if not isinstance(template, str):
            raise TypeError(f"A template is a string, not a {type(template).__name__}.")
        for part in (TEXT, MASK_TOKEN):
            if template.count(part) != 1:
                raise InputError(
                    f"The template {template!r} has {template.count(part)} times {part}. Write it exactly once, as in "
                    "'{text} Topic: <mask>'."
                )
        if template.count(TEXT_PAIR) > 1:
            raise InputError(
                f"The template {template!r} has {template.count(TEXT_PAIR)} times {TEXT_PAIR}. Write it once."
            )
    if len({TEXT_PAIR in template for template in found}) > 1:
        raise InputError("Some templates have {text_pair} and some have not. Write it in all of them or in none.")
    return found


def check_labels(given: str | Sequence[str] | Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return labels, each with its words: those given, or else the label itself.

    Raises:
        TypeError: a label or a word is no string.
        InputError: there are fewer than two labels, one is empty or there twice, or has no words.
    """
    given = [given] if isinstance(given, str) else given
    found: dict[str, tuple[str, ...]] = {}
    for label in given:
        words = given[label] if isinstance(given, Mapping) else (label,)
        words = (words,) if isinstance(words, str) else tuple(words)
        for name in (label, *words):
            if not isinstance(name, str):
                raise TypeError(f"A label and its words are strings, not {name!r}.")
            if not name.strip():
                raise InputError("A label, or a word of one, is empty. Write it, or leave it out.")
        if not words:
            raise InputError(f"The label {label!r} has no words. Give it one or more.")
        if label.strip() in found:
            raise InputError(f"The label {label.strip()!r} is there twice. Give each once.")
        found[label.strip()] = tuple(word.strip() for word in words)
    if len(found) < 2:
        raise InputError(f"There {'is one label' if found else 'are no labels'}. Give two or more to choose from.")
    return found
