"""Outputs as those around a model take them apart and put them together again."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.utils import _pytree as pytree

from xlmrxl import XLMRobertaXLConfig, XLMRobertaXLForMaskedLM, XLMRobertaXLModel
from xlmrxl.model.outputs import MaskedLMOutput, ModelOutput

IDS = torch.tensor([[0, 5, 9, 14, 2], [0, 7, 11, 2, 1]])


@pytest.fixture(scope="module")
def model(tiny_config: XLMRobertaXLConfig) -> XLMRobertaXLForMaskedLM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return XLMRobertaXLForMaskedLM(tiny_config).eval()


def test_fields_and_items_are_one():
    out = MaskedLMOutput(logits=torch.ones(2))
    assert isinstance(out, dict)
    assert list(out) == ["logits"]
    out["loss"] = torch.zeros(())
    out.attentions = (torch.ones(1),)
    out.hidden_states = (torch.zeros(1),)
    assert list(out) == ["loss", "logits", "hidden_states", "attentions"]  # in the order of the fields
    assert out.loss is out["loss"] is out[0]
    out.loss = None
    assert next(iter(out)) == "logits"
    assert "loss" not in out
    out["input_ids"] = IDS  # as a pipeline adds what it needs later
    assert out.input_ids is IDS
    assert list(out)[-1] == "input_ids"


@pytest.mark.parametrize(
    "change",
    [
        lambda out: out.pop("logits"),
        lambda out: out.popitem(),
        lambda out: out.update(logits=1),
        lambda out: out.setdefault("loss", 1),
        lambda out: out.clear(),
        lambda out: out.__delitem__("logits"),
    ],
)
def test_an_item_is_never_changed_without_its_field(change):
    out = MaskedLMOutput(logits=torch.ones(2))
    with pytest.raises(TypeError, match="one by one"):
        change(out)
    assert out.logits is out["logits"]


@pytest.mark.parametrize(
    "again",
    [
        lambda out: type(out)(dict(out)),
        lambda out: type(out)((name, value) for name, value in out.items()),
        lambda out: type(out)(list(out.items())),
        lambda out: pickle.loads(pickle.dumps(out)),
        copy.copy,
        copy.deepcopy,
        lambda out: out.copy(),
        lambda out: pytree.tree_map(lambda leaf: leaf.clone(), out),
    ],
)
def test_put_together_again_it_is_the_same(model, again):
    with torch.no_grad():
        out = model(IDS, output_hidden_states=True)
    made = again(out)
    assert type(made) is MaskedLMOutput
    assert list(made) == list(out)
    torch.testing.assert_close(made.to_tuple(), out.to_tuple())
    assert made.loss is None


def test_a_list_of_numbers_is_a_value_and_no_pairs():
    assert MaskedLMOutput([0.5, 0.25]).loss == [0.5, 0.25]
    assert list(ModelOutput(a=1)) == ["a"]


def test_its_tensors_are_leaves(model):
    out = model(IDS, output_hidden_states=True)
    leaves, _ = pytree.tree_flatten(out)
    assert len(leaves) == 1 + len(out.hidden_states)
    paths = [pytree.keystr(path) for path, _ in pytree.tree_flatten_with_path(out)[0]]
    assert paths[:2] == ["['logits']", "['hidden_states'][0]"]


def test_the_loss_is_kept_when_it_is_the_only_part(model):
    out = model(IDS, labels=IDS)
    assert list(type(out)({"loss": out.loss})) == ["loss"]


def test_exported_it_gives_the_same(model):
    exported = torch.export.export(model, (IDS,), {"output_hidden_states": True})
    out = exported.module()(IDS, output_hidden_states=True)
    expected = model(IDS, output_hidden_states=True)
    assert type(out) is MaskedLMOutput
    torch.testing.assert_close(out.to_tuple(), expected.to_tuple())


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.*:DeprecationWarning")
def test_traced_it_gives_the_same(model, tiny_config):
    config = copy.deepcopy(tiny_config)
    config.torchscript = True  # tuples, by themselves
    tuples = XLMRobertaXLForMaskedLM(config).eval()
    tuples.load_state_dict(model.state_dict())
    traced = torch.jit.trace(tuples, (IDS,))
    torch.testing.assert_close(traced(IDS)[0], model(IDS).logits)
    traced = torch.jit.trace(model, (IDS,), strict=False)
    torch.testing.assert_close(traced(IDS)["logits"], model(IDS).logits)


def test_layers_return_nothing_that_is_none(model, tiny_config):
    layer = model.roberta.encoder.layer[1]
    states = torch.randn(2, 5, 20)
    (alone,) = layer(states)
    stream, weights = layer(states, output_attentions=True)
    torch.testing.assert_close(stream, alone)
    assert weights.shape == (2, 5, 5, 5)
    torch.testing.assert_close(layer.attention(states)[0], layer.attention(hidden_states=states)[0])
    config = XLMRobertaXLConfig(**{**tiny_config.to_dict(), "is_decoder": True, "add_cross_attention": True})
    decoder = XLMRobertaXLModel(config).encoder.layer[0]
    stream, present = decoder(states)
    assert len(present) == 2
    stream, own, cross, present = decoder(states, None, None, torch.randn(2, 3, 20), output_attentions=True)
    assert (own.shape[-1], cross.shape[-1], len(present)) == (5, 3, 4)
