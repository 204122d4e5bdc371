"""Rows of ids: special tokens around them, truncation with and without overflow, padding.

Knows nothing of text or vocabulary, and imports neither torch nor numpy.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, TypeVar, overload

from xlmrxl.errors import InputError, describe

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


def read_choice(name: str, value: bool | str | None, choices: Mapping[Any, str | None]) -> str | None:
    """Return what an option means.

    Raises:
        InputError: it is none of the choices.
    """
    value = getattr(value, "value", value)  # of an enumeration, as transformers has them
    if value not in choices:
        raise InputError(f"{name} is {value!r}; it can be {', '.join(map(repr, choices))}.")
    return choices[value]


def add_ends(first: list[T], second: list[T] | None, ends: tuple[T, T] | None) -> list[T]:
    """Return `<s> A </s>` or `<s> A </s></s> B </s>`, with what stands for `<s>` and `</s>`; None leaves them out."""
    if ends is None:
        return first + (second or [])
    opening, closing = ends
    return [opening, *first, closing, *([] if second is None else [closing, *second, closing])]


def truncated_lengths(first: int, second: int | None, max_length: int, strategy: str) -> tuple[int, int]:
    """Return how many tokens of a text, or of a pair, truncation leaves of each.

    Args:
        first: tokens of the text.
        second: tokens of the second text, if there is one; together they exceed `max_length`.
        max_length: tokens that may be left, special ones not counted.
        strategy: "longest_first", "only_first" or "only_second".

    Raises:
        InputError: the strategy cannot make them fit.
    """
    if max_length < 0:
        raise InputError("max_length is smaller than the number of special tokens; raise it.")
    if strategy == "only_second" and second is None:
        raise InputError("truncation is 'only_second', but there is no second text.")
    second = second or 0
    if strategy == "longest_first":
        short = min(first, second, max_length // 2)
        return (max_length - short, short) if first > second else (short, max_length - short)
    keep = (max_length - second, second) if strategy == "only_first" else (first, max_length - first)
    if min(keep) < 0:
        raise InputError(f"truncation is {strategy!r}, but the other text alone is too long. Try 'longest_first'.")
    return keep


def cut_windows(count: int, length: int, stride: int, side: str) -> list[range]:
    """Return the windows that cover a row of tokens, the one that truncation leaves first.

    Args:
        count: tokens of the row.
        length: tokens of a window.
        stride: tokens that two neighbours share.
        side: "right" if windows go from the first token on, "left" if from the last one back.

    Raises:
        InputError: the windows would not move on.
    """
    if length >= count:
        return [range(count)]
    if stride >= length:
        raise InputError(
            f"Overflowing windows of {length} tokens (max_length without special tokens and the other text) cannot "
            f"share {stride} with their neighbours: raise max_length or lower stride."
        )
    if side == "right":
        starts = range(0, count - stride, length - stride)
        return [range(start, min(start + length, count)) for start in starts]
    return [range(max(0, stop - length), stop) for stop in range(count, stride, stride - length)]


def pair_windows(first: list[range], second: list[range] | None) -> list[tuple[range, range | None]]:
    """Return each window of a text with each of its second text, as the tokenizers library orders them."""
    if second is None:
        return [(window, None) for window in first]
    rest: list[tuple[range, range | None]] = [(window, other) for window in first[1:] for other in second]
    return [(first[0], second[0]), *rest, *((first[0], other) for other in second[1:])]


@overload
def pick(row: list[T], window: range) -> list[T]: ...
@overload
def pick(row: list[T] | None, window: range | None) -> list[T] | None: ...
def pick(row: list[T] | None, window: range | None) -> list[T] | None:
    """Return what a window shows of a row; None of one that is not there."""
    return None if row is None or window is None else row[window.start : window.stop]


def pad_rows(
    columns: dict[str, list[Any]], fillers: Mapping[str, Any], length: int | None, multiple: int | None, side: str
) -> int:
    """Bring the rows to one length, rounded up to a multiple, in place.

    Args:
        columns: the fields, each with its rows.
        fillers: what stands at padding, for each field that is padded; the first one has the rows that count.
        length: in tokens; None: that of the longest row.
        multiple: to round up to.
        side: "right" or "left".

    Returns:
        The length that the rows have now, unless they were longer.

    Raises:
        InputError: the side is neither.
    """
    check_side("padding_side", side)
    if length is None:
        length = max(map(len, columns[next(iter(fillers))]), default=0)
    if multiple:
        length = -(-length // multiple) * multiple
    for name in columns.keys() & fillers.keys():
        for i, row in enumerate(columns[name]):
            filler = [fillers[name]] * (length - len(row))
            columns[name][i] = filler + row if side == "left" else row + filler
    return length


def check_side(name: str, side: Any) -> None:
    """Refuse what is no side.

    Raises:
        InputError: it is neither "right" nor "left".
    """
    if side not in ("right", "left"):
        raise InputError(f"{name} is 'right' or 'left', not {describe(side)}.")


def to_lists(values: Any) -> Any:
    """Return lists instead of tensors or arrays, also inside a list."""
    if hasattr(values, "tolist"):
        return values.tolist()
    if isinstance(values, list | tuple):
        return [value if type(value) is int else to_lists(value) for value in values]
    return values


def read_ids(ids: Any) -> list[int]:
    """Return a row of ids, or a single one, as a list.

    Raises:
        InputError: an id is negative or no integer, or there are several rows.
    """
    ids = to_lists(ids)
    row = [ids] if isinstance(ids, int) else list(ids)
    for i in row:
        if type(i) is int and i >= 0:
            continue
        if isinstance(i, list):
            raise InputError("One row of ids is needed, not a batch; batch_decode takes several.")
        if isinstance(i, bool) or not hasattr(i, "__index__") or i < 0:
            raise InputError(f"An id is an integer from 0, not {i!r}.")
    return list(map(operator.index, row))
