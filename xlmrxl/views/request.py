"""Requests of the front end, which may come from anybody: each field is checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from xlmrxl.errors import InputError

Head = tuple[int, int]
TRAIT = 32_768
"""Characters of JSON that a trait may have: 1,152 chosen heads take a third of it."""


class Request:
    """A request from anybody; each method reads one thing from it, or raises InputError in a sentence."""

    def __init__(self, fields: Any, lengths: Sequence[int], layers: int, heads: int, names: Collection[str]) -> None:
        """Take a request as it came.

        Args:
            fields: whatever came.
            lengths: tokens of each side.
            layers: of the model.
            heads: of each layer.
            names: of the statistics that may be asked for.
        """
        self._fields = fields if isinstance(fields, dict) else {}
        self._lengths, self._layers, self._heads, self._names = lengths, layers, heads, names

    def echo(self) -> dict[str, Any]:
        """Return the `id` and the `type` for the reply; None for one that no front end would send."""
        id_, kind = self._fields.get("id"), self._fields.get("type")
        return {
            "id": id_ if isinstance(id_, int) or (isinstance(id_, str) and len(id_) <= 64) else None,
            "type": kind if isinstance(kind, str) and len(kind) <= 16 else None,
        }

    def kind(self, known: Collection[str]) -> str:
        """Return the type, which must be one of those known."""
        kind = self._fields.get("type")
        if not isinstance(kind, str) or kind not in known:
            raise InputError(f"The type of a request must be one of {', '.join(known)}.")
        return kind

    def side(self) -> int:
        """Return the side that it is about; 0 where it is left out."""
        return self._index(self._fields.get("side", 0), len(self._lengths), "side")

    def number(self, name: str, count: int) -> int:
        """Return an index below `count`."""
        return self._index(self._fields.get(name), count, name)

    def numbers(self, name: str, count: int) -> list[int]:
        """Return a list of indices, each once; empty where it is left out."""
        return self._indices(self._fields.get(name), count, name)

    def head(self) -> Head:
        """Return the layer and the head."""
        return self.number("layer", self._layers), self.number("head", self._heads)

    def heads(self, *, all_if_none: bool = False) -> list[Head] | None:
        """Return a list of (layer, head), each once; None where it is left out."""
        value = self._fields.get("heads")
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > self._layers * self._heads:
            raise InputError("heads must be a list of [layer, head].")
        if not value and all_if_none:
            raise InputError("heads is empty; leave it out for all of them.")
        found = []
        for pair in value:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise InputError("heads must be a list of [layer, head].")
            layer, head = pair
            found.append((self._index(layer, self._layers, "layer"), self._index(head, self._heads, "head")))
        return list(dict.fromkeys(found))

    def by(self) -> str | tuple[list[int], list[int]]:
        """Return the name of a statistic, or the positions of queries and of keys."""
        by = self._fields.get("by")
        if isinstance(by, str) and by in self._names:
            return by
        if not isinstance(by, dict):
            raise InputError(f"by must be one of {', '.join(self._names)}, or tokens as queries and keys.")
        count = self._lengths[self.side()]
        queries, keys = (self._indices(by.get(name), count, name) for name in ("queries", "keys"))
        if not queries or not keys:
            raise InputError("by needs a token or more of each, queries and keys.")
        return queries, keys

    def trait(self, name: str) -> dict[str, Any]:
        """Return what the page has set, for a file that reads it with the same care; empty where it is left out."""
        value = self._fields.get(name) or {}
        if not isinstance(value, dict) or len(json.dumps(value)) > TRAIT:
            raise InputError(f"{name} must be what the explorer has set it to.")
        return value

    @staticmethod
    def _index(value: Any, count: int, name: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
            raise InputError(f"{name} must be a whole number from 0 to {count - 1}.")
        return value

    def _indices(self, value: Any, count: int, name: str) -> list[int]:
        if value is None:
            return []
        if not isinstance(value, list | tuple) or len(value) > count:
            raise InputError(f"{name} must be a list of whole numbers from 0 to {count - 1}.")
        return list(dict.fromkeys(self._index(one, count, name) for one in value))
