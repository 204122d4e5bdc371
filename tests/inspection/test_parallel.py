"""Texts in several languages: alignment against trying all pairs, similarity and retrieval against plain loops."""

from __future__ import annotations

import builtins
import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch

import xlmrxl
from xlmrxl import Session
from xlmrxl.errors import MissingDependencyError
from xlmrxl.inspection.parallel import (
    ParallelInspection,
    align_words,
    default_state,
    mean_best_match,
    retrieval,
    top1_accuracy,
)

TEXTS = {
    "en": "The dog sleeps in the garden.",
    "de": "Der Hund schläft im Garten.",
    "ar": "القطة تنام على السطح.",
    "zh": "狗在花园里睡觉。",
}


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture(scope="module")
def together(session: Session) -> ParallelInspection:
    return session.inspect_parallel(TEXTS, progress=False)


def model_words(session: Session, together: ParallelInspection, text: int, state: int) -> np.ndarray:
    """The mean of each word's tokens in the model's own states, special tokens left out."""
    inspection = together.inspections[text]
    ids = torch.tensor([[token.id for token in inspection.tokens]])
    with torch.inference_mode():
        states = session.model.base_model(ids, output_hidden_states=True).hidden_states
    x = states[state][0].double().numpy()
    return np.array([x[list(word.tokens)].mean(0) for word in inspection.words if word.segment is not None])


def angle(x: np.ndarray, y: np.ndarray) -> float:
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def angles(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.array([[angle(a, b) for b in y] for a in x])


def by_hand_argmax(similarity: np.ndarray) -> set[tuple[int, int]]:
    """Every pair against all others that share a word with it."""
    n, m = similarity.shape
    return {
        (i, j)
        for i in range(n)
        for j in range(m)
        if all(similarity[i, j] >= similarity[i, k] for k in range(m))
        and all(similarity[i, j] >= similarity[k, j] for k in range(n))
    }


def by_hand_itermax(similarity: np.ndarray) -> set[tuple[int, int]]:
    """A second round: pairs of two linked words are gone, those of one linked word count nine tenths."""
    first = by_hand_argmax(similarity)
    shifted = (similarity + 1) / 2
    for i, j in np.ndindex(*similarity.shape):
        left, right = any(i == a for a, _ in first), any(j == b for _, b in first)
        shifted[i, j] = -1 if left and right else shifted[i, j] * (0.9 if left or right else 1)
    return first | {pair for pair in by_hand_argmax(shifted) if shifted[pair] >= 0}


def by_hand_match(similarity: np.ndarray) -> set[tuple[int, int]]:
    """All ways to give each word of the shorter text one of the longer."""
    n, m = similarity.shape
    if n > m:
        return {(j, i) for i, j in by_hand_match(similarity.T)}
    best = max(permutations(range(m), n), key=lambda chosen: sum(similarity[i, j] for i, j in enumerate(chosen)))
    return set(enumerate(best))


BY_HAND = {"argmax": by_hand_argmax, "itermax": by_hand_itermax, "match": by_hand_match}


def linked(found: np.ndarray) -> set[tuple[int, int]]:
    return {(int(i), int(j)) for i, j in np.argwhere(found)}


@pytest.mark.parametrize("method", BY_HAND)
@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (1, 3), (3, 1), (1, 1)])
def test_aligners_against_all_pairs(method: str, shape: tuple[int, int]):
    if method == "match":
        pytest.importorskip("scipy")
    generator = np.random.default_rng(shape)
    for _ in range(20):
        similarity = generator.uniform(-1, 1, shape)
        assert linked(align_words(similarity, method)) == BY_HAND[method](similarity)


def test_the_second_round_finds_more():
    # The first words are each other's best; the second ones like the first best, and then each other.
    similarity = np.array([[0.9, 0.8, 0.1], [0.8, 0.7, 0.1], [0.0, 0.2, 0.3]])
    assert linked(align_words(similarity, "argmax")) == {(0, 0), (2, 2)}
    assert linked(align_words(similarity, "itermax")) == {(0, 0), (2, 2), (1, 1)}


@pytest.mark.parametrize("method", BY_HAND)
@pytest.mark.parametrize("remove", [None, 0])
def test_alignment_of_two_texts(session: Session, together: ParallelInspection, method: str, remove: int | None):
    if method == "match":
        pytest.importorskip("scipy")
    words = [model_words(session, together, text, 2) for text in (0, 1)]
    if remove == 0:
        for text in (0, 1):
            inspection = together.inspections[text]
            inner = np.array(
                [x for token, x in zip(inspection.tokens, inspection.hidden_state(2), strict=True) if not token.special]
            )
            words[text] = words[text] - inner.mean(0)
    similarity = angles(*words)
    found = together.alignment(0, 1, 2, method=method, remove=remove)
    assert found.similarity == pytest.approx(similarity, abs=1e-5)
    assert {(link.first, link.second) for link in found.links} == BY_HAND[method](similarity)
    for link in found.links:
        assert link.similarity == found.similarity[link.first, link.second]
    assert found.words[1] == ("Der", "Hund", "schläft", "im", "Garten", ".")
    assert found.names == ("en", "de")
    row = found.rows()[0]
    assert row["first_word"] == found.words[0][row["first"]]
    values = json.loads(found.to_json())
    assert values["links"][0]["similarity"] == found.links[0].similarity
    assert values["source"]["settings"]["method"] == method
    assert np.array_equal(found.similarity_matrix().values, found.similarity)


def test_states_of_the_alignment(session: Session, together: ParallelInspection):
    assert together.alignment().state == 2
    assert default_state(12) == 8
    assert together.alignment(2, 3, 0).similarity == pytest.approx(
        angles(model_words(session, together, 2, 0), model_words(session, together, 3, 0)), abs=1e-5
    )


def test_match_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *args, **kwargs):
        if name.startswith("scipy"):
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r"pip install 'scipy>=[0-9.]+' - or use argmax or itermax"):
        align_words(np.ones((2, 2)), "match")


def test_similarity_by_state(session: Session, together: ParallelInspection):
    texts, words = together.similarity(), together.similarity("words")
    assert texts.names == ("en – de", "en – ar", "en – zh", "de – ar", "de – zh", "ar – zh")
    for state in range(4):
        means = [
            one.hidden_state(state)[[segment is not None for segment in one.segments]].astype(float).mean(0)
            for one in together.inspections
        ]
        assert texts.values[4, state] == pytest.approx(angle(means[1], means[3]), abs=1e-5)
        table = angles(model_words(session, together, 1, state), model_words(session, together, 3, state))
        there = sum(max(row) for row in table) / len(table)
        back = sum(max(column) for column in table.T) / len(table.T)
        assert words.values[4, state] == pytest.approx((there + back) / 2, abs=1e-5)
        grid = together.cosine_similarity(state)
        assert grid.row.labels == ("en", "de", "ar", "zh")
        assert grid.values[1, 3] == texts.values[4, state]
    # Without what all tokens share.
    tokens = [
        one.hidden_state(1)[[segment is not None for segment in one.segments]].astype(float)
        for one in together.inspections
    ]
    mean = np.concatenate(tokens).mean(0)
    assert together.similarity(remove=0).values[0, 1] == pytest.approx(
        angle(tokens[0].mean(0) - mean, tokens[1].mean(0) - mean), abs=1e-5
    )
    assert (
        together.cosine_similarity(1, unit="words").values.shape
        == (sum(len(one.words) - 2 for one in together.inspections),) * 2
    )
    with pytest.raises(ValueError, match="it must be texts or words"):
        together.similarity("tokens")


def test_best_matches_by_hand():
    assert mean_best_match(np.array([[0.5, 0.1, 0.2], [0.6, 0.0, 0.3]])) == pytest.approx(
        ((0.5 + 0.6) / 2 + (0.6 + 0.1 + 0.3) / 3) / 2
    )


def test_projection_has_the_languages(together: ParallelInspection):
    found = together.project(unit="words")
    counts = [len(one.words) - 2 for one in together.inspections]
    assert found.groups == tuple(name for name, count in zip(TEXTS, counts, strict=True) for _ in range(count))
    assert found.points.shape == (4, sum(counts), 2)
    assert "睡" in "".join(found.labels)


def test_retrieval_by_a_plain_loop(session: Session):
    first = ["The dog sleeps.", "La casa es grande.", "a small house", "Madrid is near Paris.", "the old bridge"]
    second = ["Der Hund schläft.", "The house is big.", "ein Haus", "狗在花园里睡觉。", "die Katze sitzt"]
    told = []
    for centre in (True, False):
        found = retrieval(
            session, first, second, languages=("a", "b"), centre=centre, progress=lambda *at: told.append(at)
        )
        assert found.names == ("a → b", "b → a")
        assert found.chance == 1 / 5
        for state in range(4):
            sides = []
            for texts in (first, second):
                rows = []
                for text in texts:
                    seen = session.inspect(text, progress=False)
                    x = seen.hidden_state(state).astype(float)
                    rows.append(np.mean([x[i] for i, s in enumerate(seen.segments) if s is not None], axis=0))
                sides.append(np.array(rows) - (np.mean(rows, axis=0) if centre else 0))
            for direction, (queries, answers) in enumerate((sides, sides[::-1])):
                right = sum(
                    max(range(5), key=lambda j, q=query, a=answers: angle(q, a[j])) == i
                    for i, query in enumerate(queries)
                )
                assert found.values[direction, state] == pytest.approx(right / 5)
    assert told[-1] == (10, 10)
    assert len({float(value) for value in found.values.ravel()}) > 1
    some = retrieval(session, first, first, states=[2], pooling="first", progress=False)
    assert some.values.tolist() == [[1], [1]]
    assert some.rows()[0]["state"] == 0
    assert some.x.labels == ("2",)


def test_several_nearest_count_in_part():
    assert top1_accuracy(np.array([[1.0, 1.0], [0.0, 0.5]])) == pytest.approx((0.5 + 1) / 2)
    assert top1_accuracy(np.full((4, 4), np.nan)) == pytest.approx(1 / 4)
    assert top1_accuracy(np.array([[0.0, 1.0], [1.0, 0.0]])) == 0


def test_names_of_texts(session: Session):
    told = []
    two = session.inspect_parallel(["a house", "the dog"], progress=lambda *at: told.append(at))
    assert two.names == ("text 1", "text 2")
    assert told == [(1, 2), (2, 2)]
    same = session.inspect_parallel(["a house", "the dog", "la casa"], ["en", "en", "es"], progress=False)
    assert same.names == ("en 1", "en 2", "es")
    assert same.project().groups[0] == "en"
    assert "en 1, en 2, es" in repr(same)


def test_what_is_wrong_is_said(session: Session, together: ParallelInspection):
    with pytest.raises(ValueError, match="There are 1 texts; give 2 to 12"):
        session.inspect_parallel(["alone"])
    with pytest.raises(ValueError, match="There are 13 texts"):
        session.inspect_parallel(["a"] * 13)
    with pytest.raises(ValueError, match="2 texts and 1 languages"):
        session.inspect_parallel(["a", "b"], ["en"])
    with pytest.raises(ValueError, match="There are 1 texts"):
        session.inspect_parallel("a text")
    with pytest.raises(ValueError, match="2 texts and 1 languages"):
        session.inspect_parallel(["a", "b"], "en")
    with pytest.raises(TypeError, match=r"texts\[1\] is None"):
        session.inspect_parallel(["a", None])
    with pytest.raises(ValueError, match="argmax, itermax, match"):
        together.alignment(method="guess")
    with pytest.raises(ValueError, match="second is 4; there are texts 0 to 3"):
        together.alignment(0, 4)
    with pytest.raises(ValueError, match="There is no state 9"):
        together.alignment(state=9)
    with pytest.raises(ValueError, match="2 texts in first and 1 in second"):
        retrieval(session, ["a", "b"], ["a"])
    with pytest.raises(ValueError, match="There are 1 pairs"):
        retrieval(session, ["a"], ["a"])
    with pytest.raises(ValueError, match="mean, first"):
        retrieval(session, ["a", "b"], ["a", "b"], pooling="last")
