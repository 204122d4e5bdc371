"""Hidden states: their lengths, the cosines between them, how alike the layers are.

States are counted as `hidden_states[i]`: 0 is the embeddings, i the output of layer i - 1, and the last one has gone
through the final LayerNorm, which the others have not. The mathematics is in functions on arrays; what takes an
inspection names its tokens and keeps where the numbers come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from xlmrxl.errors import InputError
from xlmrxl.inspection.inspection_data import InspectionData
from xlmrxl.inspection.labelled_matrix import Array, Axis, Curves, LabelledMatrix, states_axis, tokens_axis
from xlmrxl.inspection.projection import principal_components
from xlmrxl.inspection.units import (
    check_inspections,
    check_same_tokens,
    describe_model,
    describe_state,
    list_units,
    pool_units,
    stack_units,
)

ESTIMATORS = ("debiased", "biased")

# Lengths and angles


def normalize_rows(x: Array) -> Array:
    """Scale rows (…, hidden) to length 1; a row of zeros has no direction and becomes not-a-number."""
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    nowhere: Array = np.full_like(x, np.nan, dtype=np.float64)
    found: Array = np.divide(x, length, out=nowhere, where=length > 0)
    return found


def pairwise_cosine(x: Array, y: Array) -> Array:
    """Return the cosine of every row of x (n, hidden) with every row of y (m, hidden): (n, m)."""
    found: Array = np.clip(normalize_rows(x) @ normalize_rows(y).T, -1, 1)
    return found


def rowwise_cosine(x: Array, y: Array) -> Array:
    """Return the cosine of every row of x (…, hidden) with the same row of y: (…,)."""
    found: Array = np.clip((normalize_rows(x) * normalize_rows(y)).sum(-1), -1, 1)
    return found


def remove_common_components(x: Array, remove: int | None = 0, sample: Array | None = None) -> Array:
    """Take off rows (n, hidden) what they all have in common, which makes all of them look alike.

    Ethayarajh (2019), How Contextual are Contextualized Word Representations?, finds the states of one layer in a
    narrow cone. Mu and Viswanath (2018), All-but-the-Top, take the mean off and then what lies along the first
    principal components.

    Args:
        x: the rows.
        remove: None leaves them as they are, 0 takes the mean off, k the mean and the first k components.
        sample: rows (m, hidden) whose mean and components these are; those of x if not given. A handful corrects
            poorly: of m rows without their mean, two have a cosine of -1 / (m - 1) in the mean.

    Raises:
        InputError: `remove` is negative, or nothing would be left.
    """
    if remove is None:
        return x
    sample = x if sample is None else sample
    most = max(min(len(sample) - 1, sample.shape[1]) - 1, 0)
    if not 0 <= remove <= most:
        raise InputError(
            f"remove is {remove}; with {len(sample)} points it can be None, 0 (their mean) or up to {most} (principal "
            "components as well)."
        )
    x = x - sample.mean(0, dtype=np.float64)
    if remove:
        axes = principal_components(sample, remove).axes
        x = x - (x @ axes.T) @ axes
    return x


def mean_cosine(x: Array) -> float:
    """Return the mean cosine of two different rows (n, hidden).

    Ethayarajh (2019) calls it the anisotropy of a layer. Measured there on random words of many texts; here on the
    rows that are given. Not a number for fewer than two.
    """
    n = len(x)
    total = normalize_rows(x).sum(0)
    return float((total @ total - n) / (n * (n - 1))) if n > 1 else float("nan")


def state_norms(inspection: InspectionData) -> LabelledMatrix:
    """Return the Euclidean length of every token's state, states × tokens."""
    values = [np.linalg.norm(inspection.hidden_state(i), axis=-1) for i in range(inspection.layers + 1)]
    return LabelledMatrix(
        inspection.source_with(),
        "norm",
        "length of the states",
        np.stack(values),
        states_axis(inspection),
        tokens_axis(inspection),
    )


def cosine_similarity(
    inspections: InspectionData | Sequence[InspectionData],
    state: int,
    *,
    unit: str = "tokens",
    remove: int | None = None,
    special: bool = True,
) -> LabelledMatrix:
    """Return the cosine of every token, word or text with every other within one state, units × units.

    Args:
        inspections: one, or several whose units are all compared.
        state: 0 for the embeddings.
        unit: `"tokens"`, `"words"` or `"texts"`.
        remove: as in `remove_common_components`, with all tokens of the texts as the sample.
        special: whether `<s>` and `</s>` are among the tokens or words.

    Raises:
        InputError: an unknown `unit`, a `remove` that leaves nothing, or any of fewer than three texts: two are
            opposite once their mean is off.
    """
    rows = check_inspections(inspections)
    chosen = [list_units(inspection, unit, special) for inspection in rows]
    x = stack_units(rows, chosen, state)
    if remove is not None:
        if unit == "texts" and len(x) < 3:
            raise InputError(f"remove is {remove}, but there are {len(x)} texts: without their mean two are opposite.")
        x = remove_common_components(
            x, remove, stack_units(rows, [list_units(inspection) for inspection in rows], state)
        )
    axis = Axis(unit.removesuffix("s"), tuple(one.label for units in chosen for one in units))
    source = rows[0].source_with(state=state, unit=unit, remove=remove, special=special)
    title = f"cosine between {unit}, {describe_state(rows[0], state)}"
    return LabelledMatrix(source, "cosine", title, pairwise_cosine(x, x), axis, axis)


def layer_similarity(inspection: InspectionData, reference: int | None = None) -> LabelledMatrix:
    """Return the cosine of every token's state with its own in another state, states × tokens.

    Args:
        inspection: of one text or pair.
        reference: the state all are compared with (0: the token's embedding); None compares each with the one before
            it, and the embeddings with themselves.
    """
    count = inspection.layers + 1
    values = []
    for state in range(count):
        x = inspection.hidden_state(state)
        y = inspection.hidden_state(max(state - 1, 0) if reference is None else reference)
        values.append(rowwise_cosine(x, y))
    other = "the state before" if reference is None else describe_state(inspection, reference)
    return LabelledMatrix(
        inspection.source_with(reference="previous" if reference is None else reference),
        "cosine",
        f"cosine of each token with {other}",
        np.stack(values),
        states_axis(inspection),
        tokens_axis(inspection),
    )


def token_trajectory(inspection: InspectionData, position: int) -> LabelledMatrix:
    """Return the cosine between all states of one token, states × states.

    Raises:
        InputError: there is no such token.
    """
    (position,) = inspection.check_positions("position", position)
    x = np.stack([inspection.hidden_state(i)[position] for i in range(inspection.layers + 1)])
    axis = states_axis(inspection)
    title = f"cosine between the states of token {position}, {inspection.tokens[position].piece}"
    return LabelledMatrix(inspection.source_with(position=position), "cosine", title, pairwise_cosine(x, x), axis, axis)


def anisotropy(inspections: InspectionData | Sequence[InspectionData], *, remove: int | None = None) -> Curves:
    """Return by state the mean cosine of two different tokens of some texts.

    Args:
        inspections: of one text or several.
        remove: as in `remove_common_components`.
    """
    rows = check_inspections(inspections)
    chosen = [list_units(inspection) for inspection in rows]
    values = [
        mean_cosine(remove_common_components(stack_units(rows, chosen, state), remove))
        for state in range(rows[0].layers + 1)
    ]
    count = sum(map(len, chosen))
    return Curves(
        rows[0].source_with(remove=remove, texts=len(rows)),
        "cosine",
        "mean cosine of two tokens",
        np.array([values]),
        (f"{count} tokens",),
        states_axis(rows[0]),
    )


# How alike layers are


def centred_gram(x: Array, estimator: str) -> Array:
    """Return the Gram matrix of rows (n, hidden), centred so that the inner product of two is an estimate of HSIC.

    `"biased"` centres rows and columns (Gretton et al. 2005). `"debiased"` leaves the diagonal out and centres as
    Székely and Rizzo (2014) do, which gives the unbiased estimate of Song et al. (2012) and needs four rows.

    Raises:
        InputError: an unknown estimator, or too few rows.
    """
    if estimator not in ESTIMATORS:
        raise InputError(f"estimator is {estimator!r}; it must be one of {', '.join(ESTIMATORS)}.")
    n = len(x)
    if n < (4 if estimator == "debiased" else 2):
        raise InputError(f"CKA needs {4 if estimator == 'debiased' else 2} tokens or more, {estimator}; there are {n}.")
    # The mean changes neither estimate, and without it more digits are left.
    x = x.astype(np.float64) - x.mean(0, dtype=np.float64)
    gram: Array = x @ x.T
    if estimator == "biased":
        return gram  # without their mean, rows have a centred Gram matrix
    np.fill_diagonal(gram, 0)
    sums = gram.sum(0)
    gram = gram - sums / (n - 2) - sums[:, None] / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(gram, 0)
    return gram


def linear_cka(x: Iterable[Array], y: Iterable[Array] | None = None, estimator: str = "debiased") -> Array:
    """Return the linear centred kernel alignment of layers.

    It is 1 for the same geometry up to rotation and size, and about 0 for none in common.

    Kornblith et al. (2019), Similarity of Neural Network Representations Revisited, define it with the biased HSIC,
    which comes out high where rows are few and wide, as the tokens of a sentence are. The debiased one (Nguyen et al.
    2021, Do Wide and Deep Networks Learn the Same Things?) does not, and can fall below 0.

    Args:
        x: layers (rows, hidden), all of the same rows.
        y: others of the same rows, perhaps of another width; those of x if not given.
        estimator: `"debiased"` or `"biased"`.

    Returns:
        (layers of x, layers of y); not a number where all rows of a layer are the same.

    Raises:
        InputError: an unknown estimator, or too few rows.
    """
    of_x = _grams(x, estimator)
    return pairwise_cosine(of_x, of_x if y is None else _grams(y, estimator))


def _grams(layers: Iterable[Array], estimator: str) -> Array:
    """Return the centred Gram matrices of layers, a row each."""
    return np.stack([centred_gram(layer, estimator).ravel() for layer in layers])


def cka(
    inspection: InspectionData,
    other: InspectionData | None = None,
    *,
    estimator: str = "debiased",
    special: bool = False,
) -> LabelledMatrix:
    """Return linear CKA between all states of an inspection, or between its states and another's.

    See `linear_cka`.

    Args:
        inspection: of a text.
        other: of the same tokens, by another precision or another model.
        estimator: `"debiased"`, better for the few tokens of a text, or `"biased"`, as in most papers.
        special: whether `<s>` and `</s>` are among the tokens. They are unlike all others and make layers look alike.

    Raises:
        InputError: an unknown estimator, too few tokens, or others than the first inspection's.
    """

    def layers(one: InspectionData) -> Iterable[Array]:
        units = list_units(one, special=special)
        return (pool_units(one.hidden_state(i), units) for i in range(one.layers + 1))

    settings: dict[str, Any] = {"estimator": estimator, "special": special}
    if other is not None:
        check_same_tokens(inspection, other)
        settings["other"] = describe_model(other)
    return LabelledMatrix(
        inspection.source_with(**settings),
        "cka",
        f"linear CKA ({estimator}) between states",
        linear_cka(layers(inspection), None if other is None else layers(other), estimator),
        states_axis(inspection),
        states_axis(other or inspection),
    )
