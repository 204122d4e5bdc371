"""The tab that shows what fewer bits change."""

# Without `from __future__ import annotations`: Gradio reads what the endpoint returns from the annotation itself.

from typing import Any, cast

import gradio as gr
from gradio.events import api as endpoint

from xlmrxl.app import handlers, quoting, render
from xlmrxl.app.examples import EXAMPLES
from xlmrxl.app.handlers import MAX_TEXT, Outcome, Run, comparing, here
from xlmrxl.app.handlers.comparing import Compared, CompareJson
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import answered, chosen, panel, problem, saved, watched
from xlmrxl.app.served import Served
from xlmrxl.app.stopping import Stops
from xlmrxl.progress import Progress

ALONE = {"concurrency_id": "precisions", "concurrency_limit": 1}
"""Models are loaded one after the other, for one visitor after the other."""
KEPT = 8
"""Comparisons that stay in memory, so that their files need no loading again."""


def compare_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, its events, and the endpoint `/compare`."""
    stops = Stops()
    kept: dict[tuple[str, str], Compared] = {}
    served.forgotten.append(kept.clear)

    @run
    def compare(text: Any, told: Progress | None = None) -> Outcome[Compared]:
        def work() -> Compared:
            source, session = served.source, served.session
            key = (source, text if isinstance(text, str) else "")
            found = kept.get(key) or comparing.compare(source, session, text, told)
            kept[key] = found
            while len(kept) > KEPT:
                del kept[next(iter(kept))]
            return found

        return handlers.attempt(work, "comparing")

    def save(packet: Any) -> dict[str, str]:
        """The text of a file of what a page shows, which the page describes."""
        return saved(packet, compare, 1)

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
                stops.button("compare-stop")
            examples = panel(render.render_examples(EXAMPLES), "compare-examples")
        with gr.Column(scale=7, min_width=300, elem_classes="x-output"):
            output = panel(render.render_placeholder(render.COMPARE_HINT), "compare-output", save=save)

    def compare_page(
        text: Any,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 - Gradio finds it there
    ) -> str:
        def html(found: Compared) -> str:
            session = served.session
            python = comparing.python(session, text)
            actions = render.render_actions("compare", python, quoting.citation(session), [text])
            return found.to_html() + actions

        outcome = watched(stops, run, request, progress, "Loading", lambda told: compare(text, told), "B")
        return render.render_outcome(outcome, html)

    def compare_example(
        event: gr.EventData,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, str]:
        outcome = chosen(EXAMPLES, event)
        if (found := outcome.result) is None:
            return gr.skip(), problem(outcome)
        return found.text, compare_page(found.text, request, progress)

    def api(text: str) -> CompareJson:
        """Compare what the model puts at each <mask> in several precisions, from float32 down to 4 bits.

        text: up to 2,000 characters, with one <mask> or more, 4 at most.
        Returns the model, the precisions with how far each is from the first, and the fills of each.
        """
        return cast(CompareJson, answered(compare(text)).content())

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress_on": output, **ALONE}
    linked = Linked({"text": text})
    for shown in (
        gr.on([text.submit, button.click], compare_page, text, output, **quiet),
        examples.select(compare_example, None, [text, output], **quiet),
    ):
        recorded(stops.shown(shown), "compare", linked)
    endpoint(api, api_name="compare", **ALONE)
    return linked
