"""The tab that chooses between continuations of a prompt."""

# Without `from __future__ import annotations`: Gradio reads what the endpoint returns from the annotation itself.

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.events import api as endpoint

from xlmrxl.app import handlers, quoting, render
from xlmrxl.app.examples import CHOICES
from xlmrxl.app.handlers import MAX_TEXT, Outcome, Run, choosing, here
from xlmrxl.app.handlers.choosing import MAX_CHOICE, MAX_CHOICES, ChooseAsked, ChooseJson
from xlmrxl.app.languages import named
from xlmrxl.app.links import Linked, recorded
from xlmrxl.app.parts import answered, chosen, panel, problem, saved
from xlmrxl.app.served import Served
from xlmrxl.app.together import Together
from xlmrxl.session import Session
from xlmrxl.tasks.choose import load_connectives
from xlmrxl.tasks.choose_results import ChooseResult

LINE = "choices"
VISITORS = 32  # whose prompts may be on their way at once; those that meet are chosen for together
SHOWN = 3  # boxes for choices, until more are wanted
LAST = "() => requestAnimationFrame(() => [...document.querySelectorAll('.x-stack textarea')].at(-1).focus())"
QUESTIONS = [("none: it just goes on", ""), ("cause: because …", "cause"), ("effect: so …", "effect")]


@dataclass(frozen=True)
class Boxes:
    """What a visitor is asked, as components."""

    prompt: gr.Textbox
    choices: list[gr.Textbox]
    add: gr.Button
    question: gr.Radio
    language: gr.Dropdown
    button: gr.Button
    examples: gr.HTML

    @property
    def asked(self) -> list[Any]:
        return [self.prompt, self.question, self.language, *self.choices]


def choose_tab(served: Served, run: Run = here) -> Linked:
    """Build the tab inside the current `gr.Blocks`, its events, and the endpoint `/choose`."""
    together: Together[ChooseAsked, None, ChooseResult] = Together(
        lambda items, _: choosing.choose_all(served.session, items), VISITORS
    )
    # Elsewhere there is a process for each request, and nobody to share it with.
    shared = (lambda item: together(item, None)) if run is here else None

    @run
    def choose(prompt: Any, choices: Any, question: Any, language: Any) -> Outcome[ChooseResult]:
        return handlers.attempt(
            lambda: choosing.choose(served.session, prompt, choices, question, language, shared), "choosing"
        )

    def save(packet: Any) -> dict[str, str]:
        """The text of a file of what a page shows, which the page describes: nothing is held here."""
        return saved(packet, choose, 4)

    masked = handlers.is_masked(served.session)  # a head of its own is not asked for causes and effects
    with gr.Row(elem_classes="x-columns"):
        with gr.Column(scale=5, min_width=300, elem_classes="x-input"):
            box = _boxes(masked)
        with gr.Column(scale=7, min_width=300, elem_classes="x-output"):
            output = panel(render.render_placeholder(render.CHOOSE_HINT), "choose-output", save=save)
    count = gr.Number(SHOWN, visible=False, elem_id="choose-count")  # of the boxes that are seen

    def choose_page(prompt: str, question: str, language: str, *choices: str) -> str:
        outcome = choose(prompt, choices, question, language)
        return render.render_outcome(outcome, lambda found: _result(served.session, found, question, language))

    def choose_example(event: gr.EventData) -> tuple[Any, ...]:
        outcome = chosen(CHOICES, event)
        if (found := outcome.result) is None:
            return *[gr.skip()] * (5 + MAX_CHOICES), problem(outcome)
        filled = [*found.choices, *[""] * (MAX_CHOICES - len(found.choices))]
        asked = (found.text, found.question, found.language, *filled)
        *more, add, number = _seen(len(found.choices))
        rest = [{**change, "value": choice} for change, choice in zip(more, filled[SHOWN:], strict=True)]
        return *asked[: 3 + SHOWN], *rest, add, number, choose_page(*asked)

    more = [*box.choices[SHOWN:], box.add, count]
    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": LINE, "concurrency_limit": VISITORS}
    quiet["show_progress_on"] = output
    begun = [box.button.click, *(each.submit for each in (box.prompt, *box.choices))]
    events = [gr.on(begun, choose_page, box.asked, output, **quiet)]
    if masked:
        events.append(box.examples.select(choose_example, None, [*box.asked, box.add, count, output], **quiet))

    def add_choice(number: Any) -> tuple[Any, ...]:
        return _seen(number + 1 if number in range(MAX_CHOICES) else MAX_CHOICES)  # a page may say anything

    added = box.add.click(add_choice, count, more, api_visibility="private", show_progress="hidden", queue=False)
    added.then(None, js=LAST, api_visibility="private", show_progress="hidden")
    _endpoint(choose)

    names = [f"choice{number}" for number in range(1, MAX_CHOICES + 1)]

    def also(values: Mapping[str, Any]) -> dict[Block, Any]:
        written = [number for number, name in enumerate(names, 1) if values.get(name)]
        return dict(zip(more, _seen(max(written, default=0)), strict=True))

    fields = {"prompt": box.prompt, "question": box.question, "language": box.language}
    linked = Linked({**fields, **dict(zip(names, box.choices, strict=True))}, also, (box.add, count))
    for shown in events:
        recorded(shown, "choose", linked)
    return linked


def _boxes(masked: bool) -> Boxes:
    """Build the components; a head that was made for choosing has no use for question and language."""
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
                visible=number <= SHOWN,
                elem_id=f"choose-{number}",
                elem_classes="x-field",
            )
            for number in range(1, MAX_CHOICES + 1)
        ]
        add = gr.Button("Add a choice", size="sm", elem_id="choose-add", elem_classes="x-add")
    question = gr.Radio(QUESTIONS, value="", label="Question", visible=masked, elem_id="choose-question")
    language = gr.Dropdown(
        named(sorted(load_connectives())),
        value="en",
        label="Language of the “because” and “so”",
        visible=masked,
        elem_id="choose-language",
    )
    with gr.Row(elem_classes="x-buttons"):
        button = gr.Button("Choose", variant="primary", elem_id="choose-button", min_width=140)
    examples = panel(render.render_examples(CHOICES) if masked else "", "choose-examples")
    return Boxes(prompt, choices, add, question, language, button, examples)


def _seen(number: int) -> tuple[Any, ...]:
    """So many boxes for choices: those beyond the first ones, the button that adds one, and how many are seen."""
    number = min(max(number, SHOWN), MAX_CHOICES)
    boxes = [gr.update(visible=place < number) for place in range(SHOWN, MAX_CHOICES)]
    return *boxes, gr.update(visible=number < MAX_CHOICES), gr.update(value=number)


def _result(session: Session, found: ChooseResult, question: Any, language: Any) -> str:
    texts = [choice.text for choice in found.choices]
    asked = {"question": found.question, "language": language} if found.question else {}
    python = quoting.python(session, "session.choose", found.prompt, texts, **asked)
    about = [found.prompt, texts, question, language]
    return found.to_html() + render.render_actions("choose", python, quoting.citation(session), about)


def _endpoint(choose: Callable[..., Outcome[ChooseResult]]) -> None:
    """Build `/choose`."""

    def api(prompt: str, choices: list[str] | str, question: str = "", language: str = "en") -> ChooseJson:
        """Choose between continuations of a prompt.

        prompt: up to 2,000 characters.
        choices: 2 to 10 of up to 500 characters, as a list, a JSON list, or one a line.
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

    # Not queued by Gradio, whose queue takes longer than the model: those who wait here are chosen for together.
    endpoint(api, api_name="choose", queue=False, concurrency_id=LINE, concurrency_limit=VISITORS)
