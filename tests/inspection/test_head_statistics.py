"""Every statistic of heads against plain loops, and that one declaration is all it takes to have another."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import xlmrxl
from xlmrxl import Session
from xlmrxl.errors import InputError
from xlmrxl.inspection.head_statistics import STATISTICS, HeadStatistic, find_statistic, list_statistics
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.inspection.labelled_matrix import statistic_matrix
from xlmrxl.palette import SCALES
from xlmrxl.views.attention_view import AttentionView

TEXT = "The capital of <mask> is Paris."
SECOND = "狗在花园里睡觉。"


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture(scope="module")
def inspection(session: Session) -> Inspection:
    return session.inspect(TEXT, SECOND)


@pytest.fixture(scope="module")
def weights(inspection: Inspection) -> np.ndarray:
    """(layers, heads, tokens, tokens) of the model itself."""
    ids = torch.tensor([[token.id for token in inspection.tokens]])
    with torch.inference_mode():
        attentions = inspection.loaded_model.model(ids, output_attentions=True).attentions
    return np.stack([layer[0].numpy() for layer in attentions])


def by_hand(a: np.ndarray, inner: list[int], outer: list[int]) -> dict[str, float]:
    """The statistics of one head that need only its weights, token by token."""
    last = len(a) - 1
    found = {
        "entropy": [-sum(p * math.log(p) for p in map(float, a[i]) if p) for i in inner],
        "distance": [sum(float(a[i, j]) * abs(i - j) for j in range(last + 1)) for i in inner],
        "special": [sum(float(a[i, j]) for j in outer) for i in inner],
        "self": [float(a[i, i]) for i in inner],
        "next": [float(a[i, i + 1]) for i in inner],
        "previous": [float(a[i, i - 1]) for i in inner],
        "confidence": [max(map(float, a[i])) for i in inner],
    }
    return {name: sum(values) / len(values) for name, values in found.items()}


def test_statistics_by_hand(inspection: Inspection, weights: np.ndarray):
    special = set(inspection.loaded_model.tokenizer.all_special_ids) - {inspection.loaded_model.tokenizer.mask_token_id}
    outer = [i for i, token in enumerate(inspection.tokens) if token.id in special]
    inner = [i for i in range(len(inspection.tokens)) if i not in outer]
    assert len(outer) == 4
    assert inspection.mask_positions[0] in inner
    for layer in range(3):
        for head in range(5):
            expected = by_hand(weights[layer, head], inner, outer)
            assert list(expected) == list_statistics("weights")
            for name, value in expected.items():
                assert inspection.statistic(name)[layer, head] == pytest.approx(value, rel=1e-5, abs=1e-6), name


def test_statistics_are_in_their_range(session: Session, inspection: Inspection):
    bf16 = AttentionView(session.inspect(TEXT), session.inspect(TEXT.replace("Paris", "Paris")))
    for name, declared in STATISTICS.items():
        assert declared.name == name
        assert declared.scale in SCALES
        if declared.needs == "comparison":
            values = bf16.map(0, name)
        elif declared.needs == "ablation":
            values = inspection.head_importance(progress=False).values
        else:
            values = inspection.statistic(name)
            assert values.std() > 0
        assert values.shape == (3, 5)
        assert values.dtype == np.float32
        assert values.min() >= -1e-6
        assert declared.maximum is None or values.max() <= declared.maximum + 1e-6


def test_what_is_given_is_a_copy(inspection: Inspection):
    inspection.statistic("self")[:] = 7
    assert inspection.statistic("self").max() < 1


def test_what_is_not_declared_raises(inspection: Inspection):
    with pytest.raises(InputError, match="There is no statistic 'size'; there are entropy, distance, "):
        inspection.statistic("size")
    with pytest.raises(
        InputError,
        match="more than one run of the model: use inspection.head_importance().values".replace("()", r"\(\)"),
    ):
        inspection.statistic("importance")
    with pytest.raises(InputError, match=re.escape("attention_change(first, second).values")):
        inspection.rank_heads("change")
    assert find_statistic("importance").needs == "ablation"


def test_a_new_statistic_takes_its_declaration_alone(session: Session, monkeypatch: pytest.MonkeyPatch):
    """It is computed, ranked by, labelled, and offered by the explorer."""
    declared = HeadStatistic(
        "first",
        "first token",
        "What of a token's attention goes to the first token",
        "mass",
        maximum=1,
        from_weights=lambda weights, is_text: weights[:, :, 0],
    )
    monkeypatch.setitem(STATISTICS, "first", declared)
    inspection = session.inspect(TEXT)
    inner = inspection.text_positions
    expected = np.stack([inspection.layer_attention(layer)[:, inner, 0].mean(-1) for layer in range(3)])
    assert np.allclose(inspection.statistic("first"), expected)
    layer, head, value = inspection.rank_heads("first", 1)[0]
    assert expected[layer, head] == pytest.approx(value) == expected.max()
    matrix = statistic_matrix(inspection, "first")
    assert (matrix.title, matrix.unit) == (declared.description, "mass")
    view = AttentionView(inspection)
    meta, _ = view.first()
    (sent,) = [one for one in meta["statistics"] if one["name"] == "first"]
    assert (sent["title"], sent["label"]) == (declared.title, declared.description)
    assert eval(sent["python"].format(inspection="inspection")).tolist() == inspection.statistic("first").tolist()
    assert "error" not in view.answer({"id": 1, "type": "rank", "by": "first"})[0]
