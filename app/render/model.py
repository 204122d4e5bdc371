"""What is loaded, and what a model takes, as escaped HTML. No Gradio."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from xlmrxl.rendering.components import render_heading

if TYPE_CHECKING:
    from xlmrxl.app.handlers.loading import About
    from xlmrxl.plan import Device, Need, Plan

NOTE = (
    "Fits: in what is free beside the loaded model, with a text of 128 tokens and what Python and its libraries take."
)


def render_about(about: About) -> str:
    """Return the facts of the loaded model."""
    from xlmrxl.plan import format_size  # noqa: PLC0415 - torch comes along

    named = f"{about.name}, {about.revision}" if about.revision else about.name
    shape = f"{about.layers} × {about.attention_heads}"
    facts = (
        ("Name", f'<bdi translate="no">{escape(named)}</bdi>'),
        ("For", escape(about.purpose)),
        ("Class", f'<span translate="no">{escape(about.head)}</span>'),
        ("Parameters", f"{about.parameters:,}"),
        ("Layers × heads", shape),
        ("Hidden size", f"{about.hidden_size:,}"),
        ("Vocabulary", f"{about.vocabulary:,}"),
        ("Precision", f'<span translate="no">{escape(about.precision)}</span>'),
        ("Because", escape(about.reason)),
        ("Device", f'<span translate="no">{escape(about.device)}</span>'),
        ("Memory of the weights", format_size(about.weights)),
    )
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts if value)
    return f'<section class="x-about">{render_heading("Loaded")}<dl>{rows}</dl></section>'


def render_loaded(about: About) -> str:
    """Return what is said when another model has been loaded."""
    return f'<p class="x-note" role="status"><bdi translate="no">{escape(about.name)}</bdi> <span>is loaded.</span></p>'


def render_plan(about: About) -> str:
    """Return the plan that was asked for: a row a precision."""
    plan = about.plan
    loaded = about.precision if plan.model == about.name else ""
    lengths = list(plan.needs[0].sentence)
    spans = f'<th colspan="{len(lengths)}" scope="colgroup">'
    heads = (
        f"<tr><td></td><td></td>{spans}a sentence of … tokens adds</th>{spans}and with all attentions kept</th>"
        f'<th colspan="{len(plan.devices)}" scope="colgroup">fits</th></tr>'
        '<tr><th scope="col">precision</th><th scope="col">weights</th>'
        + "".join(f'<th scope="col">{length}</th>' for length in lengths * 2)
        + "".join(f'<th scope="col" translate="no">{escape(device.name)}</th>' for device in plan.devices)
        + "</tr>"
    )
    rows = "".join(_row(plan, need, loaded, about.device) for need in plan.needs)
    devices = "".join(f"<li>{_device(device)}</li>" for device in plan.devices)
    fact = f'<bdi translate="no">{escape(plan.model)}</bdi> · {plan.parameters:,} parameters'
    return (
        f'<div class="x-result"><section class="x-fills x-plan">{render_heading("What it takes", fact)}'
        '<div class="x-scroll" tabindex="0" role="region" aria-label="What it takes"><table>'
        f"<thead>{heads}</thead><tbody>{rows}</tbody></table></div>"
        f'<p class="x-note">{NOTE}</p><ul class="x-note">{devices}</ul></section></div>'
    )


def _row(plan: Plan, need: Need, loaded: str, device: str) -> str:
    from xlmrxl.plan import format_size  # noqa: PLC0415 - torch comes along

    sizes = [need.weights, *need.sentence.values(), *need.attentions.values()]
    cells = "".join(f"<td>{format_size(count)}</td>" for count in sizes)
    for place in plan.devices:
        if need.precision == loaded and place.name in (device, f"{device}:0"):
            cells += '<td class="x-yes">● loaded</td>'
        else:
            cells += '<td class="x-yes">✓ fits</td>' if plan.fits(need.precision, place.name) else "<td>✗ no</td>"
    return f'<tr><th scope="row" translate="no">{escape(need.precision)}</th>{cells}</tr>'


def _device(device: Device) -> str:
    from xlmrxl.plan import format_size  # noqa: PLC0415 - torch comes along

    return (
        f'<span translate="no">{escape(device.name)}, {escape(device.title)}</span>: '
        f"<span>{format_size(device.free)} of {format_size(device.total)} free</span>"
    )
