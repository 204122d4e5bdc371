"""The tab that says what is loaded and what it takes, and loads another model."""

# Without `from __future__ import annotations`: Gradio reads what the endpoint returns from the annotation itself.

from typing import Any

import gradio as gr
from gradio.context import get_render_context
from gradio.events import api as endpoint

from xlmrxl.app import handlers, quoting, render
from xlmrxl.app.handlers import Outcome, Run, here, loading
from xlmrxl.app.handlers.loading import MAX_NAME, About, LoadAsked, ModelJson, OnlyWithout
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import answered, panel, problem, saved, watched
from xlmrxl.app.render import model as rendered
from xlmrxl.app.served import Served
from xlmrxl.app.stopping import Stops
from xlmrxl.progress import Progress, ignore_progress
from xlmrxl.quantization.precision import AUTO, PRECISIONS
from xlmrxl.rendering.components import render_note

LOADING = "loading"
VISITORS = 8  # who may ask for another model at once: one loads it, the others are told
SAME = "Only a model with the same kind of head, since the tabs stay. Any other: xlmrxl app --model NAME."
ONE = "This app keeps to its model. Start it with another: xlmrxl app --model NAME."


def model_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, its events, and the endpoints `/model` and `/load_model`."""
    stops = Stops()
    switching = run is here and served.models != {}

    def save(packet: Any) -> dict[str, str]:
        """The text of a file of what a page shows, which the page describes: nothing is held here."""
        return saved(packet, lambda name: _about(served, name), 1)

    with gr.Row(elem_classes="x-columns"):
        with gr.Column(scale=5, min_width=300, elem_classes="x-input"):
            asked = _fields(served) if switching else []
            with gr.Row(elem_classes="x-buttons"):
                if switching:
                    load = gr.Button("Load", variant="primary", elem_id="model-load", min_width=84)
                    # Links press this one: nothing is loaded by following a link.
                    look = gr.Button("What it takes", variant="secondary", elem_id="model-button", min_width=120)
                    stops.button("model-stop")
                else:
                    look = gr.Button("Measure again", variant="secondary", elem_id="model-button", min_width=170)
            said = panel(render_note(SAME if switching else ONE), "model-said")
        with gr.Column(scale=7, min_width=300, elem_classes="x-output"):
            facts = panel("", "model-facts")
    plan = panel("", "model-plan", save=save)

    def look_page(name: Any = "") -> tuple[Any, Any]:
        return _shown(served, _about(served, name), name)

    def api() -> ModelJson:
        """Say which model is loaded, and what it would take in each precision.

        Returns its name, head, sizes, precision with the reason for it, device and the bytes of its weights; and as
        plan, by precision, the bytes of weights and of sentences, and whether it fits a device beside what is loaded.
        """
        return answered(_about(served)).to_dict()

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
    if isinstance(tab := get_render_context(), gr.Tab):
        tab.select(look_page, asked[:1], [facts, plan], preprocess=False, **quiet)
    linked = Linked(dict(zip(["model", "precision"], asked, strict=False)))
    recorded(look.click(look_page, asked[:1], [facts, plan], preprocess=False, **quiet), "model", linked)
    endpoint(api, api_name="model", queue=False)
    if not switching:
        return linked
    loaded = _switching(served, stops, load, asked, [said, facts, plan, asked[-1]])
    recorded(loaded, "model", linked)
    return Linked(linked.fields, changing=loaded)


def _fields(served: Served) -> list[Any]:
    """Which model, in which precision, and whether the present one is freed first."""
    name: gr.Textbox | gr.Dropdown
    if served.models is None:
        name = gr.Textbox(
            loading.shown_name(served),
            label="Model: a name on the Hub, a folder, or default",
            lines=1,
            max_lines=1,
            max_length=MAX_NAME,
            elem_id="model-name",
            elem_classes="x-field",
        )
    else:
        name = gr.Dropdown(list(served.models), value=loading.shown_name(served), label="Model", elem_id="model-name")
    precision = gr.Radio([AUTO, *PRECISIONS], value=AUTO, label="Precision", elem_id="model-precision")
    return [name, precision, gr.Checkbox(label="Free the present model first", visible=False, elem_id="model-free")]


def _about(served: Served, name: Any = "") -> Outcome[About]:
    return handlers.attempt(lambda: loading.about_asked(served, name), "describing the model")


def _shown(served: Served, outcome: Outcome[About], name: Any) -> tuple[Any, Any]:
    """The facts of what is loaded, and the plan of what is asked for."""
    if (found := outcome.result) is None:
        return render.render_outcome(_about(served), rendered.render_about), problem(outcome)
    session = served.session
    lines = quoting.planning(session, found.plan.model)
    actions = render.render_actions("model", lines, quoting.citation(session), [name])
    return rendered.render_about(found), rendered.render_plan(found) + actions


def _switching(served: Served, stops: Stops, load: gr.Button, asked: list[Any], places: list[Any]) -> Any:
    """The event that loads another model, and the endpoint for it."""

    def load_page(
        name: Any,
        precision: Any,
        free: Any,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 - Gradio looks for it there
    ) -> tuple[Any, ...]:
        room: list[str] = []

        def work(told: Progress | None) -> Outcome[About]:
            return handlers.attempt(
                lambda: _switch(served, wanted, told or ignore_progress, room), "changing the model"
            )

        checked = handlers.attempt(lambda: loading.load_asked(served, name, precision, free), "reading a request")
        if checked.result is None:
            return problem(checked), gr.skip(), gr.skip(), gr.skip()
        wanted = checked.result
        outcome = watched(stops, here, request, progress, f"Loading {wanted.name}", work, unit="B")
        if (found := outcome.result) is None:
            return problem(outcome), gr.skip(), gr.skip(), gr.update(visible=bool(room), value=False)
        shown = _shown(served, outcome, wanted.name)
        return rendered.render_loaded(found), *shown, gr.update(visible=False, value=False)

    def load_api(name: str, precision: str = "auto", free_first: bool = False) -> ModelJson:
        """Load another model in the place of the present one, which answers until then.

        name: a model that the app may load; where it was started to load any, a name on the Hub or a folder.
        precision: auto, fp32, bf16, fp16, 8bit or 4bit.
        free_first: whether the present model may be freed first, if there is no room beside it.
        Returns what /model returns, of the model that is loaded then.
        """

        def work() -> About:
            return _switch(served, loading.load_asked(served, name, precision, free_first), ignore_progress, [])

        return answered(handlers.attempt(work, "changing the model")).to_dict()

    line: dict[str, Any] = {"concurrency_id": LOADING, "concurrency_limit": VISITORS}
    endpoint(load_api, api_name="load_model", **line)
    return stops.shown(
        load.click(
            load_page,
            asked,
            places,
            preprocess=False,
            api_visibility="private",
            show_progress_on=places[1],
            **line,
        )
    )


def _switch(served: Served, wanted: LoadAsked, told: Progress, room: list[str]) -> About:
    """What is loaded then; `room` gets why the present model has to be freed first, where it has."""
    try:
        loading.switch(served, wanted, told)
    except OnlyWithout as without:
        room.append(str(without))
        raise
    return loading.about(served)
