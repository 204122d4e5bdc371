"""The tab of hidden states: where tokens go from layer to layer, and what languages share.
`python -m xlmrxl.app.states` opens the app.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gradio as gr

from xlmrxl.app import handlers, render
from xlmrxl.app.examples import PARALLEL
from xlmrxl.app.handlers import MAX_TEXT, Outcome, Run, here, hidden
from xlmrxl.app.handlers.hidden import MAX_LINES
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import MODEL, chosen, panel, problem, replied
from xlmrxl.app.served import Served
from xlmrxl.app.theme import script
from xlmrxl.views.states import UNITS, VIEWS, drawn

if TYPE_CHECKING:
    from xlmrxl.inspection.languages import Parallel
    from xlmrxl.session import Session

KEPT = 8
"""Groups of texts whose inspections stay in memory."""
PLAIN = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}
"""Of a saved page: its camera makes vectors."""
DARK = "(...asked) => [...asked.slice(0, -1), document.body.classList.contains('dark')]"
"""The page knows whether it is dark; figures are drawn for it."""


def states_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, with its events."""
    layers = served.session.model.config.num_hidden_layers
    offered = [(VIEWS[name].name, name) for name in hidden.state_views(served.session)]

    @lru_cache(maxsize=KEPT)
    def read(session: Session, lines: tuple[str, ...]) -> Parallel:
        return hidden.parallel(session, lines)

    served.forgotten.append(read.cache_clear)

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
        examples = panel(render.examples_html(PARALLEL), "states-examples")
        with gr.Row(elem_classes="x-fields"):
            view = gr.Dropdown(offered, value="projection", label="View", min_width=180, elem_id="states-view")
            layer = gr.Slider(
                0,
                layers,
                value=hidden.state_shown(served.session),
                step=1,
                label="State: 0 the embeddings, then each layer",
                min_width=220,
                visible=False,
                elem_id="states-layer",
            )
            of = gr.Radio(list(UNITS), value="tokens", label="Points", min_width=220, elem_id="states-of")
            corrected = gr.Checkbox(
                label="Without what all share (the mean)", min_width=180, visible=False, elem_id="states-corrected"
            )
            button = gr.Button("Look inside", variant="primary", elem_id="states-button", min_width=140, scale=0)
    said = panel(render.hint_html(render.STATES_HINT), "states-said")
    figure = gr.Plot(show_label=False, elem_id="states-figure", visible=False)
    dark = gr.Checkbox(visible=False)

    @run
    def make(text: Any, view: Any, layer: Any, of: Any, corrected: Any, dark: Any) -> Outcome[Any]:
        def work() -> Any:
            session = served.session
            asked = hidden.states_asked(session, text, view, layer, of, corrected)
            return drawn(asked.view, hidden.states_result(read(session, asked.lines), asked), asked.layer, dark is True)

        return handlers.attempt(work, "showing hidden states")

    @run
    def write(packet: Any) -> Outcome[dict[str, str]]:
        def work() -> dict[str, str]:
            session = served.session
            kind, asked = hidden.saving(session, packet)
            result = hidden.states_result(read(session, asked.lines), asked)
            if kind in ("csv", "json"):
                return {"text": result.to_csv() if kind == "csv" else result.to_json()}
            figure = drawn(asked.view, result, asked.layer, dark=False)
            return {
                "text": figure.to_json() if kind == "figure" else figure.to_html(include_plotlyjs=True, config=PLAIN)
            }

        return handlers.attempt(work, "saving hidden states")

    def save(packet: Any) -> dict[str, Any]:
        """The text of a file of what a page shows, which the page describes: nothing is held here."""
        return replied(write, packet)

    saving = gr.HTML(
        None,
        html_template=render.save_html(),
        js_on_load=script("save.js"),
        apply_default_css=False,
        server_functions=[save],
        elem_id="states-save",
        visible="hidden",
    )

    def look(text: Any, view: Any, layer: Any, of: Any, corrected: Any, dark: Any) -> tuple[Any, ...]:
        outcome = make(text, view, layer, of, corrected, dark)
        if outcome.result is None:
            return problem(outcome), gr.skip(), gr.skip()
        about = [text, view, layer, of, corrected]
        return (
            render.note_html(VIEWS[view].what),
            gr.Plot(outcome.result, visible=True),
            gr.HTML(value={"about": about}, visible=True),
        )

    def look_at_example(
        view: Any, layer: Any, of: Any, corrected: Any, dark: Any, event: gr.EventData
    ) -> tuple[Any, ...]:
        outcome = chosen(PARALLEL, event)
        if (found := outcome.result) is None:
            return gr.skip(), problem(outcome), gr.skip(), gr.skip()
        return found.text, *look(found.text, view, layer, of, corrected, dark)

    def controls(view: Any) -> tuple[Any, ...]:
        """Only what the view uses is there to be set; the projection has a slider of its own."""
        uses = VIEWS[view].uses if isinstance(view, str) and view in VIEWS else ()
        sliding = "layer" in uses and view != "projection"
        return gr.update(visible=sliding), gr.update(visible="of" in uses), gr.update(visible="corrected" in uses)

    settings = [view, layer, of, corrected, dark]
    quiet: dict[str, Any] = {
        "api_visibility": "private",
        "concurrency_id": MODEL,
        "show_progress_on": figure,
        "js": DARK,
    }
    again = [layer.release, of.input, corrected.input]
    turned = view.input(controls, view, [layer, of, corrected], api_visibility="private", queue=False)
    linked = Linked(
        {"view": view, "layer": layer, "of": of, "corrected": corrected, "text": text},
        lambda values: dict(zip([layer, of, corrected], controls(values.get("view")), strict=True)),
        model=lambda session: {
            layer: gr.update(maximum=session.model.config.num_hidden_layers, value=hidden.state_shown(session))
        },
    )
    for shown in (
        gr.on([button.click, text.submit], look, [text, *settings], [said, figure, saving], **quiet),
        gr.on(again, look, [text, *settings], [said, figure, saving], trigger_mode="always_last", **quiet),
        turned.then(look, [text, *settings], [said, figure, saving], **quiet),
        examples.select(look_at_example, settings, [text, said, figure, saving], **quiet),
    ):
        recorded(shown, "states", linked)
    return linked


if __name__ == "__main__":
    import xlmrxl
    from xlmrxl.app import launch

    launch(xlmrxl.load())
