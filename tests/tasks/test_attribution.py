"""Leaving out words against doing so by hand, with predictors whose answer is plain."""

from __future__ import annotations

import json
import re
from html import escape, unescape
from pathlib import Path

import pytest

import xlmrxl
from xlmrxl import Session
from xlmrxl.palette import PALETTES, Palette, css_variables
from xlmrxl.rendering.formats import format_signed
from xlmrxl.rendering.style import style_sheet
from xlmrxl.tasks.attribution import attribute
from xlmrxl.tasks.masked_lm import tokenize_within_limit


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


def counted(texts: list[str]) -> list[float]:
    """3 for each good, -2 for each bad, and 1/8 for each character."""
    return [3 * text.count("good") - 2 * text.count("bad") + len(text) / 8 for text in texts]


def test_words_between_spaces_by_hand():
    text = " A good,  and\ta bad  day. "
    result = attribute(text, counted, label="nice")
    rests = [
        " good,  and\ta bad  day. ",
        " A and\ta bad  day. ",
        " A good,  a bad  day. ",
        " A good,  and\tbad  day. ",
        " A good,  and\ta day. ",
        " A good,  and\ta bad ",
    ]
    assert [word.word for word in result.words] == text.split()
    assert [text[word.start : word.end] for word in result.words] == text.split()
    whole = 3 - 2 + len(text) / 8
    assert result.score == whole
    assert [word.value for word in result.words] == [whole - counted([rest])[0] for rest in rests]
    assert result.words[1].value > 3
    assert result.words[4].value < 0


def test_what_predict_is_given():
    seen = []

    def predict(texts: list[str]) -> list[float]:
        seen.append(list(texts))
        return [0.0] * len(texts)

    words = [f"w{i}" for i in range(100)]
    told = []
    attribute(" ".join(words), predict, progress=lambda *at: told.append(at))
    given = [text for texts in seen for text in texts]
    assert given == [" ".join(words), *(" ".join(words[:i] + words[i + 1 :]) for i in range(100))]
    assert max(map(len, seen)) <= 64
    assert told == [(64, 101), (101, 101)]


def test_progress_can_stop_it():
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attribute("one two", counted, progress=stop)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The capital's near, Paris!", ["The", "capital's", "near,", "Paris!"]),
        ("القطة تنام على السطح", ["القطة", "تنام", "على", "السطح"]),
    ],
)
def test_tokens_are_not_words_where_there_are_spaces(session: Session, text: str, words: list[str]):
    assert [word.word for word in attribute(text, counted, loaded_model=session).words] == words


@pytest.mark.parametrize(
    "text", ["狗在花园里睡觉，猫坐在屋顶上。", "犬は庭で寝ていて、", "สุนัขนอนหลับอยู่ในสวน", "Paris 狗在花园里 Madrid, yes"]
)
def test_tokens_are_words_where_there_are_no_spaces(session: Session, text: str):
    def predict(texts: list[str]) -> list[float]:
        given.extend(texts)
        return [float(len(text)) for text in texts]

    given: list[str] = []
    result = attribute(text, predict, loaded_model=session)
    spans = [(word.start, word.end) for word in result.words]
    assert len(spans) > len(text.split())
    # They tile what is not space, in order, and each is what its rest lacks.
    assert "".join(word.word for word in result.words) == text.replace(" ", "")
    assert all(text[start:end] == word.word for word, (start, end) in zip(result.words, spans, strict=True))
    assert spans == sorted(spans)
    for (start, end), rest in zip(spans, given[1:], strict=True):
        assert rest.replace(" ", "") == (text[:start] + text[end:]).replace(" ", "")
    edges = {place for token in tokenize_within_limit(session, text) for place in (token.start, token.end)}
    assert edges >= {place for span in spans for place in span if place}


def test_what_it_prints():
    text = "a <b>good</b> & bad שלום day"
    result = attribute(text, counted, label="<i>")
    page = result._repr_html_()
    assert "<b>good" not in page
    assert "<i>" not in page
    assert "<b><bdi>&lt;i&gt;</bdi></b>" in page
    body = page.split('translate="no">')[1].split("</p>")[0]
    assert unescape(re.sub(r"<[^>]*>", "", body)) == text
    shares = {}
    for word in result.words:
        tip = escape(f"{word.word} {format_signed(word.value, 3, plus=True)}")
        side, share = re.search(
            rf'<span class="([^"]*)" style="--x-share:([\d.]*)" title="{re.escape(tip)}">', body
        ).groups()
        shares[word.word] = (side, float(share))
    assert shares["<b>good</b>"] == ("x-for", 1.0)
    expected = abs(result.words[3].value) / result.words[1].value
    assert shares["bad"] == ("x-against", pytest.approx(expected, abs=1e-3))
    assert "speaks for" in page
    assert "speaks against" in page
    printed = str(result).splitlines()
    assert len(printed) == 7
    assert "<b>good</b>" in printed[2]
    values = json.loads(result.to_json())
    assert values["words"][1] == {"word": "<b>good</b>", "start": 2, "end": 13, "value": result.words[1].value}
    assert (values["text"], values["label"], values["score"]) == (text, "<i>", result.score)
    assert result.rows() == values["words"]


def test_no_word_that_matters_has_no_colour():
    result = attribute("one two", lambda texts: [0.5] * len(texts))
    assert result.to_html().count('--x-share:0.000"') == 2
    assert "one" in str(result)


@pytest.mark.parametrize("palette", PALETTES.values(), ids=str)
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("side", ["for", "against"])
def test_words_stay_readable_on_the_strongest_colour(palette: Palette, dark: bool, side: str):
    """A contrast of 4.5 to 1, as WCAG 2 has it, on a light page and on a dark one."""

    def luminance(rgb: list[float]) -> float:
        linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    rule = css_variables("light", "dark", palette).splitlines()[dark]
    sheet = style_sheet()
    strongest = float(re.search(rf"var\(--x-{side}\) calc\(var\(--x-share\) \* (\d+)%\)", sheet).group(1)) / 100
    ink, paper, colour = (
        [int(re.search(rf"--x-{role}: #(\w+);", rule).group(1)[i : i + 2], 16) for i in (0, 2, 4)]
        for role in ("ink", "paper", side)
    )
    mixed = [strongest * c + (1 - strongest) * page for c, page in zip(colour, paper, strict=True)]
    bright, dim = sorted([luminance(mixed), luminance(ink)], reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 4.5


def test_wrong_texts_and_scores_get_a_sentence():
    for text in ("", "  ", "one"):
        with pytest.raises(ValueError, match="two words or more"):
            attribute(text, counted)
    with pytest.raises(ValueError, match="513 words; at most 512"):
        attribute("word " * 513, counted)
    assert len(attribute("word " * 512, counted).words) == 512
    with pytest.raises(TypeError, match="not a float"):
        attribute(float("nan"), counted)  # type: ignore[arg-type]
    for scores in ([1.0], [1.0, 2.0, float("nan")]):
        with pytest.raises(ValueError, match="a finite number for each of 3 texts"):
            attribute("one two", lambda texts, scores=scores: scores)


def test_where_it_comes_from(session: Session):
    assert attribute("one two", counted, loaded_model=session).source.model == session.name
    assert attribute("one two", counted).source.model == "unknown"
