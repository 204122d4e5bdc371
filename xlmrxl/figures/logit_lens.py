"""The logit lens: words by state and position, and the probability of a word from state to state."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from xlmrxl.errors import InputError
from xlmrxl.figures.heatmaps import curves
from xlmrxl.figures.style import Figure, colour_bar, colour_scale, escape_text, make_axis, make_figure, shorten
from xlmrxl.inspection.labelled_matrix import Axis, Curves
from xlmrxl.inspection.logit_lens import LogitLens

MOST_COLUMNS = 16
"""Up to so many columns have their words in them; those of more are under the pointer."""


def logit_lens(result: LogitLens, *, dark: bool = False) -> Figure:
    """Draw the likeliest word of each state at each position, coloured by its probability."""
    count = len(result.cells)
    best = [[cell.fills[0] for cell in line] for line in result.cells]
    trace = go.Heatmap(
        z=np.array([[fill.probability for fill in line] for line in best], np.float32),
        zmin=0,
        zmax=1,
        text=[[escape_text(shorten(fill.label, 14)) for fill in line] for line in best],
        texttemplate="%{text}" if len(result.pieces) <= MOST_COLUMNS else None,
        customdata=[
            ["<br>".join(f"{fill.probability:.2%} {escape_text(fill.label)}" for fill in cell.fills) for cell in line]
            for line in result.cells
        ],
        colorscale=colour_scale("sequential", dark),
        colorbar=colour_bar("probability", min(24 * max(count, 5), 320), tickformat=".0%"),
        hovertemplate="state %{y}, token %{x}<br>%{customdata}<extra></extra>",
        xgap=1,
        ygap=1,
    )
    figure = make_figure(result, "the likeliest word after each layer", [trace], dark, inside=24 * count)
    figure.update_xaxes(**make_axis(Axis("token", result.pieces)), showgrid=False)
    figure.update_yaxes(**make_axis(Axis.numbered("state", count)), showgrid=False, autorange="reversed")
    return figure


def logit_lens_targets(result: LogitLens, *, measure: str = "probability", dark: bool = False) -> Figure:
    """Draw the probability, or the rank, of each target by state, at each position.

    Raises:
        InputError: no target was asked for, or another measure.
    """
    if not result.targets:
        raise InputError("The logit lens has no targets: ask for some with targets=[…].")
    if measure not in ("probability", "rank"):
        raise InputError(f"measure is {measure!r}; it must be probability or rank.")
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
