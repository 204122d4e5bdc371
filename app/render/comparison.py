"""Precisions beside each other as escaped HTML. No Gradio."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from xlmrxl.app.render import axis_end, percent, width
from xlmrxl.app.render.fills import fill_html

if TYPE_CHECKING:
    from xlmrxl.tasks.compare_precisions import Comparison, Difference
    from xlmrxl.tasks.fill_results import Fill

NOTE = (
    "KL is how far the distribution at the masks is from the first column's, in nats: 0 where nothing changed. "
    "Drift is how far the hidden states there have moved, as a share of their length."
)


def comparison_html(found: Comparison) -> str:
    """A table of fills for each mask, a column a precision; and how far each is from the first."""
    names = [difference.precision for difference in found.differences]
    first = found.fills[0]
    sections = []
    for number in range(len(first.masks)):
        columns = [result.masks[number].fills for result in found.fills]
        axis = axis_end([fill.probability for column in columns for fill in column])
        rows = "".join(
            f'<tr><td class="x-rank">{rank + 1}</td>' + "".join(_fill(fill, axis) for fill in row) + "</tr>"
            for rank, row in enumerate(zip(*columns, strict=True))
        )
        title = "Fills" if len(first.masks) == 1 else f"Mask {number + 1}"
        sections.append(_table(title, ["rank", *names], rows, "x-beside"))
    measured = "".join(_row(difference) for difference in found.differences[1:])
    heads = ["precision", "KL, nats", "same first", "drift: embeddings", "middle", "end"]
    status = ", ".join(f"{each.precision}: KL {each.kl:.3f}" for each in found.differences[1:])
    return (
        f'<div class="x-result" data-text="{escape(first.text)}">'
        f'<p class="x-unseen" role="status" translate="no">{escape(status)}</p>'
        f"{''.join(sections)}{_table(f'Beside {names[0]}', heads, measured, 'x-measured')}"
        f'<p class="x-note">{NOTE}</p></div>'
    )


def _fill(fill: Fill, axis: float) -> str:
    return (
        f"<td>{fill_html(fill)} <span>{percent(fill.probability)}</span>"
        f'<div class="x-bar" aria-hidden="true"><div style="width:{width(fill.probability, axis)}"></div></div></td>'
    )


def _table(title: str, heads: list[str], rows: str, kind: str) -> str:
    columns = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    return (
        f'<section class="x-fills {kind}"><h2>{escape(title)}</h2><div class="x-scroll" tabindex="0" role="region" '
        f'aria-label="{escape(title)}"><table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _row(difference: Difference) -> str:
    drift = difference.drift
    cells = [f"{difference.kl:.4f}", percent(difference.top1)]
    cells += [percent(drift[place]) for place in (0, len(drift) // 2, -1)]
    return (
        f'<tr><th scope="row">{escape(difference.precision)}</th>' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"
    )
