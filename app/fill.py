"""The tab that fills masks, of one sentence or of several side by side, and shows what each layer would have put."""

# Without `from __future__ import annotations`: Gradio reads what the endpoints return from the annotations themselves.

from collections.abc import Callable
from contextvars import copy_context
from typing import Any, NamedTuple, cast

import gradio as gr
from gradio.events import api as endpoint

from xlmrxl.app import handlers, quoting, render
from xlmrxl.app.examples import EXAMPLES, TEMPLATES
from xlmrxl.app.handlers import Outcome, Run, filling, here
from xlmrxl.app.handlers.filling import (
    JOINT,
    MAX_CHARACTERS,
    MAX_FILLS,
    MAX_LINES,
    MAX_TARGET,
    MAX_TARGETS,
    SUBWORDS,
    WORDS,
    FillAsked,
    LensJson,
    Lines,
    ResultJson,
)
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import MODEL, answered, panel, saved, watched
from xlmrxl.app.render import layers
from xlmrxl.app.served import Served
from xlmrxl.app.stopping import Stops
from xlmrxl.app.together import Together
from xlmrxl.inspection.logit_lens import LogitLens
from xlmrxl.progress import Progress
from xlmrxl.session import Session
from xlmrxl.tasks.fill_results import FillResult

FILLS = "fills"
VISITORS = 32  # whose texts may be on their way at once; those that meet are filled together
METHODS = [("subwords", SUBWORDS), ("whole words", WORDS), ("all masks together", JOINT)]
LAYER_FILLS = 3  # of each state


class _Work(NamedTuple):
    """What a tab does with the model."""

    fill: Callable[..., Outcome[FillResult | Lines]]
    look: Callable[..., Outcome[LogitLens]]


class _Boxes(NamedTuple):
    """What a visitor is asked, as components."""

    text: gr.Textbox
    several: gr.Checkbox
    button: gr.Button
    insert: gr.Button
    method: gr.Radio
    targets: gr.Textbox
    top_k: gr.Slider
    templates: gr.HTML
    examples: gr.HTML


def fill_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, its events, and the endpoints `/fill` and `/lens`."""
    work, stops = _work(served, run), Stops()

    with gr.Row(elem_classes="x-columns"):
        with gr.Column(scale=5, min_width=300, elem_classes="x-input"):
            boxes = _boxes(stops)
        with gr.Column(scale=7, min_width=300, elem_classes="x-output"):
            output = panel(render.render_placeholder(render.FILL_HINT), "fill-output", _saving(work.fill, 5))
            lens = panel("", "fill-lens", _saving(work.look, 2))
            layered = gr.Checkbox(visible="hidden", elem_id="fill-layered")

    def fill_page(
        text: Any,
        several: Any,
        top_k: Any,
        method: Any,
        targets: Any,
        layered: Any,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 - Gradio finds it there
    ) -> tuple[str, str]:
        """The result, and what asks for its layers: of a single sentence."""
        asked = (text, top_k, method, targets, several)
        if method == WORDS:
            outcome = watched(
                stops, run, request, progress, "Looking for words", lambda told: work.fill(*asked, _anywhere(told))
            )
        else:
            outcome = work.fill(*asked)
        page = render.render_outcome(outcome, lambda found: _result(served.session, found, top_k, method, targets))
        single = isinstance(outcome.result, FillResult)
        return page, layers.render_layers_button(text, now=layered is True) if single else ""

    def choose(read: Callable[[Any], str], data: Any, several: bool, *how: Any) -> tuple[Any, ...]:
        """Take the text from what the page sent, and fill it; a page may send anything."""
        try:
            chosen = read(data)
        except ValueError as error:
            return gr.skip(), gr.skip(), render.render_problem(str(error)), ""
        return {**box(several), "value": chosen}, several, *fill_page(chosen, several, *how)

    def choose_example(
        top_k: Any,
        method: Any,
        targets: Any,
        layered: Any,
        event: gr.EventData,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        how = (top_k, method, targets, layered, request, progress)
        return choose(lambda data: handlers.example(EXAMPLES, data).text, event._data, False, *how)

    def choose_template(
        top_k: Any,
        method: Any,
        event: gr.EventData,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        """Fill one of the templates; what is not for several languages is set back."""
        method = SUBWORDS if method == JOINT else method
        how = (top_k, method, "", False, request, progress)
        return method, "", *choose(lambda data: handlers.example(TEMPLATES, data).text, event._data, True, *how)

    def choose_token(
        top_k: Any,
        method: Any,
        targets: Any,
        layered: Any,
        event: gr.EventData,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        return choose(filling.mask_token, event._data, False, top_k, method, targets, layered, request, progress)

    def show_layers(
        event: gr.EventData,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        """The layers of the text that the page names; where they are shown already, only the button again."""
        said = event._data if isinstance(event._data, dict) else {}
        text = said.get("text")
        if said.get("shown") is True and isinstance(text, str):
            return layers.render_layers_button(text), False
        title = "Looking through the layers"
        outcome = watched(stops, run, request, progress, title, lambda told: work.look(text, LAYER_FILLS, told))
        page = render.render_outcome(outcome, lambda found: _layers(served.session, found))
        return page, outcome.result is not None

    settings = [boxes.top_k, boxes.method, boxes.targets, layered]
    linked = Linked(
        {
            "text": boxes.text,
            "several": boxes.several,
            "fills": boxes.top_k,
            "method": boxes.method,
            "targets": boxes.targets,
            "layers": layered,
        },
        lambda values: {boxes.text: box(values.get("several") is True)},
    )
    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": FILLS, "concurrency_limit": VISITORS}
    quiet["show_progress_on"] = output
    text, several, answers = boxes.text, boxes.several, [output, lens]
    several.input(box, several, text, api_visibility="private", queue=False, show_progress="hidden")
    pressed = [text.submit, boxes.targets.submit, boxes.button.click]
    of_template = [boxes.method, boxes.targets, text, several, *answers]
    asking: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODEL, "show_progress_on": lens}
    for shown in (
        gr.on(pressed, fill_page, [text, several, *settings], answers, **quiet),
        boxes.examples.select(choose_example, settings, [text, several, *answers], **quiet),
        boxes.templates.select(choose_template, [boxes.top_k, boxes.method], of_template, **quiet),
        output.select(choose_token, settings, [text, several, *answers], **quiet),
        lens.select(show_layers, None, [lens, layered], trigger_mode="always_last", **asking),
    ):
        recorded(stops.shown(shown), "fill", linked)
    boxes.insert.click(None, text, text, js="(text) => window.xlmrxl.insertMask(text)", api_visibility="private")
    _endpoints(work)
    return linked


def _work(served: Served, run: Run) -> _Work:
    together: Together[str, FillAsked, tuple[FillResult, ...]] = Together(
        lambda texts, asked: filling.fill_all(served.session, texts, asked), VISITORS
    )
    # Elsewhere there is a process for each request, and nobody to share it with.
    shared = together if run is here else None

    @run
    def fill(
        text: Any,
        top_k: Any,
        method: Any = SUBWORDS,
        targets: Any = "",
        several: Any = False,
        told: Progress | None = None,
    ) -> Outcome[FillResult | Lines]:
        work: Callable[..., FillResult | Lines] = filling.fill_lines if several is True else filling.fill
        return handlers.attempt(
            lambda: work(served.session, text, top_k, method, targets, together=shared, told=told), "filling"
        )

    @run
    def look(text: Any, top_k: Any, told: Progress | None = None) -> Outcome[LogitLens]:
        return handlers.attempt(lambda: filling.layers(served.session, text, top_k, told), "looking through the lens")

    return _Work(fill, look)


def _boxes(stops: Stops) -> _Boxes:
    text = gr.Textbox(
        label="Sentence",
        placeholder="Paris is the <mask> of France.",
        lines=1,  # so that Enter fills; it grows with the text
        max_lines=14,
        max_length=MAX_CHARACTERS,
        elem_id="fill-text",
        elem_classes="x-text-box",
        autofocus=True,
    )
    with gr.Row(elem_classes="x-buttons"):
        button = gr.Button("Fill masks", variant="primary", elem_id="fill-button", min_width=100)
        insert = gr.Button("Insert <mask>", variant="secondary", elem_id="fill-insert", min_width=100)
        stops.button("fill-stop")
    several = gr.Checkbox(label=f"Several sentences, one a line, up to {MAX_LINES}", elem_id="fill-several")
    method = gr.Radio(METHODS, value=SUBWORDS, label="Fill with", elem_id="fill-method")
    targets = gr.Textbox(
        label="Only these words",
        placeholder="capital, city of light, river",
        lines=1,
        max_lines=4,
        max_length=MAX_TARGETS * (MAX_TARGET + 2),
        elem_id="fill-targets",
        elem_classes="x-field",
    )
    top_k = gr.Slider(1, MAX_FILLS, value=5, step=1, label="Fills for each mask", elem_id="fill-top-k")
    templates = panel(render.render_examples(TEMPLATES, "The same in many languages"), "fill-templates")
    examples = panel(render.render_examples(EXAMPLES), "fill-examples")
    return _Boxes(text, several, button, insert, method, targets, top_k, templates, examples)


def _saving(work: Callable[..., Outcome[Any]], asked: int) -> Callable[[Any], dict[str, str]]:
    def save(packet: Any) -> dict[str, str]:
        """The text of a file of what a page shows, which the page describes: nothing is held here."""
        return saved(packet, work, asked)

    return save


def box(several: bool) -> Any:
    """The box of the text: where it takes several sentences, Enter begins another."""
    return gr.update(lines=4 if several else 1)


def _anywhere(told: Progress | None) -> Progress | None:
    """A callback that another thread can call: Gradio finds the page that is told in the context of this one."""
    if told is None:
        return None
    context = copy_context()
    return lambda done, total: context.run(told, done, total)


def _result(session: Session, found: FillResult | Lines, top_k: int, method: str, targets: str) -> str:
    """A result with what can be taken away."""
    several = isinstance(found, Lines)
    options = filling.fill_asked(found.text, top_k, method, targets, several=several).options
    given = [result.text for result in found.results] if isinstance(found, Lines) else found.text
    python = quoting.python(session, "session.fill_mask", given, **options.changed())
    about = [found.text, top_k, method, targets, several]
    return found.to_html() + render.render_actions("fill", python, quoting.citation(session), about)


def _layers(session: Session, found: LogitLens) -> str:
    """What the layers say, with what can be taken away."""
    python = quoting.python(session, f"session.inspect({found.text!r}).logit_lens", top_k=LAYER_FILLS)
    about = [found.text, LAYER_FILLS]
    return layers.render_layers(found) + render.render_actions("fill", python, quoting.citation(session), about)


def _endpoints(work: _Work) -> None:
    def api(text: str, top_k: int = 5, method: str = "subwords", targets: str = "") -> ResultJson:
        """Fill every <mask> in the text.

        text: up to 5,000 characters and 512 tokens, with one <mask> or more, 32 at most.
        top_k: how many fills for each mask, from 1 to 20.
        method: single subwords, whole words, or joint for all masks together: subwords, words or joint.
        targets: up to 20 words or phrases with commas between them; each mask is then compared among these alone.
        Returns the text and, for each mask in order, its fills with their probabilities, the most probable first, and
            whether each begins a word (after "app", the fill "ear" that does not makes "appear"); for joint also the
            best ways to fill all masks, each with its log-probability in nats.
        """
        return cast(ResultJson, answered(work.fill(text, top_k, method, targets)).content())

    def api_layers(text: str, top_k: int = 3) -> LensJson:
        """See what every layer of the model would have put at each <mask> in the text: the logit lens.

        text: up to 5,000 characters and 512 tokens, with one <mask> or more, 8 at most.
        top_k: how many fills for each state, from 1 to 20.
        Returns the text and, for each mask in order, its place among the tokens and its states from the embeddings to
            the last, each with its likeliest fills and its entropy in nats.
        """
        return filling.layers_json(answered(work.look(text, top_k)))

    # Not queued by Gradio, whose queue takes longer than the model: those who wait here are filled together.
    endpoint(api, api_name="fill", queue=False, concurrency_id=FILLS, concurrency_limit=VISITORS)
    endpoint(api_layers, api_name="lens", concurrency_id=MODEL)
