"""The tab that shows where heads look. `python -m xlmrxl.app.attention` opens the app."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gradio as gr

from xlmrxl.app import handlers, render
from xlmrxl.app.examples import PAIRS
from xlmrxl.app.handlers import MAX_TEXT, Outcome, Run, attending, here
from xlmrxl.app.handlers.attending import Seen
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import MODEL, chosen, panel, problem, replied
from xlmrxl.app.served import Served
from xlmrxl.app.theme import script
from xlmrxl.views.protocol import AttentionView, with_base64

if TYPE_CHECKING:
    from xlmrxl.session import Session

WAYS = [("side by side", attending.BESIDE), ("as one pair", attending.PAIR)]
KEPT = 8
"""Texts whose inspections stay in memory; what a page asks of another is read again."""


def attention_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, with its events."""

    @lru_cache(maxsize=KEPT)
    def view(session: Session, seen: Seen) -> AttentionView:
        return AttentionView(*attending.inspections(session, seen), sweep=handlers.is_small(session))

    served.forgotten.append(view.cache_clear)

    @run
    def first(text: Any, second: Any, way: Any) -> Outcome[dict[str, Any]]:
        def view_first() -> dict[str, Any]:
            seen = attending.seen(text, second, way)
            return {"first": with_base64(*view(served.session, seen).first()), "about": list(seen)}

        return handlers.attempt(view_first, "looking inside")

    @run
    def answer(packet: Any) -> Outcome[dict[str, Any]]:
        def view_answer() -> dict[str, Any]:
            seen, request = attending.asked_about(packet)
            return with_base64(*view(served.session, seen).answer(request))

        return handlers.attempt(view_answer, "answering a view")

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
        examples = panel(render.examples_html(PAIRS), "attention-examples")
    said = panel(render.hint_html(render.ATTENTION_HINT), "attention-said")

    def ask(packet: Any) -> dict[str, Any]:
        """Answer one request of the page, which names the texts it is about: nothing of a page is held here."""
        return replied(answer, packet)

    explorer = gr.HTML(
        None,
        html_template="<div></div>",
        js_on_load=script("explorer.js"),
        apply_default_css=False,
        server_functions=[ask],
        elem_id="attention-explorer",
        visible="hidden",
    )

    def look(text: Any, second: Any, way: Any) -> tuple[str, Any]:
        outcome = first(text, second, way)
        if outcome.result is None:
            return problem(outcome), gr.HTML(visible="hidden")
        return "", gr.HTML(value=outcome.result, visible=True)

    def look_at_example(event: gr.EventData) -> tuple[Any, ...]:
        outcome = chosen(PAIRS, event)
        if (found := outcome.result) is None:
            return gr.skip(), gr.skip(), gr.skip(), problem(outcome), gr.skip()
        asked = (found.text, found.second, found.way)
        return *asked, *look(*asked)

    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODEL, "show_progress_on": said}
    linked = Linked({"text": text, "second": second, "way": way})
    looked = gr.on([button.click, text.submit, second.submit], look, [text, second, way], [said, explorer], **quiet)
    recorded(looked, "attention", linked)
    recorded(examples.select(look_at_example, None, [text, second, way, said, explorer], **quiet), "attention", linked)
    return linked


if __name__ == "__main__":
    import xlmrxl
    from xlmrxl.app import launch

    launch(xlmrxl.load())
