"""The config: defaults, round trips, and what transformers reads and writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert (again.hidden_size, again.num_labels, again.torch_dtype) == (40, 3, "bfloat16")


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
