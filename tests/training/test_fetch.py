"""The training text: every reader on files made here, cleaning, duplicates, what is kept out and what is held out."""

from __future__ import annotations

import io
import json
import sqlite3
import struct
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from training import card, fetch, sources
from training.sources import SOURCES, Source


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def messages(path: Path, catalog: dict[str, str]) -> None:
    """Write a .mo file: a header, the tables of lengths and offsets of both sides, the strings."""
    pairs = sorted({"": "Content-Type: text/plain; charset=UTF-8\n", **catalog}.items())
    at, blob = 28 + 16 * len(pairs), b""
    tables: tuple[list[int], list[int]] = ([], [])
    for side, table in enumerate(tables):
        for pair in pairs:
            encoded = pair[side].encode()
            table.extend((len(encoded), at + len(blob)))
            blob += encoded + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 28)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + struct.pack(f"<{4 * len(pairs)}I", *tables[0], *tables[1]) + blob)


def cleaned(text: str, language: str = "en") -> list[str]:
    return list(fetch.clean_paragraph(text, language))


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


# --- what the sources are ---------------------------------------------------------------------------------------------


def test_every_source_of_the_card_can_be_had_and_weighs_something():
    assert list(SOURCES) == list(card.SOURCES)
    for name, source in SOURCES.items():
        ways = [bool(source.apt), bool(source.pip or source.npm), source.translations, bool(source.repository)]
        assert sum(ways) == 1, name
        if source.repository:
            assert source.repository in card.SOURCES[name].origin


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("pt_BR", "pt"),
        ("zh_TW", "zh-Hant"),
        ("zh-hans", "zh"),
        ("nb_NO", "no"),
        ("fil_PH", "tl"),
        ("es_419", "es"),
        ("de-formal", "de"),
        ("sr-ec", "sr"),
        ("kk-cyrl", "kk"),
        ("sr@latin", None),
        ("ms-arab", None),
        ("ca_ES@valencia", None),
        ("nn", None),
        ("qqq", None),
    ],
)
def test_languages(code: str, expected: str | None):
    assert sources.normalize_language(code) == expected


# --- readers ----------------------------------------------------------------------------------------------------------


def test_messages_give_english_and_what_was_translated(tmp_path: Path):
    messages(
        tmp_path / "data/usr/share/locale/de/LC_MESSAGES/game.mo",
        {
            "The old bridge.\n\nIt is gone.": "Die alte Brücke.\n\nSie ist weg.",
            "verb\x04Attack": "Angreifen",
            "female^Elf": "Elfin",
            "Wesnoth": "Wesnoth",
        },
    )
    messages(tmp_path / "data/usr/share/locale/sr@latin/LC_MESSAGES/game.mo", {"The old bridge.": "Stari most."})
    texts = list(sources.read_messages(tmp_path))
    german = {text for code, text in texts if code == "de"}
    english = {text for code, text in texts if code == "en"}
    assert german == {"", "Die alte Brücke.", "Sie ist weg.", "Angreifen", "Elfin"}
    assert english == {"", "The old bridge.", "It is gone.", "Attack", "Elf", "Wesnoth"}
    assert {code for code, _ in texts} == {"de", "en"}


def test_descriptions_are_joined_to_paragraphs(tmp_path: Path):
    put(
        tmp_path / "Translation-pt_BR",
        "Package: a\nDescription-md5: 1\nDescription-pt_BR: resumo\n Um jogo de\n estratégia.\n .\n Outro parágrafo:\n"
        "  * um mapa que\n    continua aqui.\n  * só nomes\n  - Este também\n continua.\n Fim do\n texto.\n\n"
        "Package: b\nDescription-md5: 2\nDescription-pt_BR: resumo\n Segundo pacote.\n",
    )
    assert list(sources.read_descriptions(tmp_path)) == [
        ("pt", "Um jogo de estratégia."),
        ("pt", "Outro parágrafo:"),
        ("pt", "um mapa que continua aqui."),
        ("pt", "Este também continua."),
        ("pt", "Fim do texto."),
        ("pt", "Segundo pacote."),
    ]


def test_fortunes_lose_who_said_them_and_links_and_indexes(tmp_path: Path):
    folder = tmp_path / "fortunes-cs/usr/share/games/fortunes/cs"
    put(
        folder / "citace",
        "Není větší škody\nnad ztracený čas.\n\t\t-- Michelangelo\n%\n-- Eh!\n%\nDruhý.\n  --- Noviny, 1949\n%\n",
    )
    put(folder / "klasik-sk", "Slovo je slovo.\n%\n")
    put(folder / "citace.dat", "Index.")
    put(folder / "off/zle", "Zlý vtip o někom.\n%\n")
    (folder / "citace.u8").symlink_to("citace")
    put(
        tmp_path / "fortunes-zh/usr/share/games/fortunes/tang300",
        "\x1b[32m《送别》\x1b[m\n\x1b[33m作者：王维\x1b[m\n下马饮君酒，\n问君何所之。\n%\n",
    )
    texts = [pair for pair in sources.read_fortunes(tmp_path) if pair[1]]
    assert texts == [
        ("cs", "Není větší škody nad ztracený čas."),
        ("cs", "Druhý."),
        ("sk", "Slovo je slovo."),
        ("zh", "下马饮君酒，问君何所之。"),
    ]


def test_pages_give_titles_descriptions_and_paragraphs(tmp_path: Path):
    page = """<page xmlns="http://projectmallard.org/1.0/"><info><credit><name>Ann</name></credit>
        <desc>Use the <app>Orca</app>
        reader.</desc></info><title>Read</title>
        <p>Press <keyseq><key>Ctrl</key><key>A</key></keyseq> <em>now</em>.</p><screen>ls -l</screen></page>"""
    put(tmp_path / "docs/usr/share/help/C/gnome-help/a.page", page)
    put(tmp_path / "docs/usr/share/help/zh_CN/gnome-help/a.page", page)
    texts = ["Use the Orca reader.", "Read", "Press Ctrl+A now."]
    assert list(sources.read_pages(tmp_path)) == [(code, text) for code in ("en", "zh") for text in texts]


def test_html_leaves_menu_code_footer_and_the_other_system_out(tmp_path: Path):
    put(
        tmp_path / "help-en-us/usr/share/libreoffice/help/en-US/text/shared/a.html",
        "<html><head><title>T</title></head><body><header><p>LibreOffice Help</p></header>"
        '<h1 id="x"><a name="y"></a>Search</h1><p class="paragraph">Press <span class="switchinline">'
        '<span class="MAC"><span class="keycode">Command</span></span><span>Ctrl</span></span>+F &amp; wait.</p>'
        '<pre><p>x = 1</p></pre><p class="codeintable">y = 2</p><footer><p>Title is: Search</p></footer></body></html>',
    )
    assert list(sources.read_html(tmp_path)) == [("en", "Search"), ("en", "Press Ctrl+F & wait.")]


def test_facts_are_made_of_what_is_known():
    fact = {"country": "Österreich", "capital": "Wien", "language": "Deutsch"}
    assert list(sources.fill_templates(sources.TEMPLATES["de"], fact)) == [
        "Wien ist die Hauptstadt von Österreich.",
        "Die Hauptstadt von Österreich ist Wien.",
        "Land: Österreich. Sprache: Deutsch.",
    ]
    assert list(sources.fill_templates(sources.TEMPLATES["de"], {"country": "Österreich"})) == []


def test_capitals_are_found_among_the_time_zones_of_their_country():
    countries = {"MD": {"capital": "Chișinău"}, "BR": {"capital": "Brasília"}, "CA": {"capital": "London"}}
    territories = {"Europe/Chisinau": "MD", "America/Sao_Paulo": "BR", "Europe/London": "GB"}
    assert sources.find_capital_zones(countries, territories) == {"MD": "Europe/Chisinau"}


def test_words_of_emoji_without_variants_and_signs(tmp_path: Path):
    def write(code: str, **annotations: dict[str, list[str]]) -> None:
        folder = tmp_path / "package/annotations" / code
        put(folder / "annotations.json", json.dumps({"annotations": {"annotations": annotations}}))

    tea = {"default": ["cup", "Tea", "teacup"], "tts": ["teacup"]}
    skin, man = "\U0001f9d4\U0001f3fb", "\U0001f9d4\u200d\u2642"
    write(
        "en", **{"🍵": tea, "☕\ufe0f": tea, skin: tea, man: tea, "«": tea, "🐈": {"default": ["cat"], "tts": ["cat"]}}
    )
    write("en-001", **{"🍵": tea})
    write("zh", **{"🍵": {"default": ["杯", "茶"], "tts": ["热茶"]}})
    write("ar", **{"🍵": {"default": ["شاي", "كوب"], "tts": ["كوب بدون مقبض"]}})
    texts = set(sources.read_words(tmp_path))
    assert {pair for pair in texts if pair[0] == "en"} == {("en", "teacup: cup, Tea")}
    assert {pair for pair in texts if pair[0] != "en"} == {("zh", "热茶: 杯、茶"), ("ar", "كوب بدون مقبض: شاي، كوب")}


def test_qt_messages_and_each_of_their_plurals(tmp_path: Path):
    def field(tag: int, text: bytes) -> bytes:
        return struct.pack(">BI", tag, len(text)) + text

    def message(source: str, *translated: str) -> bytes:
        parts = [field(3, text.encode("utf-16-be")) for text in translated]
        return b"".join([*parts, field(6, source.encode()), field(7, b"Context"), b"\x01"])

    empty = struct.pack(">BI", 3, 0xFFFFFFFF) + field(6, b"Not yet.") + b"\x05\0\0\0\0\x01"
    texts = [message("%n apple(s).", "Ein Apfel.", "%n Äpfel."), empty, message("Red.\nBlue.", "Rot.\nBlau.")]
    messages = b"".join([*texts, message("Tux", "Tux")])
    path = tmp_path / "data/usr/share/game/translations/game_de.qm"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(range(16)) + field(0x42, b"hashes\x69") + field(0x69, messages) + field(0x88, b"rules"))
    (path.parent / "game_nn.qm").write_bytes(path.read_bytes())
    assert list(sources.read_qm(tmp_path)) == [
        ("en", "%n apple(s)."), ("de", "Ein Apfel."), ("en", "%n apple(s)."), ("de", "%n Äpfel."),
        ("en", "Red."), ("en", "Blue."), ("de", "Rot."), ("de", "Blau."), ("en", "Tux"),
    ]  # fmt: skip


def test_wordnet_gives_definitions_and_examples(tmp_path: Path):
    put(
        tmp_path / "usr/share/wordnet/data.noun",
        "  1 This software and database is being provided to you\n"
        '00001740 13 n 02 cup_of_tea 0 tea 0 001 @ 00001741 n 0000 | a drink; not coffee; "a cup of tea"; '
        '"I would like tea" - an old poet  \n',
    )
    assert list(sources.read_wordnet(tmp_path)) == [
        ("en", "cup of tea: a drink; not coffee"), ("en", "a cup of tea"), ("en", "I would like tea")
    ]  # fmt: skip


def test_the_sentences_of_a_dictionary_of_two_languages(tmp_path: Path):
    put(
        tmp_path / "usr/share/trans/de-en",
        "# Version :: devel\nStuhl {m} | Stühle {pl} | Nimm (dir) Platz. :: chair | chairs | Take a seat.; Sit down!\n"
        "jdm. einen Stuhl anbieten. | Bitte! :: to offer sb. a chair. | He offers etc.\n",
    )
    assert list(sources.read_ding(tmp_path)) == [
        ("de", "Nimm Platz."), ("en", "Take a seat."), ("en", "Sit down!"), ("en", "He offers etc.")
    ]  # fmt: skip


def test_examples_of_rules_are_put_right(tmp_path: Path):
    put(
        tmp_path / "rules/es/grammar.xml",
        '<rules><rule><example type="correct">Los <marker>gatos</marker>\n duermen.</example>'
        '<example type="incorrect" correction="está|esta">Ella <marker>esta</marker> cerca.</example>'
        '<example type="incorrect">Ella <marker>esta</marker> lejos.</example></rule></rules>',
    )
    assert list(sources.read_examples(tmp_path)) == [("es", "Los gatos duermen."), ("es", "Ella está cerca.")]


def test_examples_and_glosses_of_wordnets(tmp_path: Path):
    put(
        tmp_path / "data/turkish_wordnet.xml",
        "<SYNSETS><SYNSET><DEF>İş</DEF><EXAMPLE>Hava açık .|Küt diye vurdu.</EXAMPLE></SYNSET></SYNSETS>",
    )
    assert list(sources.read_kenet(tmp_path)) == [("tr", "Hava açık."), ("tr", "Küt diye vurdu.")]
    put(
        tmp_path / "db/italian_synset.sql",
        'INSERT INTO italian_synset VALUES ("n#1"," vino ",NULL,"una bevanda; \'ha bevuto il vino\'");\n'
        'INSERT INTO italian_synset VALUES ("n#2"," Figi ",NULL,NULL);\n',
    )
    assert list(sources.read_glosses(tmp_path)) == [("it", "una bevanda"), ("it", "ha bevuto il vino")]


def test_examples_of_wiktionary(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "wikiwordnet.db")) as database:
        database.execute("CREATE TABLE synsets (definition TEXT)")
        entry = "{{п.|ru}} [[место]] {{пример|Он{{-}}в {{выдел|пустыне}}.|Автор|1928}} {{пример|Жара.}}"
        database.execute("INSERT INTO synsets VALUES (?)", (entry,))
        database.commit()
    assert list(sources.read_wiktionary(tmp_path)) == [("ru", "Он — в пустыне."), ("ru", "Жара.")]


def test_stories_are_taken_if_their_licence_lets(tmp_path: Path):
    story = "# A tall man\n\n##\nTo get\n\nthere, you walk.\n\nThen rest.\n\n##\n* License: [{}]\n* Text: A\n"
    put(tmp_path / "en/0001_a.md", story.format("CC-BY"))
    put(tmp_path / "en/0002_b.md", story.format("CC-BY-NC"))
    put(tmp_path / "en/README.md", story.format("CC-BY"))
    put(tmp_path / "adx/0001_a.md", story.format("CC-BY"))
    texts = [pair for pair in sources.read_stories(tmp_path) if pair[1]]
    assert texts == [("en", "A tall man"), ("en", "To get there, you walk."), ("en", "Then rest.")]


# --- cleaning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<color_red>Careful!</color> It is <b>hot</b>.", "Careful! It is hot."),
        ("See [[Help:Editing|how to edit]] and [[Main Page]].", "See how to edit and Main Page."),
        ("* '''Bold''' words &amp; others", "Bold words & others"),
        ("See <ref>dst='x' text='the mages'</ref> of old.", "See the mages of old."),
        ("A soft\u00adhyphen\ufeff and a\x1b[1mcolour\x1b[m.", "A softhyphen and acolour."),
        ("Cafe\u0301 at the corner", "Café at the corner"),
        ("It was _very_ late.", "It was very late."),
        ("Press the [b]red[/b] button.", "Press the red button."),
    ],
)
def test_markup_is_stripped(text: str, expected: str):
    assert cleaned(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "Hello <npcname>, how are you?",
        "The page {{SITENAME}} is gone",
        "Blocked by $1 for ever",
        "It costs %s coins today",
        "There are %2$d of them left",
        "See https://example.org for more",
        "Write to ann@example.org at once",
        "The file_name is not valid",
        "A broken \ufffd character here",
        "== A heading of a wiki ==",
        "/* A comment in a style sheet */",
        "No, no!",
        "12:34 56/78 90-12 x",
        "a" * 1001,
    ],
)
def test_lines_are_dropped(text: str):
    assert cleaned(text) == []


@pytest.mark.parametrize(
    ("text", "language", "kept"),
    [
        ("LibreOffice öffnet die Datei.", "de", True),
        ("LibreOffice открывает этот файл.", "ru", True),
        ("Open the file manager now.", "ru", False),
        ("Otvori datoteku odmah.", "sr", False),
        ("请打开 LibreOffice 文件", "zh", True),
        ("犬は庭で寝ています。", "ja", True),
        ("犬は庭で寝ています。", "ko", False),
        ("कुत्ता बगीचे में सोता है।", "hi", True),
        ("Like a flash he left the house and that was all.", "af", False),
        ("Die hond is of siek of moeg, en dit was laat.", "af", True),
        ("The dog and the cat.", "en", True),
        ("你好吗？", "zh", True),  # four characters, but wide
    ],
)
def test_lines_of_another_language_are_dropped(text: str, language: str, kept: bool):
    assert cleaned(text, language) == ([text] if kept else [])


def test_long_paragraphs_become_runs_of_sentences():
    english = [f"Sentence number {i} is about as long as the others are." for i in range(30)]
    runs = cleaned(" ".join(english))
    assert " ".join(runs) == " ".join(english)
    assert len(runs) > 1
    assert max(map(len, runs)) <= fetch.LONGEST_RUN
    assert all(run.endswith("are.") for run in runs)
    chinese = "他在家里看书，她在外面走路。" * 60
    runs = cleaned(chinese, "zh")
    assert "".join(runs) == chinese
    assert max(map(len, runs)) <= fetch.LONGEST_RUN


def test_fingerprints_forget_case_and_punctuation_and_keep_letters():
    assert fetch.fingerprint("Hello, World!") == fetch.fingerprint("hello world")
    assert fetch.fingerprint("Cafe\u0301") == fetch.fingerprint("CAFÉ")
    assert fetch.fingerprint("वह की") != fetch.fingerprint("वह का")  # vowel signs are marks, not letters
    assert fetch.fingerprint("in 10 days") != fetch.fingerprint("in 11 days")
    # Another run, machine or version must hold the same lines out.
    assert fetch.fingerprint("Hello, World!") == 6801638793323236970


# --- the corpus -------------------------------------------------------------------------------------------------------

PROSE = Source(sources.read_hsk)
SENTENCES = [
    f"The {colour} house stands near {place}." for colour in ("red", "old", "new") for place in "ABCDEFGHIJKLMNOPQRST"
]


def test_duplicates_fall_over_sources_and_languages_and_english_comes_first(tmp_path: Path):
    corpus = fetch.Corpus(tmp_path)
    corpus.add("one", PROSE, [("de", "Open Document Text"), ("de", "Ein Haus am See."), ("en", "Open document text!")])
    corpus.add(
        "two", Source(sources.read_hsk, repository="a/b"), [("de", "Ein Haus am See"), ("de", "Ein neues Haus.")]
    )
    assert lines(tmp_path / "packages/one/en.txt") == ["Open document text!"]
    assert lines(tmp_path / "packages/one/de.txt") == ["Ein Haus am See."]
    assert lines(tmp_path / "repositories/two/de.txt") == ["Ein neues Haus."]


def test_a_second_run_leaves_nothing_of_the_first(tmp_path: Path):
    fetch.Corpus(tmp_path).add("one", PROSE, [("de", "Ein Haus am See.")])
    assert fetch.Corpus(tmp_path).add("one", PROSE, [("de", "%s $1")]) == {}
    assert not (tmp_path / "packages/one/de.txt").exists()


def test_evaluation_sentences_are_kept_out(tmp_path: Path):
    evaluation = tmp_path / "eval"
    put(evaluation / "heldout/wesnoth/en.txt", "He sat down by the river. He waited for the others.\n")
    put(evaluation / "sib200/eng_Latn/dev.tsv", "index_id\tcategory\ttext\n1\ttravel\tThe train leaves in an hour.\n")
    choices = {"premise": "The man opened the tap.", "choice1": "Water flowed out.", "choice2": "It broke at once."}
    put(evaluation / "xcopa/it/val.it.jsonl", json.dumps(choices) + "\n")
    put(evaluation / "tatoeba/tatoeba.deu-eng.eng", "Tom is at home again.\n")
    put(evaluation / "tatoeba/LICENSE", "This licence is no sentence.\n")
    texts = [
        "He sat down by the river. He waited for the others.",
        "HE SAT DOWN BY THE RIVER. He waited for the others!",
        "It rained. He waited for the others. They came.",  # split otherwise
        "The train leaves in an hour!",
        "Water flowed out.",
        "It broke at once.",
        "Tom is at home again.",
        "This licence is no sentence.",
        "It rained all day long.",
    ]
    corpus = fetch.Corpus(tmp_path / "out", fetch.read_evaluation_texts(evaluation))
    corpus.add("one", PROSE, [("en", text) for text in texts])
    assert lines(tmp_path / "out/packages/one/en.txt") == ["This licence is no sentence.", "It rained all day long."]


def test_the_holdout_depends_on_the_line_alone(tmp_path: Path):
    source = Source(sources.read_hsk, held_out=True)
    held = []
    for run, texts in enumerate((SENTENCES, SENTENCES[::-1])):
        corpus = fetch.Corpus(tmp_path / f"out{run}", holdout=tmp_path / f"held{run}")
        corpus.add("wesnoth", source, [("en", text) for text in texts])
        corpus.add("gnomehelp", PROSE, [("en", f"Indeed: {text}") for text in texts])
        held.append(set(lines(tmp_path / f"held{run}/wesnoth/en.txt")))
        kept = set(lines(tmp_path / f"out{run}/packages/wesnoth/en.txt"))
        assert held[-1] | kept == set(SENTENCES)
        assert not held[-1] & kept
        assert len(lines(tmp_path / f"out{run}/packages/gnomehelp/en.txt")) == len(SENTENCES)
        assert not (tmp_path / f"held{run}/gnomehelp").exists()
    assert held[0] == held[1]
    assert 0.02 < len(held[0]) / len(SENTENCES) < 0.25


def test_a_large_source_is_thinned_in_order(tmp_path: Path):
    texts = [("en", text) for text in SENTENCES]
    size = fetch.Corpus(tmp_path / "all").add("lohelp", PROSE, texts)["en"]
    thinned = fetch.Corpus(tmp_path / "half").add("lohelp", Source(sources.read_hsk, most=size // 2), texts)["en"]
    assert 0.3 * size < thinned < 0.7 * size
    kept = lines(tmp_path / "half/packages/lohelp/en.txt")
    assert kept == [text for text in SENTENCES if text in kept]


# --- fetching ---------------------------------------------------------------------------------------------------------


def test_archives_are_unpacked_beside_them_and_not_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with zipfile.ZipFile(tmp_path / "konlpy-0.6.0-py2.py3-none-any.whl", "w") as wheel:
        wheel.writestr("konlpy/data/a.txt", "text")
    with tarfile.open(tmp_path / "countries-list-3.4.1.tgz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("package/a.json"), io.BytesIO())
    with tarfile.open(tmp_path / "nlptoolkit_wordnet-1.0.26.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("data/a.xml"), io.BytesIO())
    fetch.unpack(tmp_path)
    assert (tmp_path / "nlptoolkit_wordnet/data/a.xml").exists()
    assert (tmp_path / "konlpy/konlpy/data/a.txt").read_text(encoding="utf-8") == "text"
    assert (tmp_path / "countries-list/package/a.json").exists()
    assert "konlpy-0.6.0" in capsys.readouterr().out
    with tarfile.open(tmp_path / "evil-1.0.tgz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../outside"), io.BytesIO())
    with pytest.raises(tarfile.OutsideDestinationError):
        fetch.unpack(tmp_path)


def test_repositories_are_read_where_they_were_cloned_and_the_others_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    put(tmp_path / "clones/google-deepmind__xquad/README.md", "")
    paragraph = {"context": "Wien liegt an der Donau.", "qas": []}
    put(tmp_path / "clones/google-deepmind__xquad/xquad.de.json", json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    put(tmp_path / "clones/asp-source/sw/0001_a.md", "# Mtu mrefu sana\n\n##\n* License: [CC-BY]\n")
    corpus = fetch.Corpus(tmp_path / "out")
    names = ["xquad", "storybooks_asp", "storybooks_pratham"]
    fetch.rebuild_corpus(corpus, names, tmp_path / "downloads", tmp_path / "clones")
    assert lines(tmp_path / "out/repositories/xquad/de.txt") == ["Wien liegt an der Donau."]
    assert lines(tmp_path / "out/repositories/storybooks_asp/sw.txt") == ["Mtu mrefu sana"]
    out = capsys.readouterr().out
    assert "clone global-asp/pb-source" in out
    assert card.SOURCES["storybooks_pratham"].licence in out
    assert "clone global-asp/asp-source" not in out
