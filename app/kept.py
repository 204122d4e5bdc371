"""What was read of a text, kept for the next question about it. No Gradio."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from xlmrxl.app.served import Served
    from xlmrxl.session import Session

R = TypeVar("R")


class Kept(Generic[R]):
    """The last results of some work with the model that is served; with another model they are dropped.

    What is still being made then is not kept: it would hold the model that made room.
    """

    def __init__(self, served: Served, most: int) -> None:
        self._served, self._most = served, most
        self._held: OrderedDict[Hashable, R] = OrderedDict()
        self._lock = threading.Lock()
        served.forgotten.append(self._forget)

    def get(self, session: Session, key: Hashable, make: Callable[[], R]) -> R:
        """What was made for a key with the model of `session`, or is made now."""
        with self._lock:
            if self._is_served(session) and key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()
        with self._lock:
            if self._is_served(session):
                self._held[key] = made
                while len(self._held) > self._most:
                    self._held.popitem(last=False)
        return made

    def _is_served(self, session: Session) -> bool:
        return self._served.there and self._served.session is session

    def _forget(self) -> None:
        with self._lock:
            self._held.clear()
