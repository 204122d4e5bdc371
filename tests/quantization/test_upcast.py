"""16-bit weights computed in 32 bits give what the same weights in float32 give, and stay the parameters they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from xlmrxl import XLMRobertaXLConfig, XLMRobertaXLForMaskedLM, load
from xlmrxl.quantization.upcast import ROWS, UpcastLinear, has_native, is_upcast, upcast

IDS = torch.tensor([[0, 7, 8, 9, 40, 2], [0, 9, 96, 2, 1, 1]])
MASK = (IDS != 1).long()


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


@pytest.fixture(params=[True, False], ids=["native", "upcast"])
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the processor has 16-bit arithmetic, whichever it is."""
    monkeypatch.setattr("xlmrxl.quantization.upcast.has_native", lambda dtype: request.param)
    return bool(request.param)


def test_the_numbers_are_those_of_float32(pair):
    narrow, wide = pair
    dtype = narrow.dtype
    upcast(narrow)
    out = narrow(IDS, attention_mask=MASK, output_attentions=True, output_hidden_states=True)
    expected = wide(IDS, attention_mask=MASK, output_attentions=True, output_hidden_states=True)
    for part in ("logits", "attentions", "hidden_states"):
        torch.testing.assert_close(out[part], expected[part], atol=1e-5, rtol=1e-5)
    assert {parameter.dtype for parameter in narrow.parameters()} == {dtype}
    assert narrow.lm_head.decoder.weight is narrow.roberta.embeddings.word_embeddings.weight


@pytest.mark.parametrize("frozen", [True, False])
def test_gradients_reach_the_input(pair, frozen):
    narrow, wide = pair
    upcast(narrow)
    narrow.requires_grad_(not frozen)
    gradients = []
    for model in (narrow, wide):
        embedded = torch.linspace(-1, 1, 2 * 6 * 20).view(2, 6, 20).requires_grad_()
        model(inputs_embeds=embedded).logits.square().sum().backward()
        gradients.append(embedded.grad)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-3)


def test_parameters_are_trained_as_those_of_float32(pair):
    narrow, wide = pair
    upcast(narrow)
    for model in (narrow, wide):
        model(IDS, attention_mask=MASK, labels=IDS).loss.backward()
    expected = dict(wide.named_parameters())
    for name, parameter in narrow.named_parameters():
        assert parameter.grad.dtype == parameter.dtype
        error = (parameter.grad.float() - expected[name].grad).norm()
        assert error <= 0.02 * expected[name].grad.norm() + 1e-4, name


def test_a_float32_model_is_left_as_it_is(pair):
    _, wide = pair
    upcast(wide)
    assert not is_upcast(wide)


def test_cast_to_float32_it_computes_as_any_other(pair):
    narrow, wide = pair
    upcast(narrow)
    torch.testing.assert_close(narrow.float()(IDS).logits, wide(IDS).logits, atol=1e-5, rtol=1e-5)


def test_heads_are_pruned_and_the_vocabulary_is_resized(pair):
    narrow, wide = pair
    upcast(narrow)
    for model in (narrow, wide):
        model.prune_heads({0: [1], 2: [0, 3]})
        model.resize_token_embeddings(90)
    ids = IDS.clamp(max=89)
    torch.testing.assert_close(narrow(ids).logits, wide(ids).logits, atol=1e-5, rtol=1e-5)
    assert isinstance(narrow.roberta.encoder.layer[0].attention.self.query, UpcastLinear)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, "auto"])
def test_from_pretrained_is_the_same_on_every_processor(tiny_folder: Path, tmp_path: Path, native: bool, dtype):
    """Whether or not it computes in float32, a model is trained, saved, counted and answers in the type it has."""
    plain = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder)
    stored = torch.bfloat16 if dtype == "auto" else dtype
    plain.to(stored).save_pretrained(tmp_path / "narrow")
    model = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path / "narrow", torch_dtype=dtype)
    assert is_upcast(model) is not native
    assert model.dtype == stored
    assert model.num_parameters() == model.num_parameters(only_trainable=True) == plain.num_parameters()
    assert model.get_memory_footprint() == plain.get_memory_footprint()
    ids = torch.tensor([[0, 5, 9, 14, 2]])
    out = model(ids, labels=ids, output_hidden_states=True, output_attentions=True)
    assert {out.loss.dtype, out.logits.dtype, out.hidden_states[0].dtype, out.attentions[-1].dtype} == {stored}
    assert model(ids, return_dict=False)[0].dtype == stored
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    out.loss.backward()
    optimizer.step()
    model.save_pretrained(tmp_path / "trained")
    again = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path / "trained", torch_dtype="auto")
    for (name, value), (other, kept) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(value, kept)
    changed = [name for name, value in plain.state_dict().items() if not torch.equal(value, again.state_dict()[name])]
    assert "roberta.encoder.layer.0.attention.self.query.weight" in changed


def test_a_session_and_from_pretrained_compute_alike(tiny_folder: Path, native: bool):
    """A session keeps the float32 numbers that `from_pretrained` rounds."""
    model = load(tiny_folder, precision="bf16", device="cpu").model
    assert is_upcast(model) is not native
    ids = torch.tensor([[0, 5, 9, 14, 2]])
    with torch.no_grad():
        logits = model(ids).logits
        other = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder, torch_dtype=torch.bfloat16)(ids).logits
    assert logits.dtype == (torch.bfloat16 if native else torch.float32)
    assert torch.equal(logits.bfloat16(), other)


def test_the_processor_says_what_it_has():
    assert isinstance(has_native(torch.bfloat16), bool)
    assert isinstance(has_native(torch.float16), bool)
