"""The lens against the model's own logits and against the LM head written out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from random_session import random_session
from torch.nn import functional as F

import xlmrxl
from xlmrxl import Session, XLMRobertaXLForSequenceClassification
from xlmrxl.errors import CheckpointError
from xlmrxl.inspection.logit_lens import compute_state_logits

# Logits are up to about 40 in size, of which float32 rounds off some 1e-6 each; two rows of them differ by whole units.
CLOSE = {"rtol": 1e-5, "atol": 1e-4}
TEXT = "The <mask> of <script>alert(1)</script> is <mask>, el perro."


@pytest.fixture(scope="module")
def session(tiny_config, vocabulary_file: Path) -> Session:
    return random_session(tiny_config, vocabulary_file)


@pytest.fixture(scope="module")
def inspection(session: Session):
    return session.inspect(TEXT, "el <mask> duerme")


def written_out(inspection, state: int) -> torch.Tensor:
    """Final layer norm (but for the last state), dense, gelu, layer norm, word embeddings; in float64."""
    weights = {name: value.double() for name, value in inspection.loaded_model.model.state_dict().items()}
    x = inspection.hidden_states[state].double()
    if state < inspection.layers:
        x = F.layer_norm(
            x, (20,), weights["roberta.encoder.LayerNorm.weight"], weights["roberta.encoder.LayerNorm.bias"]
        )
    x = F.gelu(x @ weights["lm_head.dense.weight"].T + weights["lm_head.dense.bias"])
    x = F.layer_norm(x, (20,), weights["lm_head.layer_norm.weight"], weights["lm_head.layer_norm.bias"])
    return x @ weights["roberta.embeddings.word_embeddings.weight"].T + weights["lm_head.bias"]


def test_the_last_state_has_the_models_own_logits(inspection):
    ids = torch.tensor([[token.id for token in inspection.tokens]])
    model, last = inspection.loaded_model.model, inspection.layers
    with torch.inference_mode():
        own = model(ids, output_attentions=True).logits[0]
        at_masks = model(
            ids, output_attentions=True, logits_mask=ids == inspection.loaded_model.tokenizer.mask_token_id
        ).logits
    torch.testing.assert_close(compute_state_logits(inspection, last, range(len(own))), own, **CLOSE)
    torch.testing.assert_close(compute_state_logits(inspection, last, inspection.mask_positions), at_masks, **CLOSE)
    assert len(inspection.mask_positions) == 3
    found = inspection.logit_lens(range(len(own)))
    for cell, logits in zip(found.cells[-1], own, strict=True):
        logs = logits.log_softmax(-1)
        expected = logs[[fill.id for fill in cell.fills]].exp().tolist()
        assert [fill.probability for fill in cell.fills] == pytest.approx(expected, rel=1e-4)


def test_every_state_is_read_as_the_head_reads_the_last(inspection):
    for state in range(inspection.layers + 1):
        expected = written_out(inspection, state)
        found = compute_state_logits(inspection, state, range(len(inspection.tokens)))
        assert torch.allclose(found.double(), expected, atol=1e-4)
    assert not torch.allclose(written_out(inspection, 1), written_out(inspection, 2), atol=1)


@pytest.mark.parametrize("at_once", [1, 1 << 23])
def test_cells(inspection, monkeypatch, at_once: int):
    monkeypatch.setattr("xlmrxl.inspection.logit_lens.LOGITS_AT_ONCE", at_once)
    tokenizer = inspection.loaded_model.tokenizer
    never = {*tokenizer.all_special_ids, *range(tokenizer.vocab_size, inspection.loaded_model.model.config.vocab_size)}
    assert len(never) > 5
    found = inspection.logit_lens([1, 4, 7], targets=["a", "s"], top_k=4)
    assert found.positions == (1, 4, 7)
    assert found.targets == ("a", "s")
    for state, line in enumerate(found.cells):
        logs = written_out(inspection, state).log_softmax(-1)
        for cell in line:
            row = logs[cell.position]
            ranked = row.argsort(descending=True).tolist()
            assert [fill.id for fill in cell.fills] == [i for i in ranked if i not in never][:4]
            assert cell.entropy == pytest.approx(float(-(row.exp() * row).sum()), rel=1e-4)
            for fill in (*cell.fills, *cell.targets):
                assert fill.probability == pytest.approx(float(row[fill.id].exp()), rel=1e-3)
                assert fill.rank == ranked.index(fill.id) + 1
            assert [fill.text for fill in cell.targets] == ["a", "s"]
            assert [tokenizer.convert_ids_to_tokens(fill.id).strip("▁") for fill in cell.targets] == ["a", "s"]
    for name, read in (("probability", found.probabilities), ("rank", found.ranks)):
        assert read("s").tolist() == [
            [pytest.approx(getattr(cell.targets[1], name)) for cell in line] for line in found.cells
        ]
    assert found.entropies.shape == (4, 3)
    with pytest.raises(ValueError, match="'el' was not asked for; targets are a, s"):
        found.ranks("el")


def test_a_target_is_spelled_as_it_stands(session: Session):
    """After a space with one, touching a letter without."""
    inspection = session.inspect("<mask> x<mask>", "<mask>")
    found = inspection.logit_lens(targets=["a"]).cells[0]
    assert [cell.targets[0].piece for cell in found] == ["▁a", "a", "▁a"]


def test_where_it_looks_if_nothing_is_said(session: Session, inspection):
    assert inspection.logit_lens().positions == inspection.mask_positions
    bare = session.inspect("el perro")
    assert bare.logit_lens().positions == tuple(range(1, len(bare.tokens) - 1))


def test_rows_without_a_token_are_never_offered(tiny_config, vocabulary_file):
    loud = random_session(tiny_config, vocabulary_file)
    with torch.no_grad():
        loud.model.lm_head.bias[loud.tokenizer.vocab_size :] = 50
    for line in loud.inspect("<mask>").logit_lens(top_k=3).cells:
        assert all(fill.id < loud.tokenizer.vocab_size for fill in line[0].fills)
        assert all(fill.rank > 5 for fill in line[0].fills)
        assert line[0].fills[0].probability < 1e-9


def test_the_last_state_is_what_fill_mask_says(session: Session):
    text = "The <mask> of France is <mask>."
    found = session.inspect(text).logit_lens(top_k=7).cells[-1]
    for cell, mask in zip(found, session.fill_mask(text, top_k=7).masks, strict=True):
        assert cell.position == mask.position
        assert [fill.text for fill in cell.fills] == [fill.text for fill in mask.fills]
        assert [fill.probability for fill in cell.fills] == pytest.approx(
            [fill.probability for fill in mask.fills], rel=1e-4
        )
        assert cell.entropy == pytest.approx(mask.entropy, rel=1e-5)


def test_what_the_lens_cannot_do(inspection, tiny_config, vocabulary_file):
    with pytest.raises(ValueError, match=r"'perro' has 4 pieces at token 5 \(▁pe \+ r \+ r \+ o\)"):
        inspection.logit_lens(targets=["perro"])
    with pytest.raises(TypeError, match=r"targets\[1\] is 7, a int"):
        inspection.logit_lens(targets=["la", 7])
    for top_k in (0, 10_000):
        with pytest.raises(ValueError, match=f"top_k is {top_k}; it must be between 1 and"):
            inspection.logit_lens(top_k=top_k)
    with pytest.raises(ValueError, match="positions is 99; there are tokens 0 to"):
        inspection.logit_lens([99])
    with pytest.raises(ValueError, match="positions names no token"):
        inspection.logit_lens([])
    other = random_session(tiny_config, vocabulary_file, XLMRobertaXLForSequenceClassification).inspect("el perro")
    with pytest.raises(
        CheckpointError, match="needs a model with a head for masked language modelling, but random has"
    ):
        other.logit_lens()


def test_how_it_shows_itself(inspection):
    found = inspection.logit_lens(targets=["ca"], top_k=2)
    lines = str(found).splitlines()
    assert lines[0] == f"<mask> (token {inspection.mask_positions[0]})"
    assert lines[1].startswith("  0 embeddings  ")
    assert lines[4].startswith("       3 final  ")
    assert len(lines) == 3 * 5
    assert f"ca: rank {found.cells[0][0].targets[0].rank}, " in lines[1]
    data = json.loads(found.to_json())
    assert data["states"][2][1]["fills"][0]["text"] == found.cells[2][1].fills[0].text
    assert data["states"][2][1]["targets"][0]["rank"] == found.cells[2][1].targets[0].rank
    assert data["source"]["settings"]["targets"] == ["ca"]
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(rows) == 4 * 3 * 3
    assert {row["kind"] for row in rows} == {"likeliest", "target"}
    html = found.to_html().partition("<table")[2]
    assert html.count("<td") == 4 * 3 * 2
    assert html.count("&lt;mask&gt;") == 3


def test_nothing_of_a_text_becomes_html(session: Session):
    inspection = session.inspect(TEXT)
    html = inspection.logit_lens(range(len(inspection.tokens)), targets=["a"])._repr_html_()
    assert "<script" not in html
    assert "&lt;" in html


def test_the_default():
    inspection = xlmrxl.load().inspect("The capital of France is <mask>.", "狗在<mask>睡觉。")
    ids = torch.tensor([[token.id for token in inspection.tokens]])
    with torch.inference_mode():
        own = inspection.loaded_model.model(ids, output_attentions=True).logits[0]
    torch.testing.assert_close(compute_state_logits(inspection, inspection.layers, range(len(own))), own, **CLOSE)
    assert inspection.logit_lens().cells[-1][0].fills[0].rank == 1
