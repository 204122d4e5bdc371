"""Labels of examples: texts, whole numbers or booleans as data sets have them, which results carry as texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from xlmrxl.errors import InputError

Label: TypeAlias = str | int | float | bool
"""A text, a whole number (1.0 is 1), or a boolean; scalars of numpy and pandas are the same."""

KINDS = {str: "text", int: "number", bool: "boolean"}


def to_label_texts(labels: Iterable[Any], place: Callable[[int], str] | None = None) -> list[str]:
    """Return labels as the texts that results carry: `"sports"`, `"1"`, `"True"`.

    Labels of one list are all texts, all whole numbers or all booleans. Mixed, `True`, `1` and `"1"` might be
    three labels or one, and ignore_progress could tell which was meant.

    Args:
        labels: texts, whole numbers (also as floats, since that is what pandas makes of them beside gaps) or booleans,
            of Python, numpy or pandas; a single text is a list of one.
        place: says where in a file a label stands, by its index; `labels[index]` if not given.

    Raises:
        TypeError: a label is something else.
        InputError: a number is not whole, or the list mixes texts, numbers and booleans.
    """
    where = place or (lambda index: f"labels[{index}]")
    found: list[str] = []
    first: type | None = None
    for index, given in enumerate([labels] if isinstance(labels, str) else labels):
        label = _to_plain_label(given, where(index))
        if first is None:
            first = type(label)
        elif type(label) is not first:
            raise InputError(
                f"{where(index)} is {label!r}, a {KINDS[type(label)]}, but those before it are {KINDS[first]}s. Give "
                "all labels as texts, all as whole numbers, or all as booleans."
            )
        found.append(str(label))
    return found


def _to_plain_label(label: Any, where: str) -> str | int | bool:
    """Return one label as a str, an int or a bool of Python."""
    label = to_plain_scalar(label)
    if isinstance(label, bool):
        return label
    if isinstance(label, str):
        return str(label)  # numpy has a subclass
    if isinstance(label, int) or (isinstance(label, float) and label.is_integer()):
        return int(label)
    if isinstance(label, float) and label == label:  # noqa: PLR0124 - NaN stands for a label that is missing
        raise InputError(f"{where} is {label!r}; a number that is a label must be whole. Write it as a text, or round.")
    raise TypeError(
        f"{where} is {label!r}, a {type(label).__name__}; it must be a string, a whole number or a boolean."
    )


def to_plain_scalar(value: Any) -> Any:
    """Return a scalar of numpy, pandas or torch as one of Python, and anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def sort_labels(labels: Iterable[str]) -> list[str]:
    """Return labels in the order of their names, or of their values where all are whole numbers."""
    names = list(labels)
    if all(re.fullmatch("-?[0-9]{1,18}", name) for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)
