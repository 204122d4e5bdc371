"""States in a plane, with a slider for the state and the ways of points through the states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from xlmrxl.figures.style import INK, SYMBOLS, Figure, framed, literal, nth, short, shown_piece
from xlmrxl.inspection.projection import Projection
from xlmrxl.palette import CATEGORIES

MOST_NAMED = 60
"""Up to so many points have their label beside them; those of more are under the pointer."""
MOST_WAYS = 12
"""Up to so many points have their way drawn from the start."""


def projection(
    result: Projection, *, state: int | None = None, trajectories: Sequence[int] | None = None, dark: bool = False
) -> Figure:
    """The first two components as a plane, a slider for the state, and the ways of points through the states.

    Args:
        result: of two components or more.
        state: where the slider stands at first; the middle one if not given.
        trajectories: which points have their way drawn; if not given, all, but those of more than 12 only
            after a click on the legend. Without one plane for all states there are none.
        dark: for a dark page.

    Raises:
        ValueError: a trajectory without a common plane, or a state that was not projected.
    """
    if trajectories and result.basis != "common":
        raise ValueError("Points have a way only in one plane for all states: project with basis='common'.")
    if state is not None and state not in result.states:
        raise ValueError(f"state is {state}; the projection has {', '.join(map(str, result.states))}.")
    active = len(result.states) // 2 if state is None else result.states.index(state)
    groups = list(dict.fromkeys(result.groups))
    places = [[i for i, name in enumerate(result.groups) if name == group] for group in groups]
    traces = [_points(result, active, places[n], n, dark) for n in range(len(groups))]
    if result.basis == "common" and len(result.states) > 1:
        chosen = set(range(len(result.labels)) if trajectories is None else trajectories)
        drawn = [(n, ways) for n, group in enumerate(places) if (ways := [i for i in group if i in chosen])]
        shown = trajectories is not None or len(chosen) <= MOST_WAYS
        traces += [_ways(result, ways, n, dark, shown=shown, first=n == drawn[0][0]) for n, ways in drawn]
    legend = len(traces) > 1
    rows = -(-(len(groups) + 1) // 6)
    title = f"{result.of} in a plane by {result.method.upper()}"
    figure = framed(result, title, traces, dark, inside=480, below=160 + (24 * rows if legend else 0))
    for name, component in (("xaxis", 0), ("yaxis", 1)):
        figure.update_layout({name: {"zeroline": True, **_axis(result, active, component)}})
    slider = {
        "active": active,
        "steps": [_step(result, i, places) for i in range(len(result.states))],
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


def _points(result: Projection, active: int, places: Sequence[int], n: int, dark: bool) -> Any:
    """The points of a group."""
    return go.Scatter(
        x=result.points[active, places, 0],
        y=result.points[active, places, 1],
        name=literal(result.groups[places[0]]),
        text=[literal(short(shown_piece(result.labels[i]))) for i in places],
        mode="markers+text" if len(result.labels) <= MOST_NAMED else "markers",
        textposition="top center",
        textfont={"size": 11, "color": INK[dark].text},
        cliponaxis=False,
        marker={
            "color": nth(CATEGORIES[dark], n),
            "symbol": nth(SYMBOLS, n),
            "size": 9,
            "line": {"width": 1, "color": INK[dark].soft},
        },
        hovertemplate="%{text}<br>%{x:.4~g}, %{y:.4~g}",
    )


def _ways(result: Projection, places: Sequence[int], n: int, dark: bool, *, shown: bool, first: bool) -> Any:
    """The ways of a group's points through the states as one trace with gaps; all groups share a line of the legend."""
    gap = np.full((1, len(places), 2), np.nan, np.float32)
    ways = np.concatenate([result.points[:, places, :2], gap]).transpose(1, 0, 2).reshape(-1, 2)
    return go.Scatter(
        x=ways[:, 0],
        y=ways[:, 1],
        name="ways through the states",
        legendgroup="ways",
        showlegend=first,
        mode="lines",
        line={"color": nth(CATEGORIES[dark], n), "width": 1.5},
        opacity=0.6,
        hoverinfo="skip",
        visible=True if shown else "legendonly",
    )


def _axis(result: Projection, i: int, component: int) -> dict[str, Any]:
    """Title and range of a component in the state at place i: one range where all states have one plane."""
    title = f"component {component + 1}"
    if result.explained is not None:
        share = result.explained[i if len(result.explained) > 1 else 0, component]
        title += f" ({share:.0%} of the variance)"
    values = result.points[..., component] if result.basis == "common" else result.points[i, :, component]
    low, high = float(values.min()), float(values.max())
    room = 0.08 * (high - low) or 1.0
    return {"title_text": title, "range": [low - room, high + room]}


def _step(result: Projection, i: int, places: Sequence[Sequence[int]]) -> dict[str, Any]:
    """What the slider does for the state at place i."""
    # As plain numbers, with no more digits than they have: arrays would not be decoded here.
    x, y = (
        [[float(str(value)) for value in result.points[i, group, component]] for group in places]
        for component in (0, 1)
    )
    axes: dict[str, Any] = {}
    for name, component in (("xaxis", 0), ("yaxis", 1)):
        axis = _axis(result, i, component)
        axes |= {f"{name}.range": axis["range"], f"{name}.title.text": axis["title_text"]}
    return {
        "label": str(result.states[i]),
        "method": "update",
        "args": [{"x": x, "y": y}, axes, list(range(len(places)))],
    }
