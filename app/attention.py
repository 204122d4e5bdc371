"""The tab that shows where heads look."""

# Without `from __future__ import annotations`: Gradio reads what the endpoints return from the annotations themselves.

from typing import Any

import gradio as gr
from gradio.events import api as endpoint

from xlmrxl.app import handlers, quoting, render
from xlmrxl.app.examples import PAIRS
from xlmrxl.app.handlers import MAX_TEXT, Outcome, Run, attending, here
from xlmrxl.app.handlers.attending import AttentionJson, Seen, StatisticsJson
from xlmrxl.app.kept import Kept
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import MODEL, answered, chosen, panel, problem, replied, watched
from xlmrxl.app.served import Served
from xlmrxl.app.stopping import Stops
from xlmrxl.progress import Progress
from xlmrxl.session import Session
from xlmrxl.views.attention_view import AttentionView
from xlmrxl.views.protocol import join_buffers

WAYS = [("side by side", attending.BESIDE), ("as one pair", attending.PAIR)]
KEPT = 8
"""Texts whose inspections stay in memory; what a page asks of another is read again."""


def attention_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, its events, and the endpoints `/attention` and
    `/attention_statistics`.
    """
    kept: Kept[AttentionView] = Kept(served, KEPT)
    stops = Stops()

    def view(session: Session, seen: Seen, told: Progress | None = None) -> AttentionView:
        # Elsewhere each part of the heads' importance is another call, and takes what it costs to have a GPU.
        importance = run is here or handlers.is_small(session)
        return kept.get(
            session,
            seen,
            lambda: AttentionView(*attending.inspections(session, seen, told), head_importance=importance),
        )

    @run
    def first(text: Any, second: Any, way: Any, told: Progress | None = None) -> Outcome[dict[str, Any]]:
        def view_first() -> dict[str, Any]:
            session = served.session
            seen = attending.seen(text, second, way)
            return {
                "first": join_buffers(*view(session, seen, told).first()),
                "about": [*seen, attending.named(session)],
                "python": attending.python(session, seen),
                "citation": quoting.citation(session),
            }

        return handlers.attempt(view_first, "looking inside")

    @run
    def answer(packet: Any) -> Outcome[dict[str, Any]]:
        def view_answer() -> dict[str, Any]:
            session = served.session
            seen, request = attending.asked_about(session, packet)
            return join_buffers(*view(session, seen).answer(request))

        return handlers.attempt(view_answer, "answering a view")

    @run
    def weigh(text: Any, second: Any, way: Any, layer: Any, head: Any) -> Outcome[AttentionJson]:
        def work() -> AttentionJson:
            session = served.session
            seen = attending.seen(text, second, way)
            attending.short_enough(session, seen.text, seen.second)
            return attending.attention(list(view(session, seen).sides), layer, head)

        return handlers.attempt(work, "giving attention")

    @run
    def measure(text: Any) -> Outcome[StatisticsJson]:
        def work() -> StatisticsJson:
            return attending.statistics(view(served.session, attending.seen(text)).sides[0])

        return handlers.attempt(work, "giving statistics")

    with gr.Column(elem_classes="x-input"):
        with gr.Row(elem_classes="x-fields"):
            text = gr.Textbox(
                label="Sentence",
                placeholder="The dog did not cross the street because it was too tired.",
                lines=1,
                max_lines=6,
                max_length=MAX_TEXT,
                elem_id="attention-text",
                elem_classes="x-text-box x-short",
            )
            second = gr.Textbox(
                label="Second sentence, if you like",
                lines=1,
                max_lines=6,
                max_length=MAX_TEXT,
                elem_id="attention-second",
                elem_classes="x-text-box x-short",
            )
        with gr.Row(elem_classes="x-fields"):
            way = gr.Radio(WAYS, value=attending.BESIDE, label="Two sentences are read", elem_id="attention-way")
            button = gr.Button("Look inside", variant="primary", elem_id="attention-button", min_width=140, scale=0)
            stops.button("attention-stop")
        examples = panel(render.render_examples(PAIRS), "attention-examples")
    said = panel(render.render_placeholder(render.ATTENTION_HINT), "attention-said")

    def ask(packet: Any) -> dict[str, Any]:
        """Answer one request of the page, which names the texts it is about: nothing of a page is held here."""
        return replied(answer, packet)

    explorer = gr.HTML(
        None,
        html_template="<div></div>" + render.render_actions("attention", "", "", files=()),
        js_on_load="window.xlmrxl.mountExplorer({ element, props, server, watch })",
        apply_default_css=False,
        server_functions=[ask],
        elem_id="attention-explorer",
        visible="hidden",
    )

    def look(
        text: Any,
        second: Any,
        way: Any,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 - Gradio finds it there
    ) -> tuple[str, Any]:
        outcome = watched(stops, run, request, progress, "Looking inside", lambda told: first(text, second, way, told))
        if outcome.result is None:
            return problem(outcome), gr.HTML(visible="hidden")
        return "", gr.HTML(value=outcome.result, visible=True)

    def look_at_example(
        event: gr.EventData,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        outcome = chosen(PAIRS, event)
        if (found := outcome.result) is None:
            return gr.skip(), gr.skip(), gr.skip(), problem(outcome), gr.skip()
        asked = (found.text, found.second, found.way)
        return *asked, *look(*asked, request, progress)

    def api(text: str, second: str = "", way: str = "beside", layer: int = 0, head: int = 0) -> AttentionJson:
        """Give the attention weights of one head for a text, or for two.

        text: up to 2,000 characters; the texts may have 128 tokens together.
        second: another text, or nothing.
        way: how two texts are read: beside, each by itself, or pair, as one.
        layer: counted from 0.
        head: counted from 0, in its layer.
        Returns the layer, the head, and of each text that was read its tokens and a matrix with a row for each token
            that looks and a column for each that is looked at; rows add up to 1.
        """
        return answered(weigh(text, second, way, layer, head))

    def api_statistics(text: str) -> StatisticsJson:
        """Give the statistics of every head for a text: how spread out its attention is, how far it looks, and more.

        text: up to 2,000 characters.
        Returns the tokens, how many layers and heads there are, and by its name each statistic: a list of layers, each
            a list with a number for each head, which is null where it is not defined.
        """
        return answered(measure(text))

    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODEL, "show_progress_on": said}
    linked = Linked({"text": text, "second": second, "way": way})
    for shown in (
        gr.on([button.click, text.submit, second.submit], look, [text, second, way], [said, explorer], **quiet),
        examples.select(look_at_example, None, [text, second, way, said, explorer], **quiet),
    ):
        recorded(stops.shown(shown), "attention", linked)
    endpoint(api, api_name="attention", concurrency_id=MODEL)
    endpoint(api_statistics, api_name="attention_statistics", concurrency_id=MODEL)
    return linked
