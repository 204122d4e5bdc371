"""The units of an inspection that are compared: its tokens, its words or its texts, one vector each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from xlmrxl.errors import InputError
from xlmrxl.inspection.inspection_data import InspectionData
from xlmrxl.inspection.labelled_matrix import Array

UNITS = ("tokens", "words", "texts")
"""What a unit can be: a token, the mean of a word's tokens, or the mean of a text's tokens."""


class Unit(NamedTuple):
    """A token, a word or a text."""

    label: str
    tokens: tuple[int, ...]
    segment: int | None  # None for <s> and </s>


def list_units(inspection: InspectionData, unit: str = "tokens", special: bool = False) -> list[Unit]:
    """List the tokens, words or texts of an inspection.

    Args:
        inspection: of a text or a pair.
        unit: one of `UNITS`.
        special: whether `<s>` and `</s>` are among the tokens or words; in a text they never are.

    Raises:
        InputError: `unit` is none of `UNITS`.
    """
    segments = inspection.segments
    if unit == "tokens":
        found = [Unit(t.piece, (i,), segments[i]) for i, t in enumerate(inspection.tokens)]
    elif unit == "words":
        found = [Unit(word.text, word.tokens, word.segment) for word in inspection.words]
    elif unit == "texts":
        texts = [text for text in (inspection.text, inspection.text_pair) if text is not None]
        inside = [tuple(i for i, segment in enumerate(segments) if segment == n) for n in range(len(texts))]
        return [Unit(text, tokens, n) for n, (text, tokens) in enumerate(zip(texts, inside, strict=True))]
    else:
        raise InputError(f"unit is {unit!r}; it must be one of {', '.join(UNITS)}.")
    return found if special else [one for one in found if one.segment is not None]


def pool_units(hidden_state: Array, units: Sequence[Unit]) -> Array:
    """Average the state of each unit's tokens: (tokens, hidden) to (units, hidden), float64."""
    return np.stack([hidden_state[list(unit.tokens)].mean(0, dtype=np.float64) for unit in units])


def stack_units(inspections: Sequence[InspectionData], units: Sequence[Sequence[Unit]], state: int) -> Array:
    """Return one state of the chosen units of each inspection, below each other: (units of all, hidden), float64."""
    pairs = zip(inspections, units, strict=True)
    return np.concatenate([pool_units(inspection.hidden_state(state), chosen) for inspection, chosen in pairs])


def check_inspections(inspections: InspectionData | Sequence[InspectionData]) -> list[InspectionData]:
    """Return one inspection or several as a list.

    Raises:
        InputError: there is none, or they are of models with different numbers of layers.
    """
    rows = list(inspections) if isinstance(inspections, Sequence) else [inspections]
    if len({one.layers for one in rows}) != 1:
        raise InputError("Give one inspection or several of the same model.")
    return rows


def check_same_tokens(first: InspectionData, second: InspectionData) -> None:
    """Check that two inspections have the same tokens, so that they can be compared token by token.

    Raises:
        InputError: they have not; it says where they begin to differ.
    """
    pieces = [[(token.id, token.piece) for token in one.tokens] for one in (first, second)]
    for position, (a, b) in enumerate(zip(*pieces, strict=False)):
        if a != b:
            raise InputError(
                f"The two inspections have different tokens: at position {position} one has {a[1]!r} (id {a[0]}), the "
                f"other {b[1]!r} (id {b[0]}). Inspect the same text with models of one vocabulary."
            )
    if len(pieces[0]) != len(pieces[1]):
        raise InputError(
            f"The two inspections have {len(pieces[0])} and {len(pieces[1])} tokens. Inspect the same text with both."
        )


def describe_state(inspection: InspectionData, state: int) -> str:
    """Return `state 0 (embeddings)`, `state 5`, or `state 36 (final)`."""
    notes = {0: " (embeddings)", inspection.layers: " (final)"}
    return f"state {state}{notes.get(state, '')}"


def describe_model(inspection: InspectionData) -> dict[str, Any]:
    """Return which model has read the text, as a setting of a result that compares it with another."""
    source = inspection.source
    return {"model": source.model, "revision": source.revision, "precision": source.precision}
