"""Rows of ids made into one encoding: special tokens around them, truncation, padding, tensors.

Knows nothing of text or vocabulary. Torch and numpy are imported only when tensors are asked for.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

TRUNCATIONS: dict[Any, str | None] = {
    None: None,
    False: None,
    "do_not_truncate": None,
    True: "longest_first",
    "longest_first": "longest_first",
    "only_first": "only_first",
    "only_second": "only_second",
}
PADDINGS: dict[Any, str | None] = {
    False: None,
    "do_not_pad": None,
    True: "longest",
    "longest": "longest",
    "max_length": "max_length",
}


class BatchEncoding(dict[str, Any]):
    """What a tokenizer returns: a dict that also reads as attributes and goes into a model as `model(**encoding)`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"This encoding has no {name!r}, only {', '.join(self)}.") from None

    def to(self, device: Any) -> BatchEncoding:
        """Move the tensors to a device, in place; what is no tensor stays as it is."""
        for name, value in self.items():
            if hasattr(value, "to"):
                self[name] = value.to(device)
        return self


def choice(name: str, value: bool | str | None, choices: Mapping[Any, str | None]) -> str | None:
    """What an option means.

    Raises:
        ValueError: it is none of the choices.
    """
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it can be {', '.join(map(repr, choices))}.")
    return choices[value]


def framed(first: list[T], second: list[T] | None, ends: tuple[T, T] | None) -> list[T]:
    """`<s> A </s>` or `<s> A </s></s> B </s>`, with whatever stands for `<s>` and `</s>`; None leaves them out."""
    if ends is None:
        return first + (second or [])
    opening, closing = ends
    return [opening, *first, closing, *([] if second is None else [closing, *second, closing])]


def kept(first: int, second: int | None, room: int, strategy: str) -> tuple[int, int]:
    """How many tokens of a text, or of a pair that together has more, stay where there is room for `room`.

    Raises:
        ValueError: the strategy cannot make them fit.
    """
    if room < 0:
        raise ValueError("max_length is smaller than the number of special tokens; raise it.")
    if strategy == "only_second" and second is None:
        raise ValueError("truncation is 'only_second', but there is no second text.")
    second = second or 0
    if strategy == "longest_first":
        short = min(first, second, room // 2)
        return (room - short, short) if first > second else (short, room - short)
    keep = (room - second, second) if strategy == "only_first" else (first, room - first)
    if min(keep) < 0:
        raise ValueError(f"truncation is {strategy!r}, but the other text alone is too long. Try 'longest_first'.")
    return keep


def pad_rows(
    columns: dict[str, list[Any]], fillers: Mapping[str, Any], length: int | None, multiple: int | None, side: str
) -> None:
    """Bring the rows to `length` (None: that of the longest), rounded up to a multiple, in place.

    Args:
        columns: the fields, each with its rows.
        fillers: what stands at padding, for each field that is padded.
        side: "right" or "left".
    """
    if length is None:
        length = max(map(len, columns["input_ids"]), default=0)
    if multiple:
        length = -(-length // multiple) * multiple
    for name in columns.keys() & fillers.keys():
        for i, row in enumerate(columns[name]):
            filler = [fillers[name]] * (length - len(row))
            columns[name][i] = filler + row if side == "left" else row + filler


def finished(columns: dict[str, list[Any]], tensors: str | None, batched: bool) -> BatchEncoding:
    """The encoding of some rows: lists, one list where it was one text, or tensors [batch, length].

    Raises:
        ValueError: the rows make no tensor.
    """
    if tensors is None:
        return BatchEncoding(columns if batched else {name: rows[0] for name, rows in columns.items()})
    if tensors not in ("pt", "np"):
        raise ValueError(f"return_tensors is {tensors!r}; it can be 'pt' or 'np'.")
    for name, rows in columns.items():
        if len({len(row) for row in rows if isinstance(row, list)}) > 1:
            raise ValueError(f"The rows of {name} differ in length, so they make no tensor: pass padding=True.")
    if tensors == "np":
        import numpy as np  # noqa: PLC0415 - not needed for lists

        arrays = {name: np.array(rows) for name, rows in columns.items()}
        return BatchEncoding({name: array if array.size else array.astype(np.int64) for name, array in arrays.items()})
    import torch  # noqa: PLC0415 - takes a second, and is not needed for lists

    made = {name: torch.tensor(rows) for name, rows in columns.items()}
    return BatchEncoding({name: tensor if tensor.numel() else tensor.long() for name, tensor in made.items()})


def plain(values: Any) -> Any:
    """Lists instead of tensors or arrays, also inside a list."""
    if hasattr(values, "tolist"):
        return values.tolist()
    if isinstance(values, list | tuple):
        return [value if type(value) is int else plain(value) for value in values]
    return values


def checked_ids(ids: Any) -> list[int]:
    """A row of ids, or a single one, as a list.

    Raises:
        ValueError: an id is negative or no integer, or there are several rows.
    """
    ids = plain(ids)
    row = [ids] if isinstance(ids, int) else list(ids)
    for i in row:
        if type(i) is int and i >= 0:
            continue
        if isinstance(i, list):
            raise ValueError("One row of ids is needed, not a batch; batch_decode takes several.")
        if isinstance(i, bool) or not hasattr(i, "__index__") or i < 0:
            raise ValueError(f"An id is an integer from 0, not {i!r}.")
    return list(map(operator.index, row))
