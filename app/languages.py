"""What languages are called by those who speak them. No Gradio."""

from __future__ import annotations

from collections.abc import Iterable

NAMES = {
    "ar": "العربية",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "et": "Eesti",
    "fr": "Français",
    "hi": "हिन्दी",
    "ht": "Kreyòl ayisyen",
    "id": "Bahasa Indonesia",
    "it": "Italiano",
    "ja": "日本語",
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


def named(codes: Iterable[str]) -> list[tuple[str, str]]:
    """(name, code) for a list to choose from; a language that has no name here goes by its code."""
    return [(NAMES.get(code, code), code) for code in codes]
