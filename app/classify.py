"""The tab that classifies texts, and shows which words made it so. `python -m xlmrxl.app.classify` opens the app."""

# Without `from __future__ import annotations`: Gradio reads what the endpoint returns from the annotation itself.

from typing import Any

import gradio as gr
from gradio.events import api as endpoint

from xlmrxl.app import handlers, render
from xlmrxl.app.examples import TEXTS
from xlmrxl.app.handlers import MAX_TEXT, Outcome, Run, classifying, here
from xlmrxl.app.handlers.classifying import MAX_LABEL, MAX_LABELS, OWN, Classified, ClassifyJson
from xlmrxl.app.languages import named
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import MODEL, answered, chosen, panel, problem
from xlmrxl.app.render import scores
from xlmrxl.app.served import Served
from xlmrxl.tasks.attribution import Attribution

TASKS = [("Topic", "topic"), ("Sentiment", "sentiment"), ("Entailment", "entailment"), ("Own labels", OWN)]


def classify_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, its events, and the endpoint `/classify`."""
    masked = handlers.is_masked(served.session)  # a head of its own has its own labels, and may read pairs
    with gr.Row(elem_classes="x-columns"):
        with gr.Column(scale=5, min_width=300, elem_classes="x-input"):
            text = gr.Textbox(
                label="Text",
                placeholder="The striker scored twice in the last ten minutes.",
                lines=1,
                max_lines=10,
                max_length=MAX_TEXT,
                elem_id="classify-text",
                elem_classes="x-text-box",
            )
            second = gr.Textbox(
                label="Does this follow from it?" if masked else "Second text, if the model reads pairs",
                lines=1,
                max_lines=10,
                max_length=MAX_TEXT,
                visible=not masked,
                elem_id="classify-second",
                elem_classes="x-text-box x-short",
            )
            with gr.Row(elem_classes="x-fields", visible=masked):
                task = gr.Dropdown(TASKS, value="topic", label="Task", min_width=130, elem_id="classify-task")
                language = gr.Dropdown(
                    named(classifying.languages()),
                    value="en",
                    label="Language of the text",
                    min_width=130,
                    elem_id="classify-language",
                )
            labels = gr.Textbox(
                classifying.task_labels("topic") if masked else "",
                label="Labels, with commas between them",
                placeholder="politics, music, food",
                lines=1,
                max_lines=5,
                max_length=MAX_LABELS * (MAX_LABEL + 2),
                visible=masked,
                elem_id="classify-labels",
                elem_classes="x-field",
            )
            with gr.Row(elem_classes="x-buttons"):
                button = gr.Button("Classify", variant="primary", elem_id="classify-button", min_width=140)
            if masked:
                examples = panel(render.examples_html(TEXTS), "classify-examples")
        with gr.Column(scale=7, min_width=300, elem_classes="x-output"):
            output = panel(render.hint_html(render.CLASSIFY_HINT), "classify-output")
            why = panel("", "classify-why")
    done = gr.State(None)

    @run
    def classify(*asked: Any) -> Outcome[Classified]:
        return handlers.attempt(lambda: classifying.classify(served.session, *asked), "classifying")

    @run
    def attribute(done: Classified, data: Any) -> Outcome[Attribution]:
        return handlers.attempt(lambda: classifying.explain(served.session, done, data), "explaining")

    def classify_page(*asked: Any) -> tuple[str, str, Classified | None]:
        outcome = classify(*asked)
        return render.outcome_html(outcome, lambda found: scores.labels_html(found.result)), "", outcome.result

    def choose_task(task: str) -> tuple[Any, Any]:
        return gr.update(value=classifying.task_labels(task)), gr.update(visible=task == "entailment", value="")

    def choose_example(event: gr.EventData) -> tuple[Any, ...]:
        outcome = chosen(TEXTS, event)
        if (found := outcome.result) is None:
            return *[gr.skip()] * 5, problem(outcome), "", None
        asked = (found.text, classifying.task_labels(found.task), found.language, found.task, found.second)
        pair = gr.update(value=found.second, visible=found.task == "entailment")
        return *asked[:4], pair, *classify_page(*asked)

    def explain(done: Classified | None, event: gr.EventData) -> str:
        if done is None:
            return render.problem_html("This result is no longer kept: classify the text again.")
        outcome = attribute(done, event._data)
        return render.outcome_html(outcome, lambda found: scores.words_html(found, done.result.kind))

    def api(text: str, labels: str = "", language: str = "en") -> ClassifyJson:
        """Find out which label a text has.

        text: up to 2,000 characters.
        labels: 2 to 20 with commas between them, each standing for itself; without any, topics. A fine-tuned model
            has its own.
        language: of the templates, such as en, de or zh.
        Returns the text and its labels with their probabilities, calibrated and raw, the most probable first.
        """
        found = answered(classify(text, labels, language)).result
        return {
            "text": found.text,
            "labels": [{"label": each.label, "score": each.score, "raw": each.raw} for each in found.labels],
        }

    asked = [text, labels, language, task, second]
    answers = [output, why, done]
    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODEL, "show_progress_on": output}
    events = [gr.on([text.submit, second.submit, labels.submit, button.click], classify_page, asked, answers, **quiet)]
    task.input(choose_task, task, [labels, second], api_visibility="private", show_progress="hidden")
    if masked:
        events.append(examples.select(choose_example, None, [*asked, *answers], **quiet))
    output.select(explain, done, why, **quiet)
    endpoint(api, api_name="classify", concurrency_id=MODEL)
    linked = Linked(
        {"task": task, "language": language, "labels": labels, "text": text, "second": second},
        lambda values: {second: gr.update(visible=not masked or values.get("task") == "entailment")},
    )
    for shown in events:
        recorded(shown, "classify", linked)
    return linked


if __name__ == "__main__":
    import xlmrxl
    from xlmrxl.app import launch

    launch(xlmrxl.load())
