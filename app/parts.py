"""What the tabs share: the queue of the model, places for HTML, and how an endpoint says that it cannot answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr

from xlmrxl.app import handlers, render
from xlmrxl.app.examples import Example
from xlmrxl.app.handlers import Outcome
from xlmrxl.app.theme import script

MODEL = "model"  # everything that runs the model waits in one line

R = TypeVar("R")
E = TypeVar("E", bound=Example)


def panel(html: str, elem_id: str) -> gr.HTML:
    """A place for rendered HTML whose buttons answer to `static/panel.js`; its choices arrive as `select` events."""
    return gr.HTML(html, apply_default_css=False, js_on_load=script("panel.js"), elem_id=elem_id)


def answered(outcome: Outcome[R]) -> R:
    """The result of an endpoint, or its problem as the client gets to see it."""
    if outcome.result is None:
        raise gr.Error(outcome.problem or handlers.UNEXPECTED, print_exception=False)
    return outcome.result


def replied(work: Callable[[Any], Outcome[R]], packet: Any) -> R | dict[str, str]:
    """What a server function returns to the page that called it: an answer, or what went wrong, for the page to show.

    What `run` raises, which got no GPU, say, is shown there as well.
    """
    try:
        outcome = work(packet)
    except gr.Error as error:
        return {"error": str(error.message)}
    return {"error": outcome.problem or handlers.UNEXPECTED} if outcome.result is None else outcome.result


def chosen(examples: tuple[E, ...], event: gr.EventData) -> Outcome[E]:
    """The example that the page named."""
    return handlers.attempt(lambda: handlers.example(examples, event._data), "choosing an example")


def problem(outcome: Outcome[R]) -> str:
    return render.problem_html(outcome.problem or handlers.UNEXPECTED)
