"""The model that answers, which can be changed for another while the app runs. No Gradio."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xlmrxl.session import Session


class Served:
    """What is loaded. Everything that runs the model asks for `session` anew, and never keeps it.

    Attributes:
        session: the model, under the name that strangers may read: where a folder lies on the machine is nobody's
            business.
        source: what `load` was given: a folder, or a name on the Hub.
        forgotten: called when the model has been changed, to drop what was kept of the one before.
    """

    def __init__(self, session: Session) -> None:
        self.forgotten: list[Callable[[], None]] = []
        self._take(session)

    def _take(self, session: Session) -> None:
        self.source = session.name
        name = os.path.basename(os.path.abspath(session.name)) if os.path.isdir(session.name) else session.name
        self.session = replace(session, name=name)

    def change(self, session: Session) -> None:
        """Another model from now on; what is being answered ends with the one that it began with."""
        self._take(session)
        for forget in self.forgotten:
            forget()
