"""What the widgets of the tasks share: a form whose traits are the question, and an answer that follows them.

The traits of a question may be set in Python or on the page; either way the model is asked at once, in the thread that
set them, so that the line after `widget.text = …` reads the new answer. Some front ends (JupyterLab with ipykernel 7)
handle what the page sends in a thread of its own while a cell runs: then whatever runs a model waits in one line, and
what has been overtaken by a newer question is given up.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anywidget
import traitlets

from xlmrxl import load
from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.errors import CheckpointError
from xlmrxl.palette import css_variables
from xlmrxl.progress import DELAY, Progress
from xlmrxl.rendering.style import style_sheet

if TYPE_CHECKING:
    from xlmrxl.session import Session

STATIC = Path(__file__).parent / "static"
OFTEN = 0.1
"""Seconds between two reports of progress to the page."""
MODEL = threading.RLock()
"""Held by whoever runs a model."""

Name = str | os.PathLike[str]
M = TypeVar("M")
log = logging.getLogger(__name__)


def read_module(name: str) -> str:
    """Return the ES module of a widget, which is built from `static/` and imports nothing."""
    return (STATIC / "built" / f"{name}.js").read_text(encoding="utf-8")


def read_style() -> str:
    """Return the style sheet of the widgets: the colours, how results look, and the form above them."""
    form = (STATIC / "style.css").read_text(encoding="utf-8")
    colours = css_variables(".xlmrxl", '.xlmrxl[data-theme="dark"]')
    return "\n".join([colours, style_sheet(), form])


def load_named(model: M | Name) -> M | Session:
    """Return the model itself, or the session that its name stands for, loaded with a progress bar.

    Raises:
        ValueError: the name looks like a text.
        CheckpointError: there is no such model.
    """
    if isinstance(model, str) and len(model.split()) > 1 and not os.path.exists(model):
        raise ValueError(
            f"{model!r} is no name of a model. Give a session or a name first and the text after it, or the text "
            "by its name: text=…"
        )
    return load(model) if isinstance(model, str | os.PathLike) else model


def describe_problem(problem: Exception) -> str:
    """Return what the widget says of a failure."""
    if isinstance(problem, ValueError | TypeError | CheckpointError):
        return str(problem)
    return f"That failed, and it was not your text: {type(problem).__name__}: {problem}"


class _OvertakenError(Exception):
    """A newer question has been asked."""


class TaskWidget(anywidget.AnyWidget):
    """A question in traits, and the answer of a model."""

    error = traitlets.Unicode("", help="Why there is no answer, in a sentence; empty when there is one.").tag(sync=True)
    working = traitlets.Bool(False, help="Whether the model is at work.").tag(sync=True)
    progress = traitlets.List(
        traitlets.Int(), help="How much is done and how much there is, once it takes longer than a second."
    ).tag(sync=True)
    asked = traitlets.Int(0, help="Counts what the page has asked for.").tag(sync=True)
    answered = traitlets.Int(0, help="The last of them that has been dealt with.").tag(sync=True)
    result = traitlets.Any(None, allow_none=True, help="The whole result, with all that a task's results can do.")

    _css = read_style()
    _question_traits: tuple[str, ...] = ()

    def __init__(self, **question: Any) -> None:
        """Set the traits of the question, and answer it."""
        self._latest: object = None
        self._current: dict[str, Any] | None = None  # the question whose answer is shown or on its way
        self._question_set = False
        super().__init__(**question)
        self.observe(self._follow, [*self._question_traits, "asked"])
        self._question_set = True
        self._ask(True)

    def _question(self) -> dict[str, Any] | None:
        """Return the traits as the model is asked, None where there is nothing to ask yet."""
        raise NotImplementedError

    def _answer(self, question: dict[str, Any], progress: Progress | bool) -> Any:
        """Return the result."""
        raise NotImplementedError

    def _shown(self, result: Any) -> dict[str, Any]:
        """Return the traits that show a result, or that there is none (None)."""
        raise NotImplementedError

    def _follow(self, _: Mapping[str, Any]) -> None:
        self._ask(None)

    def _ask(self, progress: Progress | bool | None) -> None:
        """Answer what the traits ask, unless that has been done.

        Args:
            progress: as in a task; None shows it in the widget.
        """
        asked, question = self.asked, self._question()
        if question is not None and question == self._current and not self.error:
            self.answered = asked
            return
        turn = self._latest = object()
        self._current = question
        values: dict[str, Any] = {"error": "", "result": None}
        try:
            if question is not None:
                self.working = True
                with MODEL:
                    if self._latest is not turn:
                        return
                    values["result"] = self._answer(question, self._telling(turn) if progress is None else progress)
        except _OvertakenError:
            return
        except Exception as problem:
            if not isinstance(problem, ValueError | TypeError | CheckpointError):
                log.exception("%s failed", type(self).__name__)
            values["error"] = describe_problem(problem)
        except BaseException:  # interrupted: the same question may be asked again
            self._current = None
            self.set_trait("working", False)
            raise
        if self._latest is not turn:
            return
        values |= self._shown(values["result"]) | {"working": False, "progress": [], "answered": asked}
        # All at once: whoever observes one of them finds the others in accord with it, and the page gets one message.
        with self.hold_sync(), self.hold_trait_notifications():
            for name, value in values.items():
                self.set_trait(name, value)

    def _telling(self, turn: object) -> Progress:
        begun = last = time.monotonic()

        def tell(done: int, total: int) -> None:
            nonlocal last
            if self._latest is not turn:
                raise _OvertakenError
            now = time.monotonic()
            if now - begun > DELAY and now - last > OFTEN:
                last = now
                self.progress = [done, total]

        return tell


class ResultWidget(TaskWidget):
    """A widget whose answer is a result, which Python renders: what the page does is to listen to its clicks."""

    html = traitlets.Unicode("", help="The rendered result; read the other traits instead.").tag(sync=True)

    def __init__(self, **question: Any) -> None:
        """Set the traits of the question, answer it, and listen to clicks in the result."""
        super().__init__(**question)
        self.on_msg(self._on_message)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Return the widget and, for where there is no kernel or no JavaScript, its result as it is now."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if self.result is not None and bundle is not None:
            data = bundle[0] if isinstance(bundle, tuple) else bundle
            data["text/html"] = self._static_html()
        return bundle

    def _static_html(self) -> str:
        """Return the result as it is shown without a widget."""
        html: str = self.result._repr_html_()
        return html

    def _on_message(self, _: Any, content: Any, __: Any) -> None:
        """Do what was clicked for; a page may send anything."""
        if isinstance(content, dict):
            self._on_click(content)

    def _on_click(self, content: dict[str, Any]) -> None:
        """Do what a click in the result asks for; most results ask for nothing."""


__all__ = ["DEFAULT", "ResultWidget", "TaskWidget", "load_named", "read_module"]
