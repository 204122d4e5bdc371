"""What each layer would put at masks, as escaped HTML. No Gradio."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from xlmrxl.rendering.components import (
    render_head,
    render_heading,
    render_note,
    render_result,
    render_scroller,
    render_section,
    render_table,
)
from xlmrxl.rendering.formats import format_percent
from xlmrxl.tasks.fill_results import render_fill, render_labels_note

if TYPE_CHECKING:
    from xlmrxl.inspection.logit_lens import LogitLens, LogitLensCell

LAYERS = (
    "The logit lens (nostalgebraist, 2020), here on an encoder: the final layer norm and the masked-LM head are put on "
    "each state, though only the last was trained for them. State 0 is the embeddings, each other one what a layer "
    "gives. Marked is where the likeliest piece is already the final one."
)


def render_layers_button(text: str, now: bool = False) -> str:
    """Return the button that asks for the layers of a text; `now` has the page press it at once."""
    return (
        f'<button type="button" class="x-action" data-layers="{escape(text)}"{" data-now" if now else ""} '
        'aria-expanded="false">Layer by layer</button>'
    )


def render_layers(lens: LogitLens) -> str:
    """Return what each state would have put at each mask, from the embeddings to the last."""
    masks = "".join(_layers(lens, place) for place in range(len(lens.positions)))
    marks = render_labels_note([fill for states in lens.cells for cell in states for fill in cell.fills])
    return (
        f'<button type="button" class="x-action" data-layers="{escape(lens.text)}" aria-expanded="true">Layer by layer'
        f"</button>{render_result(masks)}{render_note(LAYERS)}{marks}"
    )


def _layers(lens: LogitLens, place: int) -> str:
    cells = [states[place] for states in lens.cells]
    last = len(cells) - 1
    final = cells[-1].fills[0].id
    since = next((state for state in range(last, 0, -1) if cells[state - 1].fills[0].id != final), 0)
    name = "Layer by layer" if len(lens.positions) == 1 else f"Mask {place + 1}, layer by layer"
    heads = [render_head(head) for head in ("state", *map(str, range(1, len(cells[0].fills) + 1)))]
    rows = [_state(cell, state, final) for state, cell in enumerate(cells)]
    note = render_note(f"The final piece comes first from state {since} on, of {last}.")
    return render_section(
        "x-fills x-layers",
        render_heading(name, f"token {lens.positions[place]}"),
        render_scroller(render_table(heads, rows), name) + note,
    )


def _state(cell: LogitLensCell, state: int, final: int) -> str:
    html = ""
    for rank, fill in enumerate(cell.fills):
        kind = ' class="x-final"' if rank == 0 and fill.id == final else ""
        text = f"{render_fill(fill)}<span>{escape(format_percent(fill.probability))}</span>"
        tip = f'title="{escape(fill.piece)}" translate="no"'
        html += f'<td{kind} style="--x-share:{fill.probability:.3f}" {tip}><div>{text}</div></td>'
    return f'<tr><th scope="row">{state}</th>{html}</tr>'
