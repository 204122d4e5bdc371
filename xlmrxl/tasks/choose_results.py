"""What choosing gives: the choices with their probabilities, and what these come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

from xlmrxl.rendering.components import (
    render_bar,
    render_heading,
    render_note,
    render_result,
    render_section,
    render_status,
)
from xlmrxl.rendering.formats import format_percent, format_signed, isolate, text_attributes
from xlmrxl.tasks.record import Record, to_rows
from xlmrxl.tasks.result import Result

HEAD_NOTE = "Each choice was scored by the head of the model, which was made for that."
PRIOR_NOTE = (
    "A choice is scored by how much likelier the prompt makes it: its log-probability after the prompt, less "
    "the one without the prompt, in nats. The bars share out 100% by these scores."
)


@dataclass(frozen=True)
class Choice(Record):
    """One choice. Numbers are natural logarithms where a masked language model made them, logits where a head did."""

    text: str
    probability: float  # softmax of the scores over the choices
    score: float  # what the choices are compared by: raw, normalised
    raw: float  # the choice's pseudo-log-likelihood after the prompt
    prior: float | None  # the same without the prompt; None where it was not asked for
    unknown: str = ""  # what the vocabulary cannot spell: it was read as <unk> and had no part in the score


@dataclass(frozen=True)
class ChooseResult(Result):
    """A prompt and its choices, in the order in which they were given; `best` is the index of the best."""

    prompt: str
    question: str | None
    best: int = field(init=False)  # of the choice with the highest score, the first where several have it
    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        """Find the best choice."""
        scores = [choice.score for choice in self.choices]
        object.__setattr__(self, "best", scores.index(max(scores)))

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a choice."""
        rows = []
        for i, row in enumerate(to_rows(self.choices, {"text": "choice"})):
            given = {"prompt": self.prompt, "question": self.question, "choice": row.pop("choice")}
            rows.append({**given, "best": i == self.best, **row})
        return rows

    def to_html(self, *, interactive: bool = True) -> str:
        """Return the choices as they were given, each with its bar and what the bar comes from."""
        best = self.choices[self.best]
        rows = "".join(_render_choice(choice, index == self.best) for index, choice in enumerate(self.choices))
        note = render_note(HEAD_NOTE if best.prior is None else PRIOR_NOTE)
        return render_result(
            render_status(f"The best choice: {isolate(best.text)}, {escape(format_percent(best.probability))}")
            + render_section(
                "x-choices", render_heading("Choices"), f'<ol role="list">{rows}</ol>{note}{_render_steps(best)}'
            ),
            self.prompt,
        )

    def __str__(self) -> str:
        """Show the choices with bars, an arrow before the best."""
        lines = [self.prompt if self.question is None else f"{self.prompt} ({self.question}?)"]
        for i, choice in enumerate(self.choices):
            bar = "█" * max(1, round(16 * choice.probability))
            unread = f"  (not scored: {choice.unknown})" if choice.unknown else ""
            lines.append(
                f"{'→' if i == self.best else ' '} {choice.probability:7.2%}  {bar:<16}  {choice.text}{unread}"
            )
        return "\n".join(lines)


def _render_choice(choice: Choice, best: bool) -> str:
    facts = f"logit {format_signed(choice.raw, 2)}"
    if choice.prior is not None:
        facts = (
            f"after the prompt {format_signed(choice.raw, 1)} · without it {format_signed(choice.prior, 1)} · "
            f"score {format_signed(choice.score, 1, plus=True)}"
        )
    if choice.unknown:
        facts += f" · not read: {choice.unknown}"
    mark = '<span class="x-tag">best</span>' if best else ""
    return (
        f'<li class="{"x-best" if best else "x-other"}"><p class="x-choice" {text_attributes(choice.text)}>'
        f'<span translate="no">{escape(choice.text)}</span>{mark}</p>'
        f'<div class="x-scale"><div class="x-bar" aria-hidden="true">{render_bar(choice.probability)}</div>'
        f'<span class="x-percent">{escape(format_percent(choice.probability))}</span></div>'
        f'<p class="x-facts">{escape(facts)}</p></li>'
    )


def _render_steps(best: Choice) -> str:
    """Return how the scores come about, by the numbers of the best choice."""
    if best.prior is None:
        steps = [
            "The head reads the prompt together with each choice and gives it one number, the logit.",
            "The probabilities share out 100% by the exponentials of the logits.",
        ]
    else:
        steps = [
            "Each token of the choice is hidden in turn, with the later subwords of its word, and the model says how "
            "probable the hidden token is.",
            "The natural logarithms of these probabilities add up to what the choice has after the prompt: "
            f"{format_signed(best.raw, 2)} for the best one.",
            "The same is done without the prompt, with nothing but the “because” or “so” before the choice: "
            f"{format_signed(best.prior, 2)} for the best one.",
            "The score is the difference, so that a choice which is likely anyway gets nothing for it: "
            f"{format_signed(best.score, 2, plus=True)} for the best one.",
            "The probabilities share out 100% by the exponentials of the scores: "
            f"{format_percent(best.probability)} for the best one.",
        ]
    rows = "".join(f"<li>{escape(step)}</li>" for step in steps)
    return f'<details class="x-steps"><summary>How the scores come about</summary><ol>{rows}</ol></details>'
