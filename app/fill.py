"""The tab that fills masks. `python -m xlmrxl.app.fill` opens it alone."""

# Without `from __future__ import annotations`: Gradio reads what the endpoint returns from the annotation itself.

from collections.abc import Callable
from typing import Any, cast

import gradio as gr
from gradio.events import api as endpoint

from xlmrxl.app import handlers, quoting, render
from xlmrxl.app.examples import EXAMPLES
from xlmrxl.app.handlers import Outcome, Run, filling, here
from xlmrxl.app.handlers.filling import JOINT, MAX_CHARACTERS, MAX_FILLS, PIECES, WORDS, FillAsked, ResultJson
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import answered, panel, saved
from xlmrxl.app.render import fills
from xlmrxl.app.served import Served
from xlmrxl.app.theme import script
from xlmrxl.app.together import Together
from xlmrxl.tasks.fill import FillResult

FILLS = "fills"
VISITORS = 32  # whose texts may be on their way at once; those that meet are filled together
WAYS = [("pieces", PIECES), ("whole words", WORDS), ("all masks together", JOINT)]


def fill_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, its events, and the endpoint `/fill`."""
    together: Together[str, FillAsked, FillResult] = Together(
        lambda texts, asked: filling.fill_all(served.session, texts, asked), VISITORS
    )
    # Elsewhere there is a process for each request, and nobody to share it with.
    shared = together if run is here else None

    @run
    def fill(text: Any, top_k: Any, way: Any = PIECES) -> Outcome[FillResult]:
        return filling.outcome(served.session, text, top_k, way, shared)

    def save(packet: Any) -> dict[str, str]:
        """The text of a file of what a page shows, which the page describes: nothing is held here."""
        return saved(packet, fill, 3)

    with gr.Row(elem_classes="x-columns"):
        with gr.Column(scale=5, min_width=300, elem_classes="x-input"):
            text = gr.Textbox(
                label="Sentence",
                placeholder="Paris is the <mask> of France.",
                lines=1,  # so that Enter fills; it grows with the text
                max_lines=10,
                max_length=MAX_CHARACTERS,
                elem_id="fill-text",
                elem_classes="x-text-box",
                autofocus=True,
            )
            with gr.Row(elem_classes="x-buttons"):
                button = gr.Button("Fill masks", variant="primary", elem_id="fill-button", min_width=140)
                insert = gr.Button("Insert <mask>", variant="secondary", elem_id="fill-insert", min_width=140)
            way = gr.Radio(WAYS, value=PIECES, label="Fill with", elem_id="fill-way")
            top_k = gr.Slider(1, MAX_FILLS, value=5, step=1, label="Fills for each mask", elem_id="fill-top-k")
            examples = panel(render.examples_html(EXAMPLES), "fill-examples")
        with gr.Column(scale=7, min_width=300, elem_classes="x-output"):
            output = panel(render.hint_html(render.FILL_HINT), "fill-output", save=save)

    linked = Linked({"text": text, "fills": top_k, "way": way})

    def fill_page(text: str, top_k: int, way: str) -> str:
        def html(found: FillResult) -> str:
            session = served.session
            python = quoting.python(session, "session.fill_mask", text, top_k=int(top_k), **filling.OPTIONS[way])
            about = [text, top_k, way]
            return fills.result_html(found) + render.actions_html("fill", python, quoting.citation(session), about)

        return render.outcome_html(fill(text, top_k, way), html)

    def choose(read: Callable[[Any], str], data: Any, top_k: int, way: str) -> tuple[Any, str]:
        """Take the text from what the page sent, and fill it; a page may send anything."""
        try:
            chosen = read(data)
        except ValueError as error:
            return gr.skip(), render.problem_html(str(error))
        return chosen, fill_page(chosen, top_k, way)

    def choose_example(top_k: int, way: str, event: gr.EventData) -> tuple[Any, str]:
        return choose(lambda data: handlers.example(EXAMPLES, data).text, event._data, top_k, way)

    def choose_token(top_k: int, way: str, event: gr.EventData) -> tuple[Any, str]:
        return choose(filling.mask_token, event._data, top_k, way)

    def api(text: str, top_k: int = 5) -> ResultJson:
        """Fill every <mask> in the text.

        text: up to 5,000 characters and 512 tokens, with one <mask> or more, 32 at most.
        top_k: how many fills for each mask, from 1 to 20.
        Returns the text and, for each mask in order, its fills with their probabilities, the most probable first.
        """
        return cast(ResultJson, answered(fill(text, top_k)).content())

    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": FILLS, "concurrency_limit": VISITORS}
    quiet["show_progress_on"] = output
    for shown in (
        gr.on([text.submit, button.click], fill_page, [text, top_k, way], output, **quiet),
        examples.select(choose_example, [top_k, way], [text, output], **quiet),
        output.select(choose_token, [top_k, way], [text, output], **quiet),
    ):
        recorded(shown, "fill", linked)
    insert.click(None, text, text, js=script("insert_mask.js"), api_visibility="private")
    # Not queued by Gradio, whose queue takes longer than the model: those who wait here are filled together.
    endpoint(api, api_name="fill", queue=False)
    return linked


if __name__ == "__main__":
    import xlmrxl
    from xlmrxl.app import launch

    launch(xlmrxl.load())
