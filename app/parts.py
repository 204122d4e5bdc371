"""What the tabs share: the queue of the model, places for HTML, and how an endpoint says that it cannot answer."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr

from xlmrxl.app import handlers, render
from xlmrxl.app.examples import Example
from xlmrxl.app.handlers import Outcome, Run, here
from xlmrxl.app.stopping import Stopped, Stops

if TYPE_CHECKING:
    from xlmrxl.progress import Progress

FILES = ("csv", "json")
MOUNT = "window.xlmrxl.mountPanel({ element, trigger, server, watch })"
MODEL = "model"  # everything that runs the model waits in one line

R = TypeVar("R")
E = TypeVar("E", bound=Example)


def panel(html: str, elem_id: str, save: Callable[[Any], dict[str, str]] | None = None) -> gr.HTML:
    """A place for rendered HTML whose buttons answer to `static/panel.js`; its choices arrive as `select` events.

    `save` answers the buttons of `render.render_actions` that keep a file, see `saved`; it is a function of that name.
    """
    functions = [save] if save else None
    return gr.HTML(html, apply_default_css=False, js_on_load=MOUNT, elem_id=elem_id, server_functions=functions)


def answered(outcome: Outcome[R]) -> R:
    """The result of an endpoint, or its problem as the client gets to see it."""
    if outcome.result is None:
        raise gr.Error(outcome.problem or handlers.UNEXPECTED, print_exception=False)
    return outcome.result


def documented(app: gr.Blocks) -> None:
    """Have Gradio, and over MCP its callers, know every endpoint by its name, and each argument by its docstring.

    There a line `name: …` stands for each, which may go on in the next; then comes `Returns …`.
    """
    for function in app.fns.values():
        if function.fn is None or function.api_visibility != "public":
            continue
        begins = re.compile(rf"({'|'.join(inspect.signature(function.fn).parameters)}): |(Returns) ")
        told: dict[str, list[str]] = {"": []}
        for line in (inspect.getdoc(function.fn) or "").splitlines():
            begun = begins.match(line)
            if begun:
                told[begun[1] or begun[2]] = []
            told[next(reversed(told))].append(line[begun.end() if begun else 0 :].strip())
        said = {name: " ".join(filter(None, lines)) for name, lines in told.items()}
        summary, returns = said.pop(""), said.pop("Returns", "")
        arguments = "".join(f"\n    {name}: {text}" for name, text in said.items())
        function.fn.__name__ = str(function.api_name)
        function.fn.__doc__ = f"{summary}\n\nArgs:{arguments}\n\nReturns:\n    {returns}\n"


def replied(work: Callable[[Any], Outcome[R]], packet: Any) -> R | dict[str, str]:
    """What a server function returns to the page that called it: an answer, or what went wrong, for the page to show.

    What `run` raises, which got no GPU, say, is shown there as well.
    """
    try:
        outcome = work(packet)
    except gr.Error as error:
        return {"error": str(error.message)}
    return {"error": outcome.problem or handlers.UNEXPECTED} if outcome.result is None else outcome.result


def saved(packet: Any, work: Callable[..., Outcome[Any]], asked: int) -> dict[str, str]:
    """The text of a file of a result: what a page is answered that asks for `[kind, about]`.

    The page describes what it shows, and nothing of it is held here: `work` is asked again, with the `asked` values
    of `about`.
    """

    def text() -> dict[str, str]:
        if not isinstance(packet, list) or len(packet) != 2:
            raise ValueError("A request must be a list of the kind of file and of what is shown.")
        kind, about = packet
        if kind not in FILES:
            raise ValueError(f"Choose a kind of file: {', '.join(FILES)}.")
        if not isinstance(about, list) or len(about) != asked:
            raise ValueError(f"What is shown must be described by a list of {asked} values.")
        outcome = work(*about)
        if outcome.result is None:
            raise ValueError(outcome.problem)
        return {"text": outcome.result.to_csv() if kind == "csv" else outcome.result.to_json()}

    return replied(lambda _: handlers.attempt(text, "saving"), packet)


def watched(
    stops: Stops,
    run: Run,
    request: gr.Request | None,
    progress: Any,
    title: str,
    work: Callable[[Progress | None], Outcome[R]],
    unit: str = "",
) -> Outcome[R]:
    """The outcome of long work, which says how far it is and can be stopped, if it is done here.

    For what is not said here see `Stops.told`; `work` is given None where nobody is told.
    """
    if run is not here:
        return work(None)
    try:
        with stops.told(request, progress, title, unit) as told:
            return work(told)
    except Stopped as stopped:  # before it began
        return Outcome(problem=str(stopped))


def chosen(examples: tuple[E, ...], event: gr.EventData) -> Outcome[E]:
    """The example that the page named."""
    return handlers.attempt(lambda: handlers.example(examples, event._data), "choosing an example")


def problem(outcome: Outcome[R]) -> str:
    return render.render_problem(outcome.problem or handlers.UNEXPECTED)
