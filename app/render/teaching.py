"""What was taught by examples as escaped HTML. No Gradio."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from xlmrxl.app.examples import LessonExample
from xlmrxl.app.render import attributes, percent, ticks_html, width

if TYPE_CHECKING:
    from xlmrxl.app.handlers.teaching import Lesson
    from xlmrxl.tasks.linear_classifier import TaughtResult

HINT = (
    "Write examples of two labels or more and texts to test in any languages, or choose a set: the model learns from "
    "the examples, and you see how far that goes in other languages."
)
CHOSEN = (
    "Each example was classified by what the others had taught. This has also chosen the layer, so it is a little too "
    "high."
)


def sets_html(examples: Sequence[LessonExample]) -> str:
    """A list of buttons; each carries its index as `data-index`."""
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


def lesson_html(lesson: Lesson) -> str:
    """How good it is, beside what the most frequent label alone would get, and the label of each text."""
    taught, tested = lesson.taught, lesson.tested
    count = sum(taught.examples.values())
    rows = _measured(f"the examples, in {taught.folds} parts", count, taught.accuracy, lesson.majority)
    if tested is not None:
        rows += _measured("your texts with a label", tested.texts, tested.accuracy, tested.majority)
    heads = ("measured on", "texts", "right", "the most frequent label alone")
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    table = (
        '<section class="x-fills x-lesson"><h2>How good it is</h2><table><thead><tr>'
        f"{columns}</tr></thead><tbody>{rows}</tbody></table>"
        f'<p class="x-note">{CHOSEN}</p>'
        f'<p class="x-note">It reads layer {taught.layer}, pooled by {taught.pooling}.</p>'
        "</section>"
    )
    right = f" {percent(tested.accuracy)} are right." if tested is not None else ""
    status = f"Taught with {count} examples. Tested on {len(lesson.results)} texts.{right}"
    return (
        f'<div class="x-result" data-texts="{len(lesson.results)}"><p class="x-unseen" role="status">{status}</p>'
        f"{_texts(lesson)}{table}</div>"
    )


def _measured(name: str, texts: int, accuracy: float, majority: float) -> str:
    return (
        f'<tr><th scope="row">{name}</th><td>{texts}</td><td class="x-right">{percent(accuracy)}</td>'
        f"<td>{percent(majority)}</td></tr>"
    )


def _texts(lesson: Lesson) -> str:
    if not lesson.results:
        return ""
    rows = "".join(_text(result, given) for result, given in zip(lesson.results, lesson.given, strict=True))
    cut = any(result.truncated for result in lesson.results)
    note = '<p class="x-note">The texts marked with … are too long: only their beginning was read.</p>' if cut else ""
    return (
        f'<section class="x-fills x-tested"><h2>Texts <span>{len(lesson.results)}</span></h2><table>'
        '<caption class="x-unseen">Texts, the label of each, and its probability</caption><thead><tr>'
        '<th scope="col"><span class="x-unseen">Text</span></th>'
        '<th scope="col"><span class="x-unseen">Label</span></th>'
        f'{ticks_html(1.0)}<th scope="col"><span class="x-unseen">Probability</span></th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{note}</section>"
    )


def _text(result: TaughtResult, given: str | None) -> str:
    best = result.labels[0]
    mark = ""
    if given is not None:
        right = given == best.label
        mark = '<span class="x-was x-good">right</span>' if right else f'<span class="x-was">not {_bdi(given)}</span>'
    more = " …" if result.truncated else ""
    return (
        f'<tr><th scope="row"><div {attributes(result.text)} translate="no">{escape(result.text)}{more}</div></th>'
        f'<td class="x-label">{_bdi(best.label)} {mark}</td>'
        f'<td class="x-bar" aria-hidden="true"><div style="width:{width(best.probability, 1.0)}"></div></td>'
        f'<td class="x-percent">{percent(best.probability)}</td></tr>'
    )


def _bdi(label: str) -> str:
    return f"<bdi {attributes(label)}>{escape(label)}</bdi>"
