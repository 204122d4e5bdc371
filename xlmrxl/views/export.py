"""The attention explorer as one HTML file: the front end and the weights of some heads or all, without any network."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlmrxl.views.protocol import BUILT, with_base64

if TYPE_CHECKING:
    from xlmrxl.views.protocol import AttentionView
    from xlmrxl.views.request import Head

SCRIPT = BUILT / "saved_page.js"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body {{ margin: 0 auto; max-width: 1240px; padding: 24px; background: #f8f9f9; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #0e1214; }} }}
@media (max-width: 720px) {{ body {{ padding: 14px; }} }}</style>
</head>
<body>
<div id="explorer"></div>
<noscript>This page draws attention weights with JavaScript, which is switched off here.</noscript>
<script type="application/json" id="data">{data}</script>
<script type="module">
{script}</script>
</body>
</html>
"""


def html(
    view: AttentionView,
    heads: Sequence[Head] | None = None,
    *,
    selected: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """A page that shows what the explorer shows and answers clicks, from disk and with the network off.

    Of the heads inside, means, maxima and rankings by a pair of tokens are computed in the page; rollout is inside for
    the last layer. Switching heads off needs the model, and cannot be done in a file.

    Args:
        view: of one inspection or two.
        heads: the (layer, head) to put inside; the page says which they are. All of them if not given, about 17 KB each
            at 128 tokens.
        selected, settings: the traits to open it with, as in `xlmrxl.views.protocol`.

    Raises:
        ValueError: a head that there is not, or none at all.
    """
    every = [(layer, head) for layer in range(view.layers) for head in range(view.heads)]
    chosen = every if heads is None else list(dict.fromkeys(heads))
    if not chosen:
        raise ValueError("No head is given; give some, each as (layer, head), or None for all of them.")
    sides = range(len(view.sides))
    meta, buffers = view.first()
    on_demand = [known for known in meta["on_demand"] if view.at_hand(known["name"])]
    meta |= {"abilities": [], "inside": None if len(chosen) == len(every) else chosen, "on_demand": on_demand}
    data = {
        "first": with_base64(meta, buffers),
        "selected": dict(selected or {}),
        "settings": dict(settings or {}),
        "heads": [[_asked(view, "head", side, layer=i, head=j) for i, j in chosen] for side in sides],
        "rollout": [_asked(view, "rollout", side, up_to=view.layers - 1) for side in sides],
        "maps": {
            known["name"]: [_asked(view, "rank", side, by=known["name"]) for side in sides] for known in on_demand
        },
    }
    text = view.sides[0].text
    title = f"Attention: {text if len(text) <= 60 else text[:59] + '…'}"
    return PAGE.format(title=escape(title), data=json_in_html(data), script=SCRIPT.read_text(encoding="utf-8"))


def save_html(
    path: str | os.PathLike[str], view: AttentionView, heads: Sequence[Head] | None = None, **traits: Any
) -> Path:
    """Write `html(view, heads, **traits)` to a file and return its path."""
    path = Path(path)
    path.write_text(html(view, heads, **traits), encoding="utf-8")
    return path


def json_in_html(data: object) -> str:
    """JSON that ends no script element and begins no comment, whatever the texts in it are."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asked(view: AttentionView, kind: str, side: int, **fields: object) -> str:
    """The one buffer of an answer, in base64."""
    reply, buffers = view.answer({"type": kind, "side": side, **fields})
    if "error" in reply:
        raise ValueError(reply["error"])
    return base64.b64encode(buffers[0]).decode("ascii")
