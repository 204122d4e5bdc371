"""Requests of several visitors as one run: nobody's answer is another's, and nobody pays for another's mistake."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from xlmrxl.app.handlers import filling
from xlmrxl.app.together import Together
from xlmrxl.session import Session, load


class Model:
    """Remembers its runs; the first waits until so many calls have come in behind it."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.first = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, items: list[int], kind: str) -> list[str]:
        self.runs.append(items)
        if len(self.runs) == 1:
            self.first.set()
            assert self.go_on.wait(10)
        if 13 in items:
            raise ValueError("13 is unlucky")
        return [f"{kind} {item}" for item in items]


def all_at_once(together: Together, model: Model, calls: list[tuple[int, str]]) -> list[Callable[[], str]]:
    """A first call that is under way, and the others when all of them wait behind it; what gives each its result."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(together, *calls[0])]
        assert model.first.wait(10)
        futures += [pool.submit(together, *call) for call in calls[1:]]
        while together._jobs.qsize() < len(calls) - 1:
            pass
        model.go_on.set()
    return [future.result for future in futures]


def test_those_who_wait_for_the_same_are_run_together() -> None:
    model = Model()
    together = Together(model, 64)
    calls = [(0, "a"), *((i, "a") for i in range(1, 6)), (7, "b")]
    results = all_at_once(together, model, calls)
    assert [result() for result in results] == [f"{kind} {item}" for item, kind in calls]
    assert model.runs[0] == [0]
    assert sorted(map(sorted, model.runs[1:])) == [[1, 2, 3, 4, 5], [7]]


def test_a_mistake_is_its_senders_alone() -> None:
    model = Model()
    together = Together(model, 64)
    good_0, good_1, bad, good_2 = all_at_once(together, model, [(0, "a"), (1, "a"), (13, "a"), (2, "a")])
    assert [good_0(), good_1(), good_2()] == ["a 0", "a 1", "a 2"]
    with pytest.raises(ValueError, match="unlucky"):
        bad()


def test_no_run_is_larger_than_allowed() -> None:
    model = Model()
    together = Together(model, 3)
    results = all_at_once(together, model, [(i, "a") for i in range(10)])
    assert [result() for result in results] == [f"a {i}" for i in range(10)]
    assert max(map(len, model.runs)) == 3


def test_fills_of_many_visitors_are_those_of_each_alone(tiny_folder) -> None:
    session: Session = load(tiny_folder)
    together = Together(lambda texts, asked: filling.fill_all(session, texts, asked), 32)
    texts = [f"The <mask> of {word} is {'here' * (i % 3)}." for i, word in enumerate(["house", "dog", "cat"] * 8)]
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda text: filling.outcome(session, text, 3, together=together), texts))
    for text, outcome in zip(texts, outcomes, strict=True):
        alone = session.fill_mask(text, top_k=3)
        assert outcome.result.text == text
        assert [fill.text for fill in outcome.result.masks[0].fills] == [fill.text for fill in alone.masks[0].fills]
        found = [fill.probability for fill in outcome.result.masks[0].fills]
        assert found == pytest.approx([fill.probability for fill in alone.masks[0].fills], rel=1e-4)
    assert "<mask>" in filling.outcome(session, "nothing here", 3, together=together).problem
