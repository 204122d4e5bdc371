"""Reading and writing checkpoints in every layout of the Hub, and what is said of a broken one."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from needs import need_bitsandbytes
from safetensors.torch import load_file, save_file

import xlmrxl
from xlmrxl import CheckpointError, XLMRobertaXLForMaskedLM, XLMRobertaXLForSequenceClassification, XLMRobertaXLModel
from xlmrxl.checkpoints.weight_files import open_weights, parse_size, save_weights
from xlmrxl.quantize import quantize


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint to break."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([[0, 5, 9, 30, 2]])).logits


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
@pytest.mark.parametrize("size", ["5GB", "20kB"], ids=["one file", "shards"])
def test_every_layout_gives_the_same_numbers(tiny_folder: Path, tmp_path: Path, safe: bool, size: str):
    model = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder)
    model.save_pretrained(tmp_path, max_shard_size=size, safe_serialization=safe)
    weights = sorted(p.name for p in tmp_path.iterdir() if p.suffix in (".safetensors", ".bin"))
    assert (len(weights) > 1) == (size == "20kB")
    assert all(name.endswith(".safetensors" if safe else ".bin") for name in weights)
    again = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path)
    assert torch.equal(logits(model), logits(again))
    assert not again.training
    assert again.lm_head.decoder.weight is again.roberta.embeddings.word_embeddings.weight
    assert again.lm_head.decoder.bias is again.lm_head.bias


def test_tied_weights_are_written_once(tiny_folder: Path):
    names = set(load_file(tiny_folder / "model.safetensors"))
    assert "lm_head.bias" in names
    assert not names & {"lm_head.decoder.weight", "lm_head.decoder.bias"}


def test_saving_replaces_an_earlier_checkpoint(tiny_folder: Path, folder: Path):
    model = XLMRobertaXLForMaskedLM.from_pretrained(folder)
    before = logits(model)
    model.save_pretrained(folder, max_shard_size="20kB")  # while its own files are mapped
    assert not (folder / "model.safetensors").exists()
    assert torch.equal(before, logits(model))
    model.save_pretrained(folder)
    assert [p.name for p in folder.glob("*model*.safetensors*")] == ["model.safetensors"]
    assert torch.equal(before, logits(XLMRobertaXLForMaskedLM.from_pretrained(folder)))


def test_files_can_be_read_by_others_as_the_umask_says(tmp_path: Path):
    save_weights(tmp_path, {"x": torch.zeros(3)})
    (tmp_path / "other").touch()
    assert (tmp_path / "model.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_failed_save_leaves_the_folder_as_it_was(folder: Path):
    before = (folder / "model.safetensors").read_bytes()

    shared = torch.zeros(4)
    with pytest.raises(CheckpointError, match="could not be written"):
        save_weights(folder, {"a": shared, "b": shared})  # safetensors refuses shared memory
    assert (folder / "model.safetensors").read_bytes() == before
    assert not list(folder.glob(".saving-*"))


def test_unconverted_weights_are_mapped_not_copied(tiny_folder: Path):
    weights = open_weights(tiny_folder)
    first, second = (weights["roberta.embeddings.word_embeddings.weight"] for _ in range(2))
    model = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder)
    assert torch.equal(first, second)
    mapped = Path("/proc/self/maps")
    if mapped.exists():
        assert str(tiny_folder / "model.safetensors") in mapped.read_text()
    assert model.dtype == torch.float32


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(None, torch.float32), ("auto", torch.float16), (torch.bfloat16, torch.bfloat16), ("float32", torch.float32)],
)
def test_types(tiny_folder: Path, tmp_path: Path, wanted: object, expected: torch.dtype):
    XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder).half().save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["torch_dtype"] == "float16"
    model = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path, torch_dtype=wanted)
    assert {p.dtype for p in model.parameters()} == {expected}


def test_the_published_bin_has_a_buffer_that_is_ignored(tiny_folder: Path, tmp_path: Path):
    state = dict(XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder).state_dict())
    state["roberta.embeddings.position_ids"] = torch.arange(66)[None]
    torch.save(state, tmp_path / "pytorch_model.bin")
    shutil.copy(tiny_folder / "config.json", tmp_path)
    model, info = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    assert info == {"missing_keys": [], "unexpected_keys": [], "mismatched_keys": [], "error_msgs": []}
    assert torch.equal(logits(model), logits(XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder)))


def test_a_bin_from_before_the_zip_format(tiny_folder: Path, tmp_path: Path):
    state = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder).state_dict()
    torch.save(state, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    shutil.copy(tiny_folder / "config.json", tmp_path)
    assert logits(XLMRobertaXLForMaskedLM.from_pretrained(tmp_path)).shape[-1] > 0


def test_a_fresh_head_is_said_and_random(tiny_folder: Path, caplog: pytest.LogCaptureFixture):
    model, info = XLMRobertaXLForSequenceClassification.from_pretrained(
        tiny_folder, num_labels=3, output_loading_info=True
    )
    assert sorted(info["missing_keys"]) == [
        "classifier.dense.bias",
        "classifier.dense.weight",
        "classifier.out_proj.bias",
        "classifier.out_proj.weight",
    ]
    assert all(key.startswith("lm_head.") for key in info["unexpected_keys"])
    assert "classifier.dense.weight" in caplog.text
    assert "fresh" in caplog.text
    assert model.classifier.out_proj.weight.std() > 0
    assert torch.equal(model.classifier.out_proj.bias, torch.zeros(3))
    assert model.config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}


def test_a_base_model_and_a_head_load_each_other(tiny_folder: Path, tmp_path: Path):
    base = XLMRobertaXLModel.from_pretrained(tiny_folder, add_pooling_layer=False)
    base.save_pretrained(tmp_path)
    assert not any(name.startswith("roberta.") for name in load_file(tmp_path / "model.safetensors"))
    headed = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path)
    ids = torch.tensor([[0, 5, 9, 2]])
    assert torch.equal(headed.roberta(ids)[0], base(ids)[0])


def test_a_head_of_another_size(tiny_folder: Path, tmp_path: Path):
    three = XLMRobertaXLForSequenceClassification.from_pretrained(tiny_folder, num_labels=3)
    three.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"classifier\.out_proj.*ignore_mismatched_sizes"):
        XLMRobertaXLForSequenceClassification.from_pretrained(tmp_path, num_labels=5)
    five, info = XLMRobertaXLForSequenceClassification.from_pretrained(
        tmp_path, num_labels=5, ignore_mismatched_sizes=True, output_loading_info=True
    )
    assert sorted(info["mismatched_keys"]) == [
        ("classifier.out_proj.bias", (3,), (5,)),
        ("classifier.out_proj.weight", (3, 20), (5, 20)),
    ]
    assert torch.equal(five.classifier.dense.weight, three.classifier.dense.weight)


# What is broken, and the words that have to be in the message: the file, and what to do.


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_truncated_safetensors(folder: Path):
    truncate(folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*download or copy it again"):
        xlmrxl.load(folder)


def test_truncated_bin(folder: Path):
    XLMRobertaXLForMaskedLM.from_pretrained(folder).save_pretrained(folder, safe_serialization=False)
    truncate(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin.*download or copy it again"):
        xlmrxl.load(folder)


def test_missing_shard(folder: Path):
    XLMRobertaXLForMaskedLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="20kB")
    gone = sorted(folder.glob("model-*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(CheckpointError, match=gone.name):
        xlmrxl.load(folder)


def test_index_that_names_what_no_file_holds(folder: Path):
    XLMRobertaXLForMaskedLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="20kB")
    index = folder / "model.safetensors.index.json"
    values = json.loads(index.read_text())
    values["weight_map"]["roberta.ghost"] = sorted(values["weight_map"].values())[0]
    index.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=r"roberta\.ghost"):
        xlmrxl.load(folder)


TIED = ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight")


@pytest.mark.parametrize("size", ["5GB", "20kB"], ids=["one file", "shards"])
@pytest.mark.parametrize("cls", [XLMRobertaXLForMaskedLM, XLMRobertaXLModel])
def test_the_tied_matrix_under_its_other_name(folder: Path, size: str, cls: type):
    """safetensors' save_model keeps one of the two names, and not always the one that transformers keeps."""
    expected = cls.from_pretrained(folder).get_input_embeddings().weight
    state = load_file(folder / "model.safetensors")
    state[TIED[0]] = state.pop(TIED[1])
    state["lm_head.decoder.bias"] = state.pop("lm_head.bias")
    save_weights(folder, state, max_shard_size=size)
    model, info = cls.from_pretrained(folder, output_loading_info=True)
    assert torch.equal(model.get_input_embeddings().weight, expected)
    assert all(key.startswith("pooler.") for key in info["missing_keys"])
    if cls is XLMRobertaXLForMaskedLM:
        assert model.lm_head.decoder.weight is model.get_input_embeddings().weight
        assert xlmrxl.load(folder).fill_mask("The <mask>").masks
    need_bitsandbytes()
    small = quantize(folder, folder / "small", "8bit")
    rows = open_weights(small)[TIED[1]]
    assert torch.equal(rows, expected.bfloat16())
    assert not set(open_weights(small)) & {TIED[0], "lm_head.decoder.bias"}


def test_untied_weights_need_both(folder: Path):
    state = load_file(folder / "model.safetensors")
    state[TIED[0]] = state.pop(TIED[1])
    save_weights(folder, state)
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | {"tie_word_embeddings": False}))
    with pytest.raises(CheckpointError, match=r"lacks 1 weights.*word_embeddings"):
        xlmrxl.load(folder)


@pytest.mark.parametrize("held", [0, 1])
def test_an_index_that_names_a_tied_key_no_file_holds(folder: Path, held: int):
    """As the Hub's converter leaves it."""
    expected = logits(XLMRobertaXLForMaskedLM.from_pretrained(folder))
    state = load_file(folder / "model.safetensors")
    state[TIED[held]] = state.pop(TIED[1])
    save_weights(folder, state, max_shard_size="20kB")
    index = folder / "model.safetensors.index.json"
    values = json.loads(index.read_text())
    for name in (*TIED, "lm_head.decoder.bias"):
        values["weight_map"].setdefault(name, values["weight_map"][TIED[held]])
    index.write_text(json.dumps(values))
    assert torch.equal(logits(XLMRobertaXLForMaskedLM.from_pretrained(folder)), expected)
    assert xlmrxl.load(folder).precision == "fp32"


@pytest.mark.parametrize(
    "weight",
    [
        torch.ones(20, 36, dtype=torch.int64),
        torch.ones(20, 36, dtype=torch.int8),
        torch.ones(20, 36, dtype=torch.bool),
        torch.ones(20, 36, dtype=torch.complex64),
        torch.ones(20, 36).to(torch.float8_e4m3fn),
    ],
    ids=lambda weight: str(weight.dtype),
)
def test_weights_of_a_wrong_kind(folder: Path, weight: torch.Tensor):
    state = load_file(folder / "model.safetensors")
    state["roberta.encoder.layer.1.output.dense.weight"] = weight
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    kind = str(weight.dtype).removeprefix("torch.")
    for call in (
        lambda: xlmrxl.load(folder),
        lambda: XLMRobertaXLModel.from_pretrained(folder, torch_dtype="auto"),
        lambda: quantize(folder, folder / "small", "8bit"),
    ):
        with pytest.raises(CheckpointError, match=rf"layer\.1\.output\.dense\.weight of .* has the type {kind};"):
            call()


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
def test_a_name_of_5000_characters(folder: Path, safe: bool):
    state = load_file(folder / "model.safetensors") | {"x" * 5_000: torch.zeros(2)}
    save_weights(folder, state, safe_serialization=safe)
    with pytest.raises(CheckpointError, match="no name of a weight") as caught:
        xlmrxl.load(folder)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "value",
    [
        torch.sparse_coo_tensor(torch.tensor([[0], [1]]), torch.tensor([1.0]), (20, 36), check_invariants=True),
        torch.empty(20, 36, device="meta"),
    ],
    ids=["sparse", "meta"],
)
def test_a_bin_with_tensors_of_a_strange_kind(folder: Path, value: torch.Tensor):
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    state["roberta.encoder.layer.1.output.dense.weight"] = value
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
        xlmrxl.load(folder)


def test_a_config_for_a_larger_model_takes_no_memory(folder: Path):
    """What is missing is found before any room is made for it: this one would take 800 GB."""
    values = json.loads((folder / "config.json").read_text())
    values |= {"num_hidden_layers": 200, "intermediate_size": 1 << 20, "hidden_size": 1000}
    (folder / "config.json").write_text(json.dumps(values))
    for call in (lambda: XLMRobertaXLForMaskedLM.from_pretrained(folder), lambda: xlmrxl.load(folder, force=True)):
        with pytest.raises(CheckpointError, match=r"has the shape|lacks"):
            call()


def test_weights_that_are_no_numbers_give_no_answer(folder: Path):
    model = XLMRobertaXLForMaskedLM.from_pretrained(folder)
    with torch.no_grad():
        model.roberta.encoder.layer[1].output.dense.weight[3, 3] = float("nan")
    model.save_pretrained(folder)
    session = xlmrxl.load(folder)
    for call in (
        lambda: session.fill_mask("The <mask>"),
        lambda: session.fill_mask("The <mask>", method="words"),
        lambda: session.classify("The house", ["a", "b"]),
        lambda: session.choose("The house", ["is", "has"]),
        lambda: session.inspect("The house"),
        lambda: session.fit_classifier(["a house", "the dog"] * 3, ["a", "b"] * 3),
    ):
        with pytest.raises(ValueError, match=r"computes infinities.*another precision"):
            call()
    with pytest.raises(CheckpointError, match="computes infinities"):
        session.try_forward()


def test_a_pad_token_other_than_the_tokenizers(folder: Path):
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | {"pad_token_id": 0}))
    with pytest.raises(CheckpointError, match="pad_token_id 0, but the tokenizer pads with 1"):
        xlmrxl.load(folder)


@pytest.mark.parametrize(
    "cls",
    [
        xlmrxl.XLMRobertaXLForMaskedLM,
        xlmrxl.XLMRobertaXLForSequenceClassification,
        xlmrxl.XLMRobertaXLForTokenClassification,
        xlmrxl.XLMRobertaXLForMultipleChoice,
        xlmrxl.XLMRobertaXLForQuestionAnswering,
    ],
)
def test_every_head_can_be_tried(folder: Path, cls: type):
    cls.from_pretrained(folder).save_pretrained(folder)
    xlmrxl.load(folder).try_forward()


def test_a_config_that_wants_tuples(folder: Path):
    expected = xlmrxl.load(folder).fill_mask("The <mask>").masks
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | {"return_dict": False}))
    session = xlmrxl.load(folder)
    assert session.fill_mask("The <mask>").masks == expected
    assert session.inspect("The house", progress=False).logit_lens([1], progress=False)
    XLMRobertaXLForSequenceClassification.from_pretrained(folder).save_pretrained(folder)
    assert xlmrxl.load(folder).classify("The house").labels


def test_an_adapter_says_what_it_is(folder: Path, tmp_path: Path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    settings = {"peft_type": "LORA", "base_model_name_or_path": "facebook/xlm-roberta-xl"}
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    save_file({"base_model.model.x.lora_A.weight": torch.zeros(2)}, adapter / "adapter_model.safetensors")
    words = r"holds an adapter of 'facebook/xlm-roberta-xl'.*merge_and_unload"
    with pytest.raises(CheckpointError, match=words):
        xlmrxl.load(adapter)
    with pytest.raises(CheckpointError, match=words):
        XLMRobertaXLForSequenceClassification.from_pretrained(adapter)
    for name in ("config.json", "tokenizer_config.json", "sentencepiece.bpe.model"):  # as some trainers leave it
        shutil.copy(folder / name, adapter)
    with pytest.raises(CheckpointError, match=words):
        xlmrxl.load(adapter)


@pytest.mark.parametrize("content", ["not json", "[]", "{}", '{"weight_map": {"a": "../../etc/passwd"}}'])
def test_index_that_is_none(folder: Path, content: str):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors\.index\.json"):
        xlmrxl.load(folder)


def test_wrong_shape(folder: Path):
    state = load_file(folder / "model.safetensors")
    state["roberta.encoder.layer.1.output.dense.weight"] = torch.zeros(7, 7)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"layer\.1\.output\.dense\.weight has the shape \(7, 7\).*\(20, 36\)"):
        xlmrxl.load(folder)


def test_missing_and_unexpected_weights_are_named(folder: Path):
    state = load_file(folder / "model.safetensors")
    moved = state.pop("roberta.encoder.layer.2.output.dense.bias")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks 1 weights.*layer\.2\.output\.dense\.bias"):
        xlmrxl.load(folder)
    state["roberta.encoder.layer.2.output.dense.bias"] = moved
    state["roberta.encoder.layer.3.output.dense.bias"] = moved.clone()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"no place for.*layer\.3\.output\.dense\.bias"):
        xlmrxl.load(folder)


@pytest.mark.parametrize(
    ("cls", "gone"),
    [
        (XLMRobertaXLForMaskedLM, "lm_head.dense.weight"),
        (XLMRobertaXLForMaskedLM, "lm_head.bias"),
        (XLMRobertaXLForSequenceClassification, "classifier.out_proj.weight"),
        (xlmrxl.XLMRobertaXLForMultipleChoice, "roberta.pooler.dense.bias"),
    ],
)
def test_a_session_needs_the_whole_head(folder: Path, cls: type, gone: str):
    """Trained afresh it may be, by whoever loads the class; a task would answer at random."""
    cls.from_pretrained(folder).save_pretrained(folder)
    state = load_file(folder / "model.safetensors")
    del state[gone]
    save_weights(folder, state)
    with pytest.raises(CheckpointError, match=rf"lacks 1 weights of {cls.__name__}, among them {gone}"):
        xlmrxl.load(folder)
    assert cls.from_pretrained(folder)


def test_a_model_without_the_lm_head_cannot_fill(folder: Path):
    XLMRobertaXLModel.from_pretrained(folder).save_pretrained(folder)
    with pytest.raises(CheckpointError, match="has no head"):
        xlmrxl.load(folder)


def test_vocabulary_that_does_not_fit(folder: Path):
    model = XLMRobertaXLForMaskedLM.from_pretrained(folder)
    model.resize_token_embeddings(40)
    model.save_pretrained(folder)
    with pytest.raises(CheckpointError, match=r"tokenizer.*vocab_size 40.*belongs to another model"):
        xlmrxl.load(folder)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch exploded",)


def test_a_pickle_that_would_run_code_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "model.safetensors").unlink()
    monkeypatch.chdir(folder)
    torch.save({"x": Bomb()}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin.*refused"):
        xlmrxl.load(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"x": Bomb()}))
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
        xlmrxl.load(folder)
    assert not (folder / "exploded").exists()


def test_a_bin_that_holds_something_else(folder: Path):
    (folder / "model.safetensors").unlink()
    torch.save([torch.zeros(3)], folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="tensors by name"):
        xlmrxl.load(folder)


def test_no_weights(folder: Path):
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"holds no weights.*model\.safetensors"):
        xlmrxl.load(folder)


def test_a_folder_with_no_model(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        xlmrxl.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[1]", "does not hold"),
        ('{"model_type": "bert"}', "type 'bert'"),
        ('{"model_type": "xlm-roberta-xl", "hidden_size": 21, "num_attention_heads": 5}', "multiple of"),
        ('{"model_type": "xlm-roberta-xl", "vocab_size": "many"}', "vocab_size is 'many'"),
    ],
)
def test_a_broken_config(folder: Path, text: str, words: str):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json") as caught:
        xlmrxl.load(folder)
    assert words in str(caught.value)


def test_a_file_instead_of_a_folder(tiny_folder: Path):
    with pytest.raises(CheckpointError, match="is a file"):
        xlmrxl.load(tiny_folder / "config.json")


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c", "~/nowhere", "../../up", ""])
def test_a_folder_that_is_not_there(name: str):
    with pytest.raises(CheckpointError, match="There is no folder"):
        xlmrxl.load(name)


def test_saving_onto_a_file(tiny_folder: Path, tmp_path: Path):
    model = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder)
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="is a file"):
        model.save_pretrained(tmp_path / "file")
    with pytest.raises(ValueError, match="not a size"):
        model.save_pretrained(tmp_path / "fine", max_shard_size="lots")


@pytest.mark.parametrize(
    ("text", "size"), [(7, 7), ("5GB", 5 * 10**9), ("200 MiB", 200 * 2**20), ("1kb", 1000), ("12B", 12)]
)
def test_sizes(text: int | str, size: int):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", 0, -5, "5TBs"])
def test_sizes_that_are_none(text: int | str):
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)
