"""The tokens of a text or a pair, and the words they make, in many scripts."""

from __future__ import annotations

import itertools

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import xlmrxl
from xlmrxl import Session
from xlmrxl.inspection.words import Word, group_words, tokenize_segments
from xlmrxl.tasks.masked_lm import find_words as ranges


@pytest.fixture(scope="module")
def session() -> Session:
    return xlmrxl.load()


def read(session: Session, text: str, second: str | None = None) -> tuple[Word, ...]:
    return group_words(*tokenize_segments(session, text, second), (text, second))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The dog's house, isn't it?", "The|dog's|house|,|isn't|it|?"),
        ("It costs 3.14 or 1,000.50 euro.", "It|costs|3.14|or|1,000.50|euro|."),
        ("un<mask>able <mask>.", "un|<mask>|able|<mask>|."),
        ("a  <mask>  b", "a|<mask>|b"),
        ("well-known", "well|-|known"),
        ("L'eau d’Espagne", "L'eau|d’Espagne"),
        ("कुत्ता बगीचे में सोता है।", "कुत्ता|बगीचे|में|सोता|है|।"),
        ("القطة تنام على السطح.", "القطة|تنام|على|السطح|."),
        ("e\u0301tude", "e\u0301tude"),
        ("👨‍👩‍👧 🇩🇪 👍🏽!", "👨‍👩‍👧|🇩🇪|👍🏽|!"),
        ("½ m² 10…", "½|m²|10|…"),
        ("<script>alert(1)</script>", "<|script|>|alert|(|1|)|<|/|script|>"),
        ("a </s> b", "a|</s>|b"),
    ],
)
def test_words(session: Session, text: str, expected: str):
    words = read(session, text)
    assert [word.text for word in words[1:-1]] == expected.split("|")
    assert words[0].text == "<s>"
    assert words[-1].text == "</s>"


@pytest.mark.parametrize(
    "text", ["狗在花园里睡觉，猫坐在屋顶上。", "สุนัขนอนหลับอยู่ในสวน ทำน้ำ", "犬は庭で寝ていて", "မြန်မာစကား"]
)
def test_pieces_are_the_words_of_scripts_without_spaces(session: Session, text: str):
    words = read(session, text)[1:-1]
    assert "".join(word.text for word in words) == text.replace(" ", "")
    assert len(words) > 3
    clusters = {match.start() for match in regex.finditer(r"\X", text)}
    assert {word.start for word in words} <= clusters
    tokens, _ = tokenize_segments(session, text, None)
    ends = {tokens[word.stop - 1].end for word in ranges(tokens) if tokens[word.stop - 1].piece != "▁"}
    # A piece is joined to the next only where a cluster of characters would be torn apart.
    assert ends & {*clusters, len(text)} == {word.end for word in words}


ALPHABET = "aB 1.,'-’é\u0301का्ข้ำ狗ホ한م\u200d👩👧🇩🇪🏽½²…<>\u00a0\u3000\n"


@settings(max_examples=150, deadline=None)
@given(
    first=st.lists(st.sampled_from([*ALPHABET, "<mask>", "</s>", "the ", "dog"]), min_size=1, max_size=12).map("".join),
    second=st.none() | st.text(ALPHABET, min_size=1, max_size=8),
)
def test_every_token_is_in_one_word_and_nothing_is_torn_apart(session: Session, first: str, second: str | None):
    try:
        tokens, segments = tokenize_segments(session, first, second)
    except ValueError as error:
        assert "empty" in str(error)  # noqa: PT017 - not every drawn text has something to read
        return
    words = group_words(tokens, segments, (first, second))
    assert list(itertools.chain(*(word.tokens for word in words))) == list(range(len(tokens)))
    texts = (first, second or "")
    for word in words:
        assert {segments[i] for i in word.tokens} == {word.segment}
        assert word.text
        if not tokens[word.tokens[0]].special:
            text = texts[word.segment]
            assert word.text == (text[word.start : word.end] or "▁")
        else:
            assert len(word.tokens) == 1
            assert word.text == tokens[word.tokens[0]].piece
    for before, word in itertools.pairwise(words):
        if None in (before.segment, word.segment) or tokens[word.tokens[0]].special or tokens[before.tokens[0]].special:
            continue
        assert before.end <= word.start
        clusters = {match.start() for match in regex.finditer(r"\X", texts[word.segment])}
        assert word.start in clusters


def test_a_pair_is_what_the_tokenizer_makes_of_it(session: Session):
    first, second = "The dog sleeps in <mask> .", "狗在 花园里睡觉。"
    tokens, segments = tokenize_segments(session, first, second)
    assert [token.id for token in tokens] == session.tokenizer(first, second)["input_ids"]
    end = [i for i, token in enumerate(tokens) if token.piece == "</s>"]
    assert end[1] == end[0] + 1
    assert segments == (None, *[0] * (end[0] - 1), None, None, *[1] * (len(tokens) - end[1] - 2), None)
    offsets = session.tokenizer(first, second, return_offsets_mapping=True)["offset_mapping"]
    assert [(token.start, token.end) for token in tokens] == offsets
    # But for what touches a mask, which goes on touching it.
    tokens, _ = tokenize_segments(session, "A <mask>.", "b <mask>.")
    assert [token.piece for token in tokens if token.piece.endswith(".")] == [".", "."]


def test_words_of_a_pair_are_in_their_own_text(session: Session):
    words = read(session, "el perro", "The dog's <mask>")
    assert [(word.text, word.segment) for word in words] == [
        ("<s>", None), ("el", 0), ("perro", 0), ("</s>", None), ("</s>", None),
        ("The", 1), ("dog's", 1), ("<mask>", 1), ("</s>", None),
    ]  # fmt: skip
    assert [(word.start, word.end) for word in words[5:8]] == [(0, 3), (4, 9), (10, 16)]
