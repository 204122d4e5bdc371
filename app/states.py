"""The tab of hidden states: where tokens go from layer to layer, and what languages share."""

# Without `from __future__ import annotations`: Gradio reads what the endpoint returns from the annotation itself.

from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr
from gradio.events import api as endpoint

from xlmrxl.app import handlers, quoting, render
from xlmrxl.app.examples import PARALLEL
from xlmrxl.app.handlers import MAX_TEXT, Outcome, Run, here, hidden
from xlmrxl.app.handlers.attending import short_enough
from xlmrxl.app.handlers.hidden import MAX_LINES, StatesJson
from xlmrxl.app.kept import Kept
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import MODEL, answered, chosen, panel, problem, replied, watched
from xlmrxl.app.served import Served
from xlmrxl.app.stopping import Stops
from xlmrxl.inspection.parallel import ParallelInspection
from xlmrxl.inspection.units import UNITS
from xlmrxl.progress import Progress
from xlmrxl.rendering.components import render_note
from xlmrxl.session import Session
from xlmrxl.tasks.result import to_json_value
from xlmrxl.views.states import STATE_VIEWS, draw

KEPT = 8
"""Groups of texts whose inspections stay in memory."""
PLAIN = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}
"""Of a saved page: its camera makes vectors."""
KINDS = ("svg", "png", "csv", "json", "html")


class _Work(NamedTuple):
    """What the tab does with the model."""

    make: Callable[..., Outcome[tuple[Any, dict[str, Any]]]]
    write: Callable[[Any], Outcome[dict[str, str]]]
    give: Callable[..., Outcome[StatesJson]]


def states_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, its events, and the endpoint `/hidden_states`."""
    work, stops = _work(served, run), Stops()
    layers = served.session.model.config.num_hidden_layers
    offered = [(STATE_VIEWS[name].title, name) for name in hidden.list_state_views(served.session)]

    with gr.Column(elem_classes="x-input"):
        text = gr.Textbox(
            label=f"Sentences, one a line, up to {MAX_LINES}: the same in several languages, or anything",
            placeholder="The dog sleeps in the garden.",
            lines=2,
            max_lines=8,
            max_length=MAX_TEXT,
            elem_id="states-text",
            elem_classes="x-field",
        )
        examples = panel(render.render_examples(PARALLEL), "states-examples")
        with gr.Row(elem_classes="x-fields"):
            view = gr.Dropdown(
                offered, value="projection", label="View", filterable=False, min_width=180, elem_id="states-view"
            )
            state = gr.Slider(
                0,
                layers,
                value=hidden.first_state(served.session),
                step=1,
                label="State: 0 the embeddings, then each layer",
                min_width=220,
                visible=False,
                elem_id="states-state",
            )
            unit = gr.Radio(list(UNITS), value="tokens", label="Points", min_width=220, elem_id="states-unit")
            remove_mean = gr.Checkbox(
                label="Without what all share (the mean)", min_width=180, visible=False, elem_id="states-remove-mean"
            )
            button = gr.Button("Look inside", variant="primary", elem_id="states-button", min_width=140, scale=0)
            stops.button("states-stop")
    said = panel(render.render_placeholder(render.STATES_HINT), "states-said")
    figure = gr.Plot(show_label=False, elem_id="states-figure", visible=False)
    slid = gr.Textbox(visible=False, max_length=8, elem_id="states-slid")  # see `static/states_files.js`
    dark = gr.Checkbox(visible=False)

    def save(packet: Any) -> dict[str, Any]:
        """The text of a file of what a page shows, which the page describes: nothing is held here."""
        return replied(work.write, packet)

    saving = gr.HTML(
        None,
        html_template=render.render_actions("states", "", "", files=KINDS),
        js_on_load="window.xlmrxl.mountStatesFiles({ element, props, server, watch })",
        apply_default_css=False,
        server_functions=[save],
        elem_id="states-save",
        visible="hidden",
    )

    def look(
        text: Any,
        view: Any,
        state: Any,
        unit: Any,
        remove_mean: Any,
        slid: Any,
        dark: Any,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 - Gradio finds it there
    ) -> tuple[Any, ...]:
        asked = (text, view, state, unit, remove_mean, slid, dark)
        outcome = watched(stops, run, request, progress, "Looking inside", lambda told: work.make(*asked, told))
        if outcome.result is None:
            return problem(outcome), gr.skip(), gr.skip()
        figure, value = outcome.result
        return (
            render_note(STATE_VIEWS[view].description),
            gr.Plot(figure, visible=True),
            gr.HTML(value=value, visible=True),
        )

    def look_at_example(
        view: Any,
        state: Any,
        unit: Any,
        remove_mean: Any,
        slid: Any,
        dark: Any,
        event: gr.EventData,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        outcome = chosen(PARALLEL, event)
        if (found := outcome.result) is None:
            return gr.skip(), problem(outcome), gr.skip(), gr.skip()
        return found.text, *look(found.text, view, state, unit, remove_mean, slid, dark, request, progress)

    settings = [view, state, unit, remove_mean, slid, dark]
    quiet: dict[str, Any] = {
        "api_visibility": "private",
        "concurrency_id": MODEL,
        "show_progress_on": figure,
        "js": "(...inputs) => window.xlmrxl.addPageSettings(inputs)",
    }
    again = [state.release, unit.input, remove_mean.input]
    turned = view.input(controls, view, [state, unit, remove_mean], api_visibility="private", queue=False)
    linked = Linked(
        {"view": view, "hidden_state": state, "unit": unit, "remove_mean": remove_mean, "text": text},
        lambda values: dict(zip([state, unit, remove_mean], controls(values.get("view", view.value)), strict=True)),
        model=lambda session: {
            state: gr.update(maximum=session.model.config.num_hidden_layers, value=hidden.first_state(session))
        },
    )
    for shown in (
        gr.on([button.click, text.submit], look, [text, *settings], [said, figure, saving], **quiet),
        gr.on(again, look, [text, *settings], [said, figure, saving], trigger_mode="always_last", **quiet),
        turned.then(look, [text, *settings], [said, figure, saving], **quiet),
        examples.select(look_at_example, settings, [text, said, figure, saving], **quiet),
    ):
        recorded(stops.shown(shown), "states", linked)
    _endpoint(work)
    return linked


def _work(served: Served, run: Run) -> _Work:
    kept: Kept[ParallelInspection] = Kept(served, KEPT)

    def read(session: Session, lines: tuple[str, ...], told: Progress | None = None) -> ParallelInspection:
        return kept.get(session, lines, lambda: hidden.inspect_lines(session, lines, told))

    @run
    def make(
        text: Any,
        view: Any,
        state: Any,
        unit: Any,
        remove_mean: Any,
        slid: Any,
        dark: Any,
        told: Progress | None = None,
    ) -> Outcome[tuple[Any, dict[str, Any]]]:
        """The figure, and what the page knows of it to take it away."""

        def work() -> tuple[Any, dict[str, Any]]:
            session = served.session
            asked = hidden.check_request(session, text, view, state, unit, remove_mean, slid)
            result = hidden.make_view(read(session, asked.lines, told), asked, told)
            value = {
                "about": [text, view, asked.state, unit, remove_mean],
                "python": hidden.write_python(session, asked),
                "citation": quoting.citation(session),
            }
            return draw(asked.view, result, asked.state, dark is True), value

        return handlers.attempt(work, "showing hidden states")

    @run
    def give(text: Any, view: Any, state: Any, unit: Any, remove_mean: Any) -> Outcome[StatesJson]:
        def work() -> StatesJson:
            session = served.session
            shown = hidden.first_state(session) if state is None else state
            asked = hidden.check_request(session, text, view, shown, unit, remove_mean)
            short_enough(session, *asked.lines)
            content = to_json_value(hidden.make_view(read(session, asked.lines), asked).content())
            return {"view": asked.view, "what": STATE_VIEWS[asked.view].description, "result": content}

        return handlers.attempt(work, "giving hidden states")

    @run
    def write(packet: Any) -> Outcome[dict[str, str]]:
        def work() -> dict[str, str]:
            session = served.session
            kind, asked = hidden.check_saving(session, packet)
            result = hidden.make_view(read(session, asked.lines), asked)
            if kind in ("csv", "json"):
                return {"text": result.to_csv() if kind == "csv" else result.to_json()}
            figure = draw(asked.view, result, asked.state, dark=False)
            return {
                "text": figure.to_json() if kind == "figure" else figure.to_html(include_plotlyjs=True, config=PLAIN)
            }

        return handlers.attempt(work, "saving hidden states")

    return _Work(make, write, give)


def controls(view: Any) -> tuple[Any, ...]:
    """Only what the view uses is there to be set; the projection has a slider of its own."""
    uses = STATE_VIEWS[view].options if isinstance(view, str) and view in STATE_VIEWS else ()
    sliding = "state" in uses and view != "projection"
    return (
        gr.update(visible=sliding),
        gr.update(visible="unit" in uses),
        gr.update(visible="remove_mean" in uses),
    )


def _endpoint(work: _Work) -> None:
    def api(
        text: str, view: str = "projection", state: int | None = None, unit: str = "tokens", remove_mean: bool = False
    ) -> StatesJson:
        """Give one view of the hidden states of a text, or of several in one line each.

        text: up to 6 lines, which may have 128 tokens together.
        view: projection, cosine, logit_lens, norms, change, cka, languages or alignment; the last two need two lines or
            more.
        state: of cosine and alignment, from 0, the embeddings, to the number of layers; if not given, the one
            two thirds up.
        unit: what the points of projection, cosine and languages are: tokens, words or texts.
        remove_mean: whether the mean, which all share, is taken off first, in cosine, languages and alignment.
        Returns the name of the view, what it is in a sentence, and the content of its result, as `to_dict` has it in
            Python.
        """
        return answered(work.give(text, view, state, unit, remove_mean))

    endpoint(api, api_name="hidden_states", concurrency_id=MODEL)
