"""Differences between two inspections of the same tokens: by two precisions, or by a model before and after.

    difference(before, after, statistic_matrix, "entropy")
    difference(before, after, attention_matrix, 3, 5)
    difference(before, after, cosine_similarity, 12, remove=0)
    difference(before, after, word_probability, "Paris")
    drift(before, after).to_curves()
    logit_lens_divergence(before, after)

Each gives a labelled matrix whose source names both models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xlmrxl.errors import InputError
from xlmrxl.inspection.head_statistics import STATISTICS
from xlmrxl.inspection.inspection_data import InspectionData
from xlmrxl.inspection.labelled_matrix import Array, Axis, LabelledMatrix, states_axis, tokens_axis
from xlmrxl.inspection.logit_lens import compute_state_logits, logit_lens
from xlmrxl.inspection.states import rowwise_cosine
from xlmrxl.inspection.units import check_same_tokens, describe_model

DRIFTS = {"relative": "distance of the states, as a share of their length", "cosine": "cosine of the states"}


def difference(
    before: InspectionData,
    after: InspectionData,
    measure: Callable[..., LabelledMatrix],
    *arguments: Any,
    **options: Any,
) -> LabelledMatrix:
    """Subtract a matrix of one inspection from the same matrix of another.

    Args:
        before: what is subtracted.
        after: of the same tokens; what it is subtracted from.
        measure: makes the matrix of one inspection: `labelled_matrix.statistic_matrix` or `attention_matrix`,
            `states.state_norms`, `cosine_similarity`, `layer_similarity`, `token_trajectory` or `cka`, or
            `word_probability`.
        *arguments: further arguments of `measure`.
        **options: its arguments with names.

    Returns:
        after - before; the source is that of `after`, with the other under `minus` in its settings.

    Raises:
        InputError: their tokens differ, or their models have different numbers of layers or heads.
    """
    check_comparable(before, after)
    old, new = (measure(one, *arguments, **options) for one in (before, after))
    return replace(
        new,
        source=replace(new.source, settings={**new.source.settings, "minus": describe_model(before)}),
        title=f"{new.title}: difference",
        values=new.values - old.values,
        signed=True,
    )


def drift(before: InspectionData, after: InspectionData, measure: str = "relative") -> LabelledMatrix:
    """Measure how far every token's state has moved, states × tokens; `.to_curves()` gives the mean by state.

    Args:
        before: where the states were.
        after: of the same tokens: where they are.
        measure: `"relative"`: |after - before| / |before|, as `compare` has it; or `"cosine"` between the two.

    Raises:
        InputError: another measure, their tokens differ, or their models have different numbers of layers or heads.
    """
    if measure not in DRIFTS:
        raise InputError(f"measure is {measure!r}; it must be one of {', '.join(DRIFTS)}.")
    check_comparable(before, after)
    pairs = ((before.hidden_state(i), after.hidden_state(i)) for i in range(before.layers + 1))
    values = [_relative_distance(*pair) if measure == "relative" else rowwise_cosine(*pair) for pair in pairs]
    return LabelledMatrix(
        after.source_with(measure=measure, minus=describe_model(before)),
        f"drift_{measure}",
        DRIFTS[measure],
        np.stack(values),
        states_axis(after),
        tokens_axis(after),
        "" if measure == "cosine" else "share of the length",
    )


def attention_change(first: InspectionData, second: InspectionData) -> LabelledMatrix:
    """Measure how far the rows of every head differ between two inspections, layers × heads.

    It is half the sum of the absolute differences of a row, ½ Σⱼ |aᵢⱼ − bᵢⱼ|, on average over the rows: 0 for the same
    attention, 1 for none in common.

    Raises:
        InputError: their tokens differ, or their models have different numbers of layers or heads.
    """
    check_comparable(first, second)
    rows = []
    for layer in range(first.layers):
        apart = np.abs(second.layer_attention(layer) - first.layer_attention(layer))
        rows.append(apart.sum(-1).mean(-1) / 2)
    declared = STATISTICS["change"]
    return LabelledMatrix(
        second.source_with(minus=describe_model(first)),
        declared.name,
        declared.description,
        np.stack(rows),
        Axis.numbered("layer", first.layers),
        Axis.numbered("head", first.heads),
        declared.unit,
    )


def word_probability(inspection: InspectionData, word: str, positions: Sequence[int] | None = None) -> LabelledMatrix:
    """Return the probability that the logit lens gives a word, states × positions; see `logit_lens.logit_lens`.

    Raises:
        CheckpointError: the model has no LM head.
        InputError: there is no such token, or the word has several pieces.
    """
    found = logit_lens(inspection, positions, [word], top_k=1, progress=False)
    return LabelledMatrix(
        found.source,
        "probability",
        f"probability of {word} after each layer",
        found.probabilities(word),
        states_axis(inspection),
        Axis("token", found.pieces),
    )


def logit_lens_divergence(
    before: InspectionData, after: InspectionData, positions: Sequence[int] | None = None
) -> LabelledMatrix:
    """Return the divergence of what the logit lens predicts, states × positions.

    It is the Kullback-Leibler divergence of the distribution after from that before, in nats, as `compare` has it.

    Args:
        before: by a masked language model.
        after: of the same tokens, by another of the same vocabulary.
        positions: as in `logit_lens.logit_lens`: if not given, the masks, or without any all tokens of the text.

    Raises:
        CheckpointError: a model has no LM head.
        InputError: their tokens differ, or their models have different numbers of layers or heads.
    """
    check_comparable(before, after)
    default = before.mask_positions or before.text_positions
    chosen = before.check_positions("positions", default if positions is None else positions)
    values = np.empty((before.layers + 1, len(chosen)))
    for state in range(before.layers + 1):
        for column, position in enumerate(chosen):
            old, new = (
                compute_state_logits(one, state, [position])[0].float().cpu().log_softmax(-1) for one in (before, after)
            )
            values[state, column] = float((old.exp() * (old - new)).sum())
    return LabelledMatrix(
        after.source_with(positions=list(chosen), minus=describe_model(before)),
        "kl",
        "divergence of what the logit lens predicts",
        np.maximum(values, 0),
        states_axis(after),
        Axis("token", tuple(after.tokens[position].piece for position in chosen)),
        "nats",
    )


def _relative_distance(before: Array, after: Array) -> Array:
    moved: Array = np.linalg.norm(after - before, axis=-1) / np.linalg.norm(before, axis=-1)
    return moved


def check_comparable(before: InspectionData, after: InspectionData) -> None:
    """Check that two inspections can be subtracted.

    Raises:
        InputError: their tokens differ, or their models have different numbers of layers or heads.
    """
    check_same_tokens(before, after)
    sizes = [f"{one.layers} layers of {one.heads} heads" for one in (before, after)]
    if sizes[0] != sizes[1]:
        raise InputError(f"One model has {sizes[0]}, the other {sizes[1]}: there is no difference between the two.")
