"""The parts that the HTML of results is made of: headings, notes, tables with bars, and buttons.

Arguments named `html` are HTML already; all others are escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from xlmrxl.rendering.formats import format_number, format_percent, isolate

AXES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Where a scale of probabilities may end."""
SHARES = ("probability", "score", "raw", "accuracy", "before", "after")
"""Columns of rows whose values from 0 to 1 are drawn as bars."""


def render_result(html: str, text: str = "", **data: object) -> str:
    """Return the element around a result.

    Args:
        html: what is in it.
        text: what the result is of, by which a page knows whether it shows the answer to its question.
        **data: more `data-` attributes.
    """
    more = "".join(f' data-{name}="{escape(str(value))}"' for name, value in data.items())
    return f'<div class="x-result" data-text="{escape(text)}"{more}>{html}</div>'


def render_heading(html: str, fact: str = "") -> str:
    """Return a heading with a fact at its end.

    It is no `h2`: the tables of contents of notebooks list those of every output.
    """
    facts = f" <span>{fact}</span>" if fact else ""
    return f'<div class="x-title" role="heading" aria-level="2">{html}{facts}</div>'


def render_section(kind: str, heading: str, html: str) -> str:
    """Return a section: its classes, its rendered heading, and what is in it."""
    return f'<section class="{kind}">{heading}{html}</section>'


def render_note(note: str) -> str:
    """Return a small text below a result."""
    return f'<p class="x-note">{escape(note, quote=False)}</p>'


def render_hint(hint: str) -> str:
    """Return the line that says what is pointed at, by its `data-tip`, and until then what one may do."""
    shown = escape(hint)
    return f'<p class="x-readout" aria-hidden="true" data-idle="{shown}">{shown}</p>'


def tip_attribute(tip: str, interactive: bool) -> str:
    """Return the attribute with what is said to those who point at an element: by `render_hint`, or by the browser."""
    return f'{"data-tip" if interactive else "title"}="{escape(tip)}"'


def render_status(html: str) -> str:
    """Return what a screen reader says when the result appears."""
    return f'<p class="x-unseen" role="status">{html}</p>'


def render_unseen(text: str) -> str:
    """Return a text for screen readers alone."""
    return f'<span class="x-unseen">{escape(text)}</span>'


def render_button(html: str, interactive: bool, **attributes: object) -> str:
    """Return a button, or where nothing answers to it, in a saved notebook, only what is in it.

    Args:
        html: what is in it.
        interactive: whether `interaction.js` is there.
        **attributes: with `_` for `-`.
    """
    if not interactive:
        return html
    named = "".join(f' {name.replace("_", "-")}="{escape(str(value))}"' for name, value in attributes.items())
    return f'<button type="button"{named}>{html}</button>'


def axis_end(probabilities: Iterable[float]) -> float:
    """Return where the scale of some probabilities ends."""
    best = max(probabilities, default=1.0)
    return next((end for end in AXES if end >= best), 1.0)


def render_axis(axis: float) -> str:
    """Return the head of a column of bars, with the ticks of a scale that ends at `axis`."""
    ticks = "".join(f"<span>{100 * axis * part:g}%</span>" for part in (0, 0.5, 1))
    return f'<th class="x-axis" aria-hidden="true"><div>{ticks}</div></th>'


def render_bar(probability: float, axis: float = 1.0, kind: str = "") -> str:
    """Return a bar of a scale that ends at `axis`."""
    named = f' class="{kind}"' if kind else ""
    return f'<div{named} style="width:{min(100.0, 100 * probability / axis):.2f}%"></div>'


def render_bar_cell(html: str) -> str:
    """Return the cell of a bar, or of several; the number beside it says the same to those who do not see it."""
    return f'<td class="x-bar" aria-hidden="true">{html}</td>'


def render_shaded_cell(html: str, share: float, *, title: str = "", against: bool = False) -> str:
    """Return a cell whose colour says how much of the most its value is.

    Args:
        html: what is in it.
        share: of the strongest colour, from 0 to 1.
        title: what is said to those who point at it.
        against: whether the value is below zero, on the other side of the scale.
    """
    kind = "x-against" if against else "x-for"
    told = f' title="{escape(title)}"' if title else ""
    return f'<td class="{kind}" style="--x-share:{share:.3f}"{told}>{html}</td>'


def render_head(name: str, seen: bool = True) -> str:
    """Return the head of a column; where its meaning can be seen, only screen readers say its name."""
    return f'<th scope="col">{escape(name) if seen else render_unseen(name)}</th>'


def render_table(heads: Iterable[str], rows: Iterable[str], caption: str = "", attributes: str = "") -> str:
    """Return a table.

    Args:
        heads: the rendered heads of its columns.
        rows: the rendered rows.
        caption: what screen readers call it.
        attributes: of the table.
    """
    named = f'<caption class="x-unseen">{escape(caption)}</caption>' if caption else ""
    return (
        f"<table{attributes and ' ' + attributes}>{named}<thead><tr>{''.join(heads)}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def render_scroller(html: str, name: str) -> str:
    """Return a region that can be scrolled, by the keyboard too, for a table that may be wider than the page."""
    return f'<div class="x-scroll" tabindex="0" role="region" aria-label="{escape(name)}">{html}</div>'


def render_rows(rows: Sequence[Mapping[str, Any]], title: str = "") -> str:
    """Return rows of a result as a table: shares with bars, numbers to the end, each text in its own direction.

    Args:
        rows: all with the same columns.
        title: above them.
    """
    if not rows:
        return render_note("Nothing.")
    heads = [render_head(str(column)) for column in rows[0]]
    body = [f"<tr>{''.join(_render_value(*cell) for cell in row.items())}</tr>" for row in rows]
    heading = render_heading(escape(title)) if title else ""
    return render_section("x-rows", heading, render_scroller(render_table(heads, body), title or "Result"))


def _render_value(name: str, value: Any) -> str:
    if name in SHARES and isinstance(value, float) and 0 <= value <= 1:
        bar = f'<div class="x-bar" aria-hidden="true">{render_bar(value)}</div>'
        return f'<td class="x-share"><span class="x-percent">{escape(format_percent(value))}</span>{bar}</td>'
    if isinstance(value, bool) or value is None:
        return f"<td>{'' if value is None else value}</td>"
    if isinstance(value, int | float):
        return f'<td class="x-number">{format_number(value) if isinstance(value, float) else value}</td>'
    return f"<td>{isolate(str(value))}</td>"
