"""The tab that classifies texts, by labels or by what it was taught, and shows which words made it so."""

# Without `from __future__ import annotations`: Gradio reads what the endpoint returns from the annotation itself.

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import gradio as gr
from gradio.blocks import Block
from gradio.events import api as endpoint

from xlmrxl.app import handlers, quoting, render
from xlmrxl.app.examples import TEXTS
from xlmrxl.app.handlers import MAX_TEXT, Outcome, Run, classifying, here
from xlmrxl.app.handlers.classifying import (
    MAX_LABEL,
    MAX_LABELS,
    MAX_TEMPLATE,
    MAX_TEMPLATES,
    OWN,
    Classified,
    ClassifyAsked,
    ClassifyJson,
    ExplainJson,
)
from xlmrxl.app.languages import named
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import MODEL, answered, chosen, panel, problem, saved, watched
from xlmrxl.app.served import Served
from xlmrxl.app.stopping import Stops
from xlmrxl.app.teach import teach_part
from xlmrxl.app.together import Together
from xlmrxl.tasks.attribution import Attribution
from xlmrxl.tasks.classify_results import ClassifyResult

CLASSIFICATIONS = "classifications"
VISITORS = 32  # whose texts may be on their way at once; those that ask for the same are classified together
TASKS = [("Topic", "topic"), ("Sentiment", "sentiment"), ("Entailment", "entailment"), ("Own labels", OWN)]
Saving = Callable[[Any], dict[str, str]]
LABELS, TEACH = "labels", "teach"
WAYS = [("by labels", LABELS), ("by examples", TEACH)]


def classify_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, its events, and the endpoints `/classify`, `/explain`, `/teach`."""
    by = gr.Radio(WAYS, value=LABELS, label="Classify", elem_id="classify-by")
    with gr.Row(elem_classes="x-columns") as labels_part:
        linked = labels_of(served, run, by)
    with gr.Row(elem_classes="x-columns", visible=False) as teach:
        taught = teach_part(served, run, by)

    def show(way: Any) -> dict[Block, Any]:
        return {labels_part: gr.update(visible=way != TEACH), teach: gr.update(visible=way == TEACH)}

    def turn(way: Any) -> tuple[Any, ...]:
        return tuple(show(way).values())

    def also(values: Mapping[str, Any]) -> dict[Block, Any]:
        return {**linked.also(values), **show(values.get("by"))}

    by.input(turn, by, [labels_part, teach], api_visibility="private", show_progress="hidden", queue=False)
    return Linked({**linked.fields, **taught.fields}, also, (*linked.besides, labels_part, teach))


@dataclass(frozen=True)
class Work:
    """What the model is run for; `words` takes the label before the values that `labels` takes."""

    classify: Callable[..., Outcome[Classified]]
    attribute: Callable[..., Outcome[Attribution]]
    labels: Callable[..., Outcome[ClassifyResult]]
    words: Callable[..., Outcome[Attribution]]


def work_of(served: Served, run: Run) -> Work:
    """The work, of several visitors together where it is done here."""
    together: Together[Any, ClassifyAsked, ClassifyResult] = Together(
        lambda items, asked: classifying.classify_all(served.session, items, asked), VISITORS
    )
    # Elsewhere there is a process for each request, and nobody to share it with.
    shared = together if run is here else None

    @run
    def classify(
        text: Any, labels: Any, language: Any, task: Any = OWN, text_pair: Any = "", templates: Any = ""
    ) -> Outcome[Classified]:
        return handlers.attempt(
            lambda: classifying.classify(served.session, text, labels, language, task, text_pair, templates, shared),
            "classifying",
        )

    @run
    def attribute(done: Classified, data: Any, progress: Any = False) -> Outcome[Attribution]:
        return handlers.attempt(lambda: classifying.explain(served.session, done, data, progress), "explaining")

    def labels_found(*asked: Any) -> Outcome[ClassifyResult]:
        outcome = classify(*asked)
        return Outcome(None if outcome.result is None else outcome.result.result, outcome.problem)

    def words_found(label: Any, *asked: Any) -> Outcome[Attribution]:
        """Which words made a text have a label; "" is the best one."""
        outcome = classify(*asked)
        if (done := outcome.result) is None:
            return Outcome(problem=outcome.problem)
        named = handlers.attempt(lambda: classifying.of_label(done, label), "explaining")
        return Outcome(problem=named.problem) if named.result is None else attribute(done, named.result)

    return Work(classify, attribute, labels_found, words_found)


@dataclass(frozen=True)
class Boxes:
    """The components of the part that classifies by labels."""

    text: gr.Textbox
    text_pair: gr.Textbox
    task: gr.Dropdown
    language: gr.Dropdown
    labels: gr.Textbox
    more: gr.Accordion
    templates: gr.Textbox
    button: gr.Button
    examples: gr.HTML
    output: gr.HTML
    why: gr.HTML

    @property
    def asked(self) -> list[Any]:
        """What `Work.labels` takes."""
        return [self.text, self.labels, self.language, self.task, self.text_pair, self.templates]


def boxes(masked: bool, stops: Stops, save: Saving, save_words: Saving) -> Boxes:
    """Build the components; a fine-tuned model has no use for most of them."""
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
        text_pair = gr.Textbox(
            label="Does this follow from it?" if masked else "Second text, if the model reads pairs",
            lines=1,
            max_lines=10,
            max_length=MAX_TEXT,
            visible=not masked,
            elem_id="classify-text-pair",
            elem_classes="x-text-box x-short",
        )
        with gr.Row(elem_classes="x-fields", visible=masked):
            task = gr.Dropdown(
                TASKS, value="topic", label="Task", filterable=False, min_width=130, elem_id="classify-task"
            )
            language = gr.Dropdown(
                named(classifying.languages()),
                value="en",
                label="Language of the templates",
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
        with gr.Accordion("Templates", open=False, visible=masked, elem_id="classify-more") as more:
            templates = gr.Textbox(
                classifying.task_templates("topic", "en") if masked else "",
                label="One a line, each with {text} for the text and <mask> for the label",
                lines=3,
                max_lines=MAX_TEMPLATES,
                max_length=MAX_TEMPLATES * (MAX_TEMPLATE + 1),
                elem_id="classify-templates",
                elem_classes="x-lines",
            )
        with gr.Row(elem_classes="x-buttons"):
            button = gr.Button("Classify", variant="primary", elem_id="classify-button", min_width=140)
            stops.button("classify-stop")
        examples = panel(render.render_examples(TEXTS) if masked else "", "classify-examples")
    with gr.Column(scale=7, min_width=300, elem_classes="x-output"):
        output = panel(render.render_placeholder(render.CLASSIFY_HINT), "classify-output", save=save)
        why = panel("", "classify-why", save=save_words)
    return Boxes(text, text_pair, task, language, labels, more, templates, button, examples, output, why)


def saving(work: Callable[..., Outcome[Any]], asked: int) -> Saving:
    """What gives a page the text of a file of what it shows, which it describes: nothing is held here."""

    def save(packet: Any) -> dict[str, str]:
        return saved(packet, work, asked)

    return save


def told_by(box: Boxes, masked: bool, values: Mapping[str, Any]) -> dict[Block, Any]:
    """What else the values of a link change: templates are those of the task where it has none."""
    task, own = values.get("task", "topic"), values.get("templates", "")
    changes: dict[Block, Any] = {box.text_pair: gr.update(visible=not masked or task == "entailment")}
    if masked:
        shipped = classifying.task_templates(task, values.get("language", "en"))
        changes |= {box.templates: gr.update(value=own or shipped), box.more: gr.update(open=bool(own))}
        if "labels" not in values:
            changes[box.labels] = gr.update(value=classifying.task_labels(task))
    return changes


def endpoints(work: Work) -> None:
    """Build `/classify` and `/explain`."""

    def api(
        text: str, labels: str = "", language: str = "en", task: str = OWN, text_pair: str = "", templates: str = ""
    ) -> ClassifyJson:
        """Find out which label a text has, or a pair of texts.

        text: up to 2,000 characters.
        labels: 2 to 20 with commas between them, each standing for itself; without any, topics. A fine-tuned model
            has its own.
        language: of the templates, such as en, de or zh.
        task: topic, sentiment or entailment, for its templates and labels; own for labels of your own.
        text_pair: the second text of a pair, which entailment needs: what may follow from the first.
        templates: up to 8, one a line, each with {text} and <mask>; without any, those of the task.
        Returns the text and its labels with their probabilities, calibrated and raw, the most probable first.
        """
        found = answered(work.labels(text, labels, language, task, text_pair, templates))
        return {
            "text": found.text,
            "labels": [{"label": each.label, "score": each.score, "raw": each.raw} for each in found.labels],
        }

    def api_explain(
        text: str, labels: str = "", language: str = "en", label: str = "", task: str = OWN, templates: str = ""
    ) -> ExplainJson:
        """Find out which words made a text have a label: each is left out in turn.

        text: up to 2,000 characters and 60 words.
        labels: as in /classify.
        language: of the templates, such as en, de or zh.
        label: whose words are asked for; without one, the best label.
        task: as in /classify.
        templates: as in /classify.
        Returns the label with its score, and for each word how much lower the score is without it.
        """
        return cast(ExplainJson, answered(work.words(label, text, labels, language, task, "", templates)).content())

    # Not queued by Gradio, whose queue takes longer than the model: those who wait here are classified together.
    endpoint(api, api_name="classify", queue=False, concurrency_id=CLASSIFICATIONS, concurrency_limit=VISITORS)
    endpoint(api_explain, api_name="explain", concurrency_id=MODEL)


def labels_of(served: Served, run: Run, by: gr.Radio) -> Linked:
    """Build the part that classifies by labels inside the current `gr.Row`; `by` says which part is shown."""
    masked = handlers.is_masked(served.session)  # a head of its own has its own labels, and may read pairs
    work = work_of(served, run)

    stops = Stops()
    box = boxes(masked, stops, saving(work.labels, 6), saving(work.words, 7))
    done = gr.State(None)  # the result that is shown, and what it is the answer to
    changed = gr.Textbox(visible=False, elem_id="classify-changed")  # templates of one's own, as a link has them

    def actions(call: str, about: list[Any], *given: Any, **settings: Any) -> str:
        session = served.session
        return render.render_actions(
            "classify", quoting.python(session, call, *given, **settings), quoting.citation(session), about
        )

    def classify_page(
        text: str, labels: str, language: str, task: str, text_pair: str, templates: str
    ) -> tuple[str, str, Any, str]:
        changed = classifying.changed_templates(templates, task, language) if masked else ""
        about = [text, labels, language, task, text_pair, changed]
        outcome = work.classify(*about)

        def html(found: Classified) -> str:
            result = found.result
            item = result.text if result.text_pair is None else (result.text, result.text_pair)
            return result.to_html() + actions("session.classify", about, item, **found.options)

        kept = None if outcome.result is None else (outcome.result, about)
        return render.render_outcome(outcome, html), "", kept, changed

    def choose_task(task: str, language: str) -> tuple[Any, ...]:
        pair = gr.update(visible=task == "entailment", value="")
        return classifying.task_labels(task), pair, classifying.task_templates(task, language)

    def choose_language(task: str, language: str) -> str:
        return classifying.task_templates(task, language)

    def choose_example(event: gr.EventData) -> tuple[Any, ...]:
        outcome = chosen(TEXTS, event)
        if (found := outcome.result) is None:
            return *[gr.skip()] * 6, problem(outcome), "", None, gr.skip()
        spoken = found.asked or found.language
        templates = classifying.task_templates(found.task, spoken)
        asked = (found.text, classifying.task_labels(found.task), spoken, found.task, found.second, templates)
        pair = gr.update(value=found.second, visible=found.task == "entailment")
        return *asked[:4], pair, templates, *classify_page(*asked)

    def explain_page(
        done: Any,
        event: gr.EventData,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> str:
        if done is None:
            return render.render_problem("This result is no longer kept: classify the text again.")
        found, about = done
        outcome = watched(
            stops, run, request, progress, "Explaining", lambda told: work.attribute(found, event._data, told or False)
        )

        def html(words: Attribution) -> str:
            settings = {**found.options, "label": words.label}
            bar = actions("session.attribute", [words.label, *about], words.text, **settings)
            return words.to_html() + bar

        return render.render_outcome(outcome, html)

    answers = [box.output, box.why, done, changed]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress_on": box.output}
    shared_line: dict[str, Any] = {**quiet, "concurrency_id": CLASSIFICATIONS, "concurrency_limit": VISITORS}
    events = [
        gr.on(
            [box.text.submit, box.text_pair.submit, box.labels.submit, box.button.click],
            classify_page,
            box.asked,
            answers,
            **shared_line,
        )
    ]
    told: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    box.task.input(choose_task, [box.task, box.language], [box.labels, box.text_pair, box.templates], **told)
    box.language.input(choose_language, [box.task, box.language], box.templates, **told)
    if masked:
        events.append(box.examples.select(choose_example, None, [*box.asked, *answers], **shared_line))
    stops.shown(box.output.select(explain_page, done, box.why, concurrency_id=MODEL, **quiet))
    endpoints(work)

    fields = {
        "by": by, "task": box.task, "language": box.language, "labels": box.labels, "text": box.text,
        "text_pair": box.text_pair, "templates": changed,
    }  # fmt: skip
    linked = Linked(fields, lambda values: told_by(box, masked, values), (box.templates, box.more))
    for shown in events:
        recorded(shown, "classify", linked)
    return linked
