"""The same numbers as the installed transformers, in every class, and checkpoints that either can read."""

import json
import shutil

import pytest
import torch
from torch.testing import assert_close

import xlmrxl

transformers = pytest.importorskip("transformers", minversion="5")

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
BATCH, LENGTH, CHOICES, ENCODER_LENGTH = 3, 11, 4, 6
# Sizes that differ from one another, so that no axis can pass for another.
SIZES = {
    "vocab_size": 89,
    "hidden_size": 42,
    "num_hidden_layers": 3,
    "num_attention_heads": 7,
    "intermediate_size": 52,
    "max_position_embeddings": 33,
    "type_vocab_size": 2,
}
CROSS = {"is_decoder": True, "add_cross_attention": True}

MODELS = {
    "base": ("XLMRobertaXLModel", {}),
    "decoder": ("XLMRobertaXLModel", {"is_decoder": True}),
    "masked LM": ("XLMRobertaXLForMaskedLM", {}),
    "masked LM, not tied": ("XLMRobertaXLForMaskedLM", {"tie_word_embeddings": False}),
    "causal LM": ("XLMRobertaXLForCausalLM", {"is_decoder": True}),
    "causal LM, cross-attention": ("XLMRobertaXLForCausalLM", CROSS),
    "sequence, 1": ("XLMRobertaXLForSequenceClassification", {"num_labels": 1}),
    "sequence, 2": ("XLMRobertaXLForSequenceClassification", {"num_labels": 2}),
    "sequence, 5": ("XLMRobertaXLForSequenceClassification", {"num_labels": 5}),
    "sequence, 5 flags": (
        "XLMRobertaXLForSequenceClassification",
        {"num_labels": 5, "problem_type": "multi_label_classification"},
    ),
    "choice": ("XLMRobertaXLForMultipleChoice", {}),
    "tokens, 1": ("XLMRobertaXLForTokenClassification", {"num_labels": 1}),
    "tokens, 2": ("XLMRobertaXLForTokenClassification", {"num_labels": 2}),
    "tokens, 5": ("XLMRobertaXLForTokenClassification", {"num_labels": 5}),
    "span": ("XLMRobertaXLForQuestionAnswering", {}),
}


@torch.no_grad()
def randomise(model):
    """Weights large enough that every term shows in the outputs, biases and norms included."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        scale = parameter.shape[1] ** -0.5 if parameter.dim() == 2 else 0.5
        is_norm = name.lower().endswith(("layernorm.weight", "layer_norm.weight"))
        parameter.copy_(scale * noise + float(is_norm))
    return model.eval()


def theirs_and_ours(name, attn_implementation="eager"):
    class_name, settings = MODELS[name]
    config = transformers.XLMRobertaXLConfig(**SIZES, **settings)
    config._attn_implementation = "eager"
    theirs = randomise(getattr(transformers, class_name)(config))
    config = xlmrxl.XLMRobertaXLConfig(**SIZES, **settings, attn_implementation=attn_implementation)
    ours = getattr(xlmrxl, class_name)(config).eval()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def inputs_for(name, side="right", *, labels=True):
    generator = torch.Generator().manual_seed(1)
    class_name, settings = MODELS[name]
    count = settings.get("num_labels", 2)

    def random(high, *shape):
        return torch.randint(high, shape, generator=generator)

    shape = (BATCH, CHOICES, LENGTH) if name == "choice" else (BATCH, LENGTH)
    lengths = LENGTH - 3 * random(3, *shape[:-1])
    lengths.flatten()[0], lengths.flatten()[1] = LENGTH, LENGTH - 5
    mask = (torch.arange(LENGTH) < lengths[..., None]).long()
    mask = mask if side == "right" else mask.flip(-1)
    ids = torch.where(mask.bool(), 3 + random(SIZES["vocab_size"] - 3, *shape), 1)
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": random(2, *shape)}
    if settings.get("add_cross_attention"):
        given["encoder_hidden_states"] = torch.randn(BATCH, ENCODER_LENGTH, SIZES["hidden_size"], generator=generator)
        given["encoder_attention_mask"] = (torch.arange(ENCODER_LENGTH) < torch.tensor([[6], [2], [4]])).long()
    if not labels or class_name == "XLMRobertaXLModel":
        return given
    if class_name.endswith("LM"):
        given["labels"] = torch.where(mask.bool() & (random(2, *shape) == 1), ids, -100)
    elif class_name.endswith("ForTokenClassification"):
        given["labels"] = torch.where(random(4, *shape) > 0, random(count, *shape), -100)
    elif class_name.endswith("ForQuestionAnswering"):
        given["start_positions"] = torch.tensor([0, 4, LENGTH + 3])
        given["end_positions"] = torch.tensor([5, LENGTH, 2])
    elif name == "choice":
        given["labels"] = random(CHOICES, BATCH)
    elif name == "sequence, 5 flags":
        given["labels"] = random(2, BATCH, count).float()
    else:
        given["labels"] = torch.randn(BATCH, generator=generator) if count == 1 else random(count, BATCH)
    return given


def assert_same_outputs(ours, theirs, *, attentions=True):
    # transformers gives an empty tuple for the cross-attention that a decoder does not have.
    expected = [name for name in theirs if isinstance(theirs[name], torch.Tensor) or len(theirs[name])]
    expected = [name for name in expected if attentions or "attentions" not in name]
    names = [name for name in ours if name != "past_key_values"]
    assert names == [name for name in expected if name != "past_key_values"]
    for name in names:
        assert_close(ours[name], theirs[name], **CLOSE, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", MODELS)
def test_outputs_and_gradients(name, side):
    inputs = inputs_for(name, side)
    theirs, ours = theirs_and_ours(name)
    expected = theirs(**inputs, output_hidden_states=True, output_attentions=True)
    found = ours(**inputs, output_hidden_states=True, output_attentions=True)
    assert_same_outputs(found, expected)
    expected_gradients = gradients(theirs, expected, inputs)
    assert_close(gradients(ours, found, inputs), expected_gradients, **CLOSE)

    fused = theirs_and_ours(name, "sdpa")[1]
    found = fused(**inputs, output_hidden_states=True)
    assert "attentions" not in found
    assert_same_outputs(found, expected, attentions=False)
    assert_close(gradients(fused, found, inputs), expected_gradients, **CLOSE)


def gradients(model, output, inputs):
    """Of the loss; for a bare model, of its answer at tokens that are there."""
    if "loss" in output:
        output.loss.backward()
    else:
        there = inputs["attention_mask"].float()
        weights = torch.linspace(-1, 1, SIZES["hidden_size"]) * there[..., None]
        pooled = output.pooler_output.mean(-1) * there[:, 0]
        ((output.last_hidden_state * weights).mean() + pooled.mean()).backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    if not model.config.tie_word_embeddings and "lm_head.decoder.bias" in found:
        # Where nothing is tied, transformers 5 leaves lm_head.bias without a use.
        found["lm_head.bias"] = found.pop("lm_head.decoder.bias")
    return found


@pytest.mark.parametrize("attn_implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_masked_lm_at_chosen_positions(side, attn_implementation):
    inputs = inputs_for("masked LM", side)
    theirs, ours = theirs_and_ours("masked LM", attn_implementation)
    chosen = inputs["labels"] != -100
    with torch.no_grad():
        expected, found = theirs(**inputs), ours(**inputs, logits_mask=chosen)
    assert_close(found.logits, expected.logits[chosen], **CLOSE)
    assert_close(found.loss, expected.loss, **CLOSE)


@pytest.mark.parametrize("attn_implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("name", ["causal LM", "causal LM, cross-attention"])
def test_step_by_step(name, attn_implementation):
    """Each keeps its own kind of cache; the logits agree at every step."""
    inputs = inputs_for(name, labels=False)
    ids = 3 + inputs["input_ids"] % (SIZES["vocab_size"] - 3)
    encoder = {key: value for key, value in inputs.items() if key.startswith("encoder")}
    theirs, ours = theirs_and_ours(name, attn_implementation)
    their_past = our_past = None
    with torch.no_grad():
        for start, stop in [(0, 5), (5, 6), (6, 9), (9, 11)]:
            expected = theirs(input_ids=ids[:, start:stop], past_key_values=their_past, use_cache=True, **encoder)
            found = ours(input_ids=ids[:, start:stop], past_key_values=our_past, use_cache=True, **encoder)
            assert_close(found.logits, expected.logits, **CLOSE)
            their_past, our_past = expected.past_key_values, found.past_key_values


# Checkpoints


def assert_same_answers(first, second, name):
    inputs = inputs_for(name, labels=False)
    with torch.no_grad():
        left, right = first(**inputs, output_hidden_states=True), second(**inputs, output_hidden_states=True)
    assert_same_outputs(left, right)


LAYOUTS = {"one file": {}, "shards": {"max_shard_size": "20KB"}}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", MODELS)
def test_transformers_reads_what_xlmrxl_saves(name, layout, tmp_path):
    ours = theirs_and_ours(name)[1]
    ours.save_pretrained(tmp_path, **LAYOUTS[layout])
    assert len(list(tmp_path.glob("*.safetensors"))) == 1 or layout == "shards"
    theirs, info = getattr(transformers, MODELS[name][0]).from_pretrained(
        tmp_path, attn_implementation="eager", output_loading_info=True
    )
    assert not any(info[problem] for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert_same_answers(ours, theirs, name)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", MODELS)
def test_xlmrxl_reads_what_transformers_saves(name, layout, tmp_path):
    theirs = theirs_and_ours(name)[0]
    theirs.save_pretrained(tmp_path, **LAYOUTS[layout])
    assert len(list(tmp_path.glob("*.safetensors"))) == 1 or layout == "shards"
    ours, info = getattr(xlmrxl, MODELS[name][0]).from_pretrained(
        tmp_path, attn_implementation="eager", output_loading_info=True
    )
    assert not any(info.values())
    assert_same_answers(ours, theirs, name)


@pytest.mark.parametrize("name", MODELS)
def test_xlmrxl_reads_an_old_bin_file(name, tmp_path):
    """As the published checkpoints are: every name in the file, and position ids that nobody needs."""
    theirs = theirs_and_ours(name)[0]
    theirs.config.save_pretrained(tmp_path)
    prefix = "" if MODELS[name][0] == "XLMRobertaXLModel" else "roberta."
    positions = {f"{prefix}embeddings.position_ids": torch.arange(SIZES["max_position_embeddings"])[None]}
    torch.save(theirs.state_dict() | positions, tmp_path / "pytorch_model.bin")
    ours, info = getattr(xlmrxl, MODELS[name][0]).from_pretrained(
        tmp_path, attn_implementation="eager", output_loading_info=True
    )
    assert not any(info.values())
    assert_same_answers(ours, theirs, name)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["base", "masked LM", "sequence, 5"])
def test_transformers_reads_the_bin_files_xlmrxl_saves(name, layout, tmp_path):
    ours = theirs_and_ours(name)[1]
    ours.save_pretrained(tmp_path, safe_serialization=False, **LAYOUTS[layout])
    assert not list(tmp_path.glob("*.safetensors"))
    theirs = getattr(transformers, MODELS[name][0]).from_pretrained(tmp_path, attn_implementation="eager")
    assert_same_answers(ours, theirs, name)


@pytest.mark.parametrize("library", [transformers, xlmrxl], ids=["from transformers", "from xlmrxl"])
def test_the_bare_model_of_a_masked_lm_and_back(library, tmp_path):
    """A head's checkpoint gives the bare model, and a bare one gives a head all but its own weights."""
    theirs, ours = theirs_and_ours("masked LM")
    (theirs if library is transformers else ours).save_pretrained(tmp_path / "head")
    bare, info = xlmrxl.XLMRobertaXLModel.from_pretrained(
        tmp_path / "head", attn_implementation="eager", output_loading_info=True
    )
    assert sorted(info["missing_keys"]) == ["pooler.dense.bias", "pooler.dense.weight"]
    assert info["unexpected_keys"]
    inputs = inputs_for("masked LM", labels=False)
    with torch.no_grad():
        expected = theirs.roberta(**inputs).last_hidden_state
        assert_close(bare(**inputs).last_hidden_state, expected, **CLOSE)

    bare.save_pretrained(tmp_path / "bare")
    head, info = xlmrxl.XLMRobertaXLForTokenClassification.from_pretrained(
        tmp_path / "bare", num_labels=5, output_loading_info=True
    )
    assert sorted(info["missing_keys"]) == ["classifier.bias", "classifier.weight"]
    with torch.no_grad():
        assert_close(head.roberta(**inputs).last_hidden_state, expected, **CLOSE)
    reloaded = transformers.XLMRobertaXLForTokenClassification.from_pretrained(tmp_path / "bare", num_labels=5)
    with torch.no_grad():
        assert_close(reloaded.roberta(**inputs).last_hidden_state, expected, **CLOSE)


def test_config_file_goes_back_and_forth(tmp_path):
    """What one writes the other reads, and nothing that a checkpoint says is lost on the way."""
    names = {0: "no", 1: "yes", 2: "maybe"}
    theirs = transformers.XLMRobertaXLConfig(**SIZES, id2label=names, label2id={v: k for k, v in names.items()})
    theirs.save_pretrained(tmp_path / "theirs")
    ours = xlmrxl.XLMRobertaXLConfig.from_pretrained(tmp_path / "theirs")
    assert ours.id2label == names
    ours.save_pretrained(tmp_path / "ours")
    again = transformers.XLMRobertaXLConfig.from_pretrained(tmp_path / "ours")
    written = json.loads((tmp_path / "theirs" / "config.json").read_text())
    reread = json.loads(again.to_json_string(use_diff=False))
    changed = {
        name: (value, reread.get(name))
        for name, value in written.items()
        if reread.get(name) != value and name not in ("dtype", "transformers_version")
    }
    assert not changed


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_checkpoints(dtype, tmp_path):
    """Loaded as float32 unless told otherwise, and told by either version's name."""
    theirs = theirs_and_ours("masked LM")[0].to(dtype)
    theirs.save_pretrained(tmp_path)
    model = xlmrxl.XLMRobertaXLForMaskedLM
    assert model.from_pretrained(tmp_path).dtype == torch.float32
    assert model.from_pretrained(tmp_path, torch_dtype="auto").dtype == dtype
    kept = model.from_pretrained(tmp_path, dtype=dtype)
    assert kept.dtype == dtype
    for key, value in theirs.state_dict().items():
        assert torch.equal(kept.state_dict()[key], value), key
    assert_same_answers(model.from_pretrained(tmp_path), theirs.float(), "masked LM")


def test_a_save_replaces_what_was_there(tmp_path):
    theirs, ours = theirs_and_ours("masked LM")
    theirs.save_pretrained(tmp_path, max_shard_size="20KB")
    ours.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if "model" in path.name) == ["model.safetensors"]
    shutil.copytree(tmp_path, tmp_path / "copy")
    assert_same_answers(xlmrxl.XLMRobertaXLForMaskedLM.from_pretrained(tmp_path / "copy"), theirs, "masked LM")
