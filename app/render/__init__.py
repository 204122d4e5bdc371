"""What stands around results on the page of the app, as escaped HTML; results render themselves. No Gradio."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from xlmrxl.app.examples import Example
from xlmrxl.app.languages import INTERFACE, named
from xlmrxl.rendering.formats import text_direction

if TYPE_CHECKING:
    from xlmrxl.app.handlers import Outcome

FILL_HINT = "Write a sentence with <mask> where a word is missing and press Enter, or choose a language."
CLASSIFY_HINT = "Write a text and press Enter, or choose an example."
ATTENTION_HINT = "Write a sentence and press Enter, or choose an example: every head of the model, and where it looks."
STATES_HINT = "Write a sentence, or the same one in several languages, one a line, and press the button; or an example."
COMPARE_HINT = (
    "Write a sentence with <mask> and press Enter: the model is loaded in each precision, which takes seconds."
)
CHOOSE_HINT = "Write a prompt and what may go with it, and press Enter, or choose an example."

R = TypeVar("R")


def render_outcome(outcome: Outcome[R], html: Callable[[R], str]) -> str:
    """Return the rendered result, or one sentence in its place."""
    return render_problem(outcome.problem or "") if outcome.result is None else html(outcome.result)


def render_placeholder(hint: str) -> str:
    """Return what the place of a result says before there is one."""
    return f'<p class="x-hint">{escape(hint).replace("&lt;mask&gt;", "<code>&lt;mask&gt;</code>")}</p>'


NAMES = {"svg": "SVG", "png": "PNG", "csv": "CSV", "json": "JSON", "html": "HTML"}


def render_actions(
    tab: str, python: str, citation: str, about: Sequence[Any] = (), files: Sequence[str] = ("csv", "json")
) -> str:
    """Return the buttons that take away what is shown: its link, its lines of Python, what to cite, files.

    The first three answer to `static/files.js`; the files to `static/panel.js`, which asks for them with `about`.
    """
    copied = (
        ("Copy link", f'data-link="{tab}"', "The link is copied: it opens this again."),
        ("Copy as Python", f'data-copy="{escape(python)}"', "The lines of Python are copied."),
        ("Cite", f'data-copy="{escape(citation)}"', "The citation is copied, as BibTeX."),
    )
    buttons = "".join(f'<button type="button" {what} data-said="{said}">{name}</button>' for name, what, said in copied)
    kept = "".join(f'<button type="button" data-file="{kind}">{NAMES[kind]}</button>' for kind in files)
    told = escape(json.dumps(list(about), ensure_ascii=False))
    return (
        f'<div class="x-actions" role="group" aria-label="Share and save" data-about="{told}" data-tab="{tab}">'
        f'{buttons}{kept}<span role="status"></span></div>'
    )


def render_problem(problem: str) -> str:
    """Return the sentence that stands in the place of a result."""
    return f'<p class="x-problem" role="alert">{escape(problem)}</p>'


def render_header(model_line: str) -> str:
    """Return the head of the page; `static/header.js` sets the language, and shows the hint to first visitors."""
    languages = "".join(f'<option value="{code}" lang="{code}">{name}</option>' for name, code in named(INTERFACE))
    return (
        '<header class="x-header"><h1>xlmrxl</h1>'
        "<p>Look inside XLM-RoBERTa-XL: one model, a hundred languages.</p>"
        f'<p class="x-model">{escape(model_line)}</p>'
        f'<label class="x-language"><span class="x-unseen">Language</span><select translate="no">{languages}</select>'
        "</label></header>"
        '<div class="x-first" role="note" hidden><p>Choose an example to begin, and click a word of a result to go on '
        "with it. Whatever is shown can be taken along: as a link, as lines of Python, as a file.</p>"
        '<button type="button">Got it</button></div>'
    )


def render_examples(examples: Sequence[Example], title: str = "Try a language") -> str:
    """Return a list of buttons; each carries its index as `data-index`."""
    rows = "".join(
        f'<li><button type="button" data-index="{index}" tabindex="{0 if index == 0 else -1}" '
        f'lang="{escape(example.language)}" title="{escape(example.text)}">'
        f'<span class="x-name">{escape(example.name)}</span>'
        f'<span class="x-text" dir="{text_direction(example.text)}">{mark_masks(example.text)}</span></button></li>'
        for index, example in enumerate(examples)
    )
    return (
        f'<section class="x-examples" aria-label="{escape(title)}"><h2>{escape(title)}</h2>'
        f'<ul data-roving role="list">{rows}</ul></section>'
    )


def mark_masks(text: str) -> str:
    """Return a text whose masks look like gaps."""
    return escape(text).replace("&lt;mask&gt;", '<span class="x-gap" dir="ltr">mask</span>')
