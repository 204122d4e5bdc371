"""The plan is what loading takes, and what does not fit is refused beforehand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from needs import need_bitsandbytes
from torch import nn

from xlmrxl import CheckpointError, XLMRobertaXLConfig, load
from xlmrxl.cli.main import main
from xlmrxl.plan import format_size, make_plan, read_container_limit
from xlmrxl.quantization.layers import Quantized
from xlmrxl.quantization.precision import PRECISIONS


def held(model: nn.Module) -> int:
    """Bytes of all tensors of a model, each once."""
    tensors = {tensor.data_ptr(): tensor for tensor in model.parameters()}
    for module in model.modules():
        if isinstance(module, Quantized):
            tensors |= {tensor.data_ptr(): tensor for tensor in module.tensors().values()}
    return sum(tensor.nbytes for tensor in tensors.values())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("embeddings_8bit", [False, True])
def test_weights_are_what_is_loaded(precision, embeddings_8bit):
    need_bitsandbytes()
    session = load("default", precision=precision, embeddings_8bit=embeddings_8bit)
    expected = make_plan("default", session.model.config, embeddings_8bit=embeddings_8bit).get_need(precision).weights
    found = held(session.model)
    assert abs(found - expected) / found < 0.01


def test_the_sizes_of_xl_and_xxl():
    """In 10^9 bytes, as counted on the published checkpoints."""
    xl = make_plan("XL", XLMRobertaXLConfig())
    assert xl.parameters == 3_482_741_760
    assert [xl.get_need(p).weights / 1e9 for p in ("bf16", "8bit", "4bit")] == pytest.approx(
        [6.97, 4.13, 2.75], rel=0.01
    )
    xxl = make_plan("XXL", XLMRobertaXLConfig(hidden_size=4096, num_hidden_layers=48, intermediate_size=16384))
    assert xxl.parameters == 10_712_994_816
    assert [xxl.get_need(p).weights / 1e9 for p in ("bf16", "8bit", "4bit")] == pytest.approx(
        [21.4, 11.7, 7.06], rel=0.01
    )


def test_longer_texts_and_kept_attentions_take_more():
    need = make_plan("XL", XLMRobertaXLConfig()).get_need("bf16")
    assert need.sentence[16] <= need.sentence[128] < need.sentence[512]
    assert all(need.attentions[n] > need.sentence[n] for n in need.sentence)
    assert need.attentions[512] - need.sentence[512] > 36 * 32 * 512 * 512 * 2


def test_what_does_not_fit_is_refused_with_the_table(tiny_folder: Path, tmp_path: Path):
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "huge"))
    values = json.loads((folder / "config.json").read_text())
    values.update(hidden_size=65536, num_attention_heads=64, intermediate_size=262144, num_hidden_layers=400)
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=r"(?s)needs .* are free\..*4bit .*force"):
        load(folder)
    with pytest.raises(CheckpointError, match=r"(?s)bf16 needs"):
        load(folder, precision="bf16")
    with pytest.raises(CheckpointError, match="has the shape"):
        load(folder, precision="bf16", force=True)


def test_the_command_reads_no_weights(tiny_folder: Path, tmp_path: Path):
    shutil.copyfile(tiny_folder / "config.json", tmp_path / "config.json")
    shown = CliRunner().invoke(main, ["plan", str(tmp_path)])
    assert shown.exit_code == 0
    assert all(precision in shown.output for precision in PRECISIONS)
    found = json.loads(CliRunner().invoke(main, ["plan", str(tmp_path), "--json"]).output)
    assert [row["precision"] for row in found["precisions"]] == list(PRECISIONS)
    assert found["devices"][-1]["name"] == "cpu"
    assert set(found["precisions"][0]["sentence"]) == {"16", "128", "512"}


def test_auto_says_what_it_picked(tiny_folder: Path):
    session = load(tiny_folder, device="cpu")
    assert session.precision == "fp32"
    assert "small enough" in session.reason
    assert session.model.dtype == torch.float32


def test_the_memory_of_a_container(tmp_path: Path):
    assert read_container_limit(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5000\n")
    assert read_container_limit(tmp_path) is None
    (tmp_path / "memory.max").write_text("16000\n")
    (tmp_path / "memory.stat").write_text("anon 1000\ninactive_file 3000\nactive_file 500\n")
    assert read_container_limit(tmp_path) == (1500, 16000)


def test_sizes_for_people():
    assert [format_size(n) for n in (0, 999, 1500, 2.5e6, 6.97e9, 1.25e12)] == [
        "0 bytes", "999 bytes", "1.5 kB", "2.5 MB", "6.97 GB", "1,250 GB",
    ]  # fmt: skip
