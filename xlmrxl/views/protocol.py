"""What the attention explorer's front end (attention.js) is sent, and what it may ask for.

The front end is an ES module in the anywidget format: `export default { render({model, el}) }`. `EXPLORER` is all of it
as one file, built from attention.js and what that imports; protocol.d.ts has the types of what is sent. It knows its
model by `get`, `set`, `on`, `off`, `save_changes`, `send`, and these traits:

    meta        dict, from `AttentionView.first()`
    buffers     list of bytes, from `AttentionView.first()`; set the two together (`hold_sync`): a change of `meta`
                draws everything anew
    selected    dict {layer, head, side}: the head that was chosen last; set from either end
    settings    dict of what is shown and how; {} for the defaults; set from either end

Everything else is asked for with `model.send({id, type, …})` and answered by a custom message `{id, type, …}` with
buffers: `AttentionView.answer()`. Where bytes cannot travel (Gradio), `join_buffers(reply, buffers)` makes one dict for
JSON of both, and `makeJsonModel({first, ask, selected, settings, onChange})` is a model made of such dicts:

    render({ el, model: makeJsonModel({ first: <join_buffers(*view.first())>,
                                        ask: async (request) => <join_buffers(*view.answer(request))>,
                                        onChange: (name, value) => … }) })   // name is "selected" or "settings"

Layers and heads count from 0. A *side* is 0, the inspection, or 1, the other one (another language or precision).

**First view.** `meta` is {"version": 1, "same_tokens": whether two sides have the same tokens and can be subtracted,
"abilities": which of "ablate", "html" and "head_importance" may be asked for, "palette": the colours to draw in, as
`Palette.to_dict` gives them, "statistics": [statistic], "sides": [side]}. A statistic is {"name", "title": for a list,
"label": a sentence with its formula, "unit", "needs", "scale": of the palette, "python", "python_import": the lines
that give it}, as `xlmrxl.inspection.head_statistics` declares them. Of each side there are

    text, text_pair as they were given; `text_pair` is null where there is no pair
    source          {"model", "revision", "precision", "version", "settings"}
    layers, heads, thumbnail (edge of a thumbnail in cells)
    tokens          {"text": the piece as it can stand alone, "segment": 0, 1, or null for <s> and </s>}, each a list
                    with an entry per token
    words           {"text", "segment", "tokens": [[index, …], …]}, each a list with an entry per word
    mask_positions  [position, …] of the <mask> tokens

`buffers` are two for each side, both deflated (zlib): the thumbnails, float32 (layers × heads) scales and then uint8
(layers, heads, thumbnail, thumbnail); and the statistics that need only weights, float32 (statistics, layers, heads) in
the order of `meta`. The others are asked for.

**Matrices** (rows are queries) travel as one deflated buffer: float32 (tokens) scales, one of each row; uint16 (tokens,
special), the weights on the special tokens, those whose segment is null, in units of 1/65535; and uint8 (tokens,
tokens) levels, 0 in the columns of these. A weight is level × scale of its row, and so at most half a scale from the
model's: the weights on special tokens, where heads that find nothing rest, would make the others coarse. **Maps** (one
value for each head) travel as one deflated buffer of float32 (layers, heads) and are exact. All numbers are
little-endian.

**Requests.** `id` is an integer or a short string of the asker's and comes back; `side` may be left out where it is 0.

    type        asks with                                   reply beside id and type        buffers
    head        side, layer, head                           side, layer, head               [matrix]
    mean, max   side, heads: [[layer, head], …], null: all  side                            [matrix]
    rollout     side, up_to: layer                          side, up_to                     [matrix]
    rank        side, by: a statistic's name, or            side, by                        [map]
                {"queries": [token, …], "keys": [token, …]}
    ablate      side, heads: [[layer, head], …],            side, found: Ablation.to_dict() []
                layers: [layer, …],
                positions: [token, …] or null
    head_importance                                         side                            [float32 (heads), deflated]
                side, heads: [[layer, head], …], sorted,
                as many as a layer has at most
    html        heads: [[layer, head], …],                  name: of a file                 [the file, UTF-8]
                selected, settings: traits to open it with

By two lists of tokens, heads are ranked by the attention to the keys (summed) from the queries (their mean), as
attention between words is. A statistic that needs "comparison" is there for two sides with the same tokens. One that
needs "ablation" takes as long as running the model on half as many texts as there are heads, minutes for XL on a
processor: it is had in parts, by `head_importance` requests that the page makes one after the other, so that it can say
how far it is and stop, and only then by `rank`. `AttentionView(…, head_importance=False)` leaves it out.

A request that is wrong is answered {id, type, "error": one sentence}. Requests may come from strangers: nothing of them
is trusted, and what one may cost is bounded by what the model costs.

**Settings**, with their defaults first:

    form        "matrix" or "lines"; null for lines up to 48 tokens and the matrix beyond
    show        "head", "mean", "max" (of `chosen`), "layer-mean", "layer-max", "all-mean", "all-max", "rollout"
    chosen      [[layer, head], …]; the selected head alone if empty
    units       "pieces" or "words"
    between     "all", "AA", "AB", "BA" or "BB": from which sentence of a pair to which
    special     true or false: whether <s> and </s> are shown
    renormalise false or true: whether rows are divided by the sum of what is shown of them
    mass        {"matrix": 1, "lines": 0.7}: of each row the fewest weights are drawn that reach this share of it
    statistic   null, a name, or {"queries": [token, …], "keys": [token, …]}: what the map is about
    order       "model", "highest" or "lowest": how the map is sorted by that
    cells       null, "patterns" or "values": what its cells show; null for values where there is a statistic
    compare     "sides" or "difference"
    off         {"heads": [[layer, head], …], "layers": [layer, …], "positions": null or [token, …]}: what is
                switched off, and where the prediction is watched; null for the masks
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Reply = tuple[dict[str, Any], list[bytes]]

BUILT = Path(__file__).parent / "built"
EXPLORER = BUILT / "attention.js"
"""The front end as one ES module, for those who serve it from a static path."""
FINE = 65535
LEVELS = (255, 180, 127, 90)
"""How many levels a weight may have: fewer where a matrix would otherwise not pack into PACKED bytes a weight."""
PACKED = 0.9
SMALL = 4096
"""Bytes up to which a matrix need not pack at all."""


def pack_arrays(*arrays: Array) -> bytes:
    """Write arrays one after the other, little-endian and deflated."""
    return zlib.compress(b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays), 9)


def quantize_rows(values: Array, count: int = LEVELS[0]) -> tuple[Array, Array]:
    """Quantise numbers from 0 up: return a float32 scale for each row of the last axis, and uint8 levels."""
    scales = (values.max(-1) / count).astype(np.float32)
    levels = np.rint(values / np.where(scales > 0, scales, 1)[..., None]).clip(0, 255)
    return scales, levels.astype(np.uint8)


def pack_matrix(weights: Array, special: Sequence[int]) -> bytes:
    """Write weights (tokens, tokens) from 0 to 1 as the protocol has matrices.

    Args:
        weights: rows are queries.
        special: positions of the tokens that are in no segment.
    """
    fine = np.rint(weights[:, special] * FINE).clip(0, FINE).astype(np.uint16)
    others = weights.copy()
    others[:, special] = 0
    for count in LEVELS:
        scales, levels = quantize_rows(others, count)
        buffer = pack_arrays(scales, fine, levels)
        if len(buffer) <= max(SMALL, PACKED * weights.size):
            break
    return buffer


def join_buffers(reply: dict[str, Any], buffers: Sequence[bytes]) -> dict[str, Any]:
    """Join a reply and its buffers to one dict for JSON: `buffers` in base64."""
    return {**reply, "buffers": [base64.b64encode(buffer).decode("ascii") for buffer in buffers]}
