"""Ids, offsets and options of the tokenizer, beside transformers on a throw-away vocabulary and on the real one.

The real vocabulary and the corpus lie beside the repository, not in it; tests that need them say so and skip.
"""

from __future__ import annotations

import copy
import json
import logging
import pickle
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from xlmrxl import AutoTokenizer, BatchEncoding, CheckpointError, XLMRobertaTokenizer

SHARED = Path(__file__).parents[3] / "shared"
REAL = SHARED / "xlm-r" / "sentencepiece.bpe.model"
CORPUS = SHARED / "corpus.tar.xz"

# transformers 5.23, both fast and slow tokenizers of 4.37.2, and this one all agree on these.
HARD = [
    *(
        "",
        " ",
        "   ",
        "\t\n",
        "\u00a0",
        "\u3000",
        "\u200b",
        "\ufeff",
        "\u200d",
        "\ufffd",
        "▁",
        "▁▁",
        " a",
        "a ",
        "  a  b  ",
    ),
    *("a\tb\nc\r\nd", "a\u00a0b\u3000c\u2009d\u2028e\u2029f\u000bg\u000ch", "\ufeffhi\ufeff", "a▁b", "▁a ▁b", "a ▁ b"),
    *(
        "a\u200bb",
        "a\u200cb",
        "a\u200db",
        "می\u200cخواهم",
        "क्\u200dष",
        "ភាសាខ្មែរ\u200bកម្ពុជា",
        "ภาษาไทยสวยงาม กำ",
        "ພາສາລາວ ຳ",
    ),
    *(
        "ﬁne ﬂow ﬀ ﬃ",
        "ａｂｃ　ｄｅｆ１２３！",
        "㍿x",
        "x㍿ y㌔㌢",
        "①②③ ½ ¼ ⅷ",
        "ﷺ",
        "…‥․",
        "‼⁇⁈⁉",
        "∫∬∭⨌",
        "⒈ ⒛ ⑴",
        "ŉ ǅ",
        "🈁 🈂",
    ),
    *("e\u0301te\u0301 n\u0303", "é" * 50, "\u0301", "a \u0301b", "\u0308x", "¨ ´ ¸ ˘", "x̲y̲", "Z̸̢̛͓͇͔̯̈́a̶l̷g̵o̴", "\u0301" * 20),
    *(
        "👨‍👩‍👧‍👦 family",
        "🏳️‍🌈 🏴‍☠️",
        "🇫🇷🇩🇪",
        "👍🏽👍🏿",
        "❤️ ☕️ 1️⃣",
        "😀😃😄",
        "🏴\U000e0067\U000e0062\U000e007f",
        "葛\U000e0100",
    ),
    *(
        "שָׁלוֹם עוֹלָם",
        "السَّلامُ عَلَيْكُمْ",
        "\u202eabc\u202c",
        "\u200fעב\u200e",
        "ـــــ",
        "ﻻ ﷲ",
        "کی ىي",
        "মড়",
        "\u0958 क\u093c",
    ),
    *(
        "日本語 漢字かな交じり文。",
        "中文，测试。",
        "རྒྱལ་པོ",
        "မြန်မာဘာသာ",
        "각 한글",
        "\uf900豈",
        "ᏣᎳᎩ",
        "𓀀𓀁𓀂",
        "x𓀀𓀁y 𓀀 𓀁",
        "\ue000\U0010ffff",
    ),
    *(
        "a\x00b",
        "\x01\x02a\x7fb\x80c\x9f",
        "a\x1cb\x1dc",
        "a\u00adb\u2060c",
        "\ufffe\uffff",
        "\u0378\u0379",
        "\u206aa",
        "a\ufe0fb",
    ),
    *(
        "<mask>",
        " <mask> ",
        "France is <mask>.",
        "France is  <mask>  nice",
        "<mask><mask>",
        "<mask> <mask>",
        "a<mask>b",
    ),
    *(
        "a\t<mask>\tb",
        "a\u3000<mask>\u3000b",
        "<mask>the",
        "日本<mask>語",
        "ﬁ<mask>ﬁ",
        "e\u0301<mask>\u0301",
        "𓀀<mask>𓀁",
    ),
    *("<s>", "</s>", "<pad>", "<unk>", "<s>a</s>", "a <s> b", "a</s></s>b", "a <pad> <pad> b", "x<unk>y", "<unk><unk>"),
    *(
        "<<mask>>",
        "<mask",
        "mask>",
        "< mask >",
        "<MASK>",
        "<mask\u200b>",
        "\u200b<mask>",
        "▁<mask>▁",
        "</s> <s> <mask>",
    ),
    *("word " * 2000, "x" * 10000, "日" * 300, "ha" * 700, "." * 999, "ooo oooo ooooo Oooooooo! Хммм... ####"),
    *(
        "https://example.com/a?b=c&d=e#f",
        "1,234.56 $ € ₹",
        "C++ <html> &amp;",
        "E = mc² H₂O",
        "`` '' \\n",
        "— – ‐ ‑ ~～",
    ),
]

# Where transformers differ among themselves. The pieces are those of 4.37.2's slow tokenizer; 5.23 gives the others.
APART = {
    "Vie\u0323\u0302t": (["▁Việt"], ["▁Vi", "ẹ", "t"]),
    "a\u0301\u0323": (["▁á", "\u0323"], ["▁á"]),
    "\u1112\u1161\u11ab\uae00": (["▁한글"], ["▁", "ᄒ", "ᅡ", "ᆫ", "글"]),
    "ｶﾞ": (["▁", "ガ"], ["▁", "カ", "゙"]),
    "か\u3099": (["▁", "が"], ["▁", "か", "゙"]),
    "＜mask＞": (["▁<", "mas", "k", ">"], ["▁", "<mask>"]),
    "f\x85g": (["▁f", "\x85", "g"], ["▁f", "▁g"]),
}


@pytest.fixture(scope="module")
def small(vocabulary_file: Path) -> XLMRobertaTokenizer:
    return XLMRobertaTokenizer(vocabulary_file, model_max_length=40)


@pytest.fixture(scope="module")
def real() -> XLMRobertaTokenizer:
    if not REAL.is_file():
        pytest.skip(f"the real vocabulary is not at {REAL}")
    return XLMRobertaTokenizer(REAL)


def reference_of(vocabulary: Path, **options):
    """transformers' tokenizer on the same vocabulary."""
    transformers = pytest.importorskip("transformers", minversion="5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return transformers.XLMRobertaTokenizer.from_pretrained(vocabulary.parent, **options)


@pytest.fixture(scope="module")
def small_reference(vocabulary_file: Path):
    return reference_of(vocabulary_file, model_max_length=40)


@pytest.fixture(scope="module")
def real_reference(real: XLMRobertaTokenizer):
    return reference_of(REAL)


def without_lone_spaces(tokenizer, encoding, index) -> list[tuple[int, int]]:
    """Offsets but for a lone "▁": transformers gives it the first character of its word, here its span is empty."""
    spans = zip(encoding["input_ids"][index], encoding["offset_mapping"][index], strict=True)
    return [tuple(span) for i, span in spans if i != tokenizer.convert_tokens_to_ids("▁")]


# The vocabulary


def test_ids_of_the_family(small: XLMRobertaTokenizer):
    assert small.convert_ids_to_tokens([0, 1, 2, 3]) == ["<s>", "<pad>", "</s>", "<unk>"]
    assert small.mask_token_id == small.vocab_size - 1 == len(small) - 1
    assert (small.bos_token_id, small.cls_token_id, small.eos_token_id, small.sep_token_id) == (0, 0, 2, 2)
    assert (small.pad_token_id, small.unk_token_id) == (1, 3)
    assert small.all_special_ids == [0, 2, 3, 1, small.mask_token_id]
    assert small.convert_tokens_to_ids(list(small.all_special_tokens)) == small.all_special_ids
    assert f"{len(small)} tokens" in repr(small)


def test_vocabulary_is_that_of_transformers(small: XLMRobertaTokenizer, small_reference):
    vocabulary = small.get_vocab()
    assert vocabulary == small_reference.get_vocab()
    assert small.convert_tokens_to_ids(list(vocabulary)) == list(vocabulary.values()) == list(range(len(small)))
    assert small.convert_tokens_to_ids("no such token") == small.convert_tokens_to_ids("<unk>") == 3


def test_ids_without_a_token(small: XLMRobertaTokenizer):
    beyond = len(small)
    assert small.decode([0, beyond, beyond + 878, 2]) == "<s></s>"
    assert small.convert_ids_to_tokens([beyond, 10**12]) == ["<unk>", "<unk>"]
    assert small.convert_ids_to_tokens(beyond) == "<unk>"


@pytest.mark.parametrize("wrong", [[-1], [0, 1.5], ["5"], [None], [True], torch.tensor([0.5]), [[1], [2]], -3])
def test_what_is_no_id(small: XLMRobertaTokenizer, wrong):
    with pytest.raises(ValueError, match=r"integer from 0|batch_decode"):
        small.decode(wrong)
    with pytest.raises(ValueError, match=r"integer from 0|batch_decode"):
        small.convert_ids_to_tokens(wrong)


# Text to ids


def test_golden_ids(real: XLMRobertaTokenizer):
    golden = [0, 581, 10269, 83, 99942, 136, 60742, 23, 70, 80583, 18276, 2]
    assert real("The dog is cute and lives in the garden house").input_ids == golden
    assert (len(real), real.mask_token_id) == (250002, 250001)
    assert real("France is <mask>.").input_ids == [0, 9942, 83, 250001, 6, 5, 2]


def test_hard_texts_on_the_real_vocabulary(real: XLMRobertaTokenizer, real_reference):
    ours, theirs = real(HARD), real_reference(HARD)
    for text, a, b in zip(HARD, ours.input_ids, theirs.input_ids, strict=True):
        assert a == b, ascii(text[:80])
        assert real.tokenize(text) == real_reference.tokenize(text), ascii(text[:80])


@pytest.mark.parametrize("text", APART, ids=ascii)
def test_where_transformers_differ_among_themselves(real: XLMRobertaTokenizer, real_reference, text):
    here, there = APART[text]
    assert real.convert_ids_to_tokens(real(text).input_ids)[1:-1] == here
    # Should this fail one day, transformers have changed, and the docstring of the module with them.
    assert real_reference.convert_ids_to_tokens(real_reference(text).input_ids)[1:-1] == there


def corpus_lines() -> list[str]:
    """Lines of every language of the corpus."""
    if not CORPUS.is_file():
        pytest.skip(f"the corpus is not at {CORPUS}")
    lines: dict[str, list[str]] = {}
    with tarfile.open(CORPUS) as archive:
        for member in archive:
            if member.name.endswith(".txt"):
                found = archive.extractfile(member).read().decode().split("\n")
                kept = [line for line in found if line]
                lines.setdefault(Path(member.name).stem, []).extend(kept[:: max(1, len(kept) // 75)])
    texts = [text for of_language in lines.values() for text in of_language]
    assert len(lines) >= 60
    assert len(texts) >= 20_000
    return texts


@pytest.mark.slow
def test_corpus_on_the_real_vocabulary(real: XLMRobertaTokenizer, real_reference):
    """The same ids and offsets on lines of every language of the corpus."""
    texts = corpus_lines()
    ours = real(texts, return_offsets_mapping=True)
    theirs = real_reference(texts, return_offsets_mapping=True)
    assert [text for text, a, b in zip(texts, ours.input_ids, theirs.input_ids, strict=True) if a != b] == []
    for i, text in enumerate(texts):
        assert without_lone_spaces(real, ours, i) == without_lone_spaces(real, theirs, i), text


def test_small_vocabulary_gives_the_ids_of_transformers(small: XLMRobertaTokenizer, small_reference):
    for text, a, b in zip(HARD, small(HARD).input_ids, small_reference(HARD).input_ids, strict=True):
        assert a == b, ascii(text[:80])


OPTIONS = [
    {},
    {"add_special_tokens": False},
    {"padding": True},
    {"padding": "max_length"},
    {"padding": "max_length", "max_length": 17},
    {"padding": True, "pad_to_multiple_of": 8},
    {"padding": "max_length", "max_length": 13, "pad_to_multiple_of": 8},
    {"truncation": True, "max_length": 9},
    {"truncation": True},
    {"truncation": False, "max_length": 9},
    {"max_length": 9},
    {"max_length": 9, "padding": "max_length"},
    {"truncation": "only_first", "max_length": 40, "padding": True},
    {"truncation": True, "max_length": 8, "padding": True, "return_special_tokens_mask": True},
    {"return_token_type_ids": True, "return_attention_mask": False},
    {"return_token_type_ids": True, "return_special_tokens_mask": True, "padding": "longest"},
    {"truncation": True, "max_length": 9, "add_special_tokens": False, "padding": "max_length"},
]
TEXTS = ["The capital of France is <mask>.", "", "Der Hund schläft im Garten, und die Katze sitzt auf dem Dach."]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("pairs", [None, ["How many?", "La casa es grande.", "<mask>"]], ids=["alone", "pairs"])
def test_options_are_those_of_transformers(vocabulary_file, small_reference, options, pairs, side):
    tokenizer = XLMRobertaTokenizer(vocabulary_file, model_max_length=40, padding_side=side, truncation_side=side)
    reference = copy.deepcopy(small_reference)
    reference.padding_side = reference.truncation_side = side
    ours = tokenizer(TEXTS, pairs, **options)
    theirs = reference(TEXTS, pairs, **options)
    assert ours == dict(theirs)
    assert next(iter(ours)) == "input_ids"
    one = tokenizer(TEXTS[0], pairs and pairs[0], **options)
    assert one == dict(reference(TEXTS[0], pairs and pairs[0], **options))


@pytest.mark.parametrize("strategy", [True, "longest_first", "only_first", "only_second"])
def test_truncation_is_that_of_transformers(small: XLMRobertaTokenizer, small_reference, strategy):
    long, short = "The capital of France", "a small house"
    assert len(small.tokenize(long)) > len(small.tokenize(short))
    compared = 0
    for first, second in ((long, short), (short, long), (short, short), (long, None)):
        least = small.num_special_tokens_to_add(second is not None)
        for limit in range(45):
            options = {"truncation": strategy, "max_length": limit}
            try:
                theirs = small_reference(first, second, **options).input_ids
            except Exception:
                # It also refuses to leave nothing of a text, which is done here.
                theirs = None
            try:
                ours = small(first, second, **options).input_ids
            except ValueError:
                # Where not even the special tokens fit, transformers cuts nothing.
                assert theirs is None or limit < least or (limit == least and strategy not in (True, "longest_first"))
                continue
            assert len(ours) <= limit or ours == small(first, second).input_ids
            if theirs is not None:
                assert ours == theirs, (first, second, limit)
                compared += 1
    assert compared > 60


def test_ways_to_give_texts(small: XLMRobertaTokenizer):
    pair = [0, *small.encode("a", add_special_tokens=False), 2, 2, *small.encode("the", add_special_tokens=False), 2]
    assert small("a", "the").input_ids == pair
    assert (
        small(["a"], ["the"]).input_ids == small([("a", "the")]).input_ids == small([["a", "the"]]).input_ids == [pair]
    )
    assert small(("a", "the")).input_ids == [small.encode("a"), small.encode("the")]
    assert small([]) == {"input_ids": [], "attention_mask": []}
    assert small.build_inputs_with_special_tokens(pair[1:-5], pair[-3:-1][:0]) == [0, *pair[1:-5], 2, 2, 2]
    assert small.build_inputs_with_special_tokens([9], [8]) == [0, 9, 2, 2, 8, 2]
    assert small.get_special_tokens_mask([9], [8]) == [1, 0, 1, 1, 0, 1]
    assert small.get_special_tokens_mask([0, 9, 2], already_has_special_tokens=True) == [1, 0, 1]
    assert small.create_token_type_ids_from_sequences([9], [8]) == [0] * 6
    assert (small.num_special_tokens_to_add(), small.num_special_tokens_to_add(pair=True)) == (2, 4)
    assert small.tokenize("the", "𓀀 a", add_special_tokens=True)[-4:] == ["▁", "𓀀", "▁a", "</s>"]


@pytest.mark.parametrize(
    ("text", "pair", "error", "message"),
    [
        (None, None, TypeError, "text must be a str or a list of them, not NoneType"),
        (5, None, TypeError, "not int"),
        (b"a", None, TypeError, "not bytes"),
        (["a", None], None, TypeError, r"text\[1\] must be a str, not NoneType"),
        (["a", ["b"]], None, TypeError, r"text\[1\] must be a str, not list"),
        ([("a", None)], None, TypeError, r"text\[0\]\[1\] must be a str, not NoneType"),
        ("a", ["b"], TypeError, "text_pair must be a str, not list"),
        (["a"], "b", ValueError, "list of 1"),
        (["a", "b"], ["c"], ValueError, "list of 2"),
        ("ab\ud800c", None, ValueError, r"text has a lone surrogate, U\+D800, at position 2"),
        (["a", "é\udfff"], None, ValueError, r"text\[1\] has a lone surrogate, U\+DFFF, at position 1"),
        ("a", "\udc00", ValueError, "text_pair has a lone surrogate"),
    ],
)
def test_what_is_no_text(small: XLMRobertaTokenizer, text, pair, error, message):
    with pytest.raises(error, match=message):
        small(text, pair)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": "longish"}, "padding is 'longish'"),
        ({"truncation": "all"}, "truncation is 'all'"),
        ({"truncation": True, "max_length": 1}, "special tokens"),
        ({"truncation": "only_second", "max_length": 4}, "no second text"),
        ({"return_tensors": "tf"}, "'pt' or 'np'"),
        ({"truncation": True, "padding": True, "max_length": 9, "pad_to_multiple_of": 8}, "no multiple"),
    ],
)
def test_options_that_cannot_be_met(small: XLMRobertaTokenizer, options, message):
    with pytest.raises(ValueError, match=message):
        small("The capital of France is Paris", **options)
    with pytest.raises(ValueError, match="padding=True"):
        small(["a", "the capital"], return_tensors="pt")
    with pytest.raises(ValueError, match="padding_side is 'right' or 'left'"):
        XLMRobertaTokenizer(small.vocab_file, padding_side="middle")


def test_too_long_is_said_once(vocabulary_file: Path, caplog: pytest.LogCaptureFixture):
    tokenizer = XLMRobertaTokenizer(vocabulary_file, model_max_length=5)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert len(tokenizer("the capital of France is Paris").input_ids) > 5
    assert [record.name for record in caplog.records] == ["xlmrxl.tokenization.tokenizer"]
    assert "truncation=True" in caplog.text


# Tensors, padding afterwards


def test_tensors(small: XLMRobertaTokenizer):
    lists = small(TEXTS, padding=True, return_offsets_mapping=True)
    for kind, int64 in (("pt", torch.int64), ("np", np.dtype("int64"))):
        arrays = small(TEXTS, padding=True, return_offsets_mapping=True, return_tensors=kind)
        assert {array.dtype for array in arrays.values()} == {int64}
        assert {name: array.tolist() for name, array in arrays.items() if name != "offset_mapping"} == {
            name: lists[name] for name in ("input_ids", "attention_mask")
        }
        assert arrays.offset_mapping.shape == (*arrays.input_ids.shape, 2)
        assert small("a", return_tensors=kind).input_ids.shape[0] == 1
        nothing = small("", add_special_tokens=False, return_tensors=kind).input_ids
        assert (tuple(nothing.shape), nothing.dtype) == ((1, 0), int64)
        assert small.encode("a", return_tensors=kind).tolist() == [small.encode("a")]


def test_batch_encoding(small: XLMRobertaTokenizer):
    encoding = small(["a", "the"], return_tensors="pt", return_offsets_mapping=False, padding=True)
    assert encoding.to("meta") is encoding
    assert encoding.input_ids.device.type == encoding["attention_mask"].device.type == "meta"
    assert set(dict(**encoding)) == {"input_ids", "attention_mask"}
    with pytest.raises(AttributeError, match="no 'labels', only input_ids, attention_mask"):
        _ = encoding.labels
    lists = small("a")
    assert lists.to("meta") == lists == pickle.loads(pickle.dumps(lists)) == copy.deepcopy(lists)
    assert type(pickle.loads(pickle.dumps(lists))) is BatchEncoding


def test_pad(small: XLMRobertaTokenizer, small_reference):
    rows = [
        {"input_ids": [0, 5, 2], "labels": 1, "special_tokens_mask": [1, 0, 1]},
        {"input_ids": [0, 2], "labels": 0, "special_tokens_mask": [1, 1]},
    ]
    for options in ({}, {"padding": "max_length", "max_length": 6}, {"pad_to_multiple_of": 4}, {"padding": False}):
        assert small.pad(rows, **options) == dict(small_reference.pad(rows, **options))
    batch = {"input_ids": [[0, 5, 2], [0, 2]]}
    assert small.pad(batch, return_attention_mask=False) == {"input_ids": [[0, 5, 2], [0, 2, 1]]}
    assert batch == {"input_ids": [[0, 5, 2], [0, 2]]}
    assert small.pad({"input_ids": [0, 5, 2]}, "max_length", 4) == {
        "input_ids": [0, 5, 2, 1],
        "attention_mask": [1, 1, 1, 0],
    }
    tensors = small.pad([{"input_ids": torch.tensor([0, 5, 2])}, {"input_ids": np.array([0, 2])}], return_tensors="pt")
    assert tensors.input_ids.tolist() == [[0, 5, 2], [0, 2, 1]]
    assert tensors.attention_mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    floats = small.pad([{"input_ids": [0, 2], "labels": 0.0}], return_tensors="pt")
    assert floats.labels.dtype == torch.float32
    with pytest.raises(ValueError, match="no input_ids to pad, only labels"):
        small.pad([{"labels": 1}])


# Ids to text


@given(rows=st.lists(st.integers(0, 330), max_size=12), skip=st.booleans(), clean=st.booleans())
@example(rows=[3, 5, 3], skip=True, clean=False)
def test_decoding_is_that_of_transformers(small, small_reference, rows, skip, clean):
    options = {"skip_special_tokens": skip, "clean_up_tokenization_spaces": clean}
    assert small.decode(rows, **options) == small_reference.decode(rows, **options)


def test_decode(small: XLMRobertaTokenizer, small_reference):
    ids = small("The capital of France is <mask> .").input_ids
    text = "<s> The capital of France is<mask> .</s>"
    assert small.decode(ids) == small_reference.decode(ids) == text
    assert small.decode(torch.tensor(ids)) == small.decode(np.array(ids)) == small.decode(tuple(ids)) == text
    assert small.decode(list(torch.tensor(ids))) == text
    assert small.decode(ids, skip_special_tokens=True) == "The capital of France is ."
    assert small.decode(ids, True, True) == "The capital of France is."
    assert small.batch_decode(torch.tensor([ids, ids]), skip_special_tokens=True) == ["The capital of France is ."] * 2
    assert small.batch_decode([ids, [2]]) == [text, "</s>"]
    assert small.decode(2) == "</s>"
    assert small.decode([]) == ""
    for punctuated in (" a . b ? c ! d , e", "it 's I 'm you 've they 're don n't", "' a ' b"):
        ids = small.encode(punctuated)
        assert small.decode(ids, True, True) == small_reference.decode(ids, True, clean_up_tokenization_spaces=True)


# Offsets


def spans_of(tokenizer: XLMRobertaTokenizer, text: str) -> list[tuple[str, str]]:
    encoding = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    spans = encoding.offset_mapping
    return [(token, text[a:b]) for token, (a, b) in zip(tokenizer.tokenize(text), spans, strict=True)]


def test_offsets_by_hand(real: XLMRobertaTokenizer):
    assert spans_of(real, "The  dog\u00a0ﬁne") == [("▁The", "The"), ("▁dog", "dog"), ("▁fine", "ﬁne")]
    assert spans_of(real, "㍿x") == [("▁", ""), ("株式会社", "㍿"), ("x", "x")]
    assert spans_of(real, "㌢") == [("▁", ""), ("セン", "㌢"), ("チ", "㌢")]
    assert spans_of(real, "e\u0301te\u0301 n\u0303") == [("▁été", "e\u0301te\u0301"), ("▁", ""), ("ñ", "n\u0303")]
    assert spans_of(real, "ａｂ　１２３！") == [("▁ab", "ａｂ"), ("▁123", "１２３"), ("!", "！")]
    assert spans_of(real, "is \u3000<mask> .") == [("▁is", "is"), ("<mask>", "<mask>"), ("▁", ""), (".", ".")]
    assert spans_of(real, "\ufeffhi\u200b you ") == [("▁hi", "hi"), ("▁you", "you")]
    assert spans_of(real, "\x01a\x7fb\x02 c\x03") == [("▁ab", "a\x7fb"), ("▁c", "c")]
    assert spans_of(real, "ﷺ") == [(token, "ﷺ") for token in ("▁صلى", "▁الله", "▁عليه", "▁وسلم")]
    assert spans_of(real, "Хммм 𓀀𓀁") == [("▁Х", "Х"), ("м", "м"), ("мм", "мм"), ("▁", ""), ("𓀀𓀁", "𓀀𓀁")]
    encoding = real("a <mask>", "b", return_offsets_mapping=True, padding="max_length", max_length=9)
    assert encoding.offset_mapping == [(0, 0), (0, 1), (2, 8), (0, 0), (0, 0), (0, 1), (0, 0), (0, 0), (0, 0)]
    left = XLMRobertaTokenizer(REAL, truncation_side="left")
    assert left("a bc", truncation=True, max_length=3, return_offsets_mapping=True).offset_mapping[1] == (2, 4)


def test_offsets_are_those_of_transformers(real: XLMRobertaTokenizer, real_reference):
    # Where several characters become one, or one is removed, transformers lose count.
    texts = [text for text in HARD if "\u0301" not in text and "\x1c" not in text and "\x01" not in text]
    ours, theirs = real(texts, return_offsets_mapping=True), real_reference(texts, return_offsets_mapping=True)
    for i, text in enumerate(texts):
        assert without_lone_spaces(real, ours, i) == without_lone_spaces(real, theirs, i), ascii(text[:80])


FRAGMENTS = [text for text in HARD if len(text) < 30] + [
    *APART,
    "The dog",
    "кошка",
    "猫",
    "ooo",
    "e",
    "\u0301",
    "\u0323",
]
ANY_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.characters(exclude_categories=["Cs"])), max_size=12).map("".join),
)


@given(text=ANY_TEXT)
@example("x " + "¨" * 3)
def test_offsets_lie_in_the_text_and_go_forward(small: XLMRobertaTokenizer, text):
    encoding = small(text, return_offsets_mapping=True, add_special_tokens=False)
    spans = encoding.offset_mapping
    assert len(spans) == len(encoding.input_ids) == len(small.tokenize(text))
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)
    assert [end for _, end in spans] == sorted(end for _, end in spans)
    assert small(text, add_special_tokens=False).input_ids == encoding.input_ids
    assert small.convert_tokens_to_ids(small.tokenize(text)) == encoding.input_ids
    for token, (start, end) in zip(small.tokenize(text), spans, strict=True):
        if token == "<mask>":
            assert text[start:end] == token
        if token != "▁" and start < end:
            assert not text[start].isspace() or text[start] in "\x1c\x1d\x1e\x1f\x85"


@given(text=ANY_TEXT)
def test_offsets_cover_all_that_is_not_normalised_away(small: XLMRobertaTokenizer, text):
    spans = small(text, return_offsets_mapping=True, add_special_tokens=False).offset_mapping
    covered = {place for start, end in spans for place in range(start, end)}
    for place, character in enumerate(text):
        if small.tokenize(character) not in ([], ["▁"]):
            assert place in covered, (place, character)


@given(text=st.text("The capital ofFrnce,.はネコ猫狗кошка ﬁＡé\u0301\u3000\u200b㍿", max_size=40))
def test_decoding_gives_the_normalised_text(small: XLMRobertaTokenizer, text):
    ids = small.encode(text, add_special_tokens=False)
    assume(small.unk_token_id not in ids)
    normalised = small._vocabulary._pieces.normalize(text)
    assert small.decode(ids) == normalised.removeprefix("▁").replace("▁", " ")


@given(
    texts=st.lists(ANY_TEXT, min_size=1, max_size=4),
    limit=st.integers(2, 20),
    multiple=st.sampled_from([None, 1, 4]),
    side=st.sampled_from(["right", "left"]),
)
def test_padding_and_truncation_keep_their_promises(small, texts, limit, multiple, side):
    tokenizer = copy.copy(small)
    tokenizer.padding_side = tokenizer.truncation_side = side
    whole = tokenizer(texts, truncation=False, add_special_tokens=False).input_ids
    cut = tokenizer(texts, truncation=True, max_length=limit).input_ids
    padded = tokenizer.pad({"input_ids": cut}, pad_to_multiple_of=multiple)
    (length,) = {len(row) for row in padded.input_ids}
    assert length % (multiple or 1) == 0
    for all_of_it, row, ids, mask in zip(whole, cut, padded.input_ids, padded.attention_mask, strict=True):
        assert len(row) == min(len(all_of_it) + 2, limit)
        keep = len(row) - 2
        assert row[1:-1] == (all_of_it[:keep] if side == "right" else all_of_it[len(all_of_it) - keep :])
        assert [i for i, there in zip(ids, mask, strict=True) if there] == row
        assert {i for i, there in zip(ids, mask, strict=True) if not there} <= {tokenizer.pad_token_id}


# Files


def test_from_pretrained(tmp_path: Path, vocabulary_file: Path):
    (tmp_path / "sentencepiece.bpe.model").write_bytes(vocabulary_file.read_bytes())
    plain = XLMRobertaTokenizer.from_pretrained(tmp_path)
    assert (plain.model_max_length, plain.padding_side, plain.truncation_side) == (512, "right", "right")
    config = {"model_max_length": 1e30, "padding_side": "left", "truncation_side": "left", "unknown": {}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    read = AutoTokenizer.from_pretrained(str(tmp_path), use_fast=False)
    assert isinstance(read, XLMRobertaTokenizer)
    assert (read.model_max_length, read.padding_side, read.truncation_side) == (int(1e30), "left", "left")
    # Without a limit there is nothing to pad or cut to.
    assert read("a", padding="max_length", truncation=True).input_ids == plain("a").input_ids
    overridden = XLMRobertaTokenizer.from_pretrained(tmp_path, padding_side="right", model_max_length=7)
    assert (overridden.model_max_length, overridden.padding_side, overridden.truncation_side) == (7, "right", "left")
    nested = XLMRobertaTokenizer.from_pretrained(tmp_path.parent, subfolder=tmp_path.name)
    assert nested.padding_side == "left"


def test_files_that_cannot_be_read(tmp_path: Path, vocabulary_file: Path):
    with pytest.raises(CheckpointError, match=r"sentencepiece\.bpe\.model"):
        XLMRobertaTokenizer.from_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json cannot be used: its model is None"):
        XLMRobertaTokenizer.from_pretrained(tmp_path)
    broken = tmp_path / "sentencepiece.bpe.model"
    for content in (b"", b"version https://git-lfs.github.com/spec/v1\n", vocabulary_file.read_bytes()[:-1000]):
        broken.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"sentencepiece\.bpe\.model is no SentencePiece model"):
            XLMRobertaTokenizer.from_pretrained(tmp_path)
    for absent in (tmp_path, tmp_path / "absent.model"):
        with pytest.raises(CheckpointError, match=f"{absent.name} cannot be read"):
            XLMRobertaTokenizer(absent)
    broken.write_bytes(vocabulary_file.read_bytes())
    for config, words in (("{", "valid JSON"), ("[]", "a JSON object"), ('{"model_max_length": "long"}', "'long'")):
        (tmp_path / "tokenizer_config.json").write_text(config)
        with pytest.raises(CheckpointError, match=rf"tokenizer_config\.json.*{words}"):
            XLMRobertaTokenizer.from_pretrained(tmp_path)


def test_another_family_of_vocabulary(tmp_path: Path):
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d"] * 9),
        model_prefix=str(tmp_path / "other"),
        vocab_size=12,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        minloglevel=2,
    )
    with pytest.raises(CheckpointError, match=r"other\.model is no vocabulary of XLM-R"):
        XLMRobertaTokenizer(tmp_path / "other.model")


@pytest.mark.parametrize("loader", ["AutoTokenizer", "XLMRobertaTokenizer"])
@pytest.mark.parametrize("model_type", ["xlm-roberta-xl", "xlm-roberta"])
def test_transformers_reads_what_is_saved(tmp_path: Path, vocabulary_file: Path, loader, model_type):
    transformers = pytest.importorskip("transformers", minversion="5")
    saved = XLMRobertaTokenizer(vocabulary_file, model_max_length=33, padding_side="left")
    paths = saved.save_pretrained(tmp_path / "new" / "folder")
    assert [Path(path).exists() for path in paths] == [True] * 3
    ours = XLMRobertaTokenizer.from_pretrained(tmp_path / "new" / "folder")
    assert (ours.model_max_length, ours.padding_side) == (33, "left")
    assert ours(HARD) == saved(HARD)
    (tmp_path / "new" / "folder" / "config.json").write_text(json.dumps({"model_type": model_type}))
    theirs = getattr(transformers, loader).from_pretrained(tmp_path / "new" / "folder")
    assert (theirs.model_max_length, theirs.padding_side) == (33, "left")
    assert theirs.all_special_ids == saved.all_special_ids
    assert (theirs.mask_token_id, theirs.pad_token_id) == (saved.mask_token_id, 1)
    assert theirs.get_vocab() == saved.get_vocab()
    for text, a, b in zip(HARD, theirs(HARD).input_ids, saved(HARD).input_ids, strict=True):
        assert a == b, ascii(text[:80])
    assert theirs("a", "b <mask>").input_ids == saved("a", "b <mask>").input_ids


def test_a_vocabulary_without_normalisation_is_saved(tmp_path: Path):
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d"] * 9),
        model_prefix=str(tmp_path / "plain"),
        vocab_size=12,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    tokenizer = XLMRobertaTokenizer(tmp_path / "plain.model")
    tokenizer.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "tokenizer.json").read_text())["normalizer"] is None
    assert [slice for _, slice in spans_of(tokenizer, "a  ﬁ") if slice] == ["a", "ﬁ"]


def test_copies(small: XLMRobertaTokenizer):
    for twin in (copy.copy(small), copy.deepcopy(small), pickle.loads(pickle.dumps(small))):
        assert twin(TEXTS, return_offsets_mapping=True) == small(TEXTS, return_offsets_mapping=True)
        assert (len(twin), twin.model_max_length) == (len(small), small.model_max_length)


def test_import_needs_neither_torch_nor_numpy(vocabulary_file: Path):
    code = f"""
import sys
from xlmrxl.tokenization.tokenizer import XLMRobertaTokenizer
XLMRobertaTokenizer({str(vocabulary_file)!r})("a", return_offsets_mapping=True)
print([name for name in ("torch", "numpy", "transformers", "huggingface_hub") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
