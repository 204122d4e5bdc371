"""What changed between two inspections of the same tokens: by two precisions, or by a model before and after.

    difference(before, after, statistic, "entropy")
    difference(before, after, attention, 3, 5)
    difference(before, after, cosines, 12, remove=0)
    difference(before, after, word_probability, "Paris")
    drift(before, after).curves()
    lens_divergence(before, after)

Each gives a grid whose source names both models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xlmrxl.inspection.labelled_matrix import Array, Axis, Grid, source_of, states_axis, tokens_axis
from xlmrxl.inspection.logit_lens import Lens, state_logits
from xlmrxl.inspection.states import cosine_by_row
from xlmrxl.inspection.units import beside, check_tokens

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
            `states.through`, `states.journey`, `states.cka` or `word_probability`.
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


def word_probability(inspection: Inspection, word: str, positions: Sequence[int] | None = None) -> Grid:
    """The probability that the lens gives a word, states × positions; see `lens.lens`.

    Raises:
        CheckpointError: the model has no LM head.
        ValueError: there is no such token, or the word has several pieces.
    """
    found: Lens = inspection.lens(positions, [word], top_k=1, progress=False)
    return Grid(
        found.source,
        "probability",
        f"probability of {word} after each layer",
        found.probabilities(word),
        states_axis(inspection),
        Axis("token", found.pieces),
    )


def lens_divergence(before: Inspection, after: Inspection, positions: Sequence[int] | None = None) -> Grid:
    """How far what the lens says has moved: by state and position, the Kullback-Leibler divergence of the distribution
    after from that before, in nats, as `compare` has it.

    Args:
        before, after: of the same tokens, by masked language models of one vocabulary.
        positions: as in `lens.lens`: if not given, the masks, or where there is none all tokens of the text.

    Raises:
        CheckpointError: a model has no LM head.
        ValueError: their tokens differ, or their models have different numbers of layers or heads.
    """
    check_same(before, after)
    text = [place for place, segment in enumerate(before.segments) if segment is not None]
    chosen = before.places("positions", before.masks or text if positions is None else positions)
    values = np.empty((before.layers + 1, len(chosen)))
    for state in range(before.layers + 1):
        for column, place in enumerate(chosen):
            old, new = (state_logits(one, state, [place])[0].float().cpu().log_softmax(-1) for one in (before, after))
            values[state, column] = float((old.exp() * (old - new)).sum())
    return Grid(
        source_of(after, positions=list(chosen), minus=beside(before)),
        "kl",
        "divergence of what the lens says",
        np.maximum(values, 0),
        states_axis(after),
        Axis("token", tuple(after.tokens[place].piece for place in chosen)),
        "nats",
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
