"""Which token is of which word and character, windows of what overflows, words given as lists: beside transformers."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sentences import SENTENCES
from test_tokenizer import HARD, reference_of

from xlmrxl import BatchEncoding, XLMRobertaTokenizer
from xlmrxl.tokenization.encoding import CharSpan, Encoding, TokenSpan

WORDS = [
    "The",
    "capital",
    "Paris",
    "jardín,",
    "Собака",
    "狗在花园里",
    "<mask>",
    "a b",
    "",
    " x",
    "ﬁne",
    "𓀀",
    "▁",
    "e\u0301",
]
TEXTS = [*SENTENCES, "France is <mask>.", "a\u3000b  c", "<mask>the <s> x", "㍿x", "", " "]
SIDES = st.sampled_from(["right", "left"])


@pytest.fixture(scope="module")
def ours(vocabulary_file: Path) -> XLMRobertaTokenizer:
    return XLMRobertaTokenizer(vocabulary_file, model_max_length=40)


@pytest.fixture(scope="module")
def theirs(vocabulary_file: Path) -> Any:
    return reference_of(vocabulary_file, model_max_length=40)


def on_side(tokenizer: Any, side: str) -> Any:
    tokenizer.padding_side = tokenizer.truncation_side = side
    return tokenizer


def assert_same(ours: XLMRobertaTokenizer, mine: BatchEncoding, other: Any) -> None:
    """Compare fields and rows. A lone "▁" has an empty place here, there that of the first character of its word."""
    lone = ours.convert_tokens_to_ids("▁")
    fields, expected = dict(mine), dict(other)
    if mine.n_sequences == 2 and "token_type_ids" in fields:
        # There, the second text is of type 1 in windows and without special tokens, which the models do not have.
        assert not any(map(any, fields.pop("token_type_ids")))
        del expected["token_type_ids"]
    for encoding in (fields, expected):
        if "offset_mapping" in encoding:
            encoding["offset_mapping"] = [
                [tuple(span) for i, span in zip(ids, spans, strict=True) if i != lone]
                for ids, spans in zip(mine["input_ids"], encoding["offset_mapping"], strict=True)
            ]
    assert fields == expected
    for row in range(len(mine["input_ids"])):
        assert mine.tokens(row) == other.tokens(row)
        assert mine.word_ids(row) == other.word_ids(row)
        assert mine.sequence_ids(row) == other.sequence_ids(row)
        a, b = mine[row], other[row]
        for name in ("ids", "attention_mask", "special_tokens_mask"):
            assert getattr(a, name) == getattr(b, name)
        assert a.type_ids == [0] * len(a)


def encode_both(ours: Any, theirs: Any, *texts: Any, **options: Any) -> tuple[BatchEncoding, Any] | None:
    """Encode on both sides; None where both refuse, or where only transformers leaves nothing of a text or panics."""
    try:
        mine = ours(*texts, **options)
    except ValueError as error:
        if "windows of 0 tokens" in str(error):  # there, a window is then longer than max_length
            return None
        with pytest.raises(BaseException, match=r"truncat|stride|Truncation|overflow"):
            theirs(*texts, **options)
        return None
    try:
        return mine, theirs(*texts, **options)
    except Exception as error:
        # It refuses to leave nothing of a text, which is done here, and a stride that no window is too short for.
        if "too short" in str(error) or "stride" in str(error):
            return None
        raise


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("padding", [True, False])
def test_words_of_plain_texts(ours, theirs, special: bool, padding: bool):
    options = {"add_special_tokens": special, "padding": padding, "return_offsets_mapping": True}
    texts = [text for text in HARD if len(text) < 500 and not set(text) & set("\x1c\x01\u0301")]
    assert_same(ours, ours(texts, **options), theirs(texts, **options))
    pairs = (texts, texts[::-1])
    assert_same(ours, ours(*pairs, **options), theirs(*pairs, **options))


@settings(deadline=None)
@given(
    texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3),
    others=st.none() | st.lists(st.sampled_from(TEXTS), min_size=3, max_size=3),
    limit=st.integers(5, 24),  # where the special tokens leave no room, transformers leaves nothing of either text
    stride=st.integers(0, 4),
    truncation=st.sampled_from(["longest_first", "only_first", "only_second"]),
    padding=st.sampled_from([False, True, "max_length"]),
    side=SIDES,
    special=st.booleans(),
)
@example(["The capital of France"], ["a small house", "", ""], 14, 1, "longest_first", True, "left", False)
def test_overflowing_windows(ours, theirs, texts, others, limit, stride, truncation, padding, side, special):
    if others is None and truncation == "only_second":
        truncation = "only_first"
    ours, theirs = on_side(copy.copy(ours), side), on_side(theirs, side)
    given = (texts, None if others is None else others[: len(texts)])
    options = {
        **{"truncation": truncation, "max_length": limit, "stride": stride, "padding": padding},
        **{"add_special_tokens": special, "return_overflowing_tokens": True, "return_offsets_mapping": True},
        **{"return_special_tokens_mask": True, "return_token_type_ids": True, "return_length": True},
    }
    both = encode_both(ours, theirs, *given, **options)
    if both is not None:
        assert_same(ours, *both)
        assert both[0]["overflow_to_sample_mapping"] == sorted(both[0]["overflow_to_sample_mapping"])


def test_windows_by_hand(ours: XLMRobertaTokenizer):
    text = "The capital of France is Paris"
    whole = ours(text, add_special_tokens=False).input_ids
    found = ours(text, truncation=True, max_length=7, stride=2, return_overflowing_tokens=True)
    assert found.input_ids[0] == [0, *whole[:5], 2]
    assert found.input_ids[1] == [0, *whole[3:8], 2]
    assert found.input_ids[-1][-2] == whole[-1]
    assert found.overflow_to_sample_mapping == [0] * len(found.input_ids)
    assert [len(found.word_ids(i)) for i in range(len(found.input_ids))] == [len(ids) for ids in found.input_ids]
    # Without the windows, nothing else changes.
    assert ours(text, truncation=True, max_length=7, stride=2).input_ids == found.input_ids[0]
    for options in ({"max_length": 5, "stride": 3}, {"max_length": 5, "stride": 9}, {"max_length": 2}):
        with pytest.raises(ValueError, match="raise max_length or lower stride"):
            ours(text, truncation=True, return_overflowing_tokens=True, **options)


@settings(deadline=None)
@given(
    batch=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=1, max_size=3),
    pair=st.booleans(),
    limit=st.none() | st.integers(5, 16),
    padding=st.booleans(),
    side=SIDES,
)
def test_texts_split_into_words(ours, theirs, batch, pair, limit, padding, side):
    ours, theirs = on_side(copy.copy(ours), side), on_side(theirs, side)
    options: dict[str, Any] = {"is_split_into_words": True, "padding": padding, "return_offsets_mapping": True}
    if limit is not None:
        options |= {"truncation": True, "max_length": limit, "return_overflowing_tokens": True}
    given = (batch, batch[::-1]) if pair else (batch,)
    both = encode_both(ours, theirs, *given, **options)
    if both is not None:
        # Transformers counts places in normalised text where several characters become one.
        if any("\u0301" in word for words in batch for word in words):
            for encoding in both:
                encoding.pop("offset_mapping")
        assert_same(ours, *both)


def test_ways_to_give_words(ours, theirs):
    words = ["The", "capital", "of", "Madrid"]
    one = ours(words, is_split_into_words=True)
    assert one == dict(theirs(words, is_split_into_words=True)) == ours("The capital of Madrid")
    assert {word for word in one.word_ids() if word is not None} == {0, 1, 2, 3}
    assert ours.encode(words, is_split_into_words=True) == one.input_ids
    assert ours.tokenize(words, is_split_into_words=True) == ours.tokenize("The capital of Madrid")
    pairs = ours([(words, words[:1])], is_split_into_words=True)
    assert pairs.input_ids == ours([words], [words[:1]], is_split_into_words=True).input_ids
    assert pairs.input_ids[0] == ours(words, words[:1], is_split_into_words=True).input_ids
    assert ours(tuple(words), is_split_into_words=True) == one
    assert ours([], is_split_into_words=True).input_ids == [0, 2]
    for wrong, message in (
        ("The capital", "text must be a list of words, not str, with is_split_into_words=True"),
        (["a", 3], r"text\[1\] must be a str, not int"),
        ([["a"], "b"], r"text\[1\] must be a list of words, not str"),
    ):
        with pytest.raises(TypeError, match=message):
            ours(wrong, is_split_into_words=True)
    with pytest.raises(TypeError, match="not of lists"):
        ours.encode_plus([["a"]], is_split_into_words=True)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("words", [True, False])
def test_places_are_those_of_transformers(ours, theirs, words: bool, side: str):
    first = ["The capital of France is <mask>.", "La casa es grande"]
    second = ["wo die Katze schläft", "狗在"]
    if words:
        first, second = ([text.split() for text in texts] for texts in (first, second))
    options = {"is_split_into_words": words, "padding": True}
    ours, theirs = on_side(copy.copy(ours), side), on_side(theirs, side)
    mine, other = ours(first, second, **options), theirs(first, second, **options)
    assert (mine.n_sequences, mine.is_fast) == (other.n_sequences, other.is_fast) == (2, True)
    lone = ours.convert_tokens_to_ids("▁")
    for row in (0, 1):  # it fails for negative ones
        for token in range(len(mine.input_ids[0]) + 2):  # it fails for negative ones
            assert mine.token_to_word(row, token) == other.token_to_word(row, token)
            assert mine.token_to_sequence(row, token) == other.token_to_sequence(row, token)
            if token < len(mine.input_ids[0]) and mine.input_ids[row][token] != lone:
                assert mine.token_to_chars(row, token) == other.token_to_chars(row, token)
        for sequence in (0, 1):
            for word in range(9):
                assert mine.word_to_tokens(row, word, sequence) == other.word_to_tokens(row, word, sequence)
                if mine.word_to_tokens(row, word, sequence) is None:
                    assert mine.word_to_chars(row, word, sequence) is None  # as above
                else:
                    assert mine.word_to_chars(row, word, sequence) == other.word_to_chars(row, word, sequence)
            for char in range(40):
                assert mine.char_to_word(row, char, sequence) == other.char_to_word(row, char, sequence)
                token, expected = mine.char_to_token(row, char, sequence), other.char_to_token(row, char, sequence)
                assert token == expected or other.input_ids[row][expected] == lone


def test_places_by_hand(ours: XLMRobertaTokenizer):
    text = "The house near Madrid"
    found = ours(text)
    for place, character in enumerate(text):
        token = found.char_to_token(place)
        if character == " ":
            assert token is None
            assert found.char_to_word(place) is None
        else:
            start, end = found.token_to_chars(token)
            assert start <= place < end
            assert found.char_to_word(place) == text[:place].count(" ") == found.token_to_word(token)
    assert found.word_to_chars(1) == CharSpan(4, 9)
    assert found.word_to_chars(0, 1) == CharSpan(4, 9)  # of the first row
    span = found.word_to_tokens(0, 1)
    assert isinstance(span, TokenSpan)
    assert [found.token_to_word(i) for i in range(*span)] == [1] * (span.end - span.start)
    assert found.token_to_chars(0) is found.token_to_word(0) is found.token_to_sequence(0) is None
    assert found.word_to_tokens(77) is found.word_to_chars(77) is found.char_to_token(999) is None
    assert found.words() == found.word_ids() == found[0].words
    assert isinstance(found[0], Encoding)
    assert len(found[0]) == len(found.input_ids)
    assert found.encodings[0].ids == found.input_ids
    with pytest.raises(ValueError, match=r"sequence_index is 1; this encoding is of 1 text"):
        found.char_to_token(0, 3, sequence_index=1)
    with pytest.raises(IndexError, match="no row 1 in an encoding of 1"):
        found.word_ids(1)


def test_what_was_put_together_has_no_words(ours: XLMRobertaTokenizer):
    for encoding in (ours.pad(ours(["a", "the"])), ours.prepare_for_model([5]), BatchEncoding({"input_ids": [0]})):
        assert (encoding.is_fast, encoding.encodings, encoding.n_sequences) == (False, None, None)
        with pytest.raises(ValueError, match="does not know the text it came from"):
            encoding.word_ids()
        with pytest.raises(ValueError, match="does not know the text it came from"):
            encoding[0]


def test_rows_of_a_batch(ours: XLMRobertaTokenizer):
    batch = ours(["a", "the", "a house"], padding=True)
    assert batch[1:] == {name: values[1:] for name, values in batch.items()}
    assert batch[-1].ids == batch.input_ids[2]
    assert batch.data == batch == dict(batch)
    assert [row.n_sequences for row in batch.encodings] == [1, 1, 1]
    assert batch.encodings[:2] == [batch[0], batch[1]]


def test_copies_keep_what_is_known(ours: XLMRobertaTokenizer):
    batch = ours(["The capital", "<mask>"], padding=True, return_tensors="pt")
    words = [batch.word_ids(i) for i in (0, 1)]
    fresh = ours(["The capital", "<mask>"], padding=True, return_tensors="pt")
    for twin in (
        *(copy.copy(batch), copy.deepcopy(batch), batch.copy(), pickle.loads(pickle.dumps(batch))),
        *(copy.deepcopy(fresh), pickle.loads(pickle.dumps(fresh))),
    ):
        assert type(twin) is BatchEncoding
        assert [twin.word_ids(i) for i in (0, 1)] == words
        assert torch.equal(twin.input_ids, batch.input_ids)
        assert twin.n_sequences == 1
    # The vocabulary, which is large, does not go along.
    assert len(pickle.dumps(fresh)) < 5000


def test_nothing_is_worked_out_unless_asked(ours: XLMRobertaTokenizer, monkeypatch: pytest.MonkeyPatch):
    calls = []
    segment = type(ours._vocabulary).segment
    monkeypatch.setattr(
        type(ours._vocabulary), "segment", lambda self, *args: calls.append(args) or segment(self, *args)
    )
    batch = ours(["The capital", "a house"])
    assert calls == []
    assert batch.word_ids(1) == batch.word_ids(1)
    assert [text for text, _ in calls] == ["a house"]


def test_tokens_added_later_do_not_change_an_encoding(vocabulary_file: Path):
    tokenizer = XLMRobertaTokenizer(vocabulary_file)
    before = tokenizer("The capital")
    tokenizer.add_tokens(["capital"])
    assert before[0].ids == before.input_ids
    assert len(tokenizer("The capital").input_ids) < len(before.input_ids)


def test_tensors_of_any_fields():
    encoding = BatchEncoding({"input_ids": [[0, 2]], "labels": [1.5]}, tensor_type="pt")
    assert encoding.labels.dtype == torch.float32
    assert encoding.convert_to_tensors("pt") is encoding
    assert BatchEncoding({"input_ids": [0, 2]}).convert_to_tensors("np", prepend_batch_axis=True).input_ids.shape == (
        1,
        2,
    )
    for wrong, message in (
        ({"labels": [[1], [1, 2]]}, "rows of labels differ in length"),
        ({"names": ["a"]}, "The field names makes no tensor"),
        ({"labels": [None]}, "The field labels makes no tensor"),
    ):
        with pytest.raises(ValueError, match=message):
            BatchEncoding(wrong, tensor_type="pt")


# What the public recipes do


def align_labels(tokenizer: Any, words: list[list[str]], tags: list[list[int]]) -> Any:
    """Give the first token of each word its label, as recipes of token classification do."""
    encoding = tokenizer(words, truncation=True, max_length=16, is_split_into_words=True)
    encoding["labels"] = []
    for row, labels in enumerate(tags):
        before, aligned = None, []
        for word in encoding.word_ids(batch_index=row):
            aligned.append(-100 if word is None or word == before else labels[word])
            before = word
        encoding["labels"].append(aligned)
    return encoding


def test_labels_of_words(ours, theirs):
    on_side(theirs, "right")
    words = [text.split() for text in SENTENCES]
    tags = [list(range(len(row))) for row in words]
    mine = align_labels(ours, words, tags)
    assert dict(mine) == dict(align_labels(theirs, words, tags))
    padded = ours.pad(mine, return_tensors="pt")
    assert padded.labels.shape == padded.input_ids.shape
    assert (padded.labels[padded.attention_mask == 0] == -100).all()


def find_answers(tokenizer: Any, questions: list[str], contexts: list[str], answers: list[tuple[int, str]]) -> Any:
    """Find the tokens of an answer in each window, as recipes of question answering do."""
    encoding = tokenizer(
        questions,
        contexts,
        truncation="only_second",
        max_length=30,
        stride=4,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding="max_length",
    )
    samples, offsets = encoding.pop("overflow_to_sample_mapping"), encoding.pop("offset_mapping")
    positions = []
    for row, spans in enumerate(offsets):
        start, answer = answers[samples[row]]
        end = start + len(answer)
        sequences = encoding.sequence_ids(row)
        first = sequences.index(1)
        last = len(sequences) - 1 - sequences[::-1].index(1)
        if spans[first][0] > start or spans[last][1] < end:
            positions.append((0, 0))
            continue
        while first <= last and spans[first][0] <= start:
            first += 1
        while spans[last][1] >= end:
            last -= 1
        positions.append((first - 1, last + 1))
    return samples, positions, encoding


def test_answers_in_windows(ours, theirs):
    on_side(theirs, "right")
    contexts = [" ".join(SENTENCES[:3]), " ".join(SENTENCES[3:5]), SENTENCES[2] + " " + SENTENCES[9]]
    answers = [(context.index(word), word) for context, word in zip(contexts, ["Madrid", "саду", "Dach"], strict=True)]
    questions = ["What is it?", "Где собака?", "Wo ist sie?"]
    mine, other = (find_answers(tokenizer, questions, contexts, answers) for tokenizer in (ours, theirs))
    assert mine[:2] == other[:2]
    assert dict(mine[2]) == dict(other[2])
    assert len(mine[0]) > len(contexts)
    assert sum(position != (0, 0) for position in mine[1]) >= 3
