"""What was taught by examples as escaped HTML. No Gradio."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from xlmrxl.app.examples import LessonExample
from xlmrxl.rendering.components import (
    render_axis,
    render_bar,
    render_bar_cell,
    render_head,
    render_heading,
    render_note,
    render_result,
    render_section,
    render_status,
    render_table,
)
from xlmrxl.rendering.formats import format_percent, isolate, text_attributes

if TYPE_CHECKING:
    from xlmrxl.app.handlers.teaching import Lesson
    from xlmrxl.tasks.classify_results import ClassifyResult

HINT = (
    "Write examples of two labels or more and texts to test in any languages, or choose a set: the model learns from "
    "the examples, and you see how far that goes in other languages."
)
CHOSEN = (
    "Each example was classified by what the others had taught. This has also chosen the state, so it is a little too "
    "high."
)


def render_sets(examples: Sequence[LessonExample]) -> str:
    """Return a list of buttons; each carries its index as `data-index`."""
    rows = "".join(
        f'<li><button type="button" data-index="{index}" tabindex="{0 if index == 0 else -1}">'
        f'<span class="x-name" lang="{escape(example.language)}" translate="no">{escape(example.name)}</span>'
        f'<span class="x-text" translate="no">{escape(", ".join(example.labels))} → {escape(example.tested)}</span>'
        "</button></li>"
        for index, example in enumerate(examples)
    )
    return (
        '<section class="x-examples" aria-label="Sets of examples"><h2>Try a set</h2>'
        f'<ul data-roving role="list">{rows}</ul></section>'
    )


def render_lesson(lesson: Lesson) -> str:
    """Return how good it is, beside what the most frequent label alone would get, and the label of each text."""
    taught, tested = lesson.taught, lesson.tested
    count = sum(taught.examples.values())
    rows = [_render_measure(f"the examples, in {taught.folds} parts", count, taught.accuracy, lesson.majority)]
    if tested is not None:
        rows.append(_render_measure("your texts with a label", tested.texts, tested.accuracy, tested.majority))
    heads = ("measured on", "texts", "right", "the most frequent label alone")
    notes = render_note(CHOSEN) + render_note(f"It reads state {taught.state}, pooled by {taught.pooling}.")
    table = render_table(map(render_head, heads), rows)
    right = f" {format_percent(tested.accuracy)} are right." if tested is not None else ""
    status = f"Taught with {count} examples. Tested on {len(lesson.results)} texts.{right}"
    return render_result(
        render_status(escape(status))
        + _render_texts(lesson)
        + render_section("x-fills x-lesson", render_heading("How good it is"), table + notes),
        texts=len(lesson.results),
    )


def _render_measure(name: str, texts: int, accuracy: float, majority: float) -> str:
    return (
        f'<tr><th scope="row">{name}</th><td>{texts}</td><td class="x-right">{escape(format_percent(accuracy))}</td>'
        f"<td>{escape(format_percent(majority))}</td></tr>"
    )


def _render_texts(lesson: Lesson) -> str:
    if not lesson.results:
        return ""
    rows = [_render_text(result, given) for result, given in zip(lesson.results, lesson.given, strict=True)]
    cut = any(result.truncated for result in lesson.results)
    note = render_note("The texts marked with … are too long: only their beginning was read.") if cut else ""
    heads = [render_head("Text", seen=False), render_head("Label", seen=False), render_axis(1.0)]
    heads.append(render_head("Probability", seen=False))
    table = render_table(heads, rows, "Texts, the label of each, and its probability")
    return render_section("x-fills x-tested", render_heading("Texts", str(len(lesson.results))), table + note)


def _render_text(result: ClassifyResult, given: str | None) -> str:
    best = result.labels[0]
    mark = ""
    if given is not None:
        right = given == best.label
        mark = (
            '<span class="x-was x-good">right</span>' if right else f'<span class="x-was">not {isolate(given)}</span>'
        )
    more = " …" if result.truncated else ""
    return (
        f'<tr><th scope="row"><div {text_attributes(result.text)} translate="no">{escape(result.text)}{more}</div></th>'
        f'<td class="x-label">{isolate(best.label)} {mark}</td>{render_bar_cell(render_bar(best.score))}'
        f'<td class="x-percent">{escape(format_percent(best.score))}</td></tr>'
    )
