"""Two aligned texts: their words, and links between those that go together."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from xlmrxl.figures.style import INK, Figure, escape_text, is_right_to_left, make_figure
from xlmrxl.inspection.parallel import Alignment, Link
from xlmrxl.palette import CATEGORIES

WIDE = 110
"""Widths of a letter up to which two texts stand as lines; beyond, as columns."""
GAP = 2.0
"""Between two words, in widths of a letter."""


def alignment(result: Alignment, *, dark: bool = False) -> Figure:
    """Draw two texts and the links between their words, wider and darker the more similar they are.

    Short texts are two lines, laid out from the right where their language is; long ones are two columns.
    """
    width = max(sum(measure_width(word) + GAP for word in words) - GAP for words in result.words)
    lines = width <= WIDE
    along = [_lay_out(words, width) if lines else [-float(i) for i in range(len(words))] for words in result.words]
    traces = [_draw_link(result, link, along, lines, dark) for link in result.links]
    linked = ({link.first for link in result.links}, {link.second for link in result.links})
    for side, words in enumerate(result.words):
        across = [1.0 - side if lines else float(side)] * len(words)
        ink = [INK[dark].text if i in linked[side] else INK[dark].soft for i in range(len(words))]
        traces.append(
            go.Scatter(
                x=along[side] if lines else across,
                y=across if lines else along[side],
                name=escape_text(result.names[side]),
                text=[escape_text(word) for word in words],
                mode="text",
                textposition="middle center" if lines else ("middle left", "middle right")[side],
                textfont={"size": 14, "color": ink},
                hoverinfo="skip",
                cliponaxis=False,
            )
        )
    title = f"words that go together, state {result.state}, {result.method}"
    names = [escape_text(name) for name in result.names]
    blank = {"showgrid": False, "fixedrange": True}
    if lines:
        figure = make_figure(result, title, traces, dark, inside=170, below=20)
        figure.update_xaxes(**blank, range=[-1, width + 1], showticklabels=False)
        figure.update_yaxes(**blank, range=[-0.25, 1.25], tickvals=[1, 0], ticktext=names)
    else:
        rows = max(map(len, result.words))
        figure = make_figure(result, title, traces, dark, inside=22 * rows, below=40)
        figure.update_xaxes(**blank, range=[-0.8, 1.8], tickvals=[0, 1], ticktext=names, side="top")
        figure.update_yaxes(**blank, range=[0.6 - rows, 0.6], showticklabels=False)
    figure.update_layout(margin={"b": 20, "t": figure.layout.margin.t + (0 if lines else 20)})
    return figure


def measure_width(word: str) -> float:
    """Return how wide a word is, in widths of a letter: signs of East Asia have two, marks none."""
    wide = [2 if unicodedata.east_asian_width(c) in "WF" else unicodedata.category(c)[0] not in "MC" for c in word]
    return float(sum(wide))


def _lay_out(words: Sequence[str], width: float) -> list[float]:
    """Return the middle of each word of a line: from the left, or from the right where the text is written so."""
    middles, end = [], 0.0
    for word in words:
        middles.append(end + measure_width(word) / 2)
        end += measure_width(word) + GAP
    return [width - middle for middle in middles] if is_right_to_left(" ".join(words)) else middles


def _draw_link(result: Alignment, link: Link, along: Sequence[Sequence[float]], lines: bool, dark: bool) -> Any:
    """Draw a line between two words, with a point in its middle that the pointer finds."""
    strength = min(max(link.similarity, 0.0), 1.0)
    start, end = along[0][link.first], along[1][link.second]
    along_line = [start, (start + end) / 2, end]
    across = [0.88, 0.5, 0.12] if lines else [0.03, 0.5, 0.97]
    words = [escape_text(result.words[0][link.first]), escape_text(result.words[1][link.second])]
    return go.Scatter(
        x=along_line if lines else across,
        y=across if lines else along_line,
        mode="lines",
        line={"color": CATEGORIES[dark][0], "width": 1 + 5 * strength},
        opacity=0.25 + 0.7 * strength,
        text=" – ".join(words),
        customdata=[link.similarity] * 3,
        hovertemplate="%{text}<br>cosine %{customdata:.4~g}<extra></extra>",
    )
