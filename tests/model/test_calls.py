"""What code for transformers passes to a model and asks of it: honoured, without effect, or refused by name."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest
import torch

from xlmrxl import (
    CheckpointError,
    XLMRobertaXLConfig,
    XLMRobertaXLForCausalLM,
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLModel,
)

IDS = torch.tensor([[0, 5, 9, 14, 2], [0, 7, 11, 2, 1]])


@pytest.fixture
def model(tiny_folder: Path) -> XLMRobertaXLForMaskedLM:
    return XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder)


# What is refused


@pytest.mark.parametrize("loader", [XLMRobertaXLForMaskedLM, XLMRobertaXLConfig], ids=["model", "config"])
@pytest.mark.parametrize(
    ("word", "meant"),
    [("reviison", "revision"), ("num_labls", "num_labels"), ("use_auth_tokn", "use_auth_token"), ("xyzzy", "")],
)
def test_a_word_that_nobody_knows_is_refused(tiny_folder, loader, word, meant):
    with pytest.raises(TypeError, match=f"{word}.*{meant}"):
        loader.from_pretrained(tiny_folder, **{word: "v2"})


def test_a_word_that_the_checkpoint_knows_is_a_setting(tiny_folder, tmp_path):
    config = XLMRobertaXLConfig.from_pretrained(tiny_folder)
    config.adapter_sizes = [4, 8]
    model = XLMRobertaXLForMaskedLM(config)
    model.save_pretrained(tmp_path)
    assert XLMRobertaXLForMaskedLM.from_pretrained(tmp_path, adapter_sizes=[5]).config.adapter_sizes == [5]


@pytest.mark.parametrize("source", ["folder", "config"])
def test_unknown_words_with_a_config_of_ones_own(tiny_folder, source):
    config = XLMRobertaXLConfig.from_pretrained(tiny_folder)
    given = config if source == "config" else str(tiny_folder)
    model = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder, config=given, hidden_dropout_prob=0.5)
    assert model.config.hidden_dropout_prob == 0.5
    assert config.hidden_dropout_prob == 0.1
    with pytest.raises(TypeError, match="hidden_dropout_pro"):
        XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder, config=given, hidden_dropout_pro=0.5)


@pytest.mark.parametrize(
    ("word", "value"),
    [("from_tf", True), ("from_flax", True), ("tp_plan", "auto"), ("gguf_file", "a.gguf"), ("proxies", {"https": "a"})],
)
def test_what_cannot_be_had_says_what_to_do(tiny_folder, word, value):
    with pytest.raises(ValueError, match=f"{word} cannot be had here"):
        XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder, **{word: value})


def test_no_secret_and_no_word_of_a_call_is_written(tiny_folder, tmp_path):
    model = XLMRobertaXLForMaskedLM.from_pretrained(
        tiny_folder,
        token="hf_secret",
        use_auth_token="hf_secret",
        trust_remote_code=True,
        resume_download=True,
        low_cpu_mem_usage=True,
        _fast_init=False,
        cache_dir=str(tmp_path / "cache"),
        proxies=None,
        revision=None,
        from_tf=False,
    )
    model.save_pretrained(tmp_path / "saved", token="hf_secret", push_to_hub=False)
    written = (tmp_path / "saved" / "config.json").read_text(encoding="utf-8")
    for word in (
        "secret",
        "trust_remote_code",
        "low_cpu",
        "cache_dir",
        "resume",
        "fast_init",
        "proxies",
        str(tiny_folder),
    ):
        assert word not in written
    assert json.loads(written) == json.loads((tiny_folder / "config.json").read_text(encoding="utf-8"))
    with pytest.raises(TypeError, match="max_shard_siz"):
        model.save_pretrained(tmp_path / "saved", max_shard_siz="1MB")
    with pytest.raises(ValueError, match="hf upload"):
        model.save_pretrained(tmp_path / "saved", push_to_hub=True)


# What is honoured


def test_weights_that_are_given(tiny_folder, model):
    state = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    for where in (tiny_folder, None):
        made = XLMRobertaXLForMaskedLM.from_pretrained(where, config=model.config, state_dict=state)
        assert all(not parameter.any() for parameter in made.parameters())
        with torch.no_grad():
            made.lm_head.bias.fill_(1)
        assert not state["lm_head.bias"].any()  # the caller's own
    with pytest.raises(ValueError, match="both config and state_dict"):
        XLMRobertaXLForMaskedLM.from_pretrained(None, state_dict=state)
    with pytest.raises(TypeError, match="tensors by name"):
        XLMRobertaXLForMaskedLM.from_pretrained(None, config=model.config, state_dict={"a": 1})


def test_variants_and_kinds_of_files(tmp_path, model):
    model.save_pretrained(tmp_path, variant="fp16", max_shard_size="20KB")
    assert (tmp_path / "model.safetensors.index.fp16.json").is_file()
    assert list(tmp_path.glob("model.fp16-00001-of-*.safetensors"))
    model.half().save_pretrained(tmp_path, safe_serialization=False)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"pytorch_model.bin", "model.safetensors.index.fp16.json"} <= names  # one does not replace the other
    load = XLMRobertaXLForMaskedLM.from_pretrained
    assert load(tmp_path, variant="fp16", torch_dtype="auto").dtype == torch.float32
    assert load(tmp_path, torch_dtype="auto").dtype == torch.float16
    assert load(tmp_path, use_safetensors=False, torch_dtype="auto").dtype == torch.float16
    with pytest.raises(CheckpointError, match=r"none of model\.safetensors, model\.safetensors\.index\.json is there"):
        load(tmp_path, use_safetensors=True)
    with pytest.raises(ValueError, match="variant is"):
        load(tmp_path, variant="../x")


def test_what_a_distributed_training_passes(tmp_path, model):
    written = []

    def save(state, path):
        written.append(sorted(state))
        torch.save(state, path)

    model.save_pretrained(tmp_path / "other", is_main_process=False)
    assert not (tmp_path / "other").exists()
    state = {name: tensor + 1 for name, tensor in model.state_dict().items()}
    model.save_pretrained(tmp_path, True, state, save, safe_serialization=False)
    assert len(written) == 1
    assert "lm_head.decoder.weight" not in written[0]  # tied
    again = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path)
    torch.testing.assert_close(again.lm_head.bias, model.lm_head.bias + 1)


@pytest.mark.parametrize("device_map", ["cpu", {"": "cpu"}, torch.device("cpu"), "auto", "sequential"])
def test_a_device_map(tiny_folder, model, device_map):
    placed = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder, device_map=device_map)
    assert placed.hf_device_map
    torch.testing.assert_close(placed(IDS).logits, model(IDS).logits)


@pytest.mark.parametrize("device_map", ["even", 1.5, object()])
def test_a_device_map_that_is_none(tiny_folder, device_map):
    with pytest.raises(ValueError, match="device_map is"):
        XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder, device_map=device_map)


# What is asked of a model and a config


def test_names_that_clients_look_for(model, tiny_config):
    decoder = XLMRobertaXLForCausalLM(XLMRobertaXLConfig(**{**tiny_config.to_dict(), "is_decoder": True}))
    assert model.main_input_name == "input_ids"
    assert model.supports_gradient_checkpointing
    assert (decoder.can_generate(), model.can_generate()) == (True, False)
    for name in model._no_split_modules:
        assert any(type(module).__name__ == name for module in model.modules())
    state = model.state_dict()
    for name in model._tied_weights_keys:
        assert name in state
    config = model.config
    assert config.get_text_config() is config
    assert (config.is_encoder_decoder, config.torchscript, config._attn_implementation) == (False, False, "sdpa")
    assert (config.max_length, config.finetuning_task) == (20, None)
    with pytest.raises(AttributeError, match="no_such"):
        _ = config.no_such
    assert config.torch_dtype is torch.float32
    config.torch_dtype = "float16"
    assert config.dtype is torch.float16
    with pytest.raises(ValueError, match="torch_dtype is 'int8'"):
        config.torch_dtype = "int8"
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config


def test_a_config_in_a_file_of_another_name(tiny_config, tmp_path):
    tiny_config.to_json_file(tmp_path / "a.json")
    assert XLMRobertaXLConfig.from_json_file(tmp_path / "a.json") == tiny_config
    short = json.loads(tiny_config.to_json_string(use_diff=True))
    assert short["hidden_size"] == 20
    assert "layer_norm_eps" not in short
    assert XLMRobertaXLConfig.from_dict(short) == tiny_config
    config, unused = XLMRobertaXLConfig.from_dict(short, return_unused_kwargs=True, hidden_dropout_prob=0.3, other=5)
    assert (config.hidden_dropout_prob, unused) == (0.3, {"other": 5})


def test_gradient_checkpointing_by_all_its_names(tiny_config):
    config = copy.deepcopy(tiny_config)
    config.gradient_checkpointing = True
    model = XLMRobertaXLForMaskedLM(config)
    assert model.is_gradient_checkpointing
    assert "gradient_checkpointing" not in model.config.to_dict()
    model.gradient_checkpointing_disable()
    model.gradient_checkpointing_enable(use_reentrant=False)
    model.gradient_checkpointing_enable({"use_reentrant": True}, every_n_layers=2, offload=False)
    with pytest.raises(TypeError, match="did you mean 'use_reentrant'"):
        model.gradient_checkpointing_enable(use_reentran=False)
    with pytest.raises(ValueError, match="every_n_layers is 0"):
        model.activation_checkpointing_enable(every_n_layers=0)


@pytest.mark.filterwarnings("ignore:.*requires_grad=True.*")
@pytest.mark.parametrize(
    "options",
    [{"use_reentrant": True}, {"use_reentrant": False}, {"every_n_layers": 2}, {"offload": True}],
    ids=lambda options: next(iter(options)),
)
def test_gradients_are_the_same_with_frozen_embeddings(tiny_config, options):
    plain = XLMRobertaXLForMaskedLM(tiny_config).train()
    for name, parameter in plain.named_parameters():
        parameter.requires_grad_("value" in name)
    again = copy.deepcopy(plain)
    again.gradient_checkpointing_enable(**options)
    again.enable_input_require_grads()
    for model in (plain, again):
        torch.manual_seed(3)
        model(IDS, labels=IDS).loss.backward()
    own, other = ([p.grad for p in model.parameters() if p.requires_grad] for model in (plain, again))
    assert all(gradient is not None for gradient in other)
    torch.testing.assert_close(own, other)
    again.disable_input_require_grads()
    assert not again.get_input_embeddings()(IDS).requires_grad


def test_layers_counted_from_the_end_are_pruned(tiny_config):
    model = XLMRobertaXLForMaskedLM(copy.deepcopy(tiny_config))
    model.prune_heads({-1: [0], 2: [3]})
    assert model.config.pruned_heads == {2: [0, 3]}
    assert model.roberta.encoder.layer[2].attention.self.query.weight.shape == (12, 20)
    with pytest.raises(ValueError, match="no layer -4"):
        model.prune_heads({-4: [0]})


def test_tying_ties_the_bias_as_well(tiny_config):
    model = XLMRobertaXLForMaskedLM(tiny_config)
    model.lm_head.decoder = torch.nn.Linear(20, tiny_config.vocab_size)
    model.tie_weights()
    assert model.lm_head.decoder.weight is model.get_input_embeddings().weight
    assert model.lm_head.bias is model.lm_head.decoder.bias


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0,), "new_num_tokens is 0"), ((-3,), "-3"), ((9.5,), r"9\.5"), ((None, 1.3), r"pad_to_multiple_of is 1\.3")],
)
def test_a_size_that_is_none(tiny_config, arguments, message):
    with pytest.raises(ValueError, match=message):
        XLMRobertaXLModel(tiny_config).resize_token_embeddings(*arguments)


def test_what_was_loaded_says_so(tiny_folder):
    model, info = XLMRobertaXLForSequenceClassification.from_pretrained(tiny_folder, output_loading_info=True)
    assert model.name_or_path == model.config.name_or_path == str(tiny_folder)
    assert "classifier.dense.weight" in info["missing_keys"]
    assert info["error_msgs"] == []
    assert model.get_memory_footprint() == sum(parameter.nbytes for parameter in model.parameters())
