"""The model that answers, which can be changed for another while the app runs. No Gradio."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xlmrxl.checkpoints.hub import find_local_folder
from xlmrxl.tasks.texts import check_texts

if TYPE_CHECKING:
    from xlmrxl.session import Session


class Away(ValueError):
    """No model is there just now."""


class Served:
    """What is loaded. Everything that runs the model asks for `session` anew, and never keeps it.

    Args:
        session: the model that the app begins with. To be freed for another, it must be held by nobody else.
        models: which others may be loaded in its place: names of `load`, or None for any; without, it is never changed.
        loading: settings of `load` for all of them, beside the name and the precision.

    Attributes:
        source: what `load` was given: a folder, or a name on the Hub.
        changed: whether it is another than the app began with.
        forgotten: called when the model has been changed, to drop what was kept of the one before.

    Raises:
        CheckpointError: one of `models` is a path where nothing lies.
    """

    def __init__(
        self, session: Session, models: str | Sequence[str] | None = (), loading: Mapping[str, Any] | None = None
    ) -> None:
        self.forgotten: list[Callable[[], None]] = []
        self.loading = dict(loading or {})
        self.changed = False
        self._lock = threading.Lock()
        self._wanted = ""  # the name of the model that is being loaded
        self._session: Session | None = None
        self._take(session)
        self.models = (
            None if models is None else _named([session.name, *check_texts(models, "models")] if models else [])
        )

    @property
    def session(self) -> Session:
        """The model, under the name that strangers may read: where a folder lies on the machine is nobody's business.

        Raises:
            Away: it has been freed to make room for another.
        """
        if (session := self._session) is None:
            wanted = self._wanted
            raise Away(
                f"The model has made room for {wanted}: try again when that is loaded."
                if wanted
                else "No model is loaded any more: load one in the tab Model."
            )
        return session

    @property
    def there(self) -> bool:
        """Whether a model is there, as there is but while it makes room for another."""
        return self._session is not None

    def _take(self, session: Session) -> None:
        self.source = session.name
        self.head = type(session.model).__name__
        self._session = replace(session, name=public_name(session.name))

    def change(self, session: Session) -> None:
        """Another model from now on; what is being answered ends with the one that it began with."""
        self._take(session)
        self.changed = True
        self.forget()

    def forget(self) -> None:
        """Drop what was kept of a model that is no longer there."""
        for forget in self.forgotten:
            forget()

    @contextmanager
    def changing(self, name: str) -> Iterator[None]:
        """The one change that goes on in the whole app. Raises ValueError, with what is being loaded, for a second."""
        with self._lock:
            if self._wanted:
                raise ValueError(f"{self._wanted} is being loaded at the moment: try again when it is there.")
            self._wanted = name
        try:
            yield
        finally:
            self._wanted = ""

    def free(self) -> Callable[[], Session | None]:
        """Take the model away, so that its memory is given back as soon as nothing else holds it.

        Returns:
            What gives the model again as long as something still does, then None; see `restore`.
        """
        session = self.session
        model = weakref.ref(session.model)
        rest = replace(session, name=self.source, model=None)  # type: ignore[arg-type]  # its tokenizer is small
        self._session = None
        self.forget()

        def again() -> Session | None:
            held = model()
            return None if held is None else replace(rest, model=held)

        return again

    def restore(self, session: Session) -> None:
        """The model that was freed is there again."""
        self._take(session)


def public_name(source: str) -> str:
    """What strangers may read of what `load` was given: of a folder its own name, not where it lies."""
    return os.path.basename(os.path.abspath(source)) if os.path.isdir(source) else source


def _named(sources: Sequence[str]) -> dict[str, str]:
    """What `load` is given, by names that strangers may read, each once."""
    named: dict[str, str] = {}
    for source in dict.fromkeys(sources):
        find_local_folder(source)  # says what is wrong with a path, which would not be a name to show
        name, number = public_name(source), 1
        while name in named:
            number += 1
            name = f"{public_name(source)} ({number})"
        named[name] = source
    return named
