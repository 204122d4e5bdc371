"""The lens: words by state and position, and what becomes of a word on the way."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from xlmrxl.figures.heatmaps import curves
from xlmrxl.figures.style import Figure, colour_bar, colour_scale, framed, literal, short, ticks
from xlmrxl.inspection.labelled_matrix import Axis, Curves
from xlmrxl.inspection.logit_lens import Lens

MOST_COLUMNS = 16
"""Up to so many columns have their words in them; those of more are under the pointer."""


def lens(result: Lens, *, dark: bool = False) -> Figure:
    """What each state says at each position: the likeliest word, coloured by its probability."""
    count = len(result.cells)
    best = [[cell.fills[0] for cell in line] for line in result.cells]
    trace = go.Heatmap(
        z=np.array([[fill.probability for fill in line] for line in best], np.float32),
        zmin=0,
        zmax=1,
        text=[[literal(short(fill.label, 14)) for fill in line] for line in best],
        texttemplate="%{text}" if len(result.pieces) <= MOST_COLUMNS else None,
        customdata=[
            ["<br>".join(f"{fill.probability:.2%} {literal(fill.label)}" for fill in cell.fills) for cell in line]
            for line in result.cells
        ],
        colorscale=colour_scale("sequential", dark),
        colorbar=colour_bar("probability", min(24 * max(count, 5), 320), tickformat=".0%"),
        hovertemplate="state %{y}, token %{x}<br>%{customdata}<extra></extra>",
        xgap=1,
        ygap=1,
    )
    figure = framed(result, "the likeliest word after each layer", [trace], dark, inside=24 * count)
    figure.update_xaxes(**ticks(Axis("token", result.pieces)), showgrid=False)
    figure.update_yaxes(**ticks(Axis.numbered("state", count)), showgrid=False, autorange="reversed")
    return figure


def lens_targets(result: Lens, *, measure: str = "probability", dark: bool = False) -> Figure:
    """The probability, or the rank, that each target has by state, at each position.

    Raises:
        ValueError: no target was asked for, or another measure.
    """
    if not result.targets:
        raise ValueError("The lens has no targets: ask for some with targets=[…].")
    if measure not in ("probability", "rank"):
        raise ValueError(f"measure is {measure!r}; it must be probability or rank.")
    read = result.probabilities if measure == "probability" else result.ranks
    pairs = [(target, n) for target in result.targets for n in range(len(result.positions))]
    made = Curves(
        result.source,
        measure,
        f"{measure} of a word after each layer",
        np.stack([read(target)[:, n] for target, n in pairs]),
        tuple(f"{target} at {result.positions[n]}, {result.pieces[n]}" for target, n in pairs),
        Axis.numbered("state", len(result.cells)),
    )
    figure = curves(made, dark=dark)
    if measure == "rank":
        figure.update_yaxes(type="log", autorange="reversed", dtick=1)
    return figure
