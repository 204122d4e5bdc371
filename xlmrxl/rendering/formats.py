"""How numbers and texts are written in HTML: per cents, signs, and the direction and language of a text."""

from __future__ import annotations

import unicodedata
from html import escape

MINUS = "−"


def format_percent(probability: float) -> str:
    """Return a probability in per cent with one decimal; what is not zero is never written as zero."""
    return "<0.1%" if 0 < probability < 0.0005 else f"{probability * 100:.1f}%"


def format_signed(value: float, digits: int, plus: bool = False) -> str:
    """Return a number with a real minus sign.

    Args:
        value: the number.
        digits: decimals.
        plus: whether a positive number has its sign as well.
    """
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return text
    return f"{MINUS if value < 0 else '+' if plus else ''}{text}"


def format_number(value: float) -> str:
    """Return a number with four significant digits."""
    return f"{value:.4g}"


def text_direction(text: str) -> str:
    """Return "rtl" or "ltr", by the first letter that has a direction; `<mask>` does not count."""
    for character in text.replace("<mask>", ""):
        kind = unicodedata.bidirectional(character)
        if kind in {"R", "AL"}:
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"


def text_attributes(text: str) -> str:
    """Return the attribute `dir` of a text and, where its script says which, `lang`.

    Japanese and Korean want their own forms of Han letters.
    """
    language = ""
    if any("\u3040" <= c <= "\u30ff" for c in text):
        language = ' lang="ja"'
    elif any("\uac00" <= c <= "\ud7af" for c in text):
        language = ' lang="ko"'
    elif any("\u4e00" <= c <= "\u9fff" for c in text):
        language = ' lang="zh"'
    return f'dir="{text_direction(text)}"{language}'


def isolate(text: str, shown: str | None = None) -> str:
    """Return an escaped text in its own direction, whatever stands around it.

    Args:
        text: of a person or of the model.
        shown: what is written instead, such as the text with a mark before it.
    """
    return f"<bdi {text_attributes(text)}>{escape(text if shown is None else shown)}</bdi>"
