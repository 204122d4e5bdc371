"""The tab that shows what fewer bits change. `python -m xlmrxl.app.compare` opens the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from xlmrxl.app import handlers, render
from xlmrxl.app.examples import EXAMPLES
from xlmrxl.app.handlers import MAX_TEXT, Outcome, Run, comparing, here
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import MODEL, chosen, panel, problem
from xlmrxl.app.render import comparison
from xlmrxl.app.served import Served

if TYPE_CHECKING:
    from xlmrxl.compare import Comparison


def compare_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, with its events."""
    with gr.Row(elem_classes="x-columns"):
        with gr.Column(scale=5, min_width=300, elem_classes="x-input"):
            text = gr.Textbox(
                label="Sentence",
                placeholder="Paris is the <mask> of France.",
                lines=1,
                max_lines=10,
                max_length=MAX_TEXT,
                elem_id="compare-text",
                elem_classes="x-text-box",
            )
            with gr.Row(elem_classes="x-buttons"):
                button = gr.Button("Compare", variant="primary", elem_id="compare-button", min_width=140)
            examples = panel(render.examples_html(EXAMPLES), "compare-examples")
        with gr.Column(scale=7, min_width=300, elem_classes="x-output"):
            output = panel(render.hint_html(render.COMPARE_HINT), "compare-output")

    @run
    def compare(text: Any) -> Outcome[Comparison]:
        return handlers.attempt(lambda: comparing.compare(served.source, served.session, text), "comparing")

    def compare_page(text: str) -> str:
        return render.outcome_html(compare(text), comparison.comparison_html)

    def compare_example(event: gr.EventData) -> tuple[Any, str]:
        outcome = chosen(EXAMPLES, event)
        if (found := outcome.result) is None:
            return gr.skip(), problem(outcome)
        return found.text, compare_page(found.text)

    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODEL, "show_progress_on": output}
    linked = Linked({"text": text})
    recorded(gr.on([text.submit, button.click], compare_page, text, output, **quiet), "compare", linked)
    recorded(examples.select(compare_example, None, [text, output], **quiet), "compare", linked)
    return linked


if __name__ == "__main__":
    import xlmrxl
    from xlmrxl.app import launch

    launch(xlmrxl.load())
