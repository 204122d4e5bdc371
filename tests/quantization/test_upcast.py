"""16-bit weights computed in 32 bits give what the same weights in float32 give."""

from __future__ import annotations

import pytest
import torch

from xlmrxl import XLMRobertaXLConfig, XLMRobertaXLForMaskedLM
from xlmrxl.quantization.upcast import ROWS, WideningLinear, has_native, widen

IDS = torch.tensor([[0, 7, 8, 9, 40, 2], [0, 9, 96, 2, 1, 1]])


@pytest.fixture(params=[torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def pair(request: pytest.FixtureRequest) -> tuple[XLMRobertaXLForMaskedLM, XLMRobertaXLForMaskedLM]:
    """16-bit weights, and the same in float32; the feed-forward layer has more rows than a block."""
    config = XLMRobertaXLConfig(
        vocab_size=97,
        hidden_size=20,
        num_hidden_layers=3,
        num_attention_heads=5,
        intermediate_size=ROWS + 30,
        initializer_range=0.2,
    )
    narrow = XLMRobertaXLForMaskedLM(config).to(request.param).eval()
    wide = XLMRobertaXLForMaskedLM(config).eval()
    wide.load_state_dict({name: tensor.float() for name, tensor in narrow.state_dict().items()})
    return narrow, wide


def test_the_numbers_are_those_of_float32(pair):
    narrow, wide = pair
    dtype = narrow.dtype
    widen(narrow)
    out = narrow(IDS, attention_mask=(IDS != 1).long(), output_attentions=True, output_hidden_states=True)
    expected = wide(IDS, attention_mask=(IDS != 1).long(), output_attentions=True, output_hidden_states=True)
    for part in ("logits", "attentions", "hidden_states"):
        torch.testing.assert_close(out[part], expected[part], atol=1e-5, rtol=1e-5)
    assert narrow.roberta.encoder.layer[0].output.dense.weight.dtype == dtype
    assert narrow.lm_head.decoder.weight is narrow.roberta.embeddings.word_embeddings.weight


def test_gradients_reach_the_input(pair):
    narrow, wide = pair
    widen(narrow)
    gradients = []
    for model in (narrow, wide):
        embedded = torch.linspace(-1, 1, 2 * 6 * 20).view(2, 6, 20).requires_grad_()
        model(inputs_embeds=embedded).logits.square().sum().backward()
        gradients.append(embedded.grad)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-3)
    assert not any(p.requires_grad for p in narrow.parameters())


def test_a_float32_model_is_left_as_it_is(pair):
    _, wide = pair
    widen(wide)
    assert not any(isinstance(module, WideningLinear) for module in wide.modules())


def test_the_processor_says_what_it_has():
    assert isinstance(has_native(torch.bfloat16), bool)
    assert isinstance(has_native(torch.float16), bool)
