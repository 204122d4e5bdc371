"""What classifying gives: how well each label fits a text, or a pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from xlmrxl.rendering.components import (
    axis_end,
    render_axis,
    render_bar,
    render_bar_cell,
    render_button,
    render_head,
    render_heading,
    render_note,
    render_result,
    render_section,
    render_status,
    render_table,
)
from xlmrxl.rendering.formats import format_number, format_percent, format_signed, text_attributes
from xlmrxl.tasks.record import OPTIONAL, Record, to_rows
from xlmrxl.tasks.result import Result

NOTES = {
    "cloze": "The thick bar is the probability without what the model gives a label whatever the text says; the thin "
    "one, raw, is the probability before that is taken off.",
    "linear": "A classifier that was fitted on examples; the logit is what it gives each label.",
    "single": "The model was fine-tuned for these labels; the logit is what its head gives each.",
    "multi": "The model was fine-tuned for these labels. Each stands alone: a text may have several, or none.",
    "regression": "The model was fine-tuned for values, not for probabilities.",
}
"""What is said of the labels of a cloze, of a linear classifier, and of each kind of head."""


@dataclass(frozen=True)
class LabelScore(Record):
    """How well a label fits."""

    label: str
    score: float  # a probability; of a regression, the value
    raw: float  # the probability before calibration; of a head and of a linear classifier, the logit


@dataclass(frozen=True)
class ClassifyResult(Result):
    """A text, or a pair, and how well each label fits.

    Attributes:
        text: what was classified.
        text_pair: the second text of a pair.
        method: `"cloze"`, `"head"`, or `"linear"` for a classifier that was fitted on frozen features.
        kind: `"single"`: the scores sum to 1; `"multi"`: each stands alone; `"regression"`: they are values.
        labels: the best first; of a regression, as the model has them.
        truncated: whether the model read less than the whole text.
        tokens: of the text, and of the pair, that it read.
    """

    text: str
    text_pair: str | None = field(metadata=OPTIONAL)
    method: str
    kind: str
    labels: tuple[LabelScore, ...]
    truncated: bool
    tokens: int

    @property
    def label(self) -> str:
        """Return the best label."""
        return self.labels[0].label

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a label."""
        found = self.content()
        return to_rows(self.labels, **{name: found[name] for name in ("text", "text_pair") if name in found})

    def to_html(self, *, interactive: bool = True) -> str:
        """Return a bar a label. Those of a single text are buttons that ask for the words behind them."""
        notes = [f"The text is too long: only its first {self.tokens} tokens were read."] if self.truncated else []
        return render_labels(
            self.text,
            [(found.label, found.score, found.raw) for found in self.labels],
            kind=self.kind,
            raw="raw" if self.method == "cloze" else "logit",
            fact=f"{self.tokens} tokens read",
            notes=[*notes, NOTES[self.kind if self.method == "head" else self.method]],
            interactive=interactive and self.text_pair is None,
        )

    def __str__(self) -> str:
        """Show the labels with bars, the best first."""
        lines = [self.text] if self.text_pair is None else [self.text, self.text_pair]
        if self.truncated:
            lines.append(f"(too long: only the first {self.tokens} tokens were read)")
        for found in self.labels:
            if self.kind == "regression":
                lines.append(f"  {format_number(found.score):>9}  {found.label}")
                continue
            most = self.labels[0].score
            bar = "█" * max(1, round(16 * found.score / most)) if most else ""
            raw = f"  (raw {found.raw:.2%})" if self.method == "cloze" and found.raw != found.score else ""
            lines.append(f"  {found.score:7.2%}  {bar:<16}  {found.label}{raw}")
        return "\n".join(lines)


def render_labels(
    text: str,
    labels: Sequence[tuple[str, float, float | None]],
    *,
    kind: str = "single",
    raw: str = "",
    fact: str = "",
    notes: Sequence[str] = (),
    interactive: bool = True,
) -> str:
    """Return a table of labels.

    Args:
        text: what was classified.
        labels: each with its score and the number that the score comes from, None where there is none.
        kind: of the scores, as in `ClassifyResult`.
        raw: what the numbers are: "raw" for probabilities, which have a bar of their own, or "logit".
        fact: beside the heading.
        notes: below the table.
        interactive: whether somebody answers who asks for the words behind a label.
    """
    bars = kind != "regression"
    axis = axis_end([score for _, score, _ in labels]) if bars else 1.0
    name, value, _ = labels[0]
    best = escape(format_percent(value)) if bars else format_signed(value, 3)
    heads = [render_head("Label", seen=False)]
    heads += [render_axis(axis), render_head("Probability", seen=False)] if bars else []
    heads += [render_head(raw if bars else "value")] if raw else []
    rows = [_render_label(label, index, axis if bars else None, raw, interactive) for index, label in enumerate(labels)]
    table = render_table(heads, rows, "Labels and their probabilities", "data-roving")
    below = "".join(map(render_note, notes))
    if interactive:
        below += render_button("Which words made it so", True, **{"class": "x-action"}, data_index=0)
    return render_result(
        render_status(f"Classified. <bdi>{escape(name)}</bdi>: {best}")
        + render_section("x-fills x-labels", render_heading("Labels", fact), table + below),
        text,
    )


def _render_label(
    label: tuple[str, float, float | None], index: int, axis: float | None, raw: str, interactive: bool
) -> str:
    """Return the row of a label; without an axis its number is a value."""
    text, score, number = label
    name = render_button(
        f"<bdi {text_attributes(text)}>{escape(text).replace('/', '/<wbr>')}</bdi>",
        interactive,
        data_index=index,
        tabindex=0 if index == 0 else -1,
        title=f"Which words made it {text}?",
    )
    cells = f'<th scope="row">{name}</th>'
    is_probability = raw == "raw"
    if axis is not None:
        thin = render_bar(number, axis, "x-raw") if is_probability and number is not None else ""
        cells += render_bar_cell(render_bar(score, axis) + thin)
        cells += f'<td class="x-percent">{escape(format_percent(score))}</td>'
    if number is not None:
        shown = format_percent(number) if is_probability else format_signed(number, 2)
        cells += f'<td class="x-percent x-pale">{escape(shown)}</td>'
    return f"<tr>{cells}</tr>"
