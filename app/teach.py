"""The part of the tab Classify that teaches a classifier by examples, and tests it in any languages."""

# Without `from __future__ import annotations`: Gradio reads what the endpoint returns from the annotation itself.

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import gradio as gr
from gradio.events import api as endpoint

from xlmrxl.app import handlers, quoting, render
from xlmrxl.app.examples import LESSONS
from xlmrxl.app.handlers import Outcome, Run, teaching
from xlmrxl.app.handlers.teaching import MAX_CHARACTERS, Lesson, TeachJson
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import MODEL, answered, chosen, panel, problem, saved, watched
from xlmrxl.app.render import teaching as lessons
from xlmrxl.app.served import Served
from xlmrxl.app.stopping import Stops
from xlmrxl.tasks.linear_classifier import LinearClassifier

KEPT = 3600  # seconds that a classifier is kept for a visitor who does not come back
DOWNLOAD = """(text) => {
  if (!text) return;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  window.xlmrxl.saveFile(new Blob([bytes]), "classifier.zip");
}"""


@dataclass(frozen=True)
class Boxes:
    """The components of the part."""

    examples: gr.Textbox
    upload: gr.UploadButton
    tests: gr.Textbox
    button: gr.Button
    again: gr.Button
    sets: gr.HTML
    output: gr.HTML
    download: gr.Button


def boxes(stops: Stops, save: Callable[[Any], dict[str, str]]) -> Boxes:
    """Build the components; what needs a classifier is not seen until there is one."""
    with gr.Column(scale=5, min_width=300, elem_classes="x-input"):
        examples = gr.Textbox(
            label="Examples to learn from, one a line, each after its label",
            placeholder="sports: They won the match.\nfood: The soup needs salt.",
            lines=8,
            max_lines=12,
            max_length=MAX_CHARACTERS,
            elem_id="teach-examples",
            elem_classes="x-lines",
        )
        upload = gr.UploadButton("Upload a CSV, TSV or JSONL with the columns text and label", elem_id="teach-upload")
        tests = gr.Textbox(
            label="Texts to test, one a line, in any languages, with or without a label",
            placeholder="sports: Наша команда победила.\nLa sopa está muy rica.",
            lines=5,
            max_lines=10,
            max_length=MAX_CHARACTERS,
            elem_id="teach-tests",
            elem_classes="x-lines",
        )
        with gr.Row(elem_classes="x-buttons"):
            button = gr.Button("Teach and test", variant="primary", elem_id="teach-button", min_width=120)
            again = gr.Button("Test only", visible=False, elem_id="teach-again", min_width=90)
            stops.button("teach-stop")
        sets = panel(lessons.render_sets(LESSONS), "teach-sets")
    with gr.Column(scale=7, min_width=300, elem_classes="x-output"):
        output = panel(render.render_placeholder(lessons.HINT), "teach-output", save=save)
        download = gr.Button("Download the classifier", visible=False, elem_id="teach-download", min_width=140)
    return Boxes(examples, upload, tests, button, again, sets, output, download)


def teach_part(served: Served, run: Run, by: gr.Radio) -> Linked:
    """Build the part inside the current `gr.Row`, its events, and the endpoint `/teach`.

    `by` says which part of the tab is shown.
    """

    @run
    def learn(examples: Any, texts: Any, progress: Any = False) -> Outcome[Lesson]:
        return handlers.attempt(lambda: teaching.learn(served.session, examples, texts, progress), "teaching")

    @run
    def try_out(kept: LinearClassifier | None, texts: Any, progress: Any = False) -> Outcome[Lesson]:
        return handlers.attempt(lambda: teaching.try_out(served.session, kept, texts, progress), "testing")

    def save(packet: Any) -> dict[str, str]:
        """The text of a file of what a page shows, which is taught again: nothing is held here."""
        return saved(packet, learn, 2)

    stops = Stops()
    box = boxes(stops, save)
    kept = gr.State(None, time_to_live=KEPT)
    archive = gr.Textbox(visible=False, elem_id="teach-archive")

    def html(examples: str, texts: str, lesson: Lesson) -> str:
        python = python_of(served, examples, texts)
        files = ("csv", "json") if lesson.results else ("json",)
        bar = render.render_actions("classify", python, quoting.citation(served.session), [examples, texts], files)
        return lessons.render_lesson(lesson) + bar

    def teach_page(
        examples: str,
        texts: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        outcome = watched(stops, run, request, progress, "Teaching", lambda told: learn(examples, texts, told or False))
        if outcome.result is None:
            return problem(outcome), gr.skip(), gr.skip(), gr.skip()
        seen = gr.update(visible=True)
        return html(examples, texts, outcome.result), outcome.result.taught, seen, seen

    def test_page(
        kept: LinearClassifier | None,
        examples: str,
        texts: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> str:
        outcome = watched(stops, run, request, progress, "Testing", lambda told: try_out(kept, texts, told or False))
        return render.render_outcome(outcome, lambda lesson: html(examples, texts, lesson))

    def choose_set(
        event: gr.EventData,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        outcome = chosen(LESSONS, event)
        if (found := outcome.result) is None:
            return gr.skip(), gr.skip(), problem(outcome), gr.skip(), gr.skip(), gr.skip()
        return found.text, found.tests, *teach_page(found.text, found.tests, request, progress)

    def read_file(path: Any) -> tuple[Any, Any]:
        """The examples of a file, which is not kept."""
        if path is None:
            return gr.skip(), gr.skip()
        outcome = handlers.attempt(lambda: teaching.from_file(path), "reading a file")
        if isinstance(path, str):
            Path(path).unlink(missing_ok=True)
        return (gr.skip(), problem(outcome)) if outcome.result is None else (outcome.result, gr.skip())

    def pack(kept: LinearClassifier | None) -> tuple[Any, Any]:
        outcome = handlers.attempt(lambda: teaching.packed(served.session, kept), "packing a classifier")
        return ("", problem(outcome)) if outcome.result is None else (outcome.result, gr.skip())

    def api(examples: list[str] | str, texts: list[str] | str = "") -> TeachJson:
        """Teach a classifier by examples, and have it classify texts in any languages.

        examples: 4 to 200, as a list or one a line, each with its label before a colon, as in `sports: They won.`;
            2 to 20 labels, two examples or more of each, better eight.
        texts: up to 200, as a list or one a line; the label that is right may stand before a colon, and is counted.
        Returns how good it is, cross-validated and on the texts with a label, each beside what the most frequent label
        alone would get; and for each text the labels with their probabilities, the most probable first.
        """
        return cast(TeachJson, answered(learn(examples, texts)).content())

    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODEL, "show_progress_on": box.output}
    answers = [box.output, kept, box.again, box.download]
    linked = Linked({"by": by, "examples": box.examples, "tests": box.tests})
    for shown in (
        box.button.click(teach_page, [box.examples, box.tests], answers, **quiet),
        box.again.click(test_page, [kept, box.examples, box.tests], box.output, **quiet),
        box.sets.select(choose_set, None, [box.examples, box.tests, *answers], **quiet),
    ):
        recorded(stops.shown(shown), "classify", linked)
    box.upload.upload(
        read_file, box.upload, [box.examples, box.output], api_visibility="private", show_progress_on=box.examples
    )
    box.download.click(pack, kept, [archive, box.output], api_visibility="private", show_progress="hidden").then(
        None, archive, None, js=DOWNLOAD, api_visibility="private", show_progress="hidden"
    )
    endpoint(api, api_name="teach", concurrency_id=MODEL)
    return linked


def python_of(served: Served, examples: str, texts: str) -> str:
    """The lines that teach, and classify the texts."""
    given = teaching.examples_asked(examples)
    tests = [test.text for test in teaching.tests_asked(texts, {example.label for example in given})]
    lines = quoting.python(
        served.session,
        "session.fit_classifier",
        [example.text for example in given],
        [example.label for example in given],
    )
    return f"{lines}tested = result.classify({tests!r})\nprint(*tested, sep='\\n')\n" if tests else lines
