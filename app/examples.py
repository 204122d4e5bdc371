"""Sentences to begin with: one mask each, as people write, in sixteen languages and ten scripts. No Gradio."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    language: str  # its tag, for the `lang` attribute
    name: str  # what its speakers call it
    text: str


EXAMPLES = (
    Example("en", "English", "She opened the <mask> and looked outside."),
    Example("fr", "Français", "Paris est la <mask> de la France."),
    Example("es", "Español", "Mi hermana vive en una <mask> muy pequeña."),
    Example("de", "Deutsch", "Im Winter ist es hier sehr <mask>."),
    Example("sw", "Kiswahili", "Watoto wanakwenda <mask> kila siku."),
    Example("tr", "Türkçe", "Bugün hava çok <mask>."),
    Example("vi", "Tiếng Việt", "Hà Nội là thủ đô của <mask>."),
    Example("ru", "Русский", "Летом мы часто ездим на <mask>."),
    Example("el", "Ελληνικά", "Η Αθήνα είναι η <mask> της Ελλάδας."),
    Example("ar", "العربية", "القاهرة هي <mask> مصر."),
    Example("he", "עברית", "אני שותה <mask> כל בוקר."),
    Example("hi", "हिन्दी", "भारत एक बहुत बड़ा <mask> है।"),
    Example("th", "ไทย", "กรุงเทพเป็น<mask>ของประเทศไทย"),
    Example("zh", "中文", "北京是中国的<mask>。"),
    Example("ja", "日本語", "東京は日本の<mask>です。"),
    Example("ko", "한국어", "서울은 대한민국의 <mask>입니다."),
)
