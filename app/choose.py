"""The tab that chooses between continuations of a prompt. `python -m xlmrxl.app.choose` opens the app."""

# Without `from __future__ import annotations`: Gradio reads what the endpoint returns from the annotation itself.

from typing import Any

import gradio as gr
from gradio.events import api as endpoint

from xlmrxl.app import handlers, render
from xlmrxl.app.examples import CHOICES
from xlmrxl.app.handlers import MAX_TEXT, Outcome, Run, choosing, here
from xlmrxl.app.handlers.choosing import MAX_CHOICE, MAX_CHOICES, ChooseJson
from xlmrxl.app.languages import named
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import MODEL, answered, chosen, panel, problem
from xlmrxl.app.render import scores
from xlmrxl.app.served import Served
from xlmrxl.tasks.choose import ChooseResult, connectives

QUESTIONS = [("none: it just goes on", ""), ("cause: because …", "cause"), ("effect: so …", "effect")]


def choose_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, its events, and the endpoint `/choose`."""
    masked = handlers.is_masked(served.session)  # a head of its own is not asked for causes and effects
    with gr.Row(elem_classes="x-columns"):
        with gr.Column(scale=5, min_width=300, elem_classes="x-input"):
            prompt = gr.Textbox(
                label="Prompt",
                placeholder="It rained all night.",
                lines=1,
                max_lines=10,
                max_length=MAX_TEXT,
                elem_id="choose-prompt",
                elem_classes="x-text-box x-short",
            )
            with gr.Column(elem_classes="x-stack"):
                choices = [
                    gr.Textbox(
                        label=f"Choices, two to {MAX_CHOICES}" if number == 1 else f"Choice {number}",
                        show_label=number == 1,
                        placeholder=f"Choice {number}",
                        lines=1,
                        max_lines=4,
                        max_length=MAX_CHOICE,
                        elem_id=f"choose-{number}",
                        elem_classes="x-field",
                    )
                    for number in range(1, MAX_CHOICES + 1)
                ]
            question = gr.Radio(QUESTIONS, value="", label="Question", visible=masked, elem_id="choose-question")
            language = gr.Dropdown(
                named(sorted(connectives())),
                value="en",
                label="Language of the “because” and “so”",
                visible=masked,
                elem_id="choose-language",
            )
            with gr.Row(elem_classes="x-buttons"):
                button = gr.Button("Choose", variant="primary", elem_id="choose-button", min_width=140)
            if masked:
                examples = panel(render.examples_html(CHOICES), "choose-examples")
        with gr.Column(scale=7, min_width=300, elem_classes="x-output"):
            output = panel(render.hint_html(render.CHOOSE_HINT), "choose-output")

    @run
    def choose(prompt: Any, choices: Any, question: Any, language: Any) -> Outcome[ChooseResult]:
        return handlers.attempt(
            lambda: choosing.choose(served.session, prompt, choices, question, language), "choosing"
        )

    def choose_page(prompt: str, question: str, language: str, *choices: str) -> str:
        return render.outcome_html(choose(prompt, choices, question, language), scores.choices_html)

    def choose_example(event: gr.EventData) -> tuple[Any, ...]:
        outcome = chosen(CHOICES, event)
        if (found := outcome.result) is None:
            return *[gr.skip()] * (3 + MAX_CHOICES), problem(outcome)
        filled = [*found.choices, *[""] * (MAX_CHOICES - len(found.choices))]
        asked = (found.text, found.question, found.language, *filled)
        return *asked, choose_page(*asked)

    def api(prompt: str, choices: list[str] | str, question: str = "", language: str = "en") -> ChooseJson:
        """Choose between continuations of a prompt.

        prompt: up to 2,000 characters.
        choices: 2 to 5 of up to 500 characters, as a list, a JSON list, or one a line.
        question: cause, effect, or nothing for a plain continuation.
        language: of the question, such as en, de or zh.
        Returns the prompt, the choices in their order with probabilities and scores, and the index of the best.
        """
        found = answered(choose(prompt, choices, question, language))
        return {
            "prompt": found.prompt,
            "choices": [
                {"text": each.text, "probability": each.probability, "score": each.score} for each in found.choices
            ],
            "best": found.best,
        }

    asked = [prompt, question, language, *choices]
    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODEL, "show_progress_on": output}
    events = [gr.on([button.click, *(box.submit for box in (prompt, *choices))], choose_page, asked, output, **quiet)]
    if masked:
        events.append(examples.select(choose_example, None, [*asked, output], **quiet))
    endpoint(api, api_name="choose", concurrency_id=MODEL)
    fields = {"prompt": prompt, "question": question, "language": language}
    linked = Linked({**fields, **{f"choice{number}": box for number, box in enumerate(choices, 1)}})
    for shown in events:
        recorded(shown, "choose", linked)
    return linked


if __name__ == "__main__":
    import xlmrxl
    from xlmrxl.app import launch

    launch(xlmrxl.load())
