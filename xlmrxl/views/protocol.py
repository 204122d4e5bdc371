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
buffers: `AttentionView.answer()`. Where bytes cannot travel (Gradio), `with_base64(reply, buffers)` makes one dict for
JSON of both, and `makeJsonModel({first, ask, selected, settings, onChange})` is a model made of such dicts:

    render({ el, model: makeJsonModel({ first: <with_base64(*view.first())>,
                                        ask: async (request) => <with_base64(*view.answer(request))>,
                                        onChange: (name, value) => … }) })   // name is "selected" or "settings"

Layers and heads count from 0. A *side* is 0, the inspection, or 1, the other one (another language or precision).

**First view.** `meta` is {"version": 1, "same_tokens": whether two sides have the same tokens and can be subtracted,
"abilities": which of "ablate", "html" and "sweep" may be asked for, "palette": the colours to draw in, as
`Palette.to_dict` gives them, "statistics": [{"name", "label", "unit"}], "on_demand": the same of those that have to be
asked for, "sides": [side]}, with of each side

    text, second    as they were given; `second` is null where there is no pair
    source          {"model", "revision", "precision", "version", "settings"}
    layers, heads, thumbnail (edge of a thumbnail in cells)
    tokens          {"text": the piece as it can stand alone, "segment": 0, 1, or null for <s> and </s>}, each a list
                    with an entry per token
    words           {"text", "segment", "tokens": [[index, …], …]}, each a list with an entry per word
    masks           [index, …] of the <mask> tokens

`buffers` are two for each side, both deflated (zlib): the thumbnails, float32 (layers × heads) scales and then uint8
(layers, heads, thumbnail, thumbnail); and the statistics, float32 (statistics, layers, heads) in the order of `meta`.

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
                layers: [layer, …], at: [token, …] or null
    sweep       side, heads: [[layer, head], …], sorted,    side                            [float32 (heads), deflated]
                as many as a layer has at most
    html        heads: [[layer, head], …],                  name: of a file                 [the file, UTF-8]
                selected, settings: traits to open it with

By two lists of tokens, heads are ranked by the attention to the keys (summed) from the queries (their mean), as
attention between words is. To the statistics of `xlmrxl.inspection` come two: "importance", from a sweep that switches
off each head in turn, and "change", of two sides with the same tokens: how far a head's rows differ between them, half
the sum of the absolute differences, on average over the rows. A sweep takes as long as running the model on half as
many texts as there are heads, minutes for XL on a processor: it is had in parts, by `sweep` requests that the page
makes one after the other, so that it can say how far it is and stop, and only then by `rank`. `AttentionView(…,
sweep=False)` leaves it out.

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
    off         {"heads": [[layer, head], …], "layers": [layer, …], "at": null or [token, …]}: what is switched off,
                and where the prediction is watched; null for the masks
"""

from __future__ import annotations

import base64
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xlmrxl.inspection.ablation import part_of_sweep
from xlmrxl.inspection.attention import MEASURED, ON_DEMAND, STATISTICS, Statistic
from xlmrxl.palette import PALETTE
from xlmrxl.tasks.subwords import isolate_subword
from xlmrxl.views.request import Request

if TYPE_CHECKING:
    from xlmrxl.inspection.inspection import Inspection

Array = NDArray[Any]
Reply = tuple[dict[str, Any], list[bytes]]

BUILT = Path(__file__).parent / "built"
EXPLORER = BUILT / "attention.js"
"""The front end as one ES module, for those who serve it from a static path."""
IMPORTANCE = Statistic("What switching the head off does to the prediction: KL divergence", "nats")
CHANGE = Statistic("How far rows differ between the two: ½ Σⱼ |aᵢⱼ − bᵢⱼ|", "mass")
FINE = 65535
LEVELS = (255, 180, 127, 90)
"""How many levels a weight may have: fewer where a matrix would otherwise not pack into PACKED bytes a weight."""
PACKED = 0.9
SMALL = 4096
"""Bytes up to which a matrix need not pack at all."""
FILE_BYTES = 8_000_000
"""What the matrices of a file asked for by a request may take before they are deflated; `save_html` has no limit."""


def packed(*arrays: Array) -> bytes:
    """Arrays one after the other, little-endian and deflated."""
    return zlib.compress(b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays), 9)


def levelled(values: Array, count: int = LEVELS[0]) -> tuple[Array, Array]:
    """Numbers from 0 up as a float32 scale for each row of the last axis, and uint8 levels."""
    scales = (values.max(-1) / count).astype(np.float32)
    levels = np.rint(values / np.where(scales > 0, scales, 1)[..., None]).clip(0, 255)
    return scales, levels.astype(np.uint8)


def packed_matrix(weights: Array, special: Sequence[int]) -> bytes:
    """Weights (tokens, tokens) from 0 to 1 as the protocol has matrices; `special` are the tokens of no segment."""
    fine = np.rint(weights[:, special] * FINE).clip(0, FINE).astype(np.uint16)
    others = weights.copy()
    others[:, special] = 0
    for count in LEVELS:
        scales, levels = levelled(others, count)
        buffer = packed(scales, fine, levels)
        if len(buffer) <= max(SMALL, PACKED * weights.size):
            break
    return buffer


def with_base64(reply: dict[str, Any], buffers: Sequence[bytes]) -> dict[str, Any]:
    """A reply and its buffers as one dict for JSON: `buffers` in base64."""
    return {**reply, "buffers": [base64.b64encode(buffer).decode("ascii") for buffer in buffers]}


class AttentionView:
    """One inspection, or two side by side, as the front end asks for them."""

    def __init__(self, inspection: Inspection, other: Inspection | None = None, *, sweep: bool = True) -> None:
        """A view of an inspection.

        Args:
            inspection: of a text.
            other: of another text, or of the same by a model of another precision, with as many layers and heads.
            sweep: whether the importance of all heads may be asked for.

        Raises:
            ValueError: the two have different numbers of layers or heads.
        """
        self.sides = (inspection,) if other is None else (inspection, other)
        shapes = dict.fromkeys((side.layers, side.heads) for side in self.sides)
        if len(shapes) > 1:
            named = " and ".join(f"{layers} × {heads}" for layers, heads in shapes)
            raise ValueError(f"Heads are compared one by one, but there are {named}. Inspect models of the same shape.")
        self.layers, self.heads = inspection.layers, inspection.heads
        ids = [[token.id for token in side.tokens] for side in self.sides]
        self.same_tokens = other is not None and ids[0] == ids[1]
        self.statistics = {name: STATISTICS[name] for name in (*MEASURED, *ON_DEMAND)}
        self.abilities = ["ablate", "html"]
        if sweep:
            self.abilities.append("sweep")
            self.statistics["importance"] = IMPORTANCE
        if self.same_tokens:
            self.statistics["change"] = CHANGE
        self._changed: Array | None = None
        self._swept = [np.full((self.layers, self.heads), np.nan, np.float32) for _ in self.sides]
        self._answers: dict[str, Callable[[Request], Reply]] = {
            "head": self._head,
            "mean": self._mean,
            "max": self._max,
            "rollout": self._rollout,
            "rank": self._rank,
            "ablate": self._ablate,
            "sweep": self._sweep,
            "html": self._html,
        }

    def first(self) -> Reply:
        """`meta` and `buffers`: what is needed to draw the map of all heads."""
        known = [{"name": name, "label": what.what, "unit": what.unit} for name, what in self.statistics.items()]
        meta = {
            "version": 1,
            "same_tokens": self.same_tokens,
            "abilities": self.abilities,
            "palette": PALETTE.to_dict(),
            "statistics": known[: len(MEASURED)],
            "on_demand": known[len(MEASURED) :],
            "sides": [described(side) for side in self.sides],
        }
        buffers = []
        for side in self.sides:
            small = side.thumbnails().reshape(self.layers, self.heads, -1)
            buffers += [packed(*levelled(small)), packed(np.stack([side.statistic(name) for name in MEASURED]))]
        return meta, buffers

    def map(self, side: int, name: str) -> Array:
        """A statistic of every head of a side, (layers, heads) float32."""
        if name in STATISTICS:
            return self.sides[side].statistic(name, progress=False)
        if name == "importance":
            if not self.at_hand(name):
                raise ValueError("Not all heads have been switched off in turn yet: ask for `sweep` first.")
            return self._swept[side].copy()
        if self._changed is None:
            self._changed = changes(*self.sides)
        return self._changed

    def at_hand(self, name: str) -> bool:
        """Whether a statistic takes no sweep any more."""
        return name != "importance" or not any(np.isnan(values).any() for values in self._swept)

    def answer(self, request: Any) -> Reply:
        """The reply to one request, and its buffers; what is wrong with the request is said in the reply."""
        lengths = [len(side.tokens) for side in self.sides]
        asked = Request(request, lengths, self.layers, self.heads, self.statistics)
        try:
            kind = asked.kind(self._answers)
            reply, buffers = self._answers[kind](asked)
        except (TypeError, ValueError, OSError) as error:
            return {**asked.echo(), "error": str(error)}, []
        return {**asked.echo(), **reply}, buffers

    def _matrix(self, side: int, weights: Array, **reply: Any) -> Reply:
        special = [place for place, segment in enumerate(self.sides[side].segments) if segment is None]
        return {"side": side, **reply}, [packed_matrix(weights, special)]

    def _head(self, asked: Request) -> Reply:
        side, (layer, head) = asked.side(), asked.head()
        return self._matrix(side, self.sides[side].attention(layer, head), layer=layer, head=head)

    def _mean(self, asked: Request) -> Reply:
        side, heads = asked.side(), asked.heads(all_if_none=True)
        return self._matrix(side, self.sides[side].mean_attention(heads, progress=False))

    def _max(self, asked: Request) -> Reply:
        side, heads = asked.side(), asked.heads(all_if_none=True)
        return self._matrix(side, self.sides[side].max_attention(heads, progress=False))

    def _rollout(self, asked: Request) -> Reply:
        side, up_to = asked.side(), asked.number("up_to", self.layers)
        return self._matrix(side, self.sides[side].rollout(up_to), up_to=up_to)

    def _rank(self, asked: Request) -> Reply:
        side, by = asked.side(), asked.by()
        if isinstance(by, str):
            return {"side": side, "by": by}, [packed(self.map(side, by))]
        queries, keys = by
        reply = {"side": side, "by": {"queries": queries, "keys": keys}}
        return reply, [packed(self.sides[side].pair(queries, keys, progress=False))]

    def _ablate(self, asked: Request) -> Reply:
        side, heads, layers = asked.side(), asked.heads() or [], asked.numbers("layers", self.layers)
        if not heads and not layers:
            raise ValueError("Nothing is switched off: give heads or layers.")
        at = asked.numbers("at", len(self.sides[side].tokens)) or None
        found = self.sides[side].ablate(heads, layers, at=at, progress=False)
        return {"side": side, "found": found.to_dict()}, []

    def _sweep(self, asked: Request) -> Reply:
        if "sweep" not in self.abilities:
            raise ValueError("That every head is switched off in turn has been left out here.")
        side, heads = asked.side(), asked.heads() or []
        if not heads or len(heads) > self.heads or heads != sorted(heads):
            raise ValueError(f"heads must be 1 to {self.heads} of [layer, head], sorted.")
        swept = self._swept[side]
        places = tuple(zip(*heads, strict=True))
        if np.isnan(swept[places]).any():
            swept[places] = part_of_sweep(self.sides[side], heads)
        return {"side": side}, [packed(swept[places])]

    def _html(self, asked: Request) -> Reply:
        from xlmrxl.views.export import html  # noqa: PLC0415 - it reads this module's view

        heads = asked.heads() or []
        cost = sum(len(heads) * len(side.tokens) ** 2 for side in self.sides)
        if cost > FILE_BYTES:
            raise ValueError(
                f"{len(heads)} heads are too many for a file made here. Choose fewer, or write it with "
                "xlmrxl.views.export.save_html, which takes all of them."
            )
        page = html(self, heads, selected=asked.trait("selected"), settings=asked.trait("settings"))
        return {"name": "attention.html"}, [page.encode("utf-8")]


def changes(before: Inspection, after: Inspection) -> Array:
    """(layers, heads): how far the rows of each head differ, half the sum of the absolute differences on average."""
    rows = []
    for layer in range(before.layers):
        apart = np.abs(after.layer_attention(layer) - before.layer_attention(layer))
        rows.append(apart.sum(-1).mean(-1) / 2)
    return np.stack(rows)


def described(side: Inspection) -> dict[str, Any]:
    """An inspection's entry in `meta`."""
    return {
        "text": side.text,
        "second": side.second,
        "source": side.source.to_dict(),
        "layers": side.layers,
        "heads": side.heads,
        "thumbnail": side.thumbnails().shape[-1],
        "tokens": {
            "text": [piece_of(side, place) for place in range(len(side.tokens))],
            "segment": list(side.segments),
        },
        "words": {
            "text": [word.text.strip() or word.text for word in side.words],
            "segment": [word.segment for word in side.words],
            "tokens": [list(word.tokens) for word in side.words],
        },
        "masks": list(side.masks),
    }


def piece_of(side: Inspection, place: int) -> str:
    """A token as it can stand alone; what the vocabulary does not have, as the text has it."""
    token, segment = side.tokens[place], side.segments[place]
    if token.id == side.session.tokenizer.unk_token_id:
        written = ((side.text, side.second or "")[segment or 0])[token.start : token.end].strip()
        # A joiner or a selector of forms that has lost its emoji cannot be seen.
        if any(unicodedata.category(character) not in ("Cf", "Mn", "Cc") for character in written):
            return written
    return isolate_subword(side.tokens, place)
