"""Requests of several visitors as one: while one run of the model goes on, the others gather, and are run as one after
it. No Gradio.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


@dataclass(frozen=True)
class _Job(Generic[T, K, R]):
    item: T
    kind: K
    answer: Future[R]


class Together(Generic[T, K, R]):
    """Calls from several threads, run by one of its own.

    Each caller waits for its own answer alone: handing the model from caller to caller would cost more than the model.

    Args:
        work: takes some items and their kind, and gives a result for each, in order.
        most: items of one run.
    """

    def __init__(self, work: Callable[[list[T], K], list[R]], most: int) -> None:
        self._work, self._most = work, most
        self._jobs: SimpleQueue[_Job[T, K, R]] = SimpleQueue()
        self._begin = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self, item: T, kind: K) -> R:
        """The result of an item, run with others of its kind that wait.

        Raises:
            Exception: what `work` raises for this item alone.
        """
        with self._begin:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="together", daemon=True)
                self._thread.start()
        answer: Future[R] = Future()
        self._jobs.put(_Job(item, kind, answer))
        return answer.result()

    def _serve(self) -> None:
        while True:
            waiting = [self._jobs.get()]
            try:
                while True:
                    waiting.append(self._jobs.get_nowait())
            except Empty:
                pass
            groups: dict[K, list[_Job[T, K, R]]] = {}
            for job in waiting:
                groups.setdefault(job.kind, []).append(job)
            for jobs in groups.values():
                for start in range(0, len(jobs), self._most):
                    self._run(jobs[start : start + self._most])

    def _run(self, jobs: list[_Job[T, K, R]]) -> None:
        try:
            done = list(zip(jobs, self._work([job.item for job in jobs], jobs[0].kind), strict=True))
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].answer.set_exception(error)
                return
            for job in jobs:  # whose mistake it was shows when each is alone
                self._run([job])
            return
        for job, result in done:
            job.answer.set_result(result)
