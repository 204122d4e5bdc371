"""Projections of hidden states to few dimensions: principal components and UMAP, state by state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from xlmrxl.errors import InputError, MissingDependencyError
from xlmrxl.inspection.inspection_data import InspectionData
from xlmrxl.inspection.labelled_matrix import Array, freeze
from xlmrxl.inspection.units import Unit, check_inspections, list_units, stack_units
from xlmrxl.tasks.result import Result
from xlmrxl.tasks.texts import check_texts

METHODS = ("pca", "umap")
BASES = ("common", "each")
SCALES = ("state", "none")
EXACT = 640
"""Up to this many rows or columns the singular values are computed exactly, beyond by subspace iteration."""


class Components(NamedTuple):
    """Principal components."""

    axes: Array  # (components, hidden), of length 1
    points: Array  # (n, components)
    explained: Array  # (components,), the share of the variance that each has


def principal_components(x: Array, count: int) -> Components:
    """Return the first principal components of rows (n, hidden), the same in every run: start and signs are fixed.

    Up to 640 rows or columns from the singular values; beyond, by subspace iteration (Halko, Martinsson and Tropp
    2011, Finding Structure with Randomness), whose first components agree with those where their variances differ.
    The number with the largest absolute value on each axis is above zero.
    """
    x = x - x.mean(0)
    axes = np.linalg.svd(x, full_matrices=False)[2] if min(x.shape) <= EXACT else _iterate_subspace(x, count)
    axes = axes[:count]
    axes = axes * np.where(axes[np.arange(len(axes)), np.abs(axes).argmax(1)] < 0, -1, 1)[:, None]
    points = x @ axes.T
    variances = np.square(points, dtype=np.float64).sum(0)
    total = float(np.square(x, dtype=np.float64).sum())
    return Components(axes, points, variances / total if total else np.zeros_like(variances))


def _iterate_subspace(x: Array, count: int, spare: int = 16, rounds: int = 12) -> Array:
    """Return the first right singular vectors of x (n, hidden), (count, hidden)."""
    start = np.random.default_rng(0).standard_normal((x.shape[1], count + spare)).astype(x.dtype)
    basis = np.linalg.qr(start)[0]
    for _ in range(rounds):
        basis = np.linalg.qr(x.T @ (x @ basis))[0]
    rotation = np.linalg.svd(x @ basis, full_matrices=False)[2]
    axes: Array = rotation[:count] @ basis.T
    return axes


def lay_out_by_umap(x: Array, count: int) -> Array:
    """Lay out rows (n, hidden) by their cosine with UMAP (McInnes, Healy and Melville 2018), the same in every run.

    Raises:
        MissingDependencyError: umap-learn is not installed.
        InputError: fewer than four rows.
    """
    if len(x) < 4:
        raise InputError(f"UMAP needs 4 points or more; there are {len(x)}. Use pca.")
    try:
        from umap import UMAP  # noqa: PLC0415 - takes seconds, and few have it
    except ModuleNotFoundError as error:
        raise MissingDependencyError("UMAP needs umap-learn", "umap", "use pca") from error
    # With few points its spectral start has no eigenvectors to take.
    start = "spectral" if len(x) > count + 2 else "random"
    model = UMAP(
        n_components=count, n_neighbors=min(15, len(x) - 1), metric="cosine", init=start, random_state=0, n_jobs=1
    )
    return np.asarray(model.fit_transform(x))


@dataclass(frozen=True, eq=False)
class Projection(Result):
    """States in few dimensions.

    Attributes:
        method, basis, scale: as in `project`.
        unit: what a point is: tokens, words or texts.
        states: which, in the order of `points`.
        labels: of the points.
        groups: of each point, the name of the text or language it is from.
        points: (states, points, components), float32.
        explained: (1 or states, components), the share of the variance that each component has; None for UMAP.
    """

    method: str
    basis: str
    scale: str
    unit: str
    states: tuple[int, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    points: Array
    explained: Array | None

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        object.__setattr__(self, "points", freeze(self.points))
        if self.explained is not None:
            object.__setattr__(self, "explained", freeze(self.explained))

    def content(self) -> dict[str, Any]:
        """Return all attributes as plain values."""
        return {
            "method": self.method,
            "basis": self.basis,
            "scale": self.scale,
            "unit": self.unit,
            "states": self.states,
            "labels": self.labels,
            "groups": self.groups,
            "points": self.points.tolist(),
            "explained": None if self.explained is None else self.explained.tolist(),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each point in each state."""
        names = [f"component_{i}" for i in range(self.points.shape[2])]
        return [
            {
                "state": state,
                "point": i,
                "label": self.labels[i],
                "group": self.groups[i],
                **dict(zip(names, p, strict=True)),
            }
            for state, points in zip(self.states, self.points.tolist(), strict=True)
            for i, p in enumerate(points)
        ]


def project(
    inspections: InspectionData | Sequence[InspectionData],
    *,
    states: Sequence[int] | None = None,
    unit: str = "tokens",
    groups: Sequence[str] | None = None,
    method: str = "pca",
    basis: str = "common",
    scale: str = "state",
    special: bool = False,
    components: int = 2,
) -> Projection:
    """Project the states of tokens, words or texts to a plane, state by state.

    Args:
        inspections: one, or several whose points share the plane.
        states: which; all if not given.
        unit: `"tokens"`, `"words"` or `"texts"`.
        groups: the name of each inspection; otherwise `text 1`, `text 2` of a pair or of several.
        method: `"pca"`, or `"umap"`, which needs umap-learn.
        basis: `"common"`, one plane for all states, so that a point can be followed through them; or `"each"`, the
            best plane of every state, whose axes mean something else in each (only their signs are brought in line).
        scale: `"state"` takes each state's mean off and brings its points to a root mean square length of 1, so that
            the late states, which are far longer, do not fill the plane alone; `"none"` leaves them.
        special: whether `<s>` and `</s>` are among the tokens or words; they lie far from all others.
        components: how many dimensions.

    Raises:
        InputError: an unknown option, or too few points.
        MissingDependencyError: umap-learn is needed and not installed.
    """
    for name, value, known in (("method", method, METHODS), ("basis", basis, BASES), ("scale", scale, SCALES)):
        if value not in known:
            raise InputError(f"{name} is {value!r}; it must be one of {', '.join(known)}.")
    rows = check_inspections(inspections)
    chosen = [list_units(inspection, unit, special) for inspection in rows]
    count = sum(map(len, chosen))
    states = tuple(range(rows[0].layers + 1) if states is None else states)
    if components >= count * (len(states) if basis == "common" else 1):
        raise InputError(f"There are {count} {unit}, too few for {components} dimensions.")
    stack = np.stack([stack_units(rows, chosen, state).astype(np.float32) for state in states])
    if scale == "state":
        stack = np.stack([normalize_scale(x) for x in stack])
    laid, explained = reduce_dimensions(stack, method, basis, components)
    source = rows[0].source_with(
        texts=len(rows),
        unit=unit,
        method=method,
        basis=basis,
        scale=scale,
        special=special,
        components=components,
    )
    labels = tuple(one.label for units in chosen for one in units)
    return Projection(source, method, basis, scale, unit, states, labels, _name_groups(chosen, groups), laid, explained)


def normalize_scale(x: Array) -> Array:
    """Take the mean off rows (n, hidden) and scale them to a root mean square length of 1."""
    x = x - x.mean(0)
    length = float(np.sqrt(np.square(x, dtype=np.float64).sum(-1).mean()))
    return x / length if length else x


def reduce_dimensions(stack: Array, method: str, basis: str, count: int) -> tuple[Array, Array | None]:
    """Reduce states (states, n, hidden) to `count` dimensions.

    Returns:
        The points, (states, n, count), and of PCA the shares of variance, (1 or states, count).
    """
    groups = [stack.reshape(-1, stack.shape[-1])] if basis == "common" else list(stack)
    if method == "umap":
        return np.concatenate([lay_out_by_umap(x, count) for x in groups]).reshape(*stack.shape[:2], count), None
    found = [principal_components(x, count) for x in groups]
    laid = np.concatenate([one.points for one in found]).reshape(*stack.shape[:2], count)
    if basis == "each":
        for i in range(1, len(laid)):
            laid[i] *= np.where((laid[i - 1] * laid[i]).sum(0) < 0, -1, 1)
    return laid, np.stack([one.explained for one in found])


def _name_groups(chosen: Sequence[Sequence[Unit]], groups: Sequence[str] | None) -> tuple[str, ...]:
    """Return the group of every unit."""
    if groups is None and len(chosen) == 1:
        return tuple("special" if unit.segment is None else f"text {unit.segment + 1}" for unit in chosen[0])
    names = [f"text {n}" for n in range(1, len(chosen) + 1)] if groups is None else check_texts(groups, "groups")
    if len(names) != len(chosen):
        raise InputError(f"There are {len(chosen)} inspections and {len(names)} groups; give one for each.")
    return tuple(name for name, units in zip(names, chosen, strict=True) for _ in units)
