"""What may be given where a list of texts, labels or words is expected. No torch."""

from __future__ import annotations

from collections.abc import Iterable


def check_texts(texts: str | Iterable[str], name: str = "texts") -> list[str]:
    """Return texts, labels or words as a list; a single string is a list of one, never a list of its letters.

    Args:
        texts: one or several.
        name: of the argument, for messages.

    Raises:
        TypeError: it is no list, or something in it is no string (NaN in a table).
    """
    if isinstance(texts, str):
        return [texts]
    if not isinstance(texts, Iterable):
        raise TypeError(f"{name} is {texts!r}, a {type(texts).__name__}; give a string or a list of them.")
    found = list(texts)
    for i, text in enumerate(found):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{i}] is {text!r}, a {type(text).__name__}; it must be a string.")
    return found


def mask_span(text: str, start: int, end: int) -> str:
    """Return a text with `<mask>` in place of the characters from `start` to `end`; spaces at their beginning stay."""
    there = text[start:end]
    return text[: end - len(there.lstrip())] + "<mask>" + text[end:]
