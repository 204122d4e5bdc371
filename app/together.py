"""Requests of several visitors as one: whoever waits for the model takes all that wait for the same. No Gradio."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


@dataclass(eq=False)
class _Job(Generic[T, K, R]):
    item: T
    kind: K
    results: list[R] = field(default_factory=list)  # one once it is done
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return bool(self.results) or self.error is not None


class Together(Generic[T, K, R]):
    """Calls from several threads, gathered: while one runs the model, the others queue up and are run as one after it.

    Args:
        work: takes some items and their kind, and gives a result for each, in order.
        most: items of one run.
    """

    def __init__(self, work: Callable[[list[T], K], list[R]], most: int) -> None:
        self._work, self._most = work, most
        self._waiting: list[_Job[T, K, R]] = []
        self._list, self._model = threading.Lock(), threading.Lock()

    def __call__(self, item: T, kind: K) -> R:
        """The result of an item, run with others of its kind that wait.

        Raises:
            Exception: what `work` raises for this item alone.
        """
        job: _Job[T, K, R] = _Job(item, kind)
        with self._list:
            self._waiting.append(job)
        with self._model:
            if not job.done:
                self._run(self._taken(job))
        if job.error is not None:
            raise job.error
        return job.results[0]

    def _taken(self, first: _Job[T, K, R]) -> list[_Job[T, K, R]]:
        """A job and others of its kind, the longest waiting first, off the list."""
        with self._list:
            others = [job for job in self._waiting if job.kind == first.kind and job is not first]
            taken = [first, *others[: self._most - 1]]
            self._waiting = [job for job in self._waiting if job not in taken]
        return taken

    def _run(self, jobs: list[_Job[T, K, R]]) -> None:
        try:
            results = self._work([job.item for job in jobs], jobs[0].kind)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].error = error
                return
            for job in jobs:  # whose mistake it was shows when each is alone
                self._run([job])
            return
        for job, result in zip(jobs, results, strict=True):
            job.results.append(result)
