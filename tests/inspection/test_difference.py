"""Differences between two inspections: of two precisions of a model, and of another model with the same vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import xlmrxl
from xlmrxl import Session, XLMRobertaTokenizer, XLMRobertaXLConfig, XLMRobertaXLForMaskedLM
from xlmrxl.inspection.difference import difference, drift, logit_lens_divergence, word_probability
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.inspection.labelled_matrix import attention_matrix, statistic_matrix
from xlmrxl.inspection.states import cka, cosine_similarity, layer_similarity, state_norms, token_trajectory
from xlmrxl.tasks.compare_precisions import compare_precisions

TEXT = "The capital of <mask> is Madrid."


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture(scope="module")
def both(tiny_folder: Path, session: Session) -> tuple[Inspection, Inspection]:
    """The same text by float32 and by bfloat16 weights."""
    return (
        session.inspect(TEXT, progress=False),
        xlmrxl.load(tiny_folder, precision="bf16").inspect(TEXT, progress=False),
    )


@pytest.mark.parametrize(
    ("what", "arguments"),
    [
        (statistic_matrix, ["entropy"]),
        (attention_matrix, [1, 3]),
        (state_norms, []),
        (cosine_similarity, [2]),
        (layer_similarity, [0]),
        (token_trajectory, [3]),
        (cka, []),
        (word_probability, ["a"]),
    ],
)
def test_a_difference_is_one_minus_the_other(both: tuple[Inspection, Inspection], what, arguments: list):
    before, after = both
    found = difference(before, after, what, *arguments)
    expected = what(after, *arguments).values - what(before, *arguments).values
    assert np.array_equal(found.values, expected)
    assert np.abs(expected).max() > 0
    assert found.signed
    assert found.title.endswith(": difference")
    assert found.source.precision == "bf16"
    assert found.source.settings["minus"]["precision"] == "fp32"
    assert not difference(before, before, what, *arguments).values.any()


def test_options_reach_what_is_compared(both: tuple[Inspection, Inspection]):
    found = difference(*both, cosine_similarity, 2, unit="words", remove=0)
    assert found.row.name == "word"
    assert found.source.settings["remove"] == 0


def test_drift_is_that_of_compare(both: tuple[Inspection, Inspection], tiny_folder: Path):
    found = drift(*both)
    (mask,) = both[0].mask_positions
    expected = compare_precisions(tiny_folder, TEXT, ["fp32", "bf16"]).differences[1].drift
    assert found.values[0, mask] == pytest.approx(expected[0], rel=1e-4)
    assert expected[0] > 0
    # Attention with its weights rounds otherwise in 16 bits than attention without, which compare runs.
    assert found.values[:, mask] == pytest.approx(expected, rel=0.3)
    assert found.to_curves().values[0] == pytest.approx(found.values.mean(1))


def test_drift_written_out(both: tuple[Inspection, Inspection]):
    relative, angle = drift(*both), drift(*both, "cosine")
    for state in range(4):
        x, y = (one.hidden_state(state).astype(float) for one in both)
        for token in range(len(x)):
            length = np.sqrt((x[token] ** 2).sum())
            assert relative.values[state, token] == pytest.approx(
                np.sqrt(((y[token] - x[token]) ** 2).sum()) / length, rel=1e-3, abs=1e-7
            )
            expected = (x[token] @ y[token]) / length / np.sqrt((y[token] ** 2).sum())
            assert angle.values[state, token] == pytest.approx(expected, abs=1e-6)


def test_the_lens_of_both(session: Session, both: tuple[Inspection, Inspection], tiny_folder: Path):
    before, after = both
    found = logit_lens_divergence(before, after)
    places = before.mask_positions
    models = (session.model, xlmrxl.load(tiny_folder, precision="bf16").model)
    for state in range(4):
        logs = []
        for one, model in zip(both, models, strict=True):
            x = one.hidden_states[state][list(places)]
            with torch.inference_mode():
                x = model.lm_head(x if state == 3 else model.base_model.encoder.LayerNorm(x))
            logs.append(x.double().log_softmax(-1)[0].numpy())
        expected = sum(np.exp(p) * (p - q) for p, q in zip(*logs, strict=True))
        assert found.values[state, 0] == pytest.approx(expected, rel=0.05, abs=1e-6)
        assert found.values[state, 0] > 0
    assert found.column.labels == ("<mask>",)
    assert found.source.settings["minus"]["precision"] == "fp32"
    assert not logit_lens_divergence(before, before, [1, 2]).values.any()
    probability = word_probability(before, "a", [1, 2])
    assert probability.values.shape == (4, 2)
    (alone,) = before.logit_lens([2], ["a"], progress=False).cells[3][0].targets
    # Two positions at once are not rounded as one is; other tokens' probabilities differ by far more.
    assert probability.values[3, 1] == pytest.approx(alone.probability, rel=1e-4)


def test_what_cannot_be_subtracted(session: Session, both: tuple[Inspection, Inspection], tiny_folder: Path):
    other = session.inspect("The capital of Spain is <mask>.", progress=False)
    for compared in (lambda: difference(both[0], other, state_norms), lambda: drift(both[0], other)):
        with pytest.raises(ValueError, match=r"different tokens: at position \d+ one has .* the other"):
            compared()
    with pytest.raises(ValueError, match="relative, cosine"):
        drift(*both, "angle")
    config = XLMRobertaXLConfig.from_pretrained(tiny_folder)
    config = XLMRobertaXLConfig(**{**config.to_dict(), "num_hidden_layers": 2})
    with torch.random.fork_rng():
        model = XLMRobertaXLForMaskedLM(config).eval()
    shallow = Session(model, XLMRobertaTokenizer.from_pretrained(tiny_folder), "shallow", "fp32")
    with pytest.raises(ValueError, match="3 layers of 5 heads, the other 2 layers of 5 heads"):
        difference(both[0], shallow.inspect(TEXT, progress=False), state_norms)
