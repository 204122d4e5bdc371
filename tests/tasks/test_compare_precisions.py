"""What the comparison of precisions says is what the models say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from needs import need_bitsandbytes
from torch.nn import functional as F

from xlmrxl import load
from xlmrxl.cli.main import main
from xlmrxl.tasks.compare_precisions import compare_precisions

TEXT = "The capital of France is <mask> and the <mask> of Spain is Madrid."


def test_the_figures_are_those_of_the_models():
    need_bitsandbytes()
    result = compare_precisions("default", TEXT, ["fp32", "8bit", "4bit"])
    assert [d.precision for d in result.differences] == ["fp32", "8bit", "4bit"]
    assert (result.texts, result.masks) == (1, 2)
    logs, states = {}, {}
    for precision in ("fp32", "4bit"):
        session = load(precision=precision)
        ids = session.tokenizer(TEXT, return_tensors="pt")["input_ids"]
        at_mask = ids[0] == session.tokenizer.mask_token_id
        with torch.inference_mode():
            out = session.model(ids, output_hidden_states=True)
        logs[precision] = out.logits[0, at_mask].float().log_softmax(-1)
        states[precision] = [layer[0, at_mask].float() for layer in out.hidden_states]
    found = result.differences[2]
    kl = F.kl_div(logs["4bit"], logs["fp32"], log_target=True, reduction="batchmean")
    assert found.kl == pytest.approx(float(kl), rel=0.02)
    assert found.top1 == (logs["4bit"].argmax(-1) == logs["fp32"].argmax(-1)).float().mean()
    drift = [
        float(((b - a).norm(dim=-1) / a.norm(dim=-1)).mean())
        for a, b in zip(states["fp32"], states["4bit"], strict=True)
    ]
    assert list(found.drift) == pytest.approx(drift, rel=0.02, abs=1e-6)
    first = result.differences[0]
    assert (first.kl, first.top1, set(first.drift)) == (0, 1, {0})
    # Eight bits lose less than four.
    assert 0 < result.differences[1].kl < found.kl
    assert [len(fills.masks) for fills in result.fills] == [2, 2, 2]
    assert result.fills[0].masks == load(precision="fp32").fill_mask(TEXT).masks


def test_texts_without_masks_get_the_same_ones_every_time(tiny_folder: Path):
    texts = ["The dog sleeps in the garden.", "", "Der Hund schläft."] * 3
    first, second = (compare_precisions(tiny_folder, texts, ["fp32", "bf16"]) for _ in range(2))
    assert first == second
    assert first.texts == 6
    assert first.masks >= 6
    assert not first.fills


@pytest.mark.parametrize(
    ("texts", "precisions", "message"),
    [
        ("a <mask>", ["bf16"], "two or more"),
        ("a <mask>", ["bf16", "bf16"], "different"),
        ([], ["fp32", "bf16"], "no text"),
        ([""], ["fp32", "bf16"], "no text"),
        ("a <mask>", ["fp32", "2bit"], "must be one of"),
        (["a <mask>", "Paris " * 200 + "<mask>"], ["fp32", "bf16"], "^Text 2: The text has .* tokens"),
        ("Paris " * 200 + "<mask>", ["fp32", "bf16"], "^The text has .* tokens"),
    ],
)
def test_what_cannot_be_compared(tiny_folder: Path, texts, precisions, message):
    with pytest.raises(ValueError, match=message):
        compare_precisions(tiny_folder, texts, precisions)


def test_the_command(tiny_folder: Path, tmp_path: Path):
    lines = tmp_path / "lines.txt"
    lines.write_text("The dog sleeps.\n\nA cat.\n", encoding="utf-8")
    arguments = ["compare", "--model", str(tiny_folder), "--precisions", "fp32,bf16"]
    shown = CliRunner().invoke(main, [*arguments, "the <mask> sleeps"])
    assert shown.exit_code == 0, shown.output
    assert "fp32" in shown.output
    assert "%" in shown.output
    found = json.loads(CliRunner().invoke(main, [*arguments, str(lines), "--json"]).output)
    assert found["texts"] == 2
    assert [row["precision"] for row in found["precisions"]] == ["fp32", "bf16"]
    assert len(found["precisions"][1]["drift"]) == 4
    wrong = CliRunner().invoke(main, [*arguments[:-1], "fp32", "a <mask>"])
    assert wrong.exit_code == 1
    assert "Traceback" not in wrong.output


def test_what_is_measured_is_what_the_fills_are_of():
    """A sign that touches a mask is read touching it by both, unlike by the tokenizer."""
    text = "It is <mask>, and <mask>."
    found = compare_precisions("default", text, ["fp32", "bf16"])
    tops = [[mask.fills[0].id for mask in result.masks] for result in found.fills]
    assert found.differences[1].top1 == sum(a == b for a, b in zip(*tops, strict=True)) / 2
    session = load(precision="fp32")
    read = [token.id for token in session.fill_mask(text).tokens]
    assert read != session.tokenizer(text)["input_ids"]
    logs = {}
    for precision in ("fp32", "bf16"):
        session = load(precision=precision)
        ids = torch.tensor([read])
        with torch.inference_mode():
            logits = session.model(ids, logits_mask=ids == session.tokenizer.mask_token_id).logits
        logs[precision] = logits.float().log_softmax(-1)
    kl = F.kl_div(logs["bf16"], logs["fp32"], log_target=True, reduction="batchmean")
    assert found.differences[1].kl == pytest.approx(float(kl), rel=0.02)
