"""What languages are called by those who speak them. No Gradio."""

from __future__ import annotations

from collections.abc import Iterable

NAMES = {
    "ar": "العربية",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "en": "English",
    "es": "Español",
    "et": "Eesti",
    "fr": "Français",
    "he": "עברית",
    "hi": "हिन्दी",
    "ht": "Kreyòl ayisyen",
    "id": "Bahasa Indonesia",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "pt": "Português",
    "qu": "Runasimi",
    "ru": "Русский",
    "sw": "Kiswahili",
    "ta": "தமிழ்",
    "th": "ไทย",
    "tr": "Türkçe",
    "vi": "Tiếng Việt",
    "zh": "中文",
}


INTERFACE = ("en", "zh", "es", "fr", "ar", "hi")
"""What the app itself speaks: English in the code, the others in `translations/`."""


def named(codes: Iterable[str]) -> list[tuple[str, str]]:
    """(name, code) for a list to choose from; a language that has no name here goes by its code."""
    return [(NAMES.get(code, code), code) for code in codes]
