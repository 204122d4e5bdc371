"""Projections of states to a plane, with a slider for the state and the trajectories of points through the states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from xlmrxl.errors import InputError
from xlmrxl.figures.style import INK, SYMBOLS, Figure, escape_text, format_subword, make_figure, pick, shorten
from xlmrxl.inspection.projection import Projection
from xlmrxl.palette import CATEGORIES

MOST_NAMED = 60
"""Up to so many points have their label beside them; those of more are under the pointer."""
MOST_TRAJECTORIES = 12
"""Up to so many points have their trajectory drawn from the start."""


def projection(
    result: Projection, *, state: int | None = None, trajectories: Sequence[int] | None = None, dark: bool = False
) -> Figure:
    """Draw the first two components as a plane, with a slider for the state and the trajectories of points.

    Args:
        result: of two components or more.
        state: where the slider stands at first; the middle one if not given.
        trajectories: which points have their trajectory drawn; if not given, all, but those of more than 12 only
            after a click on the legend. Without one plane for all states there are none.
        dark: for a dark page.

    Raises:
        InputError: a trajectory without a common plane, or a state that was not projected.
    """
    if trajectories and result.basis != "common":
        raise InputError("Points have a trajectory only in one plane for all states: project with basis='common'.")
    if state is not None and state not in result.states:
        raise InputError(f"state is {state}; the projection has {', '.join(map(str, result.states))}.")
    active = len(result.states) // 2 if state is None else result.states.index(state)
    groups = list(dict.fromkeys(result.groups))
    members = [[i for i, name in enumerate(result.groups) if name == group] for group in groups]
    traces = [_draw_points(result, active, members[n], n, dark) for n in range(len(groups))]
    if result.basis == "common" and len(result.states) > 1:
        chosen = set(range(len(result.labels)) if trajectories is None else trajectories)
        drawn = [(n, points) for n, group in enumerate(members) if (points := [i for i in group if i in chosen])]
        shown = trajectories is not None or len(chosen) <= MOST_TRAJECTORIES
        traces += [
            _draw_trajectories(result, points, n, dark, shown=shown, first=n == drawn[0][0]) for n, points in drawn
        ]
    legend = len(traces) > 1
    rows = -(-(len(groups) + 1) // 6)
    title = f"{result.unit} in a plane by {result.method.upper()}"
    figure = make_figure(result, title, traces, dark, inside=480, below=160 + (24 * rows if legend else 0))
    for name, component in (("xaxis", 0), ("yaxis", 1)):
        figure.update_layout({name: {"zeroline": True, **_scale_axis(result, active, component)}})
    slider = {
        "active": active,
        "steps": [_make_step(result, i, members) for i in range(len(result.states))],
        "pad": {"t": 50},
        "currentvalue": {"prefix": "state ", "font": {"size": 13}},
        "bgcolor": INK[dark].line,
        "activebgcolor": INK[dark].soft,
        "bordercolor": INK[dark].soft,
        "tickcolor": INK[dark].soft,
        "font": {"size": 10},
    }
    figure.update_layout(sliders=[slider], showlegend=legend, legend={"y": -150 / 480})
    return figure


def _draw_points(result: Projection, active: int, members: Sequence[int], n: int, dark: bool) -> Any:
    """Draw the points of a group."""
    return go.Scatter(
        x=result.points[active, members, 0],
        y=result.points[active, members, 1],
        name=escape_text(result.groups[members[0]]),
        text=[escape_text(shorten(format_subword(result.labels[i]))) for i in members],
        mode="markers+text" if len(result.labels) <= MOST_NAMED else "markers",
        textposition="top center",
        textfont={"size": 11, "color": INK[dark].text},
        cliponaxis=False,
        marker={
            "color": pick(CATEGORIES[dark], n),
            "symbol": pick(SYMBOLS, n),
            "size": 9,
            "line": {"width": 1, "color": INK[dark].soft},
        },
        hovertemplate="%{text}<br>%{x:.4~g}, %{y:.4~g}",
    )


def _draw_trajectories(
    result: Projection, members: Sequence[int], n: int, dark: bool, *, shown: bool, first: bool
) -> Any:
    """Draw the trajectories of a group's points as one trace with gaps; all groups share a line of the legend."""
    gap = np.full((1, len(members), 2), np.nan, np.float32)
    lines = np.concatenate([result.points[:, members, :2], gap]).transpose(1, 0, 2).reshape(-1, 2)
    return go.Scatter(
        x=lines[:, 0],
        y=lines[:, 1],
        name="trajectories through the states",
        legendgroup="trajectories",
        showlegend=first,
        mode="lines",
        line={"color": pick(CATEGORIES[dark], n), "width": 1.5},
        opacity=0.6,
        hoverinfo="skip",
        visible=True if shown else "legendonly",
    )


def _scale_axis(result: Projection, i: int, component: int) -> dict[str, Any]:
    """Return title and range of a component in the i-th state: one range where all states have one plane."""
    title = f"component {component + 1}"
    if result.explained is not None:
        share = result.explained[i if len(result.explained) > 1 else 0, component]
        title += f" ({share:.0%} of the variance)"
    values = result.points[..., component] if result.basis == "common" else result.points[i, :, component]
    low, high = float(values.min()), float(values.max())
    room = 0.08 * (high - low) or 1.0
    return {"title_text": title, "range": [low - room, high + room]}


def _make_step(result: Projection, i: int, members: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Return what the slider does for the i-th state."""
    # As plain numbers, with no more digits than they have: arrays would not be decoded here.
    x, y = (
        [[float(str(value)) for value in result.points[i, group, component]] for group in members]
        for component in (0, 1)
    )
    axes: dict[str, Any] = {}
    for name, component in (("xaxis", 0), ("yaxis", 1)):
        axis = _scale_axis(result, i, component)
        axes |= {f"{name}.range": axis["range"], f"{name}.title.text": axis["title_text"]}
    return {
        "label": str(result.states[i]),
        "method": "update",
        "args": [{"x": x, "y": y}, axes, list(range(len(members)))],
    }
