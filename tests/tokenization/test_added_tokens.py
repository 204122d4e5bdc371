"""Tokens that were added to a vocabulary: read from any file, kept, written, and never lost on the way."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import need_bitsandbytes
from test_tokenizer import reference_of

import xlmrxl
from xlmrxl import AddedToken, CheckpointError, XLMRobertaTokenizer, XLMRobertaXLForMaskedLM
from xlmrxl.quantize import quantize

PLAIN = ["[NEW]", "blabla", "naïve", "of"]
PICKY = [
    ("xyzzy", {"single_word": True, "lstrip": True}),
    ("~", {"rstrip": True}),
    ("[ＷＩＤＥ]", {"normalized": True}),
]
SPECIAL = ["<e1>", "</e1>"]
TEXTS = [
    *(
        "hello [NEW] world",
        "[NEW]",
        "a[NEW]b",
        "［ＮＥＷ］ x",
        "xyzzy",
        "  xyzzy abc",
        "axyzzy xyzzyb xyzzy",
        "blablabla bla",
    ),
    *(
        "<e1>Paris</e1> is <mask>.",
        "<e1> Paris </e1>  <mask> [NEW] .",
        "ﬁ[NEW]ﬁ",
        "<mask>[NEW]<e1>",
        "\txyzzy\n",
        "[new]",
    ),
    *(
        "[NEW",
        "㍿[NEW]㌔ blabla。",
        " [NEW] ",
        "狗blabla在",
        "a  \u3000 xyzzy",
        "a~  b ~c",
        "[WIDE] [ＷＩＤＥ]",
        "",
        " ",
    ),
]


def added_to(tokenizer: Any, make: Any) -> list[int]:
    """Add the tokens to one of ours or of transformers'; returns what the calls said."""
    said = [tokenizer.add_tokens(PLAIN)]
    said += [tokenizer.add_tokens([make(content, **flags) for content, flags in PICKY] + ["[NEW]", ""][:1])]
    said += [tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})]
    return [*said, tokenizer.add_tokens("blabla")]


@pytest.fixture(scope="module")
def reference(vocabulary_file: Path):
    transformers = pytest.importorskip("transformers", minversion="5")
    tokenizer = reference_of(vocabulary_file)
    return tokenizer, added_to(tokenizer, transformers.AddedToken)


@pytest.fixture(scope="module")
def saved_by_transformers(reference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("added")
    reference[0].save_pretrained(folder)
    return folder


@pytest.fixture
def added(vocabulary_file: Path) -> XLMRobertaTokenizer:
    tokenizer = XLMRobertaTokenizer(vocabulary_file, model_max_length=10**12)
    added_to(tokenizer, AddedToken)
    return tokenizer


def spans(tokenizer: Any, encoding: Any) -> list[tuple[int, int]]:
    """Offsets but for a lone "▁", whose span is empty here."""
    pairs = zip(encoding["input_ids"], encoding["offset_mapping"], strict=True)
    return [tuple(span) for i, span in pairs if i != tokenizer.convert_tokens_to_ids("▁")]


def assert_same(ours: XLMRobertaTokenizer, theirs: Any, text: str) -> None:
    a, b = (tokenizer(text, return_offsets_mapping=True) for tokenizer in (ours, theirs))
    assert a["input_ids"] == b["input_ids"], ascii(text)
    assert spans(ours, a) == spans(theirs, b), ascii(text)
    for skip in (True, False) if "[ＷＩＤＥ]" not in ours.tokenize(text) else ():  # transformers decodes it as "[WIDE]"
        assert ours.decode(a["input_ids"], skip) == theirs.decode(b["input_ids"], skip_special_tokens=skip), ascii(text)


def test_adding_is_that_of_transformers(vocabulary_file: Path, reference):
    theirs, said = reference
    ours = XLMRobertaTokenizer(vocabulary_file)
    before = len(ours)
    assert added_to(ours, AddedToken) == said
    assert len(ours) == len(theirs) == before + sum(said)
    assert ours.vocab_size == before
    assert ours.get_vocab() == theirs.get_vocab()
    assert ours.additional_special_tokens == SPECIAL
    assert ours.all_special_tokens == theirs.all_special_tokens
    assert ours.all_special_ids == theirs.all_special_ids
    assert ours.mask_token_id == before - 1
    assert ours.convert_ids_to_tokens([before, before + 100]) == ["[NEW]", "<unk>"]
    for text in TEXTS:
        assert_same(ours, theirs, text)


@settings(max_examples=150)
@given(
    text=st.lists(
        st.sampled_from(
            [
                *PLAIN,
                *SPECIAL,
                "xyzzy",
                "~",
                "[ＷＩＤＥ]",
                "<mask>",
                " ",
                "  ",
                "\t",
                "a",
                "狗",
                "ﬁ",
                "é",
                "_",
                "[",
                "1",
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_texts_of_such_tokens(saved_by_transformers: Path, reference, text: str):
    assert_same(tokenizer_of(saved_by_transformers), reference[0], text)


def tokenizer_of(folder: Path, _made: dict[Path, XLMRobertaTokenizer] = {}) -> XLMRobertaTokenizer:  # noqa: B006
    if folder not in _made:
        _made[folder] = XLMRobertaTokenizer.from_pretrained(folder)
    return _made[folder]


def test_both_save_what_the_other_reads(
    added: XLMRobertaTokenizer, reference, saved_by_transformers: Path, tmp_path: Path
):
    transformers = pytest.importorskip("transformers", minversion="5")
    read = XLMRobertaTokenizer.from_pretrained(saved_by_transformers)
    assert read.get_vocab() == added.get_vocab()
    assert read.added_tokens_decoder == added.added_tokens_decoder
    added.save_pretrained(tmp_path)
    again, theirs = XLMRobertaTokenizer.from_pretrained(tmp_path), transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert again.added_tokens_decoder == added.added_tokens_decoder
    for text in TEXTS:
        assert_same(again, reference[0], text)
        assert_same(again, theirs, text)


def test_copies_keep_them(added: XLMRobertaTokenizer):
    for other in (copy.deepcopy(added), pickle.loads(pickle.dumps(added))):
        assert other(TEXTS, return_offsets_mapping=True) == added(TEXTS, return_offsets_mapping=True)
        other.add_tokens("later")
        assert "later" not in added.get_vocab()


def files_of_transformers_4(tokenizer: XLMRobertaTokenizer, folder: Path) -> None:
    """What a slow tokenizer of transformers 4 writes."""
    (folder / "sentencepiece.bpe.model").write_bytes(tokenizer._vocabulary.serialized())
    (folder / "added_tokens.json").write_text(json.dumps(tokenizer.get_added_vocab(), ensure_ascii=False))
    special = {"mask_token": {"content": "<mask>", "lstrip": True}, "additional_special_tokens": SPECIAL}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))


@pytest.mark.parametrize("only", ["tokenizer.json", "added_tokens_decoder", "added_tokens.json"])
def test_one_file_that_names_them_is_enough(added: XLMRobertaTokenizer, tmp_path: Path, only: str):
    if only == "added_tokens.json":
        files_of_transformers_4(added, tmp_path)
    else:
        added.save_pretrained(tmp_path)
        (tmp_path / "added_tokens.json").unlink()
        if only == "tokenizer.json":
            (tmp_path / "tokenizer_config.json").unlink()
        else:
            (tmp_path / "tokenizer.json").unlink()
    read = XLMRobertaTokenizer.from_pretrained(tmp_path)
    assert read.get_vocab() == added.get_vocab()
    assert read.additional_special_tokens == SPECIAL
    text = "hello [NEW] <e1> blabla"
    assert read(text) == added(text)
    assert read.decode(read(text).input_ids, skip_special_tokens=True) == "hello[NEW]blabla"


def test_special_tokens_without_an_id_get_the_next(vocabulary_file: Path, tmp_path: Path):
    shutil.copy(vocabulary_file, tmp_path)
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"additional_special_tokens": SPECIAL}))
    read = XLMRobertaTokenizer.from_pretrained(tmp_path)
    assert read.get_added_vocab() == {"<e1>": read.vocab_size, "</e1>": read.vocab_size + 1}


def test_special_no_longer(added: XLMRobertaTokenizer):
    assert added.add_special_tokens({"additional_special_tokens": ["<e3>"], "mask_token": "<mask>"}) == 1
    assert added.additional_special_tokens == ["<e3>"]
    assert (
        added.add_special_tokens({"additional_special_tokens": ["<e4>"]}, replace_additional_special_tokens=False) == 1
    )
    assert added.additional_special_tokens == ["<e3>", "<e4>"]
    assert added.get_added_vocab()["<e1>"] == added("<e1>").input_ids[1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: t.add_tokens(["a", ""]), "1 to 1,000 characters"),
        (lambda t: t.add_tokens(["a", 3]), "1 to 1,000 characters"),
        (lambda t: t.add_tokens("\ud800"), "half a character"),
        (lambda t: t.add_tokens(AddedToken("a", lstrip="yes")), "true or false"),
        (lambda t: t.add_special_tokens({"mask_token": "[MASK]"}), "cannot be '\\[MASK\\]'"),
        (lambda t: t.add_special_tokens({"my_token": "x"}), "no special token 'my_token'"),
    ],
)
def test_what_cannot_be_added(added: XLMRobertaTokenizer, call, words: str):
    before = added.get_vocab()
    with pytest.raises(ValueError, match=words):
        call(added)
    assert added.get_vocab() == before


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("added_tokens.json", {"[NEW]": 9_999}, "gives the token '\\[NEW\\]' the id 9999"),
        ("added_tokens.json", {"other": None}, "with the id None"),
        ("added_tokens.json", {"other": True}, "with the id True"),
        ("added_tokens.json", {"other": 10**40}, "with the id 1000"),
        ("added_tokens.json", {"<mask>": 9_999}, "'<mask>' (the|cannot have the) id 9999"),
        ("added_tokens.json", {"x" * 5_000: 9_999}, "1 to 1,000 characters"),
        ("tokenizer_config.json", {"added_tokens_decoder": []}, "") ,
        ("tokenizer_config.json", {"added_tokens_decoder": {"x": {"content": "y"}}}, "with the id 'x'"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"7": "y"}}, "A token is an object"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"7": {"content": "y"}}}, "contradict each other"),
        ("tokenizer_config.json", {"additional_special_tokens": 5}, "additional_special_tokens that are no list"),
        ("tokenizer_config.json", {"extra_special_tokens": [["x"]]}, "A token is a text"),
        ("tokenizer.json", {"added_tokens": {"a": 1}}, "no list of added_tokens"),
        ("tokenizer.json", {"added_tokens": [5]}, "with the id None"),
        ("tokenizer.json", {"added_tokens": [{"id": 7, "content": "zzz", "special": True}]}, "contradict each other"),
    ],
)  # fmt: skip
def test_files_that_contradict_each_other(
    added: XLMRobertaTokenizer, tmp_path: Path, name: str, change: dict, words: str
):
    added.save_pretrained(tmp_path)
    values = json.loads((tmp_path / name).read_text(encoding="utf-8"))
    (tmp_path / name).write_text(json.dumps(values | change), encoding="utf-8")
    if not words:  # an empty list says nothing
        assert XLMRobertaTokenizer.from_pretrained(tmp_path).get_vocab() == added.get_vocab()
        return
    with pytest.raises(CheckpointError, match=words):
        XLMRobertaTokenizer.from_pretrained(tmp_path)


def test_a_token_that_normalisation_leaves_nothing_of(vocabulary_file: Path):
    tokenizer = XLMRobertaTokenizer(vocabulary_file)
    before = tokenizer("the \x01 house").input_ids
    assert tokenizer.add_tokens(["\x01", "[NEW]"]) == 2
    assert tokenizer("the \x01 house").input_ids == before
    assert tokenizer("[NEW]\x01", return_offsets_mapping=True).offset_mapping[1] == (0, 5)


# Models with such tokens


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A checkpoint with two added tokens, one of them special, in seven rows more than the vocabulary has tokens."""
    model = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder)
    tokenizer = XLMRobertaTokenizer.from_pretrained(tiny_folder)
    tokenizer.add_tokens("[NEW]")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<e1>"]})
    model.resize_token_embeddings(tokenizer.vocab_size + 7)
    with torch.no_grad():  # the spare rows would win every mask
        model.lm_head.bias[tokenizer.vocab_size :] = 50.0
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def assert_offered(session: xlmrxl.Session) -> None:
    size = session.tokenizer.vocab_size
    result = session.fill_mask("The capital [NEW] is <mask>.", top_k=len(session.tokenizer) - 6)
    ids = {fill.id for fill in result.masks[0].fills}
    assert ids == set(session.tokenizer.token_ids) - set(session.tokenizer.all_special_ids)
    assert size in ids
    assert size + 1 not in ids


@pytest.mark.parametrize("precision", ["fp32", "8bit", "4bit"])
def test_they_are_kept_and_offered_and_spare_rows_are_not(folder: Path, tmp_path: Path, precision: str):
    if precision == "fp32":
        assert_offered(xlmrxl.load(folder))
        return
    need_bitsandbytes()
    quantize(folder, tmp_path / "small", precision)
    assert_offered(xlmrxl.load(tmp_path / "small"))


def test_an_added_token_begins_a_word_after_a_space(folder: Path):
    from xlmrxl.tasks.masked_lm import tokenize

    tokenizer = XLMRobertaTokenizer.from_pretrained(folder)
    pieces = [token.piece for token in tokenize(tokenizer, "[NEW] a [NEW] b[NEW]") if token.piece.endswith("[NEW]")]
    assert pieces == ["▁[NEW]", "▁[NEW]", "[NEW]"]


def test_what_is_offered_follows_the_tokenizer(folder: Path):
    session = xlmrxl.load(folder)
    before = session.fill_mask("a <mask>", top_k=1).to_dict()
    session.tokenizer.add_tokens("later")  # stands on a row that was spare until now
    after = session.fill_mask("a <mask>", top_k=2).to_dict()
    assert "later" not in json.dumps(before)
    assert "later" in json.dumps(after)


def test_a_token_that_the_model_has_no_row_for(folder: Path):
    tokenizer = XLMRobertaTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"[{i}]" for i in range(9)])
    tokenizer.save_pretrained(folder)
    with pytest.raises(CheckpointError, match=r"added token '\[5\]'.*no row for it.*resize_token_embeddings"):
        xlmrxl.load(folder)
