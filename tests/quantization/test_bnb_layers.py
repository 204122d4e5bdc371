"""8-bit and 4-bit weights: bitsandbytes' bytes, transformers' numbers, and none of the pitfalls of either."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import threading
from pathlib import Path

import pytest
import torch
from needs import need_bitsandbytes
from torch import nn

from xlmrxl import (
    CheckpointError,
    XLMRobertaTokenizer,
    XLMRobertaXLConfig,
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLForMultipleChoice,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLForTokenClassification,
    XLMRobertaXLModel,
    load,
)
from xlmrxl.model import loading
from xlmrxl.quantization import bnb_format
from xlmrxl.quantization.bnb_format import quantize_4bit, quantize_8bit
from xlmrxl.quantization.bnb_layers import Embedding8bit, Linear4bit, Linear8bit
from xlmrxl.quantize import quantize

need_bitsandbytes()
functional = bnb_format.import_bitsandbytes().functional  # without torch's compiler, which takes seconds to import

CPU = torch.device("cpu")
IDS = torch.tensor([[0, 7, 8, 9, 40, 2], [0, 9, 96, 2, 1, 1]])
MASK = (IDS != 1).long()
PRECISIONS = {"8bit": Linear8bit, "4bit": Linear4bit}


def ignore(_: torch.Tensor) -> None:
    pass


@pytest.fixture(scope="module")
def config(vocabulary_file: Path) -> XLMRobertaXLConfig:
    """Sizes that bitsandbytes takes: multiples of 64. Without dropout, so that training mode computes the same."""
    return XLMRobertaXLConfig(
        vocab_size=XLMRobertaTokenizer(vocabulary_file).vocab_size,
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=192,
        max_position_embeddings=66,
        initializer_range=0.2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, vocabulary_file: Path, config: XLMRobertaXLConfig) -> Path:
    made = tmp_path_factory.mktemp("multiples-of-64")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        XLMRobertaXLForMaskedLM(config).save_pretrained(made)
    XLMRobertaTokenizer(vocabulary_file).save_pretrained(made)
    return made


def logits(model: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS, attention_mask=MASK).logits[MASK.bool()].float()


def restored(folder: Path, model: nn.Module) -> XLMRobertaXLForMaskedLM:
    """A float32 model with the very weights that the quantised ones stand for."""
    wide = XLMRobertaXLForMaskedLM.from_pretrained(folder)
    for name, layer in model.named_modules():
        if isinstance(layer, Linear4bit):
            value = functional.dequantize_4bit(layer.weight, layer.state)
        elif isinstance(layer, Linear8bit):
            value = layer.weight * (layer.SCB[:, None] / 127)
        else:
            continue
        wide.get_submodule(name).weight.data.copy_(value)
    return wide


def state_of(packed: torch.Tensor, state: object) -> dict[str, torch.Tensor]:
    return {"packed": packed, **state.as_dict(packed=True)}


def assert_same_bytes(weight: torch.Tensor, dtype: torch.dtype, double: bool) -> None:
    ours = state_of(*quantize_4bit(weight, dtype, CPU, double, ignore))
    theirs = state_of(
        *functional.quantize_4bit(weight.to(dtype), blocksize=64, compress_statistics=double, quant_type="nf4")
    )
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("double", [True, False])
def test_nf4_has_the_bytes_of_bitsandbytes(monkeypatch, dtype, double):
    monkeypatch.setattr(bnb_format, "CHUNK", 1 << 16)  # several pieces, the last one shorter
    weight = torch.randn(1111, 320, generator=torch.Generator().manual_seed(3)) * 0.05
    assert_same_bytes(weight, dtype, double)


def test_nf4_has_the_bytes_of_bitsandbytes_at_every_bfloat16():
    """Every quotient of two bfloat16 numbers within eight octaves, which hits the boundaries if anything does."""
    below = torch.arange(0x3B80, 0x3F80, dtype=torch.int16).view(torch.bfloat16)
    blocks = []
    for step in range(128):
        largest = torch.tensor([0x3F80 + step], dtype=torch.int16).view(torch.bfloat16)
        upper = torch.arange(0x3F80, 0x3F81 + step, dtype=torch.int16).view(torch.bfloat16)
        values = torch.cat([below, -below, upper, -upper])
        values = nn.functional.pad(values, (0, -len(values) % 63)).view(-1, 63)
        blocks.append(torch.cat([largest.expand(len(values), 1), values], dim=1))
    assert_same_bytes(torch.cat(blocks), torch.bfloat16, double=False)


def test_nf4_has_the_bytes_of_bitsandbytes_where_it_cannot_divide():
    weight = torch.randn(64, 64, generator=torch.Generator().manual_seed(4))
    weight[:3] = 0
    weight[3] *= 1e-38
    weight[4] *= 1e-41
    weight[5, 1:] = 0
    weight[6] = weight[6].abs().amax()
    assert_same_bytes(weight, torch.float32, double=False)


@pytest.mark.parametrize("shape", [(20, 36), (7, 10), (3, 5)])
def test_nf4_of_sizes_that_are_no_multiple_of_a_block(shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(5))
    assert_same_bytes(weight, torch.float32, double=True)


def test_8bit_has_the_bytes_of_bitsandbytes(monkeypatch):
    monkeypatch.setattr(bnb_format, "CHUNK", 1 << 14)
    weight = torch.randn(333, 100, generator=torch.Generator().manual_seed(6)) * 0.05
    rows, scales = quantize_8bit(weight, torch.bfloat16, CPU, ignore)
    expected, expected_scales, _ = functional.int8_vectorwise_quant(weight.bfloat16().half())
    assert torch.equal(rows, expected)
    assert torch.equal(scales, expected_scales)


@pytest.mark.parametrize("skipped", [["lm_head"], None], ids=["head in 16 bits", "head quantised too"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_numbers_are_those_of_transformers_with_bitsandbytes(folder, tmp_path, precision, skipped):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate", reason="transformers quantises with accelerate only")
    four = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": torch.float32}
    settings = transformers.BitsAndBytesConfig(
        **{f"load_in_{precision}": True}, llm_int8_skip_modules=skipped, **(four if precision == "4bit" else {})
    )
    theirs = transformers.XLMRobertaXLForMaskedLM.from_pretrained(
        folder, dtype=torch.float32, quantization_config=settings, attn_implementation="eager"
    )
    # In training mode bitsandbytes computes 4 bits in the type it is told; otherwise some processors use bfloat16.
    expected = logits(theirs.train(precision == "4bit"))
    theirs.save_pretrained(tmp_path / "theirs")
    again = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path / "theirs", torch_dtype=torch.float32)
    assert isinstance(again.roberta.encoder.layer[0].output.dense, PRECISIONS[precision])
    assert isinstance(again.lm_head.dense, PRECISIONS[precision] if skipped is None else nn.Linear)
    assert (logits(again) - expected).norm() / expected.norm() < 1e-3
    if skipped is None:
        return  # transformers does so of itself; loaded by us the head stays as it is

    ours = XLMRobertaXLForMaskedLM.from_pretrained(folder, torch_dtype=torch.float32, **{f"load_in_{precision}": True})
    assert (logits(ours) - expected).norm() / expected.norm() < 1e-3
    assert (logits(ours) - logits(XLMRobertaXLForMaskedLM.from_pretrained(folder))).abs().max() > 1e-2
    ours.save_pretrained(tmp_path / "ours")
    read = transformers.XLMRobertaXLForMaskedLM.from_pretrained(tmp_path / "ours", dtype=torch.float32)
    assert isinstance(read.lm_head.dense, nn.Linear)
    assert (logits(read.train(precision == "4bit")) - expected).norm() / expected.norm() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_one_layer_of_xl_has_the_numbers_of_transformers(tmp_path, precision):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate", reason="transformers quantises with accelerate only")
    sizes = {"vocab_size": 100, "num_hidden_layers": 1, "max_position_embeddings": 66}
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    torch.manual_seed(2)
    XLMRobertaXLForMaskedLM(XLMRobertaXLConfig(**sizes, **dropout)).save_pretrained(tmp_path)
    four = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": torch.float32}
    settings = transformers.BitsAndBytesConfig(
        **{f"load_in_{precision}": True},
        llm_int8_skip_modules=["lm_head"],
        **(four if precision == "4bit" else {}),
    )
    theirs = transformers.XLMRobertaXLForMaskedLM.from_pretrained(
        tmp_path, dtype=torch.float32, quantization_config=settings
    ).train(precision == "4bit")
    ours = XLMRobertaXLForMaskedLM.from_pretrained(
        tmp_path, torch_dtype=torch.float32, **{f"load_in_{precision}": True}
    )
    theirs_state = theirs.state_dict()
    for name, tensor in ours.roberta.encoder.layer[0].state_dict().items():
        assert torch.equal(tensor, theirs_state[f"roberta.encoder.layer.0.{name}"]), name
    expected = logits(theirs)
    assert (logits(ours) - expected).norm() / expected.norm() < 1e-3


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("size", ["5GB", "60kB"], ids=["one file", "shards"])
def test_a_checkpoint_quantised_beforehand_is_the_same(folder, tmp_path, precision, size):
    target = quantize(folder, tmp_path / "small", precision, max_shard_size=size)
    assert (len(list(target.glob("*.safetensors"))) > 1) == (size == "60kB")
    settings = json.loads((target / "config.json").read_text())["quantization_config"]
    assert settings["quant_method"] == "bitsandbytes"
    assert settings[f"load_in_{precision}"]
    session = load(target)
    assert session.precision == precision
    direct = load(folder, precision=precision)
    assert torch.equal(logits(session.model), logits(direct.model))
    assert session.model.num_parameters() == load(folder, precision="fp32").model.num_parameters()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_saving_after_a_forward_spoils_nothing(folder, tmp_path, precision):
    session = load(folder, precision=precision)
    model = session.model
    before = logits(model)
    model.save_pretrained(tmp_path)
    session.tokenizer.save_pretrained(tmp_path)
    assert torch.equal(before, logits(load(tmp_path).model))
    assert torch.equal(before, logits(model))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_two_first_forwards_at_once(folder, precision):
    expected = logits(load(folder, precision=precision).model)
    for _ in range(5):
        model = load(folder, precision=precision).model
        found: list[torch.Tensor] = []
        threads = [threading.Thread(target=lambda m=model, f=found: f.append(logits(m))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert all(torch.equal(one, expected) for one in found)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_nothing_is_logged(folder, precision, caplog, capfd):
    with caplog.at_level(logging.DEBUG, logger="bitsandbytes"):
        model = load(folder, precision=precision).model
        logits(model)
        logits(model)
    assert not [record for record in caplog.records if record.name.startswith("bitsandbytes")]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("outlier", [6.0, 0.0])
def test_activations_beyond_float16(outlier):
    weight = torch.randn(64, 128, generator=torch.Generator().manual_seed(7))
    layer = Linear8bit(128, 64, None, *quantize_8bit(weight, torch.float32, CPU, ignore), outlier)
    x = torch.randn(5, 128, generator=torch.Generator().manual_seed(8))
    x[2] *= 3e6
    out, expected = layer(x), x @ weight.T
    assert torch.isfinite(out).all()
    assert (out[2] - expected[2]).norm() / expected[2].norm() < 0.02


@pytest.mark.parametrize("precision", PRECISIONS)
def test_layers_of_any_size(tiny_folder, precision):
    """bitsandbytes' own layers crash on these on some processors: 20 and 36 are multiples of no block."""
    narrow = XLMRobertaXLForMaskedLM.from_pretrained(
        tiny_folder, torch_dtype=torch.float32, **{f"load_in_{precision}": True}
    )
    assert isinstance(narrow.roberta.encoder.layer[0].attention.self.query, PRECISIONS[precision])
    expected = logits(restored(tiny_folder, narrow))
    assert (logits(narrow) - expected).norm() / expected.norm() < (1e-5 if precision == "4bit" else 0.1)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "cls",
    [
        XLMRobertaXLModel,
        XLMRobertaXLForSequenceClassification,
        XLMRobertaXLForTokenClassification,
        XLMRobertaXLForMultipleChoice,
        XLMRobertaXLForQuestionAnswering,
    ],
)
def test_task_heads_stay_in_16_bits(folder, precision, cls):
    model = cls.from_pretrained(folder, **{f"load_in_{precision}": True})
    inputs = IDS[None] if cls is XLMRobertaXLForMultipleChoice else IDS
    assert torch.isfinite(model(inputs)[0]).all()
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert not any("encoder.layer" in name for name in linear)
    assert {name.split(".")[0] for name in linear} <= {"pooler", "roberta", "classifier", "qa_outputs"}
    assert linear


@pytest.mark.parametrize("precision", PRECISIONS)
def test_gradients_go_through(folder, precision):
    model = XLMRobertaXLForMaskedLM.from_pretrained(folder, torch_dtype=torch.float32, **{f"load_in_{precision}": True})
    embeds = model.get_input_embeddings()(IDS).detach().requires_grad_()
    model(inputs_embeds=embeds, attention_mask=MASK).logits.square().mean().backward()
    assert torch.isfinite(embeds.grad).all()
    assert embeds.grad.abs().max() > 0
    dense = restored(folder, model)
    same = embeds.detach().clone().requires_grad_()
    dense(inputs_embeds=same, attention_mask=MASK).logits.square().mean().backward()
    assert nn.functional.cosine_similarity(embeds.grad.flatten(), same.grad.flatten(), dim=0) > (
        0.99999 if precision == "4bit" else 0.99
    )


def test_8bit_embeddings_are_held_once_and_can_be_saved(folder, tmp_path):
    session = load(folder, precision="4bit", embeddings_8bit=True)
    assert isinstance(session.model.get_input_embeddings(), Embedding8bit)
    before = logits(session.model)
    expected = logits(load(folder, precision="4bit").model)
    assert 0 < (before - expected).norm() / expected.norm() < 0.05
    session.model.save_pretrained(tmp_path / "saved")
    session.tokenizer.save_pretrained(tmp_path / "saved")
    assert torch.equal(before, logits(load(tmp_path / "saved").model))
    written = quantize(folder, tmp_path / "written", "4bit", embeddings_8bit=True)
    assert torch.equal(before, logits(load(written).model))
    with pytest.raises(ValueError, match="cannot be resized"):
        session.model.resize_token_embeddings(50)


def test_types_stay_when_a_model_is_cast(folder):
    model = load(folder, precision="4bit").model.to(torch.float32)
    layer = model.roberta.encoder.layer[0].output.dense
    assert layer.weight.dtype == torch.uint8
    assert layer.bias.dtype == torch.float32
    assert torch.isfinite(logits(model)).all()


def test_heads_of_quantised_layers_are_not_pruned(folder):
    model = load(folder, precision="8bit").model
    with pytest.raises(ValueError, match="cannot be pruned"):
        model.prune_heads({0: [1]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quant_method": "gptq", "bits": 4}, "asks for 'gptq'"),
        ({"quant_method": "bitsandbytes"}, "names none of 8bit, 4bit"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": True}, "or several"),
        ("nf4", "asks for 'nf4'"),
    ],
)
def test_a_wrong_quantisation_config(folder, tmp_path, settings, message):
    target = quantize(folder, tmp_path / "small", "4bit")
    values = json.loads((target / "config.json").read_text())
    values["quantization_config"] = settings
    (target / "config.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=message):
        load(target)


@pytest.mark.parametrize("broken", ["absmax", "quant_state.bitsandbytes__nf4", "nested_quant_map"])
def test_an_incomplete_4bit_weight(folder, tmp_path, broken):
    from safetensors.torch import load_file, save_file

    target = quantize(folder, tmp_path / "small", "4bit")
    tensors = load_file(target / "model.safetensors")
    name = f"roberta.encoder.layer.1.attention.self.key.weight.{broken}"
    if broken == "absmax":
        tensors[name] = tensors[name][:-1].clone()
    else:
        del tensors[name]
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"layer\.1\.attention\.self\.key"):
        load(target)


LAYER = "roberta.encoder.layer.1.attention.self.key"
STATE = f"{LAYER}.weight.quant_state.bitsandbytes__nf4"


def rewrite(target: Path, change) -> None:
    """Change the tensors of a checkpoint, which `change` may do in place."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(target / "model.safetensors")
    tensors = change(tensors) or tensors
    save_file({k: v.contiguous() for k, v in tensors.items()}, target / "model.safetensors", metadata={"format": "pt"})


def said(**values: object):
    """A change of what a 4-bit layer says of itself."""

    def change(tensors: dict[str, torch.Tensor]) -> None:
        old = json.loads(bytes(tensors[STATE].tolist()))
        tensors[STATE] = torch.tensor(list(json.dumps(old | values).encode()), dtype=torch.uint8)

    return change


def set_to(name: str, make):
    """A change of one tensor of the layer."""

    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[f"{LAYER}.{name}"] = make(tensors[f"{LAYER}.{name}"])

    return change


def text(content: bytes):
    return lambda _: torch.tensor(list(content), dtype=torch.uint8)


def rename(old: str, new: str):
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[f"{LAYER}.{new}"] = tensors.pop(f"{LAYER}.{old}")

    return change


def without(name: str):
    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors[f"{LAYER}.{name}"]

    return change


def with_(tensor: torch.Tensor, place: int, value: float) -> torch.Tensor:
    tensor = tensor.clone()
    tensor.view(-1)[place] = value
    return tensor


LIES_4BIT = {
    "nested scales cut short": (set_to("weight.nested_absmax", lambda t: t[:0]), "scales of torch.float32"),
    "scales cut short": (set_to("weight.absmax", lambda t: t[:-1]), "255 scales"),
    "too many scales": (set_to("weight.absmax", lambda t: torch.cat([t, t])), "512 scales"),
    "scales of a wrong type": (set_to("weight.absmax", lambda t: t.float()), "of torch.float32"),
    "scales in another shape": (set_to("weight.absmax", lambda t: t[None]), "scales"),
    "nested scales that are none": (set_to("weight.nested_absmax", lambda t: t * float("nan")), "negative, infinite"),
    "negative nested scales": (set_to("weight.nested_absmax", lambda t: -t), "negative, infinite"),
    "a nested map of one entry": (set_to("weight.nested_quant_map", lambda t: t[:1]), "nested_quant_map is not"),
    "another nested map": (set_to("weight.nested_quant_map", lambda t: with_(t, 7, 0.5)), "nested_quant_map is not"),
    "another map": (set_to("weight.quant_map", lambda t: with_(t, 7, 0.5)), "quant_map is not"),
    "a map of integers": (set_to("weight.quant_map", lambda t: t.int()), "quant_map is not"),
    "an fp4 label inside": (said(quant_type="fp4"), "is not one of nf4"),
    "an fp4 label outside": (rename(STATE[len(LAYER) + 1 :], STATE[len(LAYER) + 1 : -3] + "fp4"), "is not one of fp4"),
    "a label that is none": (rename(STATE[len(LAYER) + 1 :], STATE[len(LAYER) + 1 : -3] + "xx4"), "is 'xx4', not one"),
    "a nested block of 1": (said(nested_blocksize=1), "nested_blocksize is 1"),
    "a nested block of 64": (said(nested_blocksize=64), "in nested_absmax instead of 4"),
    "a block of 0": (said(blocksize=0), "blocksize is 0"),
    "a block of -64": (said(blocksize=-64), "blocksize is -64"),
    "a block of 128": (said(blocksize=128), "in absmax instead of 128"),
    "a block that is a text": (said(blocksize="64"), "blocksize is '64'"),
    "a block that is true": (said(blocksize=True), "blocksize is True"),
    "the shape turned over": (said(shape=[192, 128]), "is said to have the shape"),
    "a shape of texts": (said(shape=["128", "128"]), "is said to have the shape"),
    "a type that is none": (said(dtype="nn"), "dtype is 'nn'"),
    "hardly a state": (set_to(STATE[len(LAYER) + 1 :], text(b'{"quant_type": "nf4"}')), "is said to have the shape"),
    "no offset": (said(nested_offset=None), "nested_offset is None"),
    "an offset that is none": (said(nested_offset=float("nan")), "nested_offset is nan"),
    "an infinite offset": (said(nested_offset=float("inf")), "nested_offset is inf"),
    "another nested type": (said(nested_dtype="float16"), "nested_dtype is 'float16'"),
    "no JSON": (set_to(STATE[len(LAYER) + 1 :], text(b"{")), "quant_state is no JSON"),
    "deep JSON": (set_to(STATE[len(LAYER) + 1 :], text(b"[" * 4000)), "quant_state is no JSON"),
    "a list": (set_to(STATE[len(LAYER) + 1 :], text(b"[1]")), "is not one of nf4"),
    "a long text": (set_to(STATE[len(LAYER) + 1 :], text(b" " * 9000)), "quant_state is no text"),
    "numbers instead of a text": (set_to(STATE[len(LAYER) + 1 :], lambda t: t.float()), "quant_state is no text"),
    "weights cut short": (set_to("weight", lambda t: t[:-1]), "has 8,191 bytes"),
    "weights of booleans": (set_to("weight", lambda t: t.bool()), "of torch.bool"),
    "nested scales without a map": (without("weight.nested_quant_map"), "nested_quant_map"),
    "a map without nested scales": (without("weight.nested_absmax"), "scales of torch.uint8"),
    "8-bit scales beside": (lambda t: t | {f"{LAYER}.SCB": torch.ones(128)}, "config.json says otherwise"),
    "no weight": (without("weight"), LAYER),
}
LIES_8BIT = {
    "scales cut short": (set_to("SCB", lambda t: t[:-1]), "SCB is torch.float32 of shape"),
    "scales that are none": (set_to("SCB", lambda t: with_(t, 3, float("nan"))), "negative, infinite"),
    "infinite scales": (set_to("SCB", lambda t: with_(t, 3, float("inf"))), "negative, infinite"),
    "negative scales": (set_to("SCB", lambda t: with_(t, 3, -1.0)), "negative, infinite"),
    "scales of integers": (set_to("SCB", lambda t: t.int()), "SCB is torch.int32"),
    "another order": (set_to("weight_format", lambda t: t + 1), "weight_format is not that of rows"),
    "two orders": (set_to("weight_format", lambda t: torch.zeros(2)), "weight_format is not that of rows"),
    "weights cut short": (set_to("weight", lambda t: t[:-1]), "it is torch.int8 of shape"),
    "weights turned over": (set_to("weight", lambda t: t.view(64, 256)), "it is torch.int8 of shape"),
    "weights of another type": (set_to("weight", lambda t: t.view(torch.uint8)), "it is torch.uint8"),
    "no scales": (without("SCB"), "it has no SCB|has the type int8"),
}


@pytest.mark.parametrize("lie", LIES_4BIT)
def test_a_4bit_weight_that_is_not_what_it_says(folder, tmp_path, lie):
    change, words = LIES_4BIT[lie]
    target = quantize(folder, tmp_path / "small", "4bit")
    rewrite(target, change)
    with pytest.raises(CheckpointError, match=words) as caught:
        load(target)
    assert LAYER in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("lie", LIES_8BIT)
def test_an_8bit_weight_that_is_not_what_it_says(folder, tmp_path, lie):
    change, words = LIES_8BIT[lie]
    target = quantize(folder, tmp_path / "small", "8bit")
    rewrite(target, change)
    with pytest.raises(CheckpointError, match=words) as caught:
        load(target)
    assert LAYER in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"load_in_4bit": False, "_load_in_4bit": False, "load_in_8bit": True}, "config.json says otherwise"),
        ({"bnb_4bit_quant_type": "fp4"}, "it is nf4, and config.json says otherwise"),
        ({"bnb_4bit_quant_type": "nf5"}, "names the 4-bit type 'nf5'"),
        ({"llm_int8_threshold": "6"}, "llm_int8_threshold '6'"),
        ({"llm_int8_threshold": float("inf")}, "llm_int8_threshold inf"),
        (None, "has no quantization_config"),
    ],
)
def test_a_config_that_contradicts_the_weights(folder, tmp_path, settings, words):
    target = quantize(folder, tmp_path / "small", "4bit")
    values = json.loads((target / "config.json").read_text())
    if settings is None:
        del values["quantization_config"]
    else:
        values["quantization_config"] |= settings
    (target / "config.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=words):
        load(target)


@pytest.mark.parametrize("storage", [torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.int8], ids=str)
def test_packed_weights_in_another_storage(folder, tmp_path, storage):
    """`bnb_4bit_quant_storage`: what FSDP needs, so that all parameters are of one type."""
    target = quantize(folder, tmp_path / "small", "4bit")
    expected = logits(load(target).model)

    def pack(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        packed = {name.partition(".quant_state")[0] for name in tensors if ".quant_state" in name}
        return {k: v.view(-1).view(storage)[:, None] if k in packed else v for k, v in tensors.items()}

    rewrite(target, pack)
    values = json.loads((target / "config.json").read_text())
    values["quantization_config"]["bnb_4bit_quant_storage"] = str(storage).removeprefix("torch.")
    (target / "config.json").write_text(json.dumps(values))
    session = load(target)
    assert torch.equal(logits(session.model), expected)
    session.model.save_pretrained(tmp_path / "again")
    session.tokenizer.save_pretrained(tmp_path / "again")
    values = json.loads((tmp_path / "again" / "config.json").read_text())
    assert values["quantization_config"]["bnb_4bit_quant_storage"] == "uint8"
    assert torch.equal(logits(load(tmp_path / "again").model), expected)


def test_what_transformers_packs_in_bfloat16(folder, tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate", reason="transformers quantises with accelerate only")
    settings = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="fp4",
        bnb_4bit_quant_storage=torch.bfloat16,
        bnb_4bit_compute_dtype=torch.float32,
        llm_int8_skip_modules=["lm_head"],
    )
    theirs = transformers.XLMRobertaXLForMaskedLM.from_pretrained(
        folder, dtype=torch.float32, quantization_config=settings, attn_implementation="eager"
    )
    expected = logits(theirs.train())
    theirs.save_pretrained(tmp_path)
    ours = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path, torch_dtype=torch.float32)
    assert isinstance(ours.roberta.encoder.layer[0].output.dense, Linear4bit)
    assert ours.roberta.encoder.layer[0].output.dense.state.quant_type == "fp4"
    assert (logits(ours) - expected).norm() / expected.norm() < 1e-3


def test_layers_that_a_quantised_checkpoint_left_alone_stay_so(folder, tmp_path):
    """`llm_int8_skip_modules` with layers of the encoder."""
    from safetensors.torch import load_file

    target = quantize(folder, tmp_path / "small", "8bit")
    wide = load_file(folder / "model.safetensors")[f"{LAYER}.weight"]

    def leave(tensors: dict[str, torch.Tensor]) -> None:
        tensors[f"{LAYER}.weight"] = wide.bfloat16()
        del tensors[f"{LAYER}.SCB"], tensors[f"{LAYER}.weight_format"]

    rewrite(target, leave)
    layers = load(target).model.roberta.encoder.layer
    assert isinstance(layers[1].attention.self.query, Linear8bit)
    assert torch.equal(layers[1].attention.self.key.weight, wide.bfloat16())


@pytest.mark.parametrize("threshold", [0.0, 3.5])
def test_the_threshold_is_the_checkpoints_own(folder, tmp_path, threshold):
    target = quantize(folder, tmp_path / "small", "8bit")
    values = json.loads((target / "config.json").read_text())
    values["quantization_config"]["llm_int8_threshold"] = threshold
    (target / "config.json").write_text(json.dumps(values))
    assert load(target).model.roberta.encoder.layer[0].output.dense.outlier == threshold


def test_scales_of_8bit_rows_are_not_rounded(folder, tmp_path):
    from safetensors.torch import load_file

    target = quantize(folder, tmp_path / "small", "8bit")
    scales = load_file(target / "model.safetensors")[f"{LAYER}.SCB"]
    for model in (load(target).model, XLMRobertaXLForMaskedLM.from_pretrained(target, torch_dtype=torch.bfloat16)):
        assert torch.equal(model.get_submodule(LAYER).SCB, scales)


def test_a_quantised_checkpoint_is_not_quantised_again(folder, tmp_path):
    target = quantize(folder, tmp_path / "small", "8bit")
    with pytest.raises(CheckpointError, match="has 8bit weights already"):
        quantize(target, tmp_path / "smaller", "4bit")
    with pytest.raises(CheckpointError, match="has 8bit weights already"):
        load(target, precision="4bit")
    with pytest.raises(CheckpointError, match="exists already"):
        quantize(folder, target, "4bit")


@pytest.mark.parametrize("native", [True, False], ids=["16-bit arithmetic", "none"])
@pytest.mark.parametrize("precision", ["fp32", "4bit"])
def test_a_device_map_changes_no_number(folder, precision, native, monkeypatch):
    """There is one device here; that accelerate takes the model apart and moves its inputs is what this shows."""
    pytest.importorskip("accelerate")
    monkeypatch.setattr("xlmrxl.quantization.upcast.has_native", lambda dtype: native)
    expected = logits(load(folder, precision=precision).model)
    placed = {"roberta.embeddings": "cpu", "roberta.encoder": "cpu", "lm_head": "cpu"}
    for device_map in ("auto", placed):
        model = load(folder, precision=precision, device_map=device_map).model
        assert model.hf_device_map
        assert torch.equal(logits(model), expected)
    with pytest.raises(ValueError, match="device_map is 'even'"):
        load(folder, device_map="even")


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="an open file keeps its name on this system")
@pytest.mark.parametrize("full", [False, True])
def test_a_large_converted_tensor_is_mapped_where_there_is_room(folder, tmp_path, monkeypatch, full):
    expected = logits(load(folder, precision="4bit", device="cpu").model)
    copied = shutil.copytree(folder, tmp_path / "model")
    monkeypatch.setattr(loading, "LARGE", 1)
    if full:

        def no_space(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "posix_fallocate", no_space)
    model = load(copied, precision="4bit", device="cpu").model
    assert torch.equal(logits(model), expected)
    start = model.roberta.embeddings.word_embeddings.weight.data_ptr()
    spans = [line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines()]
    held = next(span for span in spans if int(span[0].split("-")[0], 16) <= start < int(span[0].split("-")[1], 16))
    assert (str(copied) in held[-1]) is not full
    assert sorted(os.listdir(copied)) == sorted(os.listdir(folder))
