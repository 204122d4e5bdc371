"""What a tokenizer takes and says of itself besides encoding texts: arguments, files, names, copies."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_tokenizer import HARD, reference_of

from xlmrxl import AddedToken, AutoTokenizer, CheckpointError, XLMRobertaTokenizer

TEXT = "The capital of France is Paris"


@pytest.fixture(scope="module")
def small(vocabulary_file: Path) -> XLMRobertaTokenizer:
    return XLMRobertaTokenizer(vocabulary_file, model_max_length=40)


@pytest.fixture(scope="module")
def theirs(vocabulary_file: Path) -> Any:
    return reference_of(vocabulary_file, model_max_length=40)


@pytest.fixture(scope="module")
def folder(small: XLMRobertaTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved")
    small.save_pretrained(path)
    return path


# Arguments of from_pretrained, save_pretrained and the class

HARMLESS: dict[str, Any] = {
    **{"use_fast": True, "use_auth_token": None, "trust_remote_code": True, "proxies": None, "resume_download": True},
    **{"from_slow": False, "legacy": False, "_from_auto": True, "bos_token": "<s>", "mask_token": "<mask>"},
    **{"do_lower_case": False, "sp_model_kwargs": {}, "revision": None, "token": False, "force_download": False},
    **{"additional_special_tokens": [], "unk_token": AddedToken("<unk>"), "sep_token": None, "verbose": False},
}


def test_arguments_without_effect(folder: Path, small: XLMRobertaTokenizer):
    for options in (HARMLESS, *({name: value} for name, value in HARMLESS.items())):
        read = AutoTokenizer.from_pretrained(folder, **options)
        assert read(HARD[:40]) == small(HARD[:40])
        assert len(read) == len(small)
    assert AutoTokenizer.from_pretrained(pretrained_model_name_or_path=folder).name_or_path == str(folder)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"random_argument": True}, TypeError, "no argument 'random_argument'"),
        ({"padding_sides": "left"}, TypeError, "no argument 'padding_sides'; did you mean 'padding_side'"),
        ({"proxies": {"https": "x"}}, ValueError, "proxies cannot be had here. Set the variable HTTPS_PROXY"),
        ({"sp_model_kwargs": {"alpha": 1}}, ValueError, "sp_model_kwargs cannot be {'alpha': 1} here"),
        ({"pad_token": "[PAD]"}, ValueError, r"The pad_token of XLM-RoBERTa is '<pad>' and cannot be '\[PAD\]'"),
        ({"eos_token": AddedToken("[E]")}, ValueError, "The eos_token of XLM-RoBERTa is '</s>'"),
        ({"truncation_side": "up"}, ValueError, "truncation_side is 'right' or 'left', not 'up'"),
        ({"chat_template": "x"}, ValueError, "A masked language model has no chats"),
    ],
)
def test_arguments_that_are_refused(folder: Path, options: dict[str, Any], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        XLMRobertaTokenizer.from_pretrained(folder, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t("a", paddings=True), "paddings"),
        (lambda t: t.encode("a", max_lenght=3), "max_lenght"),
        (lambda t: t.tokenize("a", add_prefix_space=True), "add_prefix_space"),
        (lambda t: t.decode([5], skip_special=True), "skip_special"),
        (lambda t: t.pad({"input_ids": [5]}, truncation=True), "truncation"),
        (lambda t: t.save_pretrained("never", safe=True), "no argument 'safe'"),
    ],
)
def test_unknown_arguments_are_named(small: XLMRobertaTokenizer, call: Any, message: str):
    with pytest.raises(TypeError, match=message):
        call(small)
    assert not Path("never").exists()


def test_lower_case_is_not_lost_in_silence(folder: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        read = XLMRobertaTokenizer.from_pretrained(folder, do_lower_case=True)
    assert read.tokenize("The") == ["▁", "T", "h", "e"]
    assert "do_lower_case has no effect" in caplog.text


def test_saving(small: XLMRobertaTokenizer, tmp_path: Path):
    harmless = {"push_to_hub": False, "legacy_format": True, "token": None, "create_pr": False, "private": None}
    paths = small.save_pretrained(tmp_path / "a", **harmless)
    assert [Path(path).name for path in paths] == ["sentencepiece.bpe.model", "tokenizer_config.json", "tokenizer.json"]
    prefixed = small.save_pretrained(tmp_path / "b", filename_prefix="x")
    assert [Path(path).name for path in prefixed] == [f"x-{Path(path).name}" for path in paths]
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == sorted(Path(path).name for path in prefixed)
    (alone,) = small.save_vocabulary(tmp_path / "c")
    assert Path(alone).read_bytes() == Path(paths[0]).read_bytes()
    assert XLMRobertaTokenizer(alone)(HARD[:30]) == small(HARD[:30])
    (tmp_path / "a" / "added_tokens.json").write_text("{}")
    small.save_vocabulary(tmp_path / "a", filename_prefix="y")  # takes nothing away
    assert (tmp_path / "a" / "y-sentencepiece.bpe.model").exists()
    assert (tmp_path / "a" / "added_tokens.json").exists()
    with pytest.raises(ValueError, match="push_to_hub cannot be had here"):
        small.save_pretrained(tmp_path / "d", push_to_hub=True)
    assert not (tmp_path / "d").exists()


# Words without the space before them


@pytest.fixture(scope="module")
def without_prefix(vocabulary_file: Path) -> tuple[XLMRobertaTokenizer, Any]:
    ours = XLMRobertaTokenizer(vocabulary_file, model_max_length=40, add_prefix_space=False)
    return ours, reference_of(vocabulary_file, model_max_length=40, add_prefix_space=False)


@settings(deadline=None)
@given(
    parts=st.lists(
        st.sampled_from(["<mask>", "</s>", "▁", "¨", "\u3000", "\u200b", "\u00a0"])
        | st.text("The capital ofFrnceネコ猫狗кошка ﬁＡ㍿\t,.", max_size=12),
        max_size=6,
    )
)
@example(["The capital▁of <mask>France  ¨ x"])
def test_no_space_before_words(without_prefix, parts: list[str]):
    ours, theirs = without_prefix
    mine, other = ours("".join(parts)), theirs("".join(parts))
    assert mine.input_ids == other.input_ids
    assert mine.word_ids() == other.word_ids()
    assert mine.tokens() == other.tokens()
    assert "▁" not in "".join(mine.tokens())
    assert ours.decode(mine.input_ids) == theirs.decode(other.input_ids)


def test_places_without_the_space(without_prefix):
    for text in ("The capital of <mask> France", "㍿x y", "a\u3000b▁c"):
        mine, other = (tokenizer(text, return_offsets_mapping=True) for tokenizer in without_prefix)
        assert mine.offset_mapping == other.offset_mapping


def test_no_space_is_saved(without_prefix, tmp_path: Path):
    ours, theirs = without_prefix
    assert (ours.add_prefix_space, theirs.add_prefix_space) == (False, False)
    ours.save_pretrained(tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    transformers = pytest.importorskip("transformers", minversion="5")
    again = transformers.XLMRobertaTokenizer.from_pretrained(tmp_path / "ours")
    assert again(TEXT).input_ids == ours(TEXT).input_ids
    for folder in ("ours", "theirs"):
        read = XLMRobertaTokenizer.from_pretrained(tmp_path / folder)
        assert read.add_prefix_space is False
        assert read(TEXT) == ours(TEXT) != XLMRobertaTokenizer(ours.vocab_file)(TEXT)
        alone = XLMRobertaTokenizer(tokenizer_file=tmp_path / folder / "tokenizer.json")
        assert alone(TEXT) == ours(TEXT)
        assert XLMRobertaTokenizer.from_pretrained(tmp_path / folder, add_prefix_space=True).add_prefix_space is True
    config = tmp_path / "ours" / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "add_prefix_space": "no"}))
    with pytest.raises(CheckpointError, match="add_prefix_space is 'no'; it is true or false"):
        XLMRobertaTokenizer.from_pretrained(tmp_path / "ours")


# Special tokens


def test_special_tokens_as_text(vocabulary_file: Path):
    """As with the slow tokenizer of 4.37.2; the fast ones find the token again in their vocabulary."""
    tokenizer = XLMRobertaTokenizer(vocabulary_file, additional_special_tokens=["<x>"])
    tokenizer.add_tokens(["[y]"])
    for text, tokens in (
        ("a <mask>", "▁a▁<mask>"),
        ("<x>[y]", "▁<x>[y]"),
    ):
        mine = tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        assert "".join(mine.tokens()) == tokens
        assert not set(mine.input_ids) & {tokenizer.mask_token_id, tokenizer.convert_tokens_to_ids("<x>")}
        assert mine.word_ids()[-1] == 1
    split = XLMRobertaTokenizer(vocabulary_file, split_special_tokens=True)
    assert split("a <mask>").input_ids == tokenizer("a <mask>", split_special_tokens=True).input_ids
    assert split("a <mask>", split_special_tokens=False).input_ids == tokenizer("a <mask>").input_ids


def test_names_of_special_tokens(vocabulary_file: Path, theirs):
    tokenizer = XLMRobertaTokenizer(vocabulary_file)
    assert tokenizer.special_tokens_map == theirs.special_tokens_map
    assert list(tokenizer.special_tokens_map) == list(theirs.special_tokens_map)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<b>", "<a>"]})
    assert tokenizer.special_tokens_map["additional_special_tokens"] == ["<b>", "<a>"]
    assert tokenizer.special_tokens_map_extended["mask_token"] == AddedToken("<mask>", special=True)
    assert [token.content for token in tokenizer.all_special_tokens_extended] == tokenizer.all_special_tokens
    assert tokenizer.additional_special_tokens_ids == tokenizer.convert_tokens_to_ids(["<b>", "<a>"])
    assert tokenizer.added_tokens_encoder["<a>"] == len(tokenizer) - 1
    assert tokenizer.sanitize_special_tokens() == 0
    assert (tokenizer.is_fast, tokenizer.pad_token_type_id) == (True, 0)
    assert tokenizer.vocab == tokenizer.get_vocab()
    assert (tokenizer.max_len_single_sentence, tokenizer.max_len_sentences_pair) == (510, 508)
    # Those named last come last, whatever their ids, and a file keeps the order.
    tokenizer.add_special_tokens({"additional_special_tokens": ["<c>", "<a>"]})
    assert tokenizer.additional_special_tokens == ["<c>", "<a>"]
    tokenizer.add_special_tokens({"additional_special_tokens": ["<b>"]}, replace_additional_special_tokens=False)
    assert tokenizer.additional_special_tokens == ["<c>", "<a>", "<b>"]
    tokenizer.additional_special_tokens = ["<a>"]
    assert tokenizer.all_special_tokens[5:] == ["<a>"]
    assert "<b>" in tokenizer.decode(tokenizer.encode("x<b>"), skip_special_tokens=True)
    with pytest.raises(ValueError, match="it is a list of tokens"):
        tokenizer.add_special_tokens({"additional_special_tokens": "<x>"})


def test_order_of_special_tokens_in_files(vocabulary_file: Path, tmp_path: Path):
    tokenizer = XLMRobertaTokenizer(vocabulary_file, additional_special_tokens=["<b>", "<a>"])
    tokenizer.additional_special_tokens = ["<a>", "<b>"]
    tokenizer.save_pretrained(tmp_path)
    assert XLMRobertaTokenizer.from_pretrained(tmp_path).additional_special_tokens == ["<a>", "<b>"]
    replaced = XLMRobertaTokenizer.from_pretrained(tmp_path, extra_special_tokens=["<new>"])
    assert replaced.additional_special_tokens == ["<new>"]
    assert replaced.get_added_vocab().keys() == {"<a>", "<b>", "<new>"}


@pytest.mark.parametrize("name", ["pad_token", "mask_token_id", "cls_token"])
def test_special_tokens_of_the_family_stay(small: XLMRobertaTokenizer, name: str):
    setattr(small, name, getattr(small, name))
    with pytest.raises(ValueError, match="cannot be None"):
        setattr(small, name, None)


def test_tokens_of_the_tokenizers_library(small: XLMRobertaTokenizer, vocabulary_file: Path):
    tokenizers = pytest.importorskip("tokenizers")
    ours = XLMRobertaTokenizer(vocabulary_file)
    assert ours.add_tokens([tokenizers.AddedToken("[NEW]", single_word=True), "other"]) == 2
    assert ours.added_tokens_decoder[len(small)] == AddedToken("[NEW]", single_word=True)
    assert ours.add_tokens("") == ours.add_tokens([]) == 0


# Other ways to encode


def test_older_ways_to_encode(small: XLMRobertaTokenizer):
    texts = [TEXT, "a house"]
    assert small.encode_plus(TEXT, "a") == small(TEXT, "a")
    assert small.encode_plus(TEXT, add_special_tokens=False) == small(TEXT, add_special_tokens=False)
    assert small.batch_encode_plus(texts, padding=True) == small(texts, padding=True)
    pairs = small.batch_encode_plus(list(zip(texts, texts, strict=True)))
    assert pairs == small(texts, texts)
    assert small(TEXT, pad_to_max_length=True, max_length=30) == small(TEXT, padding="max_length", max_length=30)
    assert small(texts, pad_to_max_length=True) == small(texts, padding=True)
    assert small(TEXT, truncation_strategy="only_first", max_length=5) == small(TEXT, truncation=True, max_length=5)
    with small.as_target_tokenizer():
        assert small(TEXT) == small(text_target=TEXT)
    for call in (small.encode, small.encode_plus, small.batch_encode_plus, small.tokenize, small):
        with pytest.raises(TypeError, match="NoneType"):
            call(None)


def test_targets(small: XLMRobertaTokenizer, theirs):
    for options in ({}, {"padding": True, "return_tensors": "pt"}, {"truncation": True, "max_length": 4}):
        mine = small([TEXT], text_target=["a house"], **options)
        other = theirs([TEXT], text_target=["a house"], **options)
        assert mine.keys() == other.keys()
        for name, value in mine.items():
            assert (value.tolist() if isinstance(value, torch.Tensor) else value) == [list(map(int, other[name][0]))]
    with pytest.raises(ValueError, match="no text_target"):
        small(TEXT, text_pair_target="a")


@pytest.mark.parametrize("options", [{}, {"padding": True}, {"truncation": True, "max_length": 5}])
def test_length(small: XLMRobertaTokenizer, theirs, options: dict[str, Any]):
    assert small([TEXT, "a"], return_length=True, **options) == dict(theirs([TEXT, "a"], return_length=True, **options))
    assert small(TEXT, return_length=True, **options) == dict(theirs(TEXT, return_length=True, **options))


def test_names_of_inputs(vocabulary_file: Path):
    names = ["inputs", "token_type_ids"]
    tokenizer = XLMRobertaTokenizer(vocabulary_file, model_input_names=names)
    encoding = tokenizer(["a", TEXT])
    assert list(encoding) == names
    padded = tokenizer.pad(encoding)
    assert len(set(map(len, padded["inputs"]))) == len(set(map(len, padded["token_type_ids"]))) == 1
    assert tokenizer.encode("a") == encoding["inputs"][0]


def test_prepare_for_model(small: XLMRobertaTokenizer):
    ids, other = (small.encode(text, add_special_tokens=False) for text in (TEXT, "a house"))
    assert small.prepare_for_model(ids) == small(TEXT)
    assert small.prepare_for_model(ids, other) == small(TEXT, "a house")
    options = {"padding": "max_length", "max_length": 60, "return_special_tokens_mask": True}
    assert small.prepare_for_model(ids, other, **options) == small(TEXT, "a house", **options)
    cut = small.prepare_for_model(
        ids, truncation=True, max_length=7, stride=2, return_overflowing_tokens=True, return_length=True
    )
    assert cut.input_ids == [0, *ids[:5], 2]
    assert (cut.overflowing_tokens, cut.num_truncated_tokens, cut.length) == (ids[3:], len(ids) - 5, 7)
    tensors = small.prepare_for_model(ids, return_tensors="pt", prepend_batch_axis=True)
    assert tensors.input_ids.tolist() == [[0, *ids, 2]]
    with pytest.raises(ValueError, match="smaller than the number of special tokens"):
        small.prepare_for_model(ids, truncation=True, max_length=1)


def cut_one_by_one(first: list[int], second: list[int], count: int, side: str) -> tuple[list[int], list[int]]:
    """Take tokens off the longer of two rows, one after the other."""
    for _ in range(count):
        longer = first if len(first) > len(second) else second
        longer.pop(-1 if side == "right" else 0)
    return first, second


@given(
    first=st.integers(0, 9),
    second=st.integers(0, 9),
    count=st.integers(0, 18),
    side=st.sampled_from(["right", "left"]),
)
def test_pairs_are_cut_one_token_after_the_other(vocabulary_file: Path, first: int, second: int, count: int, side: str):
    tokenizer = XLMRobertaTokenizer(vocabulary_file, truncation_side=side)
    a, b = list(range(100, 100 + first)), list(range(200, 200 + second))
    if count > first + second:
        with pytest.raises(ValueError, match="smaller"):
            tokenizer.truncate_sequences(a, b, count)
        return
    left = tokenizer.truncate_sequences(a, b, count)
    assert left == (*cut_one_by_one(a, b, count, side), [])


def test_what_truncation_cuts_off(vocabulary_file: Path):
    ids, other = list(range(10)), list(range(20, 23))
    right = XLMRobertaTokenizer(vocabulary_file)
    left = XLMRobertaTokenizer(vocabulary_file, truncation_side="left")
    assert right.truncate_sequences(ids, None, 4, stride=2) == ([0, 1, 2, 3, 4, 5], None, [4, 5, 6, 7, 8, 9])
    assert left.truncate_sequences(ids, None, 4, stride=2) == ([4, 5, 6, 7, 8, 9], None, [0, 1, 2, 3, 4, 5])
    assert right.truncate_sequences(ids, other, 4, "only_first") == (ids[:6], other, ids[6:])
    assert right.truncate_sequences(other, ids, 4, "only_second", stride=99) == (other, ids[:6], ids)
    assert right.truncate_sequences(ids, other, 0) == (ids, other, [])
    assert right.truncate_sequences(ids, None, 4, "do_not_truncate") == (ids, None, [])
    with pytest.raises(ValueError, match="the other text alone is too long"):
        right.truncate_sequences(other, ids, 4, "only_first")


def test_tokens_to_text(small: XLMRobertaTokenizer, theirs):
    for tokens in (["▁The", "▁a", "b"], [], ["a", "▁"], small.all_special_tokens, small.tokenize(TEXT)):
        assert small.convert_tokens_to_string(tokens) == theirs.convert_tokens_to_string(tokens)
    ids = small.encode("a . b")
    clean = XLMRobertaTokenizer(small.vocab_file, clean_up_tokenization_spaces=True)
    assert clean.decode(ids, skip_special_tokens=True) == "a. b"
    assert clean.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) == "a . b"
    assert small.decode(token_ids=ids, spaces_between_special_tokens=False) == small.decode(ids)
    assert small.batch_decode([ids], True) == ["a . b"]
    assert XLMRobertaTokenizer.clean_up_tokenization("a .") == "a."


# Copies


def test_a_pickle_does_not_depend_on_what_was_read(vocabulary_file: Path, caplog: pytest.LogCaptureFixture):
    tokenizer = XLMRobertaTokenizer(vocabulary_file, model_max_length=5)
    tokenizer.add_tokens(["ﬁn", AddedToken("<x>", special=True)])
    before = pickle.dumps(tokenizer)
    with caplog.at_level(logging.WARNING):
        tokenizer(TEXT + " Oooo ﬁn", return_offsets_mapping=True)
        tokenizer(TEXT, max_length=4)
        tokenizer(TEXT, split_special_tokens=True)
    assert len(caplog.records) == 2
    tokenizer.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True
    tokenizer.get_vocab()
    assert pickle.dumps(tokenizer) == before
    twin = pickle.loads(before)
    assert twin.deprecation_warnings == {}
    assert twin(TEXT + " ﬁn<x>", return_offsets_mapping=True) == tokenizer(TEXT + " ﬁn<x>", return_offsets_mapping=True)


def test_warnings_can_be_turned_off(vocabulary_file: Path, caplog: pytest.LogCaptureFixture):
    quiet = XLMRobertaTokenizer(vocabulary_file, model_max_length=5, verbose=False)
    loud = XLMRobertaTokenizer(vocabulary_file, model_max_length=5)
    with caplog.at_level(logging.WARNING):
        quiet(TEXT)
        loud(TEXT, verbose=False)
        loud.tokenize(TEXT)
    assert caplog.records == []


def test_arguments_are_remembered(folder: Path):
    tokenizer = XLMRobertaTokenizer.from_pretrained(folder, padding_side="left", use_fast=True)
    assert tokenizer.init_kwargs["padding_side"] == "left"
    assert tokenizer.init_kwargs["use_fast"] is True
    assert tokenizer.init_kwargs["name_or_path"] == folder
    assert XLMRobertaTokenizer.from_pretrained("default").name_or_path == "default"
