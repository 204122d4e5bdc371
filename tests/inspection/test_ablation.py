"""Ablation and the sweep against the model with a head_mask, one forward at a time."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from random_session import random_session

import xlmrxl
from xlmrxl import (
    XLMRobertaXLConfig,
    XLMRobertaXLForMultipleChoice,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLForTokenClassification,
)
from xlmrxl.inspection import ablation
from xlmrxl.inspection.inspection import Inspection

TEXT = "The <mask> of France is <mask>."
LABELS = ["good", "bad", "so"]


@pytest.fixture
def inspection(tiny_config: XLMRobertaXLConfig, vocabulary_file: Path) -> Inspection:
    return random_session(tiny_config, vocabulary_file).inspect(TEXT)


def forward(inspection: Inspection, off: list[tuple[int, int]]):
    """The model's own output with some heads masked, (tokens or 1, classes) float64."""
    ids = torch.tensor([[token.id for token in inspection.tokens]])
    mask = torch.ones(inspection.layers, inspection.heads)
    for layer, head in off:
        mask[layer, head] = 0
    model = inspection.loaded_model.model
    if isinstance(model, XLMRobertaXLForMultipleChoice):
        ids = ids[None]
    with torch.inference_mode():
        out = model(ids, head_mask=mask)
    if isinstance(model, XLMRobertaXLForQuestionAnswering):
        return torch.cat([out.start_logits, out.end_logits]).double()
    return out.logits.double() if out.logits.dim() == 2 else out.logits[0].double()


def kl(before: torch.Tensor, after: torch.Tensor) -> list[float]:
    """KL(before ‖ after) of rows of logits."""
    found = []
    for p, q in zip(before.softmax(-1).tolist(), after.softmax(-1).tolist(), strict=True):
        found.append(sum(a * np.log(a / b) for a, b in zip(p, q, strict=True)))
    return found


@pytest.mark.parametrize(
    ("heads", "layers"), [([(1, 2)], []), ([(0, 0), (2, 4), (0, 3)], []), ([], [1]), ([(0, 1), (2, 0)], [2])]
)
def test_ablation_is_a_head_mask(inspection: Inspection, heads, layers):
    found = inspection.ablate(heads, layers, top_k=3)
    off = heads + [(layer, head) for layer in layers for head in range(5)]
    places = list(inspection.mask_positions)
    before, after = forward(inspection, [])[places], forward(inspection, off)[places]
    assert [effect.position for effect in found.effects] == places
    assert [effect.title for effect in found.effects] == ["<mask>", "<mask>"]
    tokenizer = inspection.loaded_model.tokenizer
    fills = inspection.loaded_model.fill_mask(TEXT, top_k=3)
    for n, (effect, value) in enumerate(zip(found.effects, kl(before, after), strict=True)):
        assert effect.kl == pytest.approx(value, rel=1e-3)
        assert effect.kl > 1e-3
        for outcome in effect.outcomes:
            assert outcome.before == pytest.approx(float(before[n].softmax(-1)[outcome.id]), rel=1e-4)
            assert outcome.after == pytest.approx(float(after[n].softmax(-1)[outcome.id]), rel=1e-4)
            assert outcome.text == tokenizer.convert_ids_to_tokens(outcome.id).replace("▁", "") or outcome.text == "▁"
        assert [outcome.id for outcome in effect.outcomes[:3]] == [fill.id for fill in fills.masks[n].fills]
        best = after[n].clone()
        best[[*tokenizer.all_special_ids, *range(tokenizer.vocab_size, len(best))]] = -torch.inf
        assert {outcome.id for outcome in effect.outcomes} >= set(best.topk(3).indices.tolist())
    assert found.heads == tuple(head for head in heads if head[0] not in layers)
    assert found.layers == tuple(layers)


def test_any_token_can_be_asked(inspection: Inspection):
    found = inspection.ablate([(1, 1)], positions=[3, 1])
    before, after = forward(inspection, [])[[3, 1]], forward(inspection, [(1, 1)])[[3, 1]]
    assert [effect.kl for effect in found.effects] == pytest.approx(kl(before, after), rel=1e-3)
    assert [effect.title for effect in found.effects] == [inspection.tokens[i].piece for i in (3, 1)]


def test_how_an_ablation_shows_itself(inspection: Inspection):
    found = inspection.ablate([[0, 3], (1, 1), (0, 3)], [1])
    assert str(found).splitlines()[0] == "without L0 H3, L1 (all heads)"
    assert len(str(found).splitlines()) == 3 + len(found.rows())
    assert "KL" in str(found)
    data = json.loads(found.to_json())
    assert data["heads"] == [[0, 3]]
    assert data["layers"] == [1]
    assert data["effects"][0]["kl"] == found.effects[0].kl
    assert data["effects"][1]["outcomes"][0]["after"] == found.effects[1].outcomes[0].after
    assert data["source"]["settings"]["layers"] == [1]
    assert len(list(csv.DictReader(io.StringIO(found.to_csv())))) == len(found.rows())
    assert "Without L0 H3, L1 (all heads)<" in found._repr_html_()
    assert "&lt;mask&gt;" in found._repr_html_()
    assert "x-share" in found._repr_html_()


def test_what_cannot_be_ablated(inspection: Inspection):
    for heads, layers in (([(3, 0)], []), ([(0, 5)], []), ([], [3]), ([(0, -1)], [])):
        with pytest.raises(ValueError, match="there are layers 0 to 2 and heads 0 to 4"):
            inspection.ablate(heads, layers)
    with pytest.raises(ValueError, match="No head is named"):
        inspection.ablate()
    with pytest.raises(ValueError, match="top_k is 0"):
        inspection.ablate([(0, 0)], top_k=0)
    with pytest.raises(ValueError, match="positions is 99; there are tokens 0 to"):
        inspection.ablate([(0, 0)], positions=[99])
    bare = inspection.loaded_model.inspect("el perro")
    for work in (lambda: bare.ablate([(0, 0)]), bare.head_importance):
        with pytest.raises(ValueError, match="There is no <mask> in the text"):
            work()
    assert bare.ablate([(0, 0)], positions=[1]).effects[0].kl > 0


HEADS = [
    (XLMRobertaXLForSequenceClassification, {}, ["label"]),
    (XLMRobertaXLForSequenceClassification, {"problem_type": "multi_label_classification"}, ["label"]),
    (XLMRobertaXLForSequenceClassification, {"problem_type": "regression"}, ["number"]),
    (XLMRobertaXLForTokenClassification, {}, None),
    (XLMRobertaXLForQuestionAnswering, {}, ["start", "end"]),
    (XLMRobertaXLForMultipleChoice, {}, ["score"]),
]


@pytest.mark.parametrize(("head", "changes", "titles"), HEADS)
def test_other_heads(tiny_config, vocabulary_file, head, changes, titles):
    labels = () if head is XLMRobertaXLForQuestionAnswering else LABELS
    inspection = random_session(tiny_config, vocabulary_file, head, labels, **changes).inspect("el perro duerme", "la")
    found = inspection.ablate([(0, 1), (2, 2)], top_k=99)
    swept = inspection.head_importance()
    inner = [i for i, segment in enumerate(inspection.segments) if segment is not None]
    before, after = forward(inspection, []), forward(inspection, [(0, 1), (2, 2)])
    alone = [[forward(inspection, [(layer, one)]) for one in range(5)] for layer in range(3)]
    if titles is None:
        titles = [inspection.tokens[i].piece for i in inner]
        before, after = before[inner], after[inner]
        alone = [[logits[inner] for logits in line] for line in alone]
        assert swept.positions == tuple(inner)
    assert [effect.title for effect in found.effects] == titles
    kind = changes.get("problem_type", "number" if titles == ["score"] else "softmax")
    importance = np.zeros((3, 5))
    for n, effect in enumerate(found.effects):
        assert len(effect.outcomes) == before.shape[-1]
        ids = [outcome.id for outcome in effect.outcomes]
        values = [[outcome.before for outcome in effect.outcomes], [outcome.after for outcome in effect.outcomes]]
        if kind in ("regression", "number"):
            expected, kls = [before[n], after[n]], None
            importance += [[float(before[n, 0] - logits[n, 0]) for logits in line] for line in alone]
        elif kind == "multi_label_classification":
            expected = [before[n].sigmoid(), after[n].sigmoid()]

            def bernoulli(logits: torch.Tensor, n: int = n) -> float:
                pairs = zip(before[n].tolist(), logits[n].tolist(), strict=True)
                return sum(
                    kl(torch.tensor([[a, 0.0]]).double(), torch.tensor([[b, 0.0]]).double())[0] for a, b in pairs
                )

            kls = bernoulli(after)
            importance += [[bernoulli(logits) for logits in line] for line in alone]
        else:
            expected = [before[n].softmax(-1), after[n].softmax(-1)]
            kls = kl(before[n : n + 1], after[n : n + 1])[0]
            importance += [[kl(before[n : n + 1], logits[n : n + 1])[0] for logits in line] for line in alone]
        assert effect.kl == (None if kls is None else pytest.approx(kls, rel=1e-3, abs=1e-6))
        for value, all_expected in zip(values, expected, strict=True):
            assert value == pytest.approx([float(all_expected[i]) for i in ids], rel=1e-3, abs=1e-5)
    assert swept.importance == pytest.approx(importance / len(found.effects), rel=2e-3, abs=2e-5)
    assert swept.measure == ("loss" if kind in ("regression", "number") else "kl")
    if len(titles) == 1 and kind != "number":
        assert sorted(outcome.text for outcome in found.effects[0].outcomes) == sorted(LABELS)
    if titles == ["start", "end"]:
        assert found.effects[0].outcomes[0].text in {token.piece.strip("▁") or "▁" for token in inspection.tokens}
    json.loads(swept.to_json())
    json.loads(found.to_json())
    assert str(found).startswith("without L0 H1, L2 H2\n")
    if head is not XLMRobertaXLForTokenClassification:
        with pytest.raises(ValueError, match="leave `positions` out"):
            inspection.ablate([(0, 0)], positions=[1])


@pytest.mark.parametrize("rows", [1, 2, 4, 1000])
@pytest.mark.parametrize("at", [None, [1, 2, 4]])
def test_the_sweep_is_one_forward_a_head(inspection: Inspection, monkeypatch, rows: int, at):
    """Whatever stands in a batch, and however the distributions are cut."""
    monkeypatch.setattr(ablation, "TOKENS_AT_ONCE", rows * len(inspection.tokens))
    if rows == 2:
        monkeypatch.setattr("xlmrxl.inspection.predictions.LOGITS_AT_ONCE", 1)
    seen: list[tuple[int, int]] = []
    found = inspection.head_importance(positions=at, progress=lambda *told: seen.append(told))
    places = list(inspection.mask_positions if at is None else at)
    before = forward(inspection, [])[places]
    expected = [
        [np.mean(kl(before, forward(inspection, [(layer, head)])[places])) for head in range(5)] for layer in range(3)
    ]
    assert found.importance == pytest.approx(np.array(expected), rel=1e-3, abs=1e-6)
    assert found.importance.std() > 0
    assert found.positions == tuple(places)
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_a_part_of_a_sweep_is_what_the_whole_says(inspection: Inspection):
    whole = inspection.head_importance().values
    chosen = [(0, 3), (0, 4), (1, 0), (2, 2)]
    found = ablation.importance_of_heads(inspection, chosen)
    assert found == pytest.approx([whole[place] for place in chosen], rel=1e-4, abs=1e-7)
    with pytest.raises(ValueError, match="no layer 3"):
        ablation.importance_of_heads(inspection, [(3, 0)])
    with pytest.raises(ValueError, match="No head is named"):
        ablation.importance_of_heads(inspection, [])


def test_a_head_that_does_nothing_matters_nothing(inspection: Inspection):
    with torch.inference_mode():
        inspection.loaded_model.model.base_model.encoder.layer[1].attention.output.dense.weight[:, 8:12] = 0
    found = inspection.loaded_model.inspect(TEXT).head_importance().importance
    # The rows of a batch may be added up in different orders: float32 rounds a log-probability by about 1e-6.
    assert abs(found[1, 2]) < 1e-5
    assert (np.delete(found.flatten(), 7) > 1e-4).all()


def test_the_sweep_of_a_target(inspection: Inspection):
    places = list(inspection.mask_positions)
    tokenizer = inspection.loaded_model.tokenizer
    ids = [
        fill.id for fill in inspection.loaded_model.fill_mask("The <mask> is", script="Latin", top_k=20).masks[0].fills
    ]
    words = [token[1:] for token in tokenizer.convert_ids_to_tokens(ids) if token.startswith("▁") and len(token) > 1]
    assert len(words) > 1
    for target in (words[0], [words[0], words[1]]):
        wanted = [
            tokenizer.convert_tokens_to_ids("▁" + word)
            for word in (target if isinstance(target, list) else [target] * 2)
        ]
        found = inspection.head_importance(target=target)
        before = forward(inspection, [])[places].log_softmax(-1)
        for layer in range(3):
            for head in range(5):
                after = forward(inspection, [(layer, head)])[places].log_softmax(-1)
                loss = np.mean([float(before[n, i] - after[n, i]) for n, i in enumerate(wanted)])
                assert found.importance[layer, head] == pytest.approx(loss, rel=1e-3, abs=1e-5)
    assert found.signed
    assert (found.importance < 0).any()
    assert found.title == f"how much lower the log-probability of {words[0]}, {words[1]} is without each head"
    with pytest.raises(ValueError, match=r"'perro casa' has \d pieces at token \d+ \(▁"):
        inspection.head_importance(target="perro casa")
    with pytest.raises(ValueError, match="1 targets are given; give one, or one for each of 2 predictions"):
        inspection.head_importance(target=["a"])
    with pytest.raises(ValueError, match="cannot spell"):
        inspection.head_importance(target="ξ")


def test_the_sweep_of_a_label(tiny_config, vocabulary_file):
    inspection = random_session(tiny_config, vocabulary_file, XLMRobertaXLForSequenceClassification, LABELS).inspect(
        "el perro"
    )
    found = inspection.head_importance(target="bad").importance
    before, after = (forward(inspection, off).log_softmax(-1)[0, 1] for off in ([], [(1, 3)]))
    assert found[1, 3] == pytest.approx(float(before - after), rel=1e-3)
    with pytest.raises(ValueError, match="There is no label 'worse'; there are good, bad, so"):
        inspection.head_importance(target="worse")
    questions = random_session(tiny_config, vocabulary_file, XLMRobertaXLForQuestionAnswering).inspect("el", "perro")
    with pytest.raises(ValueError, match="Question answering has no targets"):
        questions.head_importance(target="perro")


def test_how_a_sweep_shows_itself(inspection: Inspection):
    found = inspection.head_importance()
    top = found.rank_heads(3)
    assert [value for _, _, value in top] == sorted(found.importance.flat, reverse=True)[:3]
    assert found.importance[top[0][:2]] == top[0][2]
    assert str(found).splitlines()[0] == "KL divergence of the prediction without each head, nats"
    assert len(str(found).splitlines()) == 12
    data = json.loads(found.to_json())
    assert np.allclose(data["values"], found.importance)
    assert data["positions"] == list(inspection.mask_positions)
    assert data["text"] == TEXT
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(rows) == 15
    assert float(rows[7]["kl"]) == pytest.approx(found.importance[1, 2])
    assert found._repr_html_().count("<td class=") == 15


@pytest.mark.slow
def test_the_default_is_swept_as_one_forward_a_head():
    inspection = xlmrxl.load().inspect("The capital of France is <mask>.")
    found = inspection.head_importance().importance
    places = list(inspection.mask_positions)
    before = forward(inspection, [])[places]
    for layer in range(inspection.layers):
        for head in range(inspection.heads):
            value = kl(before, forward(inspection, [(layer, head)])[places])[0]
            assert found[layer, head] == pytest.approx(value, rel=1e-3, abs=1e-5)
