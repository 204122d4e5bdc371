"""The style of all figures: greys, how texts are written, where a figure says that it is from, axes with labels."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple, TypeAlias

import plotly.graph_objects as go

from xlmrxl.inspection.labelled_matrix import Axis
from xlmrxl.palette import CATEGORIES, PALETTE, WHITE
from xlmrxl.tasks.result import Result, Source, to_json_value
from xlmrxl.tasks.subwords import DOTTED_CIRCLE

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down", "pentagon", "hexagram")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


class Ink(NamedTuple):
    """The greys of a page."""

    text: str
    soft: str  # lesser text
    line: str
    behind: str  # a label


INK = {
    False: Ink(PALETTE.grey[9], PALETTE.grey[6], PALETTE.grey[2], WHITE),
    True: Ink(PALETTE.grey[1], PALETTE.grey[4], PALETTE.grey[7], PALETTE.grey[9]),
}
"""On a light and on a dark page."""
FONT = "IBM Plex Sans, Noto Sans, Segoe UI, Helvetica Neue, Arial, sans-serif"
CAPTION = 46
"""Characters of a line of the caption: what a phone has room for."""
NUMBERED = ("state", "layer", "head")
"""Axes whose labels are the numbers they stand at."""
MOST_TICKS = 64
WORD_START = "▁"

Figure: TypeAlias = go.Figure


def escape_text(text: str) -> str:
    """Escape a text so that plotly takes nothing in it for a tag, an entity, a formula or `%{…}`."""
    text = escape(" ".join(text.splitlines()), quote=False)
    return text.replace("$", "&#36;").replace("%{", "%&#123;")


def format_subword(text: str) -> str:
    """Write a subword with its space as a mark, on the side where the word begins, and a loose sign on a base."""
    bare = text.removeprefix(WORD_START)
    mark = "␣" if bare != text else ""
    if bare and unicodedata.category(bare[0]).startswith("M"):
        bare = DOTTED_CIRCLE + bare
    bare = bare.replace(WORD_START, "␣")
    # A mark has no direction of its own: behind a sign of the right-to-left ones it goes with the letters.
    return f"\u200f{mark}{bare}" if mark and is_right_to_left(bare) else mark + bare


def shorten(text: str, most: int = 28) -> str:
    """Cut a text to so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def is_right_to_left(text: str) -> bool:
    """Return whether the first letter of a text that has a direction is written from the right."""
    return next((d for d in map(unicodedata.bidirectional, text) if d in ("L", "R", "AL")), "L") != "L"


def write_caption(source: Source) -> str:
    """Return model, revision, precision and settings, escaped, in lines."""
    parts = [source.model, f"revision {source.revision}" if source.revision else "", source.precision]
    parts += [f"{name} {_format_setting(value)}" for name, value in source.settings.items() if value is not None]
    parts.append(f"xlmrxl {source.version}")
    lines = [""]
    for part in filter(None, parts):
        if lines[-1] and len(lines[-1]) + len(part) > CAPTION:
            lines.append("")
        lines[-1] += f"{' · ' if lines[-1] else ''}{part}"
    return "<br>".join(escape_text(line) for line in lines)


def _format_setting(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(str(part) for part in value.values() if part is not None)
    if isinstance(value, list | tuple):
        return shorten(", ".join(map(_format_setting, value)), CAPTION)
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def make_figure(
    result: Result, title: str, traces: Sequence[Any], dark: bool, *, inside: int, below: int = 110
) -> Figure:
    """Make a figure of traces, with the template, the title, and where the numbers come from.

    Args:
        result: whose source is named.
        title: in words; it is escaped here.
        traces: of the figure.
        dark: for a dark page.
        inside: how high the plot is, in pixels; between 120 and 1,000 are kept.
        below: how much room the labels, the slider and the legend below it have.
    """
    subtitle = write_caption(result.source)
    title = title[:1].upper() + title[1:]
    ink, lesser, line, behind = INK[dark]
    axis = {
        "gridcolor": line,
        "linecolor": lesser,
        "zerolinecolor": lesser,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "title": {"font": {"size": 13}, "standoff": 10},
    }
    template = go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 12, "color": ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(CATEGORIES[dark]),
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"bgcolor": behind, "bordercolor": lesser, "font": {"color": ink, "family": FONT}},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": lesser, "activecolor": ink},
            "title": {"font": {"size": 15}, "x": 0, "xref": "paper", "xanchor": "left", "yanchor": "top"},
        }
    )
    inside = min(max(inside, 120), 1000)
    above = 66 + 15 * subtitle.count("<br>")
    return go.Figure(
        data=list(traces),
        layout={
            "template": template,
            "title": {
                "text": escape_text(format_subword(title)),
                "subtitle": {"text": subtitle, "font": {"size": 11, "color": lesser}},
                "yref": "container",
                "y": 1,
                "pad": {"t": 14},
            },
            "height": above + inside + below,
            "margin": {"t": above, "r": 20, "b": 40, "l": 20},
            # Below the title of the axis, whatever the height is.
            "legend": {"orientation": "h", "x": 0, "y": -(below - 50) / inside, "yanchor": "top"},
            "showlegend": False,
            "meta": to_json_value({"kind": type(result).__name__, "title": title, **result.source.to_dict()}),
            "uirevision": "kept",
        },
    )


def colour_scale(name: str, dark: bool) -> list[list[Any]]:
    """Return a scale of the palette, `"sequential"` or `"diverging"`, as plotly takes it."""
    stops = PALETTE.scale(name, dark=dark)
    return [[i / (len(stops) - 1), colour] for i, colour in enumerate(stops)]


def colour_bar(title: str, length: int, **more: Any) -> dict[str, Any]:
    """Return a slim bar that says what the colours are of."""
    place = {"lenmode": "pixels", "len": length, "y": 1, "yanchor": "top", "ypad": 0}
    return {"title": {"text": escape_text(title), "side": "right"}, "thickness": 12, "outlinewidth": 0, **place, **more}


def pick(values: Sequence[str], i: int) -> str:
    """Return the i-th of some colours, symbols or dashes, which begin again after the last."""
    return values[i % len(values)]


def make_axis(axis: Axis) -> dict[str, Any]:
    """Return an axis of numbered places, each shown with its label; of many places only some have a tick."""
    count = len(axis.labels)
    notes = f" (0 embeddings, {count - 1} final)" if axis.name == "state" and count > 1 else ""
    labels = () if axis.name in NUMBERED else axis.labels
    return {
        "title_text": escape_text(f"{axis.name}{notes}"),
        "tickmode": "linear",
        "tick0": 0,
        "dtick": -(-count // MOST_TICKS),
        "labelalias": {str(i): escape_text(shorten(format_subword(label))) for i, label in enumerate(labels)},
    }
