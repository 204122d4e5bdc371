"""A vocabulary that comes as tokenizer.json alone, as transformers 5 saves it."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from needs import need_bitsandbytes
from test_tokenizer import HARD, REAL, corpus_lines, reference_of, without_lone_spaces

from xlmrxl import CheckpointError, XLMRobertaTokenizer, XLMRobertaXLForMaskedLM, load
from xlmrxl.quantize import quantize

FILES = ["sentencepiece.bpe.model", "tokenizer.json", "tokenizer_config.json"]


@pytest.fixture(scope="module")
def saved_by_transformers(vocabulary_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transformers")
    reference_of(vocabulary_file).save_pretrained(folder)
    assert sorted(path.name for path in folder.iterdir()) == FILES[1:]
    return folder


@pytest.fixture(scope="module")
def real_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real vocabulary as transformers 5 saves it."""
    if not REAL.is_file():
        pytest.skip(f"the real vocabulary is not at {REAL}")
    folder = tmp_path_factory.mktemp("real")
    reference_of(REAL).save_pretrained(folder)
    return folder


def test_the_same_vocabulary(saved_by_transformers: Path, vocabulary_file: Path, tmp_path: Path):
    alone, original = XLMRobertaTokenizer.from_pretrained(saved_by_transformers), XLMRobertaTokenizer(vocabulary_file)
    assert alone.vocab_file is None
    assert alone.get_vocab() == original.get_vocab()
    assert alone(HARD, return_offsets_mapping=True) == original(HARD, return_offsets_mapping=True)
    assert XLMRobertaTokenizer(tokenizer_file=saved_by_transformers / "tokenizer.json")(HARD) == original(HARD)
    assert sorted(Path(path).name for path in alone.save_pretrained(tmp_path)) == FILES
    (tmp_path / "tokenizer.json").unlink()
    assert XLMRobertaTokenizer.from_pretrained(tmp_path)(HARD) == original(HARD)


def test_a_checkpoint_without_the_sentencepiece_model(saved_by_transformers: Path, tiny_folder: Path, tmp_path: Path):
    text = "The capital of <mask> is Madrid."
    expected = load(tiny_folder).fill_mask(text)
    for name in FILES[1:]:
        shutil.copy(saved_by_transformers / name, tmp_path)
    XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder).save_pretrained(tmp_path)
    assert load(tmp_path).fill_mask(text).masks == expected.masks
    need_bitsandbytes()
    quantize(tmp_path, tmp_path / "quantised", "8bit")
    assert set(FILES) <= {path.name for path in (tmp_path / "quantised").iterdir()}


def test_hard_texts_on_the_real_vocabulary(real_folder: Path):
    alone, original = XLMRobertaTokenizer.from_pretrained(real_folder), XLMRobertaTokenizer(REAL)
    assert alone(HARD, return_offsets_mapping=True) == original(HARD, return_offsets_mapping=True)


@pytest.mark.slow
def test_corpus_on_the_real_vocabulary(real_folder: Path):
    """The same ids and offsets as transformers' on lines of every language of the corpus."""
    tokenizer, reference = XLMRobertaTokenizer.from_pretrained(real_folder), reference_of(REAL)
    texts = corpus_lines()
    ours, theirs = tokenizer(texts, return_offsets_mapping=True), reference(texts, return_offsets_mapping=True)
    assert [text for text, a, b in zip(texts, ours.input_ids, theirs.input_ids, strict=True) if a != b] == []
    for i, text in enumerate(texts):
        assert without_lone_spaces(tokenizer, ours, i) == without_lone_spaces(tokenizer, theirs, i), text


@pytest.mark.parametrize(
    "normalizer",
    [
        lambda rules: rules,
        lambda rules: {"type": "Sequence", "normalizers": [rules]},
        lambda rules: {
            "type": "Sequence",
            "normalizers": [
                rules,
                {"type": "Strip", "strip_left": False, "strip_right": True},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"},
            ],
        },
    ],
    ids=["alone", "sequence", "with spaces"],
)
def test_what_transformers_4_wrote(saved_by_transformers: Path, vocabulary_file: Path, tmp_path: Path, normalizer):
    values = json.loads((saved_by_transformers / "tokenizer.json").read_text(encoding="utf-8"))
    values["normalizer"] = normalizer(values["normalizer"])
    values["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}
    values["post_processor"] = {"type": "RobertaProcessing", "cls": ["<s>", 0], "sep": ["</s>", 2]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(values), encoding="utf-8")
    assert XLMRobertaTokenizer.from_pretrained(tmp_path)(HARD) == XLMRobertaTokenizer(vocabulary_file)(HARD)


def changed(values: dict[str, Any], place: list[Any], new: Any) -> dict[str, Any]:
    values = copy.deepcopy(values)
    inner: Any = values
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = new
    return values


@pytest.mark.parametrize(
    ("place", "new", "words"),
    [
        (["model", "type"], "BPE", "its model is 'BPE'"),
        (["model"], None, "its model is None"),
        (["model", "byte_fallback"], True, "byte_fallback"),
        (["model", "unk_id"], 0, "unk_id"),
        (["model", "vocab"], {}, "no list of pieces"),
        (["model", "vocab", 5], ["a"], "a piece and its score"),
        (["model", "vocab", 5], ["a", "b"], "a piece and its score"),
        (["model", "vocab", 5, 1], float("inf"), "a piece and its score"),
        (["model", "vocab", 5, 0], "", "twice, or an empty one"),
        (["model", "vocab", 5, 0], "\ud800", "half a character"),
        (["model", "vocab", 0, 0], "[CLS]", "begins with"),
        (["model", "vocab", -1, 0], "[MASK]", "ends with"),
        (["normalizer"], {"type": "Lowercase"}, "its normalizer has 'Lowercase'"),
        (["normalizer"], {"type": "Precompiled", "precompiled_charsmap": "?"}, "precompiled_charsmap is damaged"),
        (["normalizer"], 7, "its normalizer has 7"),
        (["pre_tokenizer"], {"type": "ByteLevel"}, "its pre_tokenizer is"),
        (["pre_tokenizer", "pretokenizers", 1, "prepend_scheme"], "first", "its Metaspace is"),
        (["pre_tokenizer", "pretokenizers", 1, "replacement"], "_", "its Metaspace is"),
        (["post_processor", "single", 0, "SpecialToken", "id"], "</s>", "its post_processor"),
        (["post_processor"], {"type": "BertProcessing", "cls": ["[CLS]", 4], "sep": ["</s>", 2]}, "its post_processor"),
    ],
)
def test_what_is_read_differently_is_refused(saved_by_transformers: Path, tmp_path: Path, place, new, words: str):
    values = json.loads((saved_by_transformers / "tokenizer.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(changed(values, place, new)), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json cannot be used") as caught:
        XLMRobertaTokenizer.from_pretrained(tmp_path)
    assert words in str(caught.value)


@pytest.mark.parametrize("change", ["a piece less", "another score", "another piece", "no list"])
def test_two_files_of_different_vocabularies(
    saved_by_transformers: Path, vocabulary_file: Path, tmp_path: Path, change: str
):
    values = json.loads((saved_by_transformers / "tokenizer.json").read_text(encoding="utf-8"))
    vocab = values["model"]["vocab"]
    if change == "a piece less":
        del vocab[7]
    elif change == "another score":
        vocab[7][1] -= 0.5
    elif change == "another piece":
        vocab[7][0] += "x"
    else:
        values["model"]["vocab"] = {"a": 1}
    shutil.copy(vocabulary_file, tmp_path / FILES[0])
    (tmp_path / FILES[1]).write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(CheckpointError, match="hold different vocabularies"):
        XLMRobertaTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mask_token": "[MASK]"}, r"the mask_token is '\[MASK\]'"),
        ({"pad_token": {"content": "[PAD]"}}, "the pad_token is"),
        ({"padding_side": "up"}, "padding_side is 'up'"),
        ({"model_max_length": "many"}, "model_max_length is 'many'"),
        ({"model_max_length": float("inf")}, "model_max_length is inf"),
        ({"model_max_length": -1}, "model_max_length is -1"),
        ({"model_max_length": True}, "model_max_length is True"),
    ],
)
def test_wrong_options(tiny_folder: Path, tmp_path: Path, settings: dict[str, Any], words: str):
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "copy"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | settings))
    with pytest.raises(CheckpointError, match=words):
        XLMRobertaTokenizer.from_pretrained(folder)


def test_a_mask_token_written_with_its_properties(tiny_folder: Path, tmp_path: Path):
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "copy"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["mask_token"] = {"__type": "AddedToken", "content": "<mask>", "lstrip": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert XLMRobertaTokenizer.from_pretrained(folder)("a <mask>.") == XLMRobertaTokenizer.from_pretrained(tiny_folder)(
        "a <mask>."
    )
