"""A precision is declared once: what is declared works everywhere, and what is not raises."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from xlmrxl import CheckpointError, XLMRobertaXLConfig, XLMRobertaXLForMaskedLM, load
from xlmrxl.app.handlers import comparing, loading
from xlmrxl.cli.main import main
from xlmrxl.errors import InputError, MissingDependencyError
from xlmrxl.plan import Device, make_plan
from xlmrxl.quantization.layers import QuantizedLinear
from xlmrxl.quantization.load_options import LoadOptions
from xlmrxl.quantization.precision import PRECISIONS, Precision, find_precision, list_quantized
from xlmrxl.quantize import quantize
from xlmrxl.space.build import build
from xlmrxl.tasks.compare_precisions import compare_precisions

IDS = torch.tensor([[0, 5, 9, 14, 2], [0, 7, 11, 2, 1]])


class LinearToy(QuantizedLinear):
    """Weights as whole numbers of one step for the whole layer."""

    parts = ("step",)

    def __init__(self, weight: Tensor, step: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight.shape[1], weight.shape[0], bias)
        self.register_buffer("weight", weight)
        self.register_buffer("step", step)

    @classmethod
    def quantize(
        cls, weight: Tensor, bias: Tensor | None, options: LoadOptions, on_read: Callable[[Tensor], None]
    ) -> LinearToy:
        step = weight.float().abs().max().clamp(min=1e-9) / 127
        rows = (weight.float() / step).round().to(torch.int8)
        on_read(weight)
        return cls(rows.to(options.device), step.view(1), bias)

    @classmethod
    def read(
        cls,
        weight: Tensor,
        parts: Mapping[str, Tensor],
        bias: Tensor | None,
        shape: tuple[int, int],
        device: torch.device,
        settings: Mapping[str, Any],
    ) -> LinearToy:
        if weight.shape != shape:
            raise ValueError(f"it has the shape {tuple(weight.shape)}")
        return cls(weight.to(device), parts["step"].to(device), bias)

    @staticmethod
    def count_bytes(rows: int, columns: int, double_quant: bool) -> int:
        return rows * columns + 4

    def tensors(self) -> dict[str, Tensor]:
        return {"weight": self.weight, "step": self.step, **({} if self.bias is None else {"bias": self.bias})}

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return nn.functional.linear(x, self.weight.to(x.dtype) * self.step.to(x.dtype), bias)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Precision:
    """A third quantised format: its layer, and its declaration."""
    declared = Precision(
        name="toy",
        title="whole numbers (toy)",
        bits=8,
        import_layer=lambda: LinearToy,
        announcement={"quant_method": "toy"},
        devices=("cpu",),
    )
    monkeypatch.setitem(PRECISIONS, "toy", declared)
    return declared


def test_a_format_is_added_by_its_layer_and_its_declaration(toy: Precision, tiny_folder: Path, tmp_path: Path):
    """Loaded, quantised, saved, loaded again, by `load` and by `from_pretrained`: the same numbers."""
    direct = load(tiny_folder, precision="toy", device="cpu")
    assert direct.precision == "toy"
    assert isinstance(direct.model.roberta.encoder.layer[0].attention.self.query, LinearToy)
    assert not isinstance(direct.model.lm_head.dense, LinearToy)
    target = quantize(tiny_folder, tmp_path / "toy", "toy")
    assert json.loads((target / "config.json").read_text())["quantization_config"] == {"quant_method": "toy"}
    stored = load(target)
    assert stored.precision == "toy"
    asked = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder, quantization_config={"quant_method": "toy"})
    asked.save_pretrained(tmp_path / "again")
    again = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path / "again")
    with torch.no_grad():
        expected = direct.model(IDS).logits
        assert torch.equal(stored.model(IDS).logits, expected)
        assert torch.equal(asked(IDS).logits, again(IDS).logits)
        torch.testing.assert_close(asked(IDS).logits, expected.to(asked.dtype))
        plain = XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder)(IDS).logits
    assert (expected - plain).norm() / plain.norm() < 0.2
    with pytest.raises(CheckpointError, match="has toy weights already"):
        load(target, precision="bf16")


def test_a_format_is_planned_and_offered(toy: Precision, tiny_folder: Path, tmp_path: Path):
    config = XLMRobertaXLConfig.from_pretrained(tiny_folder)
    plan = make_plan("tiny", config)
    state = load(tiny_folder, precision="toy", device="cpu").model.state_dict()
    held = sum(tensor.nbytes for tensor in {tensor.data_ptr(): tensor for tensor in state.values()}.values())
    assert plan.get_need("toy").weights == held
    assert "toy" in CliRunner().invoke(main, ["plan", str(tiny_folder)]).output
    assert "toy" in comparing.precisions()
    assert "whole numbers (toy)" in (build(tmp_path / "space", precision="toy").folder / "README.md").read_text()
    result = compare_precisions(tiny_folder, ["a <mask>"], ["bf16", "toy"], device="cpu")
    assert [difference.precision for difference in result.differences] == ["bf16", "toy"]
    found = loading.load_asked(_Anything(), "default", "toy")
    assert found.precision == "toy"


class _Anything:
    """Stands for an app in which any model may be loaded."""

    models = None


def test_a_damaged_weight_is_refused_in_a_sentence(toy: Precision, tiny_folder: Path, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    target = quantize(tiny_folder, tmp_path / "toy", "toy")
    tensors = load_file(target / "model.safetensors")
    name = "roberta.encoder.layer.1.attention.self.key"
    damaged = tensors | {f"{name}.weight": tensors[f"{name}.weight"][:-1].clone()}
    save_file(damaged, target / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=rf"The toy weight {name} .*it has the shape"):
        load(target)
    mixed = tensors | {f"{name}.SCB": torch.ones(20)}
    save_file(mixed, target / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="it has SCB, and config"):
        load(target)


def test_a_device_that_does_not_compute_with_a_format_is_not_chosen(toy: Precision, tiny_config: XLMRobertaXLConfig):
    devices = (Device("cuda:0", "a GPU", 10**12, 10**12), Device("cpu", "a CPU", 10**12, 10**12))
    plan = make_plan("tiny", tiny_config, devices=devices)
    assert plan.choose("toy").device == "cpu"
    assert plan.choose("8bit").device == "cuda:0"
    with pytest.raises(InputError, match="toy is not computed on cuda"):
        plan.choose("toy", "cuda")


def test_what_is_not_declared_raises(tiny_folder: Path, tmp_path: Path, tiny_config: XLMRobertaXLConfig):
    plan = make_plan("tiny", tiny_config)
    for attempt in (
        lambda: find_precision("int4"),
        lambda: plan.get_need("int4"),
        lambda: plan.choose("int4"),
        lambda: load(tiny_folder, precision="int4"),
        lambda: quantize(tiny_folder, tmp_path / "int4", "int4"),
        lambda: find_precision(None),
    ):
        with pytest.raises(InputError, match=r"precision is .*; it must be one of"):
            attempt()
    with pytest.raises(InputError, match="bf16 is not quantised"):
        _ = find_precision("bf16").layer
    with pytest.raises(InputError, match="must be one of 8bit, 4bit"):
        quantize(tiny_folder, tmp_path / "narrow", "bf16")


def test_a_package_that_is_missing_is_named_before_anything_is_read(
    toy: Precision, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    needy = replace(toy, name="needy", package="nowhere_to_be_found", extra="quant")
    monkeypatch.setitem(PRECISIONS, "needy", needy)
    assert not needy.is_installed
    for attempt in (
        lambda: load(tiny_folder, precision="needy", device="cpu"),
        lambda: quantize(tiny_folder, tmp_path / "needy", "needy"),
    ):
        with pytest.raises(MissingDependencyError, match="needy weights need nowhere_to_be_found"):
            attempt()
    assert "needy" not in comparing.precisions()


def test_names_need_no_torch():
    code = "import sys; from xlmrxl.quantization import precision as p; print(*p.PRECISIONS, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["fp32", "bf16", "fp16", "8bit", "4bit", "False"]
    assert list_quantized() == ["8bit", "4bit"]
