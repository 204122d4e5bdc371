"""Every answer of transformers 4.37.2 that `reference/make_reference.py` recorded, asked of xlmrxl again."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

import xlmrxl

FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE = json.loads((FOLDER / "reference.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in REFERENCE["cases"]}
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def tensors():
    return load_file(FOLDER / "reference.safetensors")


def by_layer(heads_to_prune):
    """Layer numbers are text in JSON."""
    return {int(layer): sorted(heads) for layer, heads in heads_to_prune.items()}


class Replay:
    """A recorded case: the same model of xlmrxl, and what was recorded with names turned into tensors."""

    def __init__(self, case, tensors, attn_implementation):
        self.case, self.tensors = case, tensors
        config = xlmrxl.XLMRobertaXLConfig(**case["config"], attn_implementation=attn_implementation)
        self.model = getattr(xlmrxl, case["model"])(config, **case["init"])
        self.model.load_state_dict(self.state("state"))
        self.model.train(case["train"])
        for method, argument in case["methods"]:
            getattr(self.model, method)(by_layer(argument) if method == "prune_heads" else argument)

    def state(self, which):
        return {name: self.tensors[tensor] for name, tensor in REFERENCE["states"][self.case[which]].items()}

    def value(self, recorded, previous=None):
        if isinstance(recorded, list):
            return tuple(self.value(item) for item in recorded)
        if not isinstance(recorded, dict):
            return recorded
        return previous.past_key_values if "previous" in recorded else self.tensors[recorded["tensor"]]

    def calls(self, **overrides):
        """Each recorded call, with what the model answers now."""
        output = None
        for call in self.case["calls"]:
            kwargs = {name: self.value(value, output) for name, value in call["kwargs"].items()} | overrides
            if "error" in call:
                with pytest.raises((ValueError, RuntimeError)):
                    self.model(**kwargs)
                continue
            output = self.model(**kwargs)
            yield call, output


def is_tuple(case):
    return any(call.get("output", {}).get("class") == "tuple" for call in case["calls"])


@pytest.mark.parametrize("name", CASES)
def test_eager(tensors, name):
    replay = Replay(CASES[name], tensors, "eager")
    state, expected_state = replay.model.state_dict(), replay.state("state_after")
    assert {key: value.shape for key, value in state.items()} == {
        key: value.shape for key, value in expected_state.items()
    }
    old_rows = CASES[name]["config"]["vocab_size"]
    for key, value in state.items():
        # Rows that resizing adds are random.
        rows = old_rows if value.shape[0] > old_rows else None
        assert torch.equal(value[:rows], expected_state[key][:rows]), key
    replay.model.load_state_dict(expected_state)

    for call, output in replay.calls():
        expected = call["output"]
        assert type(output).__name__ == expected["class"]
        if expected["keys"] is None:
            assert_close(output, replay.value(expected["items"]), **CLOSE, equal_nan=True)
        else:
            assert list(output.keys()) == expected["keys"]
            assert_close(tuple(output.values()), replay.value(expected["items"]), **CLOSE, equal_nan=True)
        if "gradients" in call:
            assert_gradients(replay, output, call["gradients"])

    for key, value in CASES[name]["config_after"].items():
        found = getattr(replay.model.config, key)
        assert found == value if key != "pruned_heads" else by_layer(found) == by_layer(value)


def assert_gradients(replay, output, recorded):
    replay.model.zero_grad()
    output.loss.backward()
    found = dict(replay.model.named_parameters())
    assert found.keys() == recorded.keys()
    for key, tensor in recorded.items():
        if tensor is None:
            assert found[key].grad is None, key
        else:
            assert_close(found[key].grad, replay.tensors[tensor], **CLOSE, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not is_tuple(case)])
def test_sdpa(tensors, name):
    """Where no attention weights are asked for, torch's fused attention gives the same numbers."""
    replay = Replay(CASES[name], tensors, "sdpa")
    replay.model.load_state_dict(replay.state("state_after"))
    for call, output in replay.calls(output_attentions=False):
        expected = dict(zip(call["output"]["keys"], call["output"]["items"], strict=True))
        expected = {key: value for key, value in expected.items() if not key.endswith("attentions")}
        assert list(output.keys()) == list(expected)
        for key, value in expected.items():
            assert_close(output[key], replay.value(value), **CLOSE, equal_nan=True)
        if "gradients" in call:
            assert_gradients(replay, output, call["gradients"])


@pytest.mark.parametrize("name", ["base, right padding", "masked LM", "cross-attention, step by step"])
def test_sdpa_still_returns_attentions_when_asked(tensors, name):
    replay = Replay(CASES[name], tensors, "sdpa")
    for call, output in replay.calls():
        assert list(output.keys()) == call["output"]["keys"]
        assert_close(tuple(output.values()), replay.value(call["output"]["items"]), **CLOSE)


@pytest.mark.parametrize("attn_implementation", ["eager", "sdpa"])
def test_gradient_checkpointing_changes_no_gradient(tensors, attn_implementation):
    replay = Replay(CASES["masked LM, training"], tensors, attn_implementation)
    replay.model.gradient_checkpointing_enable()
    for call, output in replay.calls():
        assert_gradients(replay, output, call["gradients"])
    replay.model.gradient_checkpointing_disable()
    for call, output in replay.calls():
        assert_gradients(replay, output, call["gradients"])


@pytest.mark.parametrize("attn_implementation", ["eager", "sdpa"])
def test_logits_mask_picks_positions_in_reading_order(tensors, attn_implementation):
    replay = Replay(CASES["masked LM"], tensors, attn_implementation)
    call = replay.case["calls"][0]
    kwargs = {name: replay.value(value) for name, value in call["kwargs"].items()}
    expected = dict(zip(call["output"]["keys"], map(replay.value, call["output"]["items"]), strict=True))
    chosen = kwargs["labels"] != -100
    output = replay.model(**kwargs, logits_mask=chosen)
    assert_close(output.logits, expected["logits"][chosen], **CLOSE)
    assert_close(output.loss, expected["loss"], **CLOSE)


@pytest.mark.parametrize("kind", ["relative_key", "relative_key_query"])
def test_relative_positions_are_the_same_with_a_cache_and_without(tensors, kind):
    """The reference places every token of a later step at its last position, right for single tokens only."""
    replay = Replay(CASES[f"causal LM, {kind}, step by step"], tensors, "eager")
    ids = torch.arange(3, 21).view(2, 9)
    whole = replay.model(input_ids=ids).logits
    first = replay.model(input_ids=ids[:, :5])
    second = replay.model(input_ids=ids[:, 5:], past_key_values=first.past_key_values)
    assert_close(torch.cat([first.logits, second.logits], dim=1), whole, **CLOSE)


@pytest.mark.parametrize("name", ["pruned", "pruned twice", "pruned decoder", "more tokens", "fewer tokens"])
def test_changed_models_survive_saving(tensors, tmp_path, name):
    replay = Replay(CASES[name], tensors, "eager")
    replay.model.load_state_dict(replay.state("state_after"))
    replay.model.save_pretrained(tmp_path)
    replay.model = type(replay.model).from_pretrained(tmp_path, attn_implementation="eager")
    for call, output in replay.calls():
        assert_close(tuple(output.values()), replay.value(call["output"]["items"]), **CLOSE)


def test_default_config_is_the_reference_s():
    config = xlmrxl.XLMRobertaXLConfig()
    expected = REFERENCE["default_config"]
    expected = expected | {"id2label": {int(index): label for index, label in expected["id2label"].items()}}
    ours = {name: value for name, value in vars(config).items() if not name.startswith("_")}
    assert {name: expected[name] for name in ours if name in expected} == {
        name: value for name, value in ours.items() if name in expected
    }
    assert ours.keys() - expected.keys() == {"attn_implementation", "gradient_checkpointing", "name_or_path"}
    # What else the reference has is about text generation and other frameworks: it can be read as well.
    rest = expected.keys() - ours.keys() - {"model_type", "transformers_version", "torch_dtype", "_name_or_path"}
    assert {name: getattr(config, name) for name in rest} == {name: expected[name] for name in rest}
    assert not rest & config.to_dict().keys()
