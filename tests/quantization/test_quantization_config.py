"""How a caller says that a model is to be quantised, and what load_state_dict does with one that is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from needs import need_bitsandbytes

need_bitsandbytes()

from xlmrxl import XLMRobertaXLConfig, XLMRobertaXLForMaskedLM  # noqa: E402
from xlmrxl.quantization.bnb_layers import Linear4bit, Linear8bit  # noqa: E402
from xlmrxl.quantization.layers import Quantized  # noqa: E402

IDS = torch.tensor([[0, 5, 9, 14, 2], [0, 7, 11, 2, 1]])


@pytest.fixture(scope="module")
def wide_folder(tmp_path_factory) -> Path:
    """A model whose layers can be quantised in blocks."""
    folder = tmp_path_factory.mktemp("wide")
    sizes = {"hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 128, "num_hidden_layers": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = XLMRobertaXLConfig(vocab_size=40, max_position_embeddings=20, **sizes)
        XLMRobertaXLForMaskedLM(config).save_pretrained(folder)
    return folder


class Asked:
    """An object that has to_dict, as BitsAndBytesConfig."""

    def __init__(self, **settings):
        self.settings = settings

    def to_dict(self):
        return self.settings


def test_how_to_quantise(wide_folder):
    load = XLMRobertaXLForMaskedLM.from_pretrained
    four = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": "float16"}
    for asked in (four, Asked(**four, quant_method="bitsandbytes")):
        model = load(wide_folder, quantization_config=asked)
        layer = model.roberta.encoder.layer[0].attention.self.query
        assert isinstance(layer, Linear4bit)
        assert not layer.state.nested
        assert model.dtype == torch.float16
    assert (
        load(wide_folder, quantization_config={**four, "bnb_4bit_use_double_quant": True})
        .roberta.encoder.layer[0]
        .attention.self.query.state.nested
    )
    skip = {"load_in_8bit": True, "llm_int8_skip_modules": ["query", "layer.1"], "llm_int8_threshold": 3.0}
    model = load(wide_folder, quantization_config=skip, torch_dtype=torch.float32)
    first, second = model.roberta.encoder.layer
    assert isinstance(first.attention.self.key, Linear8bit)
    assert first.attention.self.key.outlier == 3.0
    assert not isinstance(first.attention.self.query, Quantized)
    assert not any(isinstance(module, Quantized) for module in second.modules())
    assert model.config.quantization_config["llm_int8_threshold"] == 3.0
    assert {"query", "lm_head"} <= set(model.config.quantization_config["llm_int8_skip_modules"])


def test_what_was_skipped_stays_so_when_it_is_saved(wide_folder, tmp_path):
    skip = {"load_in_8bit": True, "llm_int8_skip_modules": ["query"]}
    model = XLMRobertaXLForMaskedLM.from_pretrained(wide_folder, quantization_config=skip)
    model.save_pretrained(tmp_path)
    again = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path)
    assert not isinstance(again.roberta.encoder.layer[0].attention.self.query, Quantized)
    torch.testing.assert_close(again(IDS).logits, model(IDS).logits)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"load_in_4bit": True}, "must be 'nf4'"),  # fp4, where nothing is said
        ({"load_in_4bit": True, "load_in_8bit": True}, "or several"),
        ({}, "names none of"),
        ({"quant_method": "gptq", "load_in_4bit": True}, "gptq"),
        ({"load_in_8bit": True, "llm_int8_threshold": -1}, "llm_int8_threshold"),
        (7, "has to_dict"),
    ],
)
def test_how_not_to_quantise(wide_folder, asked, message):
    with pytest.raises(ValueError, match=message):
        XLMRobertaXLForMaskedLM.from_pretrained(wide_folder, quantization_config=asked)


def test_one_way_to_say_it(wide_folder):
    with pytest.raises(ValueError, match="not both"):
        XLMRobertaXLForMaskedLM.from_pretrained(
            wide_folder, quantization_config={"load_in_8bit": True}, load_in_8bit=True
        )


@pytest.mark.parametrize("precision", ["8bit", "4bit"])
def test_a_state_dict_and_a_quantised_model(wide_folder, precision):
    load = XLMRobertaXLForMaskedLM.from_pretrained
    model, other = (load(wide_folder, **{f"load_in_{precision}": True}) for _ in range(2))
    expected = model(IDS).logits
    adapter = {"lm_head.bias": torch.ones(40, dtype=model.dtype)}
    found = model.load_state_dict(adapter, strict=False)
    assert not found.unexpected_keys
    torch.testing.assert_close(model(IDS).logits, expected + 1, atol=0.05, rtol=0.05)
    with torch.no_grad():
        for layer in other.modules():
            if isinstance(layer, Quantized):
                layer.weight.zero_()
    assert not torch.allclose(other(IDS).logits, expected)
    other.load_state_dict(load(wide_folder, **{f"load_in_{precision}": True}).state_dict())
    torch.testing.assert_close(other(IDS).logits, expected)
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict(adapter)
    with pytest.raises(RuntimeError, match="is quantised"):
        other.load_state_dict(load(wide_folder).state_dict(), strict=False)
