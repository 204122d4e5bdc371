"""The config: defaults, round trips, and what transformers reads and writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from xlmrxl import CheckpointError, XLMRobertaXLConfig


def test_the_defaults_are_xl():
    config = XLMRobertaXLConfig()
    assert (config.vocab_size, config.hidden_size, config.num_hidden_layers) == (250880, 2560, 36)
    assert (config.num_attention_heads, config.intermediate_size, config.max_position_embeddings) == (32, 10240, 514)
    assert config.longest_input == 512
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (1, 0, 2)
    assert (config.num_labels, config.id2label) == (2, {0: "LABEL_0", 1: "LABEL_1"})
    assert config.model_type == "xlm-roberta-xl"


def test_it_needs_no_torch():
    code = "import sys; from xlmrxl import XLMRobertaXLConfig; XLMRobertaXLConfig(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_round_trip(tmp_path: Path):
    config = XLMRobertaXLConfig(
        hidden_size=40,
        num_attention_heads=5,
        id2label={0: "no", 1: "yes", 2: "说"},
        pruned_heads={1: [0, 2]},
        problem_type="single_label_classification",
        is_decoder=True,
        something_else=[1, 2],
    )
    config.save_pretrained(tmp_path)
    again = XLMRobertaXLConfig.from_pretrained(tmp_path)
    assert again == config
    assert again.id2label == {0: "no", 1: "yes", 2: "说"}
    assert again.label2id == {"no": 0, "yes": 1, "说": 2}
    assert again.pruned_heads == {1: [0, 2]}
    assert again.something_else == [1, 2]
    assert again.num_labels == 3
    assert "attn_implementation" not in json.loads(config.to_json_string())
    assert XLMRobertaXLConfig.from_pretrained(tmp_path, num_labels=5).num_labels == 5
    assert XLMRobertaXLConfig.from_pretrained(tmp_path) != XLMRobertaXLConfig()


def test_labels_follow_their_number():
    config = XLMRobertaXLConfig(id2label={0: "a", 1: "b"})
    config.num_labels = 2
    assert config.id2label == {0: "a", 1: "b"}
    config.num_labels = 3
    assert config.label2id == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}


def test_transformers_reads_and_writes_the_same(tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    ours = XLMRobertaXLConfig(hidden_size=40, num_attention_heads=5, num_labels=3, torch_dtype="bfloat16")
    ours.save_pretrained(tmp_path)
    theirs = transformers.XLMRobertaXLConfig.from_pretrained(tmp_path)
    assert (theirs.hidden_size, theirs.num_attention_heads, theirs.num_labels) == (40, 5, 3)
    assert str(theirs.dtype) == "torch.bfloat16"
    theirs.save_pretrained(tmp_path / "theirs")
    again = XLMRobertaXLConfig.from_pretrained(tmp_path / "theirs")
    assert (again.hidden_size, again.num_labels, again.torch_dtype) == (40, 3, torch.bfloat16)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"hidden_size": 30}, "hidden_size .30. must be a multiple of num_attention_heads .32."),
        ({"num_hidden_layers": -1}, "num_hidden_layers"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"hidden_act": "gleu"}, "hidden_act is 'gleu'.*'gelu'"),
        ({"position_embedding_type": "rotary"}, "relative_key_query"),
        ({"problem_type": "guessing"}, "problem_type"),
        ({"attn_implementation": "flash"}, "sdpa"),
        ({"num_labels": 0}, "num_labels is 0; it must be a whole number from 1"),
    ],
)
def test_wrong_settings_get_a_sentence(setting: dict[str, object], words: str):
    with pytest.raises(ValueError, match=words):
        XLMRobertaXLConfig(**setting)


def test_the_first_revision_of_xxl_calls_itself_xlm_roberta(tmp_path: Path):
    values = {"model_type": "xlm-roberta", "hidden_size": 4096, "num_hidden_layers": 48, "intermediate_size": 16384}
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert XLMRobertaXLConfig.from_pretrained(tmp_path).hidden_size == 4096
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "xlm-roberta", "hidden_size": 768}))
    with pytest.raises(CheckpointError, match="type 'xlm-roberta'"):
        XLMRobertaXLConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"pad_token_id": -5}, "pad_token_id is -5; it must be a whole number from 0"),
        ({"pad_token_id": None}, "pad_token_id is None"),
        ({"pad_token_id": 250880}, "pad_token_id is 250880, but the vocabulary has only 250880 rows"),
        ({"pad_token_id": 600}, "must be at least 602"),
        ({"num_hidden_layers": 10**7}, "num_hidden_layers is 10000000; it must be a whole number from 1 to 1,024"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"num_hidden_layers": 3.0}, "num_hidden_layers is 3.0"),
        ({"num_labels": 10**8}, "num_labels is 100000000; it must be a whole number from 1 to 100,000"),
        ({"num_labels": "3"}, "num_labels is '3'"),
        ({"vocab_size": 10**4000}, "vocab_size is 1000"),
        ({"hidden_dropout_prob": float("inf")}, "hidden_dropout_prob is inf; it must be a number from 0 to 1"),
        ({"hidden_dropout_prob": float("nan")}, "hidden_dropout_prob is nan"),
        ({"hidden_dropout_prob": "0.1"}, "hidden_dropout_prob is '0.1'"),
        ({"layer_norm_eps": -1e-5}, "layer_norm_eps is -1e-05"),
        ({"initializer_range": None}, "initializer_range is None"),
        ({"is_decoder": "yes"}, "is_decoder is 'yes'; it must be true or false"),
        ({"output_attentions": 1}, "output_attentions is 1; it must be true or false"),
        ({"hidden_act": ["gelu"]}, "hidden_act is .'gelu'.; it must be one of"),
        ({"position_embedding_type": {}}, "position_embedding_type"),
        ({"torch_dtype": "nn"}, "torch_dtype is 'nn'"),
        ({"architectures": "XLMRobertaXLModel"}, "architectures is 'XLMRobertaXLModel'; it must be a list"),
        ({"architectures": ["x" * 5000]}, "architectures is"),
        ({"id2label": ["a", "b"]}, "id2label is"),
        ({"id2label": {"x": "a"}}, "id2label is"),
        ({"id2label": {"0": "a", "2": "b"}}, "id2label is"),
        ({"id2label": {"0": ["a"]}}, "id2label names label 0"),
        ({"id2label": {"0": "x" * 5000}}, "id2label names label 0"),
        ({"id2label": {"0": "a"}, "label2id": "b"}, "label2id is 'b'"),
        ({"pruned_heads": [1]}, "pruned_heads is"),
        ({"pruned_heads": {"0": ["x"]}}, "pruned_heads is"),
        ({"pruned_heads": {"99": [0]}}, "pruned_heads names a head that is not there, in layer 99"),
        ({"pruned_heads": {"0": [99]}}, "pruned_heads names a head that is not there, in layer 0"),
        ({"pruned_heads": {"0": list(range(32))}}, "leaves no head in layer 0"),
        ({"to_dict": 1}, "'to_dict' cannot be the name of a setting"),
        ({"__class__": "x"}, "'__class__' cannot be the name of a setting"),
        ({"x" * 5000: 1}, "cannot be the name of a setting"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_field_has_a_type_and_bounds(tmp_path: Path, setting: dict[str, object], words: str):
    with pytest.raises(ValueError, match=words) as caught:
        XLMRobertaXLConfig(**setting)
    assert len(str(caught.value)) < 400
    try:
        text = json.dumps({"model_type": "xlm-roberta-xl", **setting})
    except ValueError:
        text = "{" + '"vocab_size": ' + "1" * 6000 + "}"
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json") as caught:
        XLMRobertaXLConfig.from_pretrained(tmp_path)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": ' * 100_000 + "1" + "}" * 100_000, "nested more than 32 deep"),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", "nested more than 32 deep"),
        ('{"vocab_size": ' + "9" * 6_000 + "}", "Exceeds the limit"),
        ('{"layer_norm_eps": 1e400}', "layer_norm_eps is inf"),
        ('{"layer_norm_eps": NaN}', "layer_norm_eps is nan"),
        ('{"hidden_size": "\\ud800"}', "hidden_size is"),
        ("", "not valid JSON"),
        ('"text"', "does not hold a JSON object"),
        ('{"self": 1}', "cannot be used"),
    ],
    ids=lambda value: value[:20],
)
def test_json_that_breaks_readers(tmp_path: Path, text: str, words: str):
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=words) as caught:
        XLMRobertaXLConfig.from_pretrained(tmp_path)
    assert len(str(caught.value)) < 600


def test_bytes_that_are_no_utf8(tmp_path: Path):
    (tmp_path / "config.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(CheckpointError, match="not UTF-8"):
        XLMRobertaXLConfig.from_pretrained(tmp_path)


def test_labels_may_be_numbers_and_ids_none(tmp_path: Path):
    values = {"id2label": {"0": 1, "1": 2.5}, "bos_token_id": None, "classifier_dropout": None}
    (tmp_path / "config.json").write_text(json.dumps(values))
    config = XLMRobertaXLConfig.from_pretrained(tmp_path)
    assert config.id2label == {0: "1", 1: "2.5"}
    assert config.bos_token_id is None
