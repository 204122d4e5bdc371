"""What changed between two inspections of the same tokens: by two precisions, or by a model before and after.

difference(before, after, statistic, "entropy")
difference(before, after, attention, 3, 5)
difference(before, after, cosines, 12, remove=0)
drift(before, after).curves()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xlmrxl.inspection.grid import Array, Grid, source_of, states_axis, tokens_axis
from xlmrxl.inspection.parts import beside, check_tokens
from xlmrxl.inspection.states import cosine_by_row

if TYPE_CHECKING:
    from xlmrxl.inspection.inspection import Inspection

DRIFTS = {"relative": "distance of the states, as a share of their length", "cosine": "cosine of the states"}


def difference(
    before: Inspection, after: Inspection, what: Callable[..., Grid], *arguments: Any, **options: Any
) -> Grid:
    """A grid of one inspection minus the same grid of another.

    Args:
        before, after: of the same tokens.
        what: makes the grid of one inspection: `grid.statistic`, `grid.attention`, `states.norms`, `states.cosines`,
            `states.through`, `states.journey` or `states.cka`.
        *arguments, **options: of it.

    Returns:
        after - before; the source is that of `after`, with the other under `minus` in its settings.

    Raises:
        ValueError: their tokens differ, or their models have different numbers of layers or heads.
    """
    check_same(before, after)
    old, new = (what(one, *arguments, **options) for one in (before, after))
    return replace(
        new,
        source=replace(new.source, settings={**new.source.settings, "minus": beside(before)}),
        title=f"{new.title}: difference",
        values=new.values - old.values,
        signed=True,
    )


def drift(before: Inspection, after: Inspection, measure: str = "relative") -> Grid:
    """How far every token's state has moved, states × tokens; `.curves()` gives the mean by state.

    Args:
        before, after: of the same tokens.
        measure: `"relative"`: |after - before| / |before|, as `compare` has it; or `"cosine"` between the two.

    Raises:
        ValueError: another measure, their tokens differ, or their models have different numbers of layers or heads.
    """
    if measure not in DRIFTS:
        raise ValueError(f"measure is {measure!r}; it must be one of {', '.join(DRIFTS)}.")
    check_same(before, after)
    pairs = ((before.hidden_state(i), after.hidden_state(i)) for i in range(before.layers + 1))
    values = [_relative(*pair) if measure == "relative" else cosine_by_row(*pair) for pair in pairs]
    return Grid(
        source_of(after, measure=measure, minus=beside(before)),
        f"drift_{measure}",
        DRIFTS[measure],
        np.stack(values),
        states_axis(after),
        tokens_axis(after),
        "" if measure == "cosine" else "share of the length",
    )


def _relative(before: Array, after: Array) -> Array:
    moved: Array = np.linalg.norm(after - before, axis=-1) / np.linalg.norm(before, axis=-1)
    return moved


def check_same(before: Inspection, after: Inspection) -> None:
    """Two inspections can be subtracted.

    Raises:
        ValueError: their tokens differ, or their models have different numbers of layers or heads.
    """
    check_tokens(before, after)
    sizes = [f"{one.layers} layers of {one.heads} heads" for one in (before, after)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"One model has {sizes[0]}, the other {sizes[1]}: there is no difference between the two.")
