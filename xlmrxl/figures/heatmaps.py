"""Labelled matrices as heat maps, and curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from xlmrxl.figures.style import (
    DASHES,
    INK,
    NUMBERED,
    SYMBOLS,
    Figure,
    colour_bar,
    colour_scale,
    escape_text,
    format_subword,
    make_axis,
    make_figure,
    pick,
)
from xlmrxl.inspection.labelled_matrix import Array, Curves, LabelledMatrix
from xlmrxl.palette import CATEGORIES

WIDE_RANGE = 50
"""Lengths are coloured by their logarithm where the 95th percentile is so many times the 5th."""
LEGEND = 5
"""About so many names stand in a row of the legend."""


def heatmap(result: LabelledMatrix, *, dark: bool = False) -> Figure:
    """Draw a labelled matrix as a heat map.

    What is signed is coloured on both sides of 0, alike as far as its largest absolute value; anything else from its
    smallest number to its largest; lengths that are far apart by their logarithms (the bar says so). A diagonal of
    ones, which everything has with itself, does not widen the scale.
    """
    inside = 20 * max(len(result.values), 16 if result.row == result.column else 8)
    figure = make_figure(result, result.title, [_draw_cells(result, min(inside, 320), dark)], dark, inside=inside)
    figure.update_xaxes(**make_axis(result.column), showgrid=False)
    figure.update_yaxes(**make_axis(result.row), showgrid=False, autorange="reversed")
    return figure


def _draw_cells(result: LabelledMatrix, bar: int, dark: bool) -> Any:
    name = escape_text(result.measure)
    where = f"{escape_text(result.row.name)} %{{y}}<br>{escape_text(result.column.name)} %{{x}}<br>"
    finite = result.values[np.isfinite(result.values) & ~_find_trivial_diagonal(result)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    shared = {"hoverongaps": False, "colorscale": colour_scale("diverging" if result.signed else "sequential", dark)}
    title = result.unit or result.measure
    if result.measure == "norm" and low > 0 and np.divide(*np.percentile(finite, (95, 5))) > WIDE_RANGE:
        steps = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        return go.Heatmap(
            z=np.log10(result.values),
            customdata=result.values,
            colorbar=colour_bar(
                f"{title}, logarithmic", bar, tickvals=steps, ticktext=[f"{10.0**step:g}" for step in steps]
            ),
            hovertemplate=f"{where}{name} %{{customdata:.4~g}}<extra></extra>",
            **shared,
        )
    if result.signed:
        high = max(-low, high) or 1.0
        low = -high
    return go.Heatmap(
        z=result.values,
        zmin=low,
        zmax=high if low < high else low + 1,
        colorbar=colour_bar(title, bar),
        hovertemplate=f"{where}{name} %{{z:.4~g}}<extra></extra>",
        **shared,
    )


def _find_trivial_diagonal(result: LabelledMatrix) -> Array:
    """Return where a matrix says how like itself everything is: the diagonal, if it is ones."""
    found: Array = np.zeros(result.values.shape, np.bool_)
    if result.row == result.column and (np.abs(result.values.diagonal() - 1) < 1e-5).all():
        np.fill_diagonal(found, True)
    return found


def curves(result: Curves, *, dark: bool = False) -> Figure:
    """Draw curves over the states; what a guess would give is a dashed line."""
    numbered = result.x.name in NUMBERED
    x = [float(label if numbered else i) for i, label in enumerate(result.x.labels)]
    traces = [_draw_curve(result, x, i, values, dark) for i, values in enumerate(result.values)]
    if result.chance is not None:
        traces.append(
            go.Scatter(
                x=[x[0], x[-1]],
                y=[result.chance, result.chance],
                name=f"chance, {result.chance:.3g}",
                mode="lines",
                line={"color": INK[dark].soft, "dash": "dash", "width": 1},
                hoverinfo="skip",
            )
        )
    below = 110 + (22 * -(-len(traces) // LEGEND) if len(traces) > 1 else 0)
    figure = make_figure(result, result.title, traces, dark, inside=320, below=below)
    figure.update_xaxes(**make_axis(result.x))
    figure.update_yaxes(title_text=escape_text(result.unit or result.measure))
    if result.measure == "accuracy":
        figure.update_yaxes(range=[0, 1.03], tickformat=".0%")
    figure.update_layout(showlegend=len(traces) > 1, legend={"y": -60 / 320})
    return figure


def _draw_curve(result: Curves, x: list[float], i: int, values: Array, dark: bool) -> Any:
    return go.Scatter(
        x=x,
        y=values,
        name=escape_text(format_subword(result.names[i])),
        mode="lines+markers",
        line={"color": pick(CATEGORIES[dark], i), "dash": pick(DASHES, i // len(CATEGORIES[dark])), "width": 2},
        marker={"symbol": pick(SYMBOLS, i), "size": 7},
        hovertemplate=f"{escape_text(result.x.name)} %{{x}}: %{{y:.4~g}}",
    )
