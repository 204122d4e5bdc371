"""`generate`: what transformers 4.37.2 answered, what is drawn, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import xlmrxl
from xlmrxl.model.generation import GenerateOutput, GenerationOptions

transformers = pytest.importorskip("transformers", minversion="5")
from reference.make_reference import randomise  # noqa: E402 - needs transformers

RECORDED = json.loads((Path(__file__).parents[1] / "reference" / "generations.json").read_text(encoding="utf-8"))
IDS = torch.tensor([[13, 22, 9, 20], [5, 11, 4, 28]])


@pytest.fixture(scope="module")
def model():
    config = xlmrxl.XLMRobertaXLConfig(**RECORDED["sizes"])
    made = xlmrxl.XLMRobertaXLForCausalLM(config).eval()
    randomise(made)
    return made


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: ",".join(case["options"]))
def test_as_the_specification_answered(model, case):
    out = model.generate(torch.tensor(case["ids"]), **case["options"], output_scores=True, return_dict_in_generate=True)
    assert out.sequences.tolist() == case["sequences"]
    if "scores" in case:
        assert_close(out.sequences_scores, torch.tensor(case["scores"]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [{}, {"top_k": 5}, {"top_k": 0, "top_p": 0.6}, {"temperature": 0.5, "top_k": 0}, {"num_return_sequences": 3}],
    ids=lambda options: ",".join(options) or "plain",
)
def test_draws_as_written_out(model, options):
    """Beams that are drawn are compared with the specification's own in the slow tests."""
    torch.manual_seed(3)
    drawn = model.generate(IDS, do_sample=True, max_new_tokens=10, eos_token_id=30, **options)
    torch.manual_seed(3)
    ids = IDS.repeat_interleave(options.get("num_return_sequences", 1), 0)
    open_rows = torch.ones(len(ids), dtype=torch.bool)
    for _ in range(10):
        with torch.no_grad():
            logits = model(ids).logits[:, -1] / options.get("temperature", 1)
        probabilities = logits.softmax(-1)
        descending, order = probabilities.sort(descending=True)
        # The best ones, and those without which the better ones have less than top_p.
        keep = torch.arange(len(descending[0])) < (options.get("top_k", 50) or len(descending[0]))
        keep = keep & (descending.cumsum(-1) - descending < options.get("top_p", 1.0))
        probabilities = torch.where(keep, descending, 0.0).gather(1, order.argsort())
        token = torch.where(open_rows, (probabilities / probabilities.sum(-1, keepdim=True)).multinomial(1)[:, 0], 1)
        open_rows &= token != 30
        ids = torch.cat([ids, token[:, None]], dim=1)
    assert drawn.tolist() == ids[:, : drawn.shape[1]].tolist()
    torch.manual_seed(4)
    assert model.generate(IDS, do_sample=True, max_new_tokens=10, eos_token_id=30, **options).tolist() != drawn.tolist()


def test_the_cache_changes_nothing_and_saves_work(model):
    seen = []
    handle = model.roberta.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    cached = model.generate(IDS, max_new_tokens=6, num_beams=2, eos_token_id=30)
    assert seen == [4, 1, 1, 1, 1, 1]
    seen.clear()
    assert (
        model.generate(IDS, max_new_tokens=6, num_beams=2, eos_token_id=30, use_cache=False).tolist() == cached.tolist()
    )
    assert seen == [4, 5, 6, 7, 8, 9]
    handle.remove()


def test_a_text_alone_is_as_in_a_batch(model):
    together = model.generate(IDS, max_new_tokens=8, num_beams=3)
    for row, ids in zip(together, IDS, strict=True):
        alone = model.generate(ids[None], max_new_tokens=8, num_beams=3)[0]
        assert row[: len(alone)].tolist() == alone.tolist()


def test_it_begins_by_itself(model):
    out = model.generate(max_new_tokens=3)
    assert out.shape == (1, 4)
    assert out[0, 0] == model.config.bos_token_id


def test_further_rules_and_reasons_to_stop(model):
    def only_nine(_, scores):
        return torch.full_like(scores, -torch.inf).index_fill(1, torch.tensor([9]), 0.0)

    out = model.generate(IDS, max_new_tokens=5, logits_processor=[only_nine])
    assert out[:, 4:].eq(9).all()
    out = model.generate(IDS, max_new_tokens=5, eos_token_id=30, stopping_criteria=[lambda ids, _: ids.shape[1] == 6])
    assert out.shape[1] == 6


def test_a_decoder_with_cross_attention_reads_its_encoder():
    config = xlmrxl.XLMRobertaXLConfig(**RECORDED["sizes"], add_cross_attention=True)
    decoder = randomised(xlmrxl.XLMRobertaXLForCausalLM(config))
    states = torch.randn(2, 5, 20, generator=torch.Generator().manual_seed(0))
    options = {"max_new_tokens": 6, "num_beams": 2, "eos_token_id": 30}
    both = decoder.generate(IDS, encoder_hidden_states=states, **options)
    uncached = decoder.generate(IDS, encoder_hidden_states=states, use_cache=False, **options)
    assert both.tolist() == uncached.tolist()
    assert both.tolist() != decoder.generate(IDS, encoder_hidden_states=-states, **options).tolist()


def randomised(model):
    randomise(model)
    return model.eval()


def test_options_come_from_the_config_a_dict_or_an_object(model):
    wanted = model.generate(IDS, max_new_tokens=6, num_beams=2).tolist()
    for given in (
        {"max_new_tokens": 6, "num_beams": 2},
        transformers.GenerationConfig(max_new_tokens=6, num_beams=2),
        GenerationOptions(max_new_tokens=6, num_beams=2, pad_token_id=1, bos_token_id=0, eos_token_id=2),
    ):
        assert model.generate(IDS, given).tolist() == wanted
    config = xlmrxl.XLMRobertaXLConfig(**RECORDED["sizes"], max_length=10, num_beams=2)
    assert randomised(xlmrxl.XLMRobertaXLForCausalLM(config)).generate(IDS).tolist() == wanted
    out = model.generate(input_ids=IDS, max_new_tokens=2, return_dict_in_generate=True)
    assert isinstance(out, GenerateOutput)
    assert list(out) == ["sequences"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_new_token": 3}, TypeError, "did you mean 'max_new_tokens'"),
        ({"penalty_alpha": 0.6}, TypeError, "penalty_alpha"),
        ({"max_length": 4}, ValueError, "The prompt has 4 tokens"),
        ({"num_beams": 0}, ValueError, "num_beams is 0"),
        ({"num_return_sequences": 2}, ValueError, "one text for each prompt"),
        ({"num_beams": 2, "num_return_sequences": 3}, ValueError, "only 2 beams"),
        ({"temperature": 0.0, "do_sample": True}, ValueError, r"temperature is 0\.0"),
        ({"top_p": 2.0}, ValueError, r"top_p is 2\.0"),
        ({"early_stopping": "soon"}, ValueError, "early_stopping"),
        ({"max_new_tokens": 80, "eos_token_id": 30}, ValueError, "reads at most 64"),
    ],
)
def test_what_cannot_be_had_is_said(model, options, error, message):
    with pytest.raises(error, match=message):
        model.generate(IDS, **options)


def test_what_an_object_asks_beyond_this_is_said(model):
    with pytest.raises(ValueError, match=r"asks for penalty_alpha=0\.6"):
        model.generate(IDS, transformers.GenerationConfig(penalty_alpha=0.6))
    with pytest.raises(TypeError, match="give a dict"):
        model.generate(IDS, 5)


def test_an_encoder_generates_nothing():
    sizes = {**RECORDED["sizes"], "is_decoder": False}
    with pytest.raises(ValueError, match="is_decoder=True"):
        xlmrxl.XLMRobertaXLForCausalLM(xlmrxl.XLMRobertaXLConfig(**sizes)).generate(IDS)
