"""What is said of hidden states, against the model's own states and sums written out."""

from __future__ import annotations

import builtins
import csv
import io
import json
import math
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import xlmrxl
from xlmrxl import Session
from xlmrxl.errors import MissingDependencyError
from xlmrxl.inspection import labelled_matrix, states
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.inspection.projection import principal_components, project
from xlmrxl.inspection.units import describe_state, list_units
from xlmrxl.rendering.formats import format_number
from xlmrxl.tasks.features import extract_features

TEXT = "The capital of France is <mask>, and the dog sleeps."
SECOND = "Der Hund schläft im Garten."


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture(scope="module")
def seen(session: Session) -> Inspection:
    return session.inspect(TEXT, progress=False)


@pytest.fixture(scope="module")
def pair(session: Session) -> Inspection:
    return session.inspect(TEXT, SECOND, progress=False)


def model_states(session: Session, inspection: Inspection) -> list[np.ndarray]:
    """The states as the model itself returns them."""
    ids = torch.tensor([[token.id for token in inspection.tokens]])
    with torch.inference_mode():
        found = session.model.base_model(ids, output_hidden_states=True).hidden_states
    return [state[0].double().numpy() for state in found]


def dot(x: np.ndarray, y: np.ndarray) -> float:
    return sum(float(a) * float(b) for a, b in zip(x, y, strict=True))


def angle(x: np.ndarray, y: np.ndarray) -> float:
    return dot(x, y) / math.sqrt(dot(x, x) * dot(y, y))


def test_norms_are_those_of_the_model(session: Session, seen: Inspection):
    found = states.state_norms(seen)
    assert found.values.shape == (4, len(seen.tokens))
    for i, state in enumerate(model_states(session, seen)):
        assert found.values[i] == pytest.approx([math.sqrt(dot(x, x)) for x in state], rel=1e-5)
    assert found.column.labels == tuple(token.piece for token in seen.tokens)
    assert found.row.labels == ("0", "1", "2", "3")


def test_cosines_of_tokens_written_out(session: Session, pair: Inspection):
    state = model_states(session, pair)[2]
    found = states.cosine_similarity(pair, 2)
    n = len(pair.tokens)
    expected = [[angle(state[i], state[j]) for j in range(n)] for i in range(n)]
    assert found.values == pytest.approx(np.array(expected), abs=1e-5)
    inner = [i for i, segment in enumerate(pair.segments) if segment is not None]
    assert 0 < len(inner) < n
    assert states.cosine_similarity(pair, 2, special=False).values == pytest.approx(
        np.array(expected)[np.ix_(inner, inner)], abs=1e-5
    )


def test_cosines_of_words_and_texts_are_those_of_means_over_their_tokens(session: Session, pair: Inspection):
    state = model_states(session, pair)[3]
    words = [word for word in pair.words if word.segment is not None]
    means = [np.mean([state[i] for i in word.tokens], axis=0) for word in words]
    assert any(len(word.tokens) > 1 for word in words)
    found = states.cosine_similarity(pair, 3, unit="words", special=False)
    assert found.row.labels == tuple(word.text for word in words)
    assert found.values == pytest.approx(np.array([[angle(x, y) for y in means] for x in means]), abs=1e-5)
    # A text read alone is the mean that the features of the tasks are.
    other = session.inspect(SECOND, progress=False)
    one = session.inspect("La casa es grande.", progress=False)
    pooled = (
        extract_features(session, [SECOND, "La casa es grande."], states=[3], pooling=["mean"])
        .select(3, "mean")
        .numpy()
    )
    texts = states.cosine_similarity([other, one], 3, unit="texts")
    assert texts.values[0, 1] == pytest.approx(angle(*pooled), abs=1e-5)
    assert texts.row.labels == (SECOND, "La casa es grande.")
    assert [part.segment for part in list_units(pair, "texts")] == [0, 1]


def test_what_is_taken_off(session: Session, seen: Inspection):
    state = model_states(session, seen)[1]
    inner = [i for i, segment in enumerate(seen.segments) if segment is not None]
    mean = sum(state[i] for i in inner) / len(inner)
    off = [x - mean for x in state]
    found = states.cosine_similarity(seen, 1, remove=0)
    assert found.values == pytest.approx(np.array([[angle(x, y) for y in off] for x in off]), abs=1e-5)
    # All but the top: nothing is left along the first components of the text's tokens, and all along the others.
    axes = np.linalg.svd(state[inner] - mean)[2]
    for k in (1, 3):
        left = states.remove_common_components(state[inner], k)
        assert left @ axes[:k].T == pytest.approx(0, abs=1e-8)
        assert left @ axes[k:].T == pytest.approx((state[inner] - mean) @ axes[k:].T, abs=1e-6)
        all_off = np.array(off) - np.array(off) @ axes[:k].T @ axes[:k]
        expected = np.array([[angle(x, y) for y in all_off] for x in all_off])
        assert states.cosine_similarity(seen, 1, remove=k).values == pytest.approx(expected, abs=1e-4)
    assert states.remove_common_components(state, None) is state


def test_anisotropy_is_the_mean_over_all_pairs(session: Session, seen: Inspection, pair: Inspection):
    found = states.anisotropy([seen, pair])
    corrected = states.anisotropy([seen, pair], remove=0)
    for i in range(4):
        x = np.concatenate(
            [
                model_states(session, one)[i][[place for place, s in enumerate(one.segments) if s is not None]]
                for one in (seen, pair)
            ]
        )
        assert found.values[0, i] == pytest.approx(np.mean([angle(*two) for two in combinations(x, 2)]), abs=1e-5)
        x = x - x.mean(0)
        assert corrected.values[0, i] == pytest.approx(np.mean([angle(*two) for two in combinations(x, 2)]), abs=1e-5)


def test_tokens_through_the_states(session: Session, seen: Inspection):
    all_states = model_states(session, seen)
    before, first = states.layer_similarity(seen), states.layer_similarity(seen, 0)
    for token in range(len(seen.tokens)):
        assert before.values[0, token] == pytest.approx(1)
        for i, (x, y) in enumerate(pairwise(all_states), 1):
            assert before.values[i, token] == pytest.approx(angle(x[token], y[token]), abs=1e-5)
            assert first.values[i, token] == pytest.approx(angle(all_states[0][token], y[token]), abs=1e-5)
    journey = states.token_trajectory(seen, 2).values
    assert journey == pytest.approx(np.array([[angle(x[2], y[2]) for y in all_states] for x in all_states]), abs=1e-5)


def hsic_biased(k: np.ndarray, m: np.ndarray) -> float:
    """Gretton et al. (2005): the trace of K H L H."""
    n = len(k)
    h = np.eye(n) - 1 / n
    return float(np.trace(k @ h @ m @ h))


def hsic_unbiased(k: np.ndarray, m: np.ndarray) -> float:
    """Song et al. (2012), equation 5, with loops over all tuples of different rows replaced by their closed form."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    first = np.trace(k @ m)
    second = one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2))
    third = 2 / (n - 2) * (one @ k @ m @ one)
    return float((first + second - third) / (n * (n - 3)))


def hsic_by_tuples(k: np.ndarray, m: np.ndarray) -> float:
    """The same as a U-statistic, by its definition: means over pairs, triples and quadruples of different rows."""
    n = len(k)
    places = range(n)
    two = np.mean([k[i, j] * m[i, j] for i in places for j in places if i != j])
    three = np.mean([k[i, j] * m[i, q] for i in places for j in places for q in places if len({i, j, q}) == 3])
    four = np.mean(
        [k[i, j] * m[q, r] for i in places for j in places for q in places for r in places if len({i, j, q, r}) == 4]
    )
    return float(two - 2 * three + four)


@pytest.mark.parametrize(("estimator", "hsic"), [("biased", hsic_biased), ("debiased", hsic_unbiased)])
def test_cka_by_gram_matrices(session: Session, seen: Inspection, estimator: str, hsic):
    inner = [i for i, segment in enumerate(seen.segments) if segment is not None]
    grams = [state[inner] @ state[inner].T for state in model_states(session, seen)]
    expected = [[hsic(k, m) / math.sqrt(hsic(k, k) * hsic(m, m)) for m in grams] for k in grams]
    assert states.cka(seen, estimator=estimator).values == pytest.approx(np.array(expected), abs=1e-5)


def test_cka_by_features():
    """Kornblith et al. (2019), equation 5, for layers of different width."""
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(9, 5)), generator.normal(size=(9, 3))
    y[:, :2] += 2 * x[:, :2]
    a, b = x - x.mean(0), y - y.mean(0)
    expected = np.square(b.T @ a).sum() / np.linalg.norm(a.T @ a) / np.linalg.norm(b.T @ b)
    assert states.linear_cka([x], [y], "biased")[0, 0] == pytest.approx(expected)
    # Neither cares for rotation, size or place.
    turn = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    for estimator in states.ESTIMATORS:
        assert states.linear_cka([x], [3 * x @ turn + 7], estimator)[0, 0] == pytest.approx(1)


def test_the_debiased_estimate_is_the_unbiased_one_by_definition():
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(6, 40)), generator.normal(size=(6, 30))
    k, m = x @ x.T, y @ y.T
    expected = hsic_by_tuples(k, m) / math.sqrt(hsic_by_tuples(k, k) * hsic_by_tuples(m, m))
    assert states.linear_cka([x], [y])[0, 0] == pytest.approx(expected)
    # Few rows and many columns with nothing in common: the biased one is far from 0.
    assert abs(expected) < 0.5 < states.linear_cka([x], [y], "biased")[0, 0]


def test_cka_between_two_inspections(session: Session, seen: Inspection, pair: Inspection):
    assert np.array_equal(states.cka(seen, seen).values, states.cka(seen).values)
    assert states.cka(seen, seen).source.settings["other"]["model"] == session.name
    with pytest.raises(ValueError, match="at position"):
        states.cka(seen, session.inspect(SECOND, progress=False))
    with pytest.raises(ValueError, match=r"and \d+ tokens"):
        states.cka(seen, session.inspect(TEXT, SECOND, progress=False))
    with pytest.raises(ValueError, match="4 tokens or more, debiased; there are"):
        states.cka(session.inspect("<mask>", progress=False))
    with pytest.raises(ValueError, match="debiased, biased"):
        states.cka(seen, estimator="fair")


@pytest.mark.parametrize(("n", "hidden"), [(7, 30), (40, 11)])
def test_components_against_numpy(n: int, hidden: int):
    x = np.random.default_rng(3).normal(size=(n, hidden)) * np.arange(1, hidden + 1) + 5
    found = principal_components(x, 3)
    centred = x - x.mean(0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    for i in range(3):
        sign = np.sign(vt[i] @ found.axes[i])
        assert found.axes[i] == pytest.approx(sign * vt[i])
        assert found.points[:, i] == pytest.approx(sign * u[:, i] * s[i])
        assert found.axes[i][np.abs(found.axes[i]).argmax()] > 0
    assert found.explained == pytest.approx((s**2 / (s**2).sum())[:3])


def test_components_of_many_rows_and_columns():
    generator = np.random.default_rng(4)
    x = (
        generator.normal(size=(900, 40)) @ generator.normal(size=(40, 700)) + generator.normal(size=(900, 700))
    ).astype(np.float32)
    state = np.random.get_state()[1].copy()
    found = principal_components(x, 2)
    assert np.array_equal(np.random.get_state()[1], state)
    _, s, vt = np.linalg.svd(x - x.mean(0), full_matrices=False)
    assert np.abs(np.diag(found.axes @ vt[:2].T)) == pytest.approx(1, abs=1e-3)
    assert found.explained == pytest.approx((s**2 / (s**2).sum())[:2], rel=1e-3)
    assert np.array_equal(found.axes, principal_components(x, 2).axes)


@pytest.mark.parametrize("scale", ["state", "none"])
def test_projection_in_one_plane_and_in_one_for_each_state(session: Session, pair: Inspection, scale: str):
    inner = [i for i, segment in enumerate(pair.segments) if segment is not None]
    stack = [state[inner] for state in model_states(session, pair)]
    if scale == "state":
        stack = [x - x.mean(0) for x in stack]
        stack = [x / math.sqrt(np.mean([dot(row, row) for row in x])) for x in stack]
    common = project(pair, scale=scale)
    every = np.concatenate(stack)
    u, s, _ = np.linalg.svd(every - every.mean(0), full_matrices=False)
    assert np.abs(common.points.reshape(-1, 2)) == pytest.approx(np.abs(u[:, :2] * s[:2]), abs=1e-3)
    assert common.explained[0] == pytest.approx((s**2 / (s**2).sum())[:2], rel=1e-3)
    each = project(pair, basis="each", scale=scale)
    for i, x in enumerate(stack):
        u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
        assert np.abs(each.points[i]) == pytest.approx(np.abs(u[:, :2] * s[:2]), abs=1e-3)
        assert each.explained[i] == pytest.approx((s**2 / (s**2).sum())[:2], rel=1e-3)
        if i:  # the signs follow those of the state before
            assert ((each.points[i] * each.points[i - 1]).sum(0) >= 0).all()
    assert common.labels == tuple(pair.tokens[i].piece for i in inner)
    assert common.groups == tuple(f"text {pair.segments[i] + 1}" for i in inner)
    assert np.array_equal(project(pair, scale=scale).points, common.points)


def test_projection_of_chosen_states_and_parts(seen: Inspection, pair: Inspection):
    some = project([seen, pair], states=[3, 1], unit="words", groups=["a", "b"], special=True, components=3)
    assert some.points.shape == (2, len(seen.words) + len(pair.words), 3)
    assert some.states == (3, 1)
    assert some.groups == ("a",) * len(seen.words) + ("b",) * len(pair.words)
    assert project(seen, special=True).groups[0] == "special"
    with pytest.raises(ValueError, match="too few for 2 dimensions"):
        project(pair, unit="texts", basis="each")
    for name in ("method", "basis", "scale", "unit"):
        with pytest.raises(ValueError, match=f"{name} is 'nonsense'"):
            project(seen, **{name: "nonsense"})


@pytest.mark.filterwarnings("ignore")
def test_umap_is_the_same_in_every_run(seen: Inspection):
    pytest.importorskip("umap", reason="umap-learn is not installed")
    once, again = (project(seen, method="umap", states=[1, 2]) for _ in range(2))
    assert once.explained is None
    assert np.isfinite(once.points).all()
    assert np.array_equal(once.points, again.points)


def test_umap_says_what_to_install(seen: Inspection, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *args, **kwargs):
        if name == "umap":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match="pip install 'umap-learn>="):
        project(seen, method="umap")


def test_what_is_wrong_is_said(seen: Inspection, pair: Inspection):
    with pytest.raises(ValueError, match="it must be one of tokens, words, texts"):
        states.cosine_similarity(seen, 1, unit="letters")
    for remove in (-1, 99):
        with pytest.raises(ValueError, match=f"remove is {remove}; with"):
            states.cosine_similarity(seen, 1, remove=remove)
    with pytest.raises(ValueError, match="without their mean two are opposite"):
        states.cosine_similarity(pair, 1, unit="texts", remove=0)
    with pytest.raises(ValueError, match="position is 99; there are tokens 0 to"):
        states.token_trajectory(seen, 99)
    with pytest.raises(ValueError, match="several of the same model"):
        states.anisotropy([])
    assert math.isnan(states.mean_cosine(np.ones((1, 3))))
    assert np.isnan(states.pairwise_cosine(np.zeros((1, 3)), np.ones((1, 3)))).all()


def test_names_of_states(seen: Inspection):
    assert [describe_state(seen, i) for i in (0, 1, 3)] == ["state 0 (embeddings)", "state 1", "state 3 (final)"]


def test_grids_and_curves_are_results(seen: Inspection):
    found = states.state_norms(seen)
    values = json.loads(found.to_json())
    assert np.array(values["values"], np.float32).tolist() == found.values.tolist()
    assert values["rows"] == {"name": "state", "labels": ["0", "1", "2", "3"]}
    assert values["source"]["settings"]["keep"] == "recompute"
    table = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(table) == found.values.size
    assert np.float32([float(row["norm"]) for row in table]).tolist() == found.values.ravel().tolist()
    assert table[1] == {"state": "0", "token": "1", "token_label": seen.tokens[1].piece, "norm": table[1]["norm"]}
    square = states.cosine_similarity(seen, 0).rows()[1]
    assert set(square) == {"token", "token_label", "token_2", "token_label_2", "cosine"}
    mean, two = found.to_curves(), found.to_curves([1, 2])
    assert mean.values[0] == pytest.approx(found.values.mean(1))
    assert two.values.tolist() == found.values[:, [1, 2]].T.tolist()
    assert two.names == (seen.tokens[1].piece, seen.tokens[2].piece)
    assert len(two.rows()) == 8
    assert two.rows()[5]["norm"] == two.values[1, 1]
    assert json.loads(two.to_json())["curves"][1]["values"] == two.values[1].tolist()
    with pytest.raises(ValueError, match="read-only"):
        found.values[0, 0] = 1
    with pytest.raises(ValueError, match="labels"):
        labelled_matrix.LabelledMatrix(found.source, "norm", "", np.ones((2, 2)), found.row, found.column)
    projected = json.loads(project(seen).to_json())
    assert np.float32(projected["points"]).tolist() == project(seen).points.tolist()
    assert project(seen).rows()[1]["component_1"] == project(seen).points[0, 1, 1]


def test_heads_as_grids(seen: Inspection):
    found = labelled_matrix.statistic_matrix(seen, "entropy")
    assert np.array_equal(found.values, seen.statistic("entropy"))
    assert (found.unit, found.row.name, found.column.name) == ("nats", "layer", "head")
    head = labelled_matrix.attention_matrix(seen, 2, 4)
    assert np.array_equal(head.values, seen.attention(2, 4))
    assert head.title == "attention of L2 H4"


def test_what_is_printed_names_rows_and_columns_and_does_not_flood_the_terminal(session: Session) -> None:
    found = states.state_norms(session.inspect("The dog."))
    title, head, *lines = str(found).splitlines()
    assert title == found.title
    assert all(label in head for label in found.column.labels)
    assert [line.split()[0] for line in lines] == list(found.row.labels)
    assert format_number(float(found.values[1, 2])) in lines[1]
    long = states.cosine_similarity(session.inspect("The dog sleeps. " * 4), 1)
    assert len(long.row.labels) > 40
    assert len(str(long).splitlines()) == 2 + 40 + 1
    assert f"{len(long.row.labels)} × {len(long.column.labels)}" in str(long).splitlines()[-1]
