"""The attention explorer's view of one inspection or two: the data that the front end begins with, and its answers."""

from __future__ import annotations

import base64
import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xlmrxl.errors import InputError
from xlmrxl.inspection.ablation import importance_of_heads
from xlmrxl.inspection.difference import attention_change
from xlmrxl.inspection.head_statistics import STATISTICS, HeadStatistic, list_statistics
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.palette import PALETTE
from xlmrxl.tasks.subwords import isolate_subword
from xlmrxl.views.export import write_page
from xlmrxl.views.protocol import Array, Reply, join_buffers, pack_arrays, pack_matrix, quantize_rows
from xlmrxl.views.request import Head, Request

FILE_BYTES = 8_000_000
"""What the matrices of a file asked for by a request may take before they are deflated; `save_html` has no limit."""


class AttentionView:
    """One inspection, or two side by side, as the front end asks for them.

    Attributes:
        sides: the inspections.
        statistics: by name, what may be asked for.
    """

    def __init__(
        self, inspection: Inspection, other: Inspection | None = None, *, head_importance: bool = True
    ) -> None:
        """View an inspection, or two side by side.

        Args:
            inspection: of a text.
            other: of another text, or of the same by a model of another precision, with as many layers and heads.
            head_importance: whether the importance of all heads may be asked for.

        Raises:
            InputError: the two have different numbers of layers or heads.
        """
        self.sides = (inspection,) if other is None else (inspection, other)
        shapes = dict.fromkeys((side.layers, side.heads) for side in self.sides)
        if len(shapes) > 1:
            named = " and ".join(f"{layers} × {heads}" for layers, heads in shapes)
            raise InputError(f"Heads are compared one by one, but there are {named}. Inspect models of the same shape.")
        self.layers, self.heads = inspection.layers, inspection.heads
        ids = [[token.id for token in side.tokens] for side in self.sides]
        self.same_tokens = other is not None and ids[0] == ids[1]
        self.abilities = ["ablate", "html", *(["head_importance"] if head_importance else [])]
        needs = {"weights", "value_norms"}
        needs |= {"ablation"} if head_importance else set()
        needs |= {"comparison"} if self.same_tokens else set()
        self.statistics = {name: one for name, one in STATISTICS.items() if one.needs in needs}
        self._changed: Array | None = None
        self._importance = [np.full((self.layers, self.heads), np.nan, np.float32) for _ in self.sides]
        self._answers: dict[str, Callable[[Request], Reply]] = {
            "head": self._head,
            "mean": self._mean,
            "max": self._max,
            "rollout": self._rollout,
            "rank": self._rank,
            "ablate": self._ablate,
            "head_importance": self._head_importance,
            "html": self._html,
        }

    def first(self) -> Reply:
        """Return `meta` and `buffers`: what is needed to draw the map of all heads."""
        meta = {
            "version": 2,
            "same_tokens": self.same_tokens,
            "abilities": self.abilities,
            "palette": PALETTE.to_dict(),
            "statistics": [describe_statistic(one) for one in self.statistics.values()],
            "sides": [describe_side(side) for side in self.sides],
        }
        buffers = []
        for side in self.sides:
            small = side.thumbnails().reshape(self.layers, self.heads, -1)
            buffers.append(pack_arrays(*quantize_rows(small)))
            buffers.append(pack_arrays(np.stack([side.statistic(name) for name in list_statistics("weights")])))
        return meta, buffers

    def map(self, side: int, name: str) -> Array:
        """Return a statistic of every head of a side, (layers, heads) float32.

        Raises:
            InputError: it has not been computed for all heads yet.
        """
        needs = self.statistics[name].needs
        if needs == "ablation":
            if not self.is_available(name):
                raise InputError(
                    "Not all heads have been switched off in turn yet: ask for `head_importance` of all heads first."
                )
            return self._importance[side].copy()
        if needs == "comparison":
            if self._changed is None:
                self._changed = attention_change(*self.sides).values
            return self._changed
        return self.sides[side].statistic(name, progress=False)

    def is_available(self, name: str) -> bool:
        """Return whether a statistic needs no more ablations."""
        return self.statistics[name].needs != "ablation" or not any(np.isnan(v).any() for v in self._importance)

    def answer(self, request: Any) -> Reply:
        """Return the reply to one request, and its buffers; what is wrong with the request is said in the reply."""
        lengths = [len(side.tokens) for side in self.sides]
        asked = Request(request, lengths, self.layers, self.heads, self.statistics)
        try:
            kind = asked.kind(self._answers)
            reply, buffers = self._answers[kind](asked)
        except (TypeError, ValueError, OSError) as error:
            return {**asked.echo(), "error": str(error)}, []
        return {**asked.echo(), **reply}, buffers

    def _matrix(self, side: int, weights: Array, **reply: Any) -> Reply:
        special = [position for position, segment in enumerate(self.sides[side].segments) if segment is None]
        return {"side": side, **reply}, [pack_matrix(weights, special)]

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
            return {"side": side, "by": by}, [pack_arrays(self.map(side, by))]
        queries, keys = by
        reply = {"side": side, "by": {"queries": queries, "keys": keys}}
        return reply, [pack_arrays(self.sides[side].pair_attention(queries, keys, progress=False))]

    def _ablate(self, asked: Request) -> Reply:
        side, heads, layers = asked.side(), asked.heads() or [], asked.numbers("layers", self.layers)
        if not heads and not layers:
            raise InputError("Nothing is switched off: give heads or layers.")
        positions = asked.numbers("positions", len(self.sides[side].tokens)) or None
        found = self.sides[side].ablate(heads, layers, positions=positions, progress=False)
        return {"side": side, "found": found.to_dict()}, []

    def _head_importance(self, asked: Request) -> Reply:
        if "head_importance" not in self.abilities:
            raise InputError("That every head is switched off in turn has been left out here.")
        side, heads = asked.side(), asked.heads() or []
        if not heads or len(heads) > self.heads or heads != sorted(heads):
            raise InputError(f"heads must be 1 to {self.heads} of [layer, head], sorted.")
        importance = self._importance[side]
        where = tuple(zip(*heads, strict=True))
        if np.isnan(importance[where]).any():
            importance[where] = importance_of_heads(self.sides[side], heads)
        return {"side": side}, [pack_arrays(importance[where])]

    def _html(self, asked: Request) -> Reply:
        heads = asked.heads() or []
        cost = sum(len(heads) * len(side.tokens) ** 2 for side in self.sides)
        if cost > FILE_BYTES:
            raise InputError(
                f"{len(heads)} heads are too many for a file made here. Choose fewer, or write it with "
                "AttentionView.save_html, which takes all of them."
            )
        page = self.to_html(heads, selected=asked.trait("selected"), settings=asked.trait("settings"))
        return {"name": "attention.html"}, [page.encode("utf-8")]

    def to_html(
        self,
        heads: Sequence[Head] | None = None,
        *,
        selected: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a page that shows what the explorer shows and answers clicks, from disk and with the network off.

        Of the heads inside, means, maxima and rankings by a pair of tokens are computed in the page; rollout is inside
        for the last layer. Switching heads off needs the model, and cannot be done in a file.

        Args:
            heads: the (layer, head) to put inside; the page says which they are. All of them if not given, about 17 KB
                each at 128 tokens.
            selected: the head to open it with, as in `xlmrxl.views.protocol`.
            settings: what is shown and how.

        Raises:
            InputError: a head that there is not, or none at all.
        """
        every = [(layer, head) for layer in range(self.layers) for head in range(self.heads)]
        chosen = every if heads is None else list(dict.fromkeys(heads))
        if not chosen:
            raise InputError("No head is given; give some, each as (layer, head), or None for all of them.")
        sides = range(len(self.sides))
        meta, buffers = self.first()
        available = [one for one in meta["statistics"] if self.is_available(one["name"])]
        meta |= {"abilities": [], "inside": None if len(chosen) == len(every) else chosen, "statistics": available}
        data = {
            "first": join_buffers(meta, buffers),
            "selected": dict(selected or {}),
            "settings": dict(settings or {}),
            "heads": [[self._encode("head", side, layer=i, head=j) for i, j in chosen] for side in sides],
            "rollout": [self._encode("rollout", side, up_to=self.layers - 1) for side in sides],
            "maps": {
                one["name"]: [self._encode("rank", side, by=one["name"]) for side in sides]
                for one in available
                if one["needs"] != "weights"
            },
        }
        text = self.sides[0].text
        return write_page(f"Attention: {text if len(text) <= 60 else text[:59] + '…'}", data)

    def save_html(self, path: str | os.PathLike[str], heads: Sequence[Head] | None = None, **traits: Any) -> Path:
        """Write `to_html(heads, **traits)` to a file and return its path."""
        path = Path(path)
        path.write_text(self.to_html(heads, **traits), encoding="utf-8")
        return path

    def _encode(self, kind: str, side: int, **fields: object) -> str:
        """Return the one buffer of an answer, in base64."""
        reply, buffers = self.answer({"type": kind, "side": side, **fields})
        if "error" in reply:
            raise InputError(reply["error"])
        return base64.b64encode(buffers[0]).decode("ascii")


def describe_statistic(statistic: HeadStatistic) -> dict[str, str]:
    """Return a statistic's entry in `meta`."""
    return {
        "name": statistic.name,
        "title": statistic.title,
        "label": statistic.description,
        "unit": statistic.unit,
        "needs": statistic.needs,
        "scale": statistic.scale,
        "python": statistic.python,
        "python_import": statistic.python_import,
    }


def describe_side(side: Inspection) -> dict[str, Any]:
    """Return an inspection's entry in `meta`."""
    return {
        "text": side.text,
        "text_pair": side.text_pair,
        "source": side.source.to_dict(),
        "layers": side.layers,
        "heads": side.heads,
        "thumbnail": side.thumbnails().shape[-1],
        "tokens": {
            "text": [write_token(side, position) for position in range(len(side.tokens))],
            "segment": list(side.segments),
        },
        "words": {
            "text": [word.text.strip() or word.text for word in side.words],
            "segment": [word.segment for word in side.words],
            "tokens": [list(word.tokens) for word in side.words],
        },
        "mask_positions": list(side.mask_positions),
    }


def write_token(side: Inspection, position: int) -> str:
    """Return a token as it can stand alone; what the vocabulary does not have, as the text has it."""
    token, segment = side.tokens[position], side.segments[position]
    if token.id == side.loaded_model.tokenizer.unk_token_id:
        written = ((side.text, side.text_pair or "")[segment or 0])[token.start : token.end].strip()
        # A joiner or a selector of forms that has lost its emoji cannot be seen.
        if any(unicodedata.category(character) not in ("Cf", "Mn", "Cc") for character in written):
            return written
    return isolate_subword(side.tokens, position)
