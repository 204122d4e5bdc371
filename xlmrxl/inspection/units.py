"""What of an inspection is compared: its tokens, its words or its texts, one vector each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xlmrxl.inspection.labelled_matrix import Array

if TYPE_CHECKING:
    from xlmrxl.inspection.inspection import Inspection

PARTS = ("tokens", "words", "texts")
"""What a point can be: a token, the mean of a word's tokens, or the mean of a text's tokens."""


class Part(NamedTuple):
    """A token, a word or a text."""

    label: str
    tokens: tuple[int, ...]
    segment: int | None  # None for <s> and </s>


def parts_of(inspection: Inspection, of: str = "tokens", special: bool = False) -> list[Part]:
    """The tokens, words or texts of an inspection; `<s>` and `</s>` only if `special`, and never in a text.

    Raises:
        ValueError: `of` is none of `PARTS`.
    """
    segments = inspection.segments
    if of == "tokens":
        found = [Part(t.piece, (i,), segments[i]) for i, t in enumerate(inspection.tokens)]
    elif of == "words":
        found = [Part(word.text, word.tokens, word.segment) for word in inspection.words]
    elif of == "texts":
        texts = [text for text in (inspection.text, inspection.second) if text is not None]
        inside = [tuple(i for i, segment in enumerate(segments) if segment == n) for n in range(len(texts))]
        return [Part(text, tokens, n) for n, (text, tokens) in enumerate(zip(texts, inside, strict=True))]
    else:
        raise ValueError(f"of is {of!r}; it must be one of {', '.join(PARTS)}.")
    return found if special else [part for part in found if part.segment is not None]


def vectors(state: Array, parts: Sequence[Part]) -> Array:
    """The mean state of each part: (tokens, hidden) to (parts, hidden), float64."""
    return np.stack([state[list(part.tokens)].mean(0, dtype=np.float64) for part in parts])


def points(inspections: Sequence[Inspection], chosen: Sequence[Sequence[Part]], state: int) -> Array:
    """One state of the chosen parts of each inspection, below each other: (parts of all, hidden), float64."""
    pairs = zip(inspections, chosen, strict=True)
    return np.concatenate([vectors(inspection.hidden_state(state), parts) for inspection, parts in pairs])


def several(inspections: Inspection | Sequence[Inspection]) -> list[Inspection]:
    """One inspection or several as a list.

    Raises:
        ValueError: there is none, or they are of models with different numbers of layers.
    """
    rows = list(inspections) if isinstance(inspections, Sequence) else [inspections]
    if len({one.layers for one in rows}) != 1:
        raise ValueError("Give one inspection or several of the same model.")
    return rows


def check_tokens(first: Inspection, second: Inspection) -> None:
    """Two inspections must be of the same tokens to be set side by side token for token.

    Raises:
        ValueError: they are not; it says where they part.
    """
    pieces = [[(token.id, token.piece) for token in one.tokens] for one in (first, second)]
    for place, (a, b) in enumerate(zip(*pieces, strict=False)):
        if a != b:
            raise ValueError(
                f"The two inspections have different tokens: at place {place} one has {a[1]!r} (id {a[0]}), the other "
                f"{b[1]!r} (id {b[0]}). Inspect the same text with models of one vocabulary."
            )
    if len(pieces[0]) != len(pieces[1]):
        raise ValueError(
            f"The two inspections have {len(pieces[0])} and {len(pieces[1])} tokens. Inspect the same text with both."
        )


def state_name(inspection: Inspection, state: int) -> str:
    """`state 0 (embeddings)`, `state 5`, or `state 36 (final)`."""
    notes = {0: " (embeddings)", inspection.layers: " (final)"}
    return f"state {state}{notes.get(state, '')}"


def beside(other: Inspection) -> dict[str, Any]:
    """Which model an inspection is compared with."""
    return {"model": other.source.model, "revision": other.source.revision, "precision": other.source.precision}
