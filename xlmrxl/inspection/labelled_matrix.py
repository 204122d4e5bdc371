"""The numbers of an inspection with their labels: a matrix with one on every row and column, or curves over states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlmrxl.errors import InputError
from xlmrxl.inspection.head_statistics import STATISTICS
from xlmrxl.inspection.inspection_data import InspectionData
from xlmrxl.tasks.result import MAX_TABLE_ROWS, Result, format_table

Array = NDArray[Any]
WIDE = 12
"""Columns of a matrix in a terminal."""


@dataclass(frozen=True)
class Axis:
    """The labels of rows, of columns or of the points of a curve, and what they are."""

    name: str  # "state", "layer", "head", "token", "word", "text"
    labels: tuple[str, ...]

    @classmethod
    def numbered(cls, name: str, count: int) -> Axis:
        """Label states, layers or heads by their numbers, counted from 0."""
        return cls(name, tuple(map(str, range(count))))

    def columns(self, index: int, suffix: str = "") -> dict[str, Any]:
        """Return the columns of a table for one place: the index and, unless it is the same, the label."""
        where: dict[str, Any] = {f"{self.name}{suffix}": index}
        if self.labels[index] != str(index):
            where[f"{self.name}_label{suffix}"] = self.labels[index]
        return where


def freeze(values: Any) -> Array:
    """Copy numbers to a float32 array that cannot be written to."""
    array = np.array(values, dtype=np.float32)
    array.setflags(write=False)
    return array


def format_matrix(title: str, unit: str, values: Array, row: Axis, column: Axis) -> str:
    """Write a matrix for a terminal: its first rows and columns, and how many there are."""
    heads = [f"{i} {label}" if label != str(i) else label for i, label in enumerate(column.labels[:WIDE])]
    corner = f"{row.name} \\ {column.name}"
    rows = [
        {corner: label, **dict(zip(heads, map(float, line), strict=False))}
        for label, line in zip(row.labels[:MAX_TABLE_ROWS], values, strict=False)
    ]
    cut = len(row.labels) > MAX_TABLE_ROWS or len(column.labels) > WIDE
    shape = f"\n… of {len(row.labels)} × {len(column.labels)}" if cut else ""
    return f"{title}{f', {unit}' if unit else ''}\n{format_table(rows)}{shape}"


@dataclass(frozen=True, eq=False)
class LabelledMatrix(Result):
    """A matrix of numbers with a label on every row and column.

    Attributes:
        measure: the name of what was measured, as a column of a table.
        title: the same in words.
        values: (rows, columns), float32; not a number where it is not defined.
        row, column: what they are.
        unit: of the values.
        signed: whether 0 is the middle of the scale, not its end: always where a value is below it.
    """

    measure: str
    title: str
    values: Array
    row: Axis
    column: Axis
    unit: str = ""
    signed: bool = False

    def __post_init__(self) -> None:
        """Freeze the values and check that every one has its labels."""
        object.__setattr__(self, "values", freeze(self.values))
        object.__setattr__(self, "signed", self.signed or bool((self.values < 0).any()))
        if self.values.shape != (len(self.row.labels), len(self.column.labels)):
            raise InputError(
                f"{self.values.shape} values for {len(self.row.labels)} × {len(self.column.labels)} labels."
            )

    def content(self) -> dict[str, Any]:
        """Return `{"measure": …, …, "rows": {"name": …, "labels": …}, "columns": …, "values": [[…]]}`."""
        return {
            "measure": self.measure,
            "title": self.title,
            "unit": self.unit,
            "rows": vars(self.row),
            "columns": vars(self.column),
            "values": self.values.tolist(),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each number."""
        other = "_2" if self.row.name == self.column.name else ""
        return [
            {**self.row.columns(i), **self.column.columns(j, other), self.measure: value}
            for i, line in enumerate(self.values.tolist())
            for j, value in enumerate(line)
        ]

    def __str__(self) -> str:
        """Write the first rows and columns, for a terminal."""
        return format_matrix(self.title, self.unit, self.values, self.row, self.column)

    def to_curves(self, columns: Sequence[int] | None = None) -> Curves:
        """Return columns as curves over the rows.

        Args:
            columns: which; if not given, one curve, the mean of all columns.
        """
        if columns is None:
            names: tuple[str, ...] = (f"mean of {len(self.column.labels)} {self.column.name}s",)
            values = self.values.mean(1, dtype=np.float64)[None]
        else:
            names = tuple(self.column.labels[i] for i in columns)
            values = self.values[:, list(columns)].T
        return Curves(self.source, self.measure, self.title, values, names, self.row, self.unit)


@dataclass(frozen=True, eq=False)
class Curves(Result):
    """Numbers by state (or layer).

    Attributes:
        measure: the name of what was measured, as a column of a table.
        title: the same in words.
        values: (curves, points), float32; not a number where it is not defined.
        names: of the curves.
        x: what the points are.
        unit: of the values.
        chance: what a guess would give; None where that means nothing.
    """

    measure: str
    title: str
    values: Array
    names: tuple[str, ...]
    x: Axis
    unit: str = ""
    chance: float | None = None

    def __post_init__(self) -> None:
        """Freeze the values and check that every one has its labels."""
        object.__setattr__(self, "values", freeze(self.values))
        if self.values.shape != (len(self.names), len(self.x.labels)):
            raise InputError(f"{self.values.shape} values for {len(self.names)} curves of {len(self.x.labels)} points.")

    def __str__(self) -> str:
        """Write the first curves and points, for a terminal."""
        return format_matrix(self.title, self.unit, self.values, Axis("curve", self.names), self.x)

    def content(self) -> dict[str, Any]:
        """Return `{"measure": …, …, "chance": …, "x": …, "curves": [{"name": …, "values": […]}, …]}`."""
        return {
            "measure": self.measure,
            "title": self.title,
            "unit": self.unit,
            "chance": self.chance,
            "x": vars(self.x),
            "curves": [
                {"name": name, "values": values} for name, values in zip(self.names, self.values.tolist(), strict=True)
            ],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each number."""
        return [
            {"curve": name, **self.x.columns(i), self.measure: value}
            for name, line in zip(self.names, self.values.tolist(), strict=True)
            for i, value in enumerate(line)
        ]


def tokens_axis(inspection: InspectionData, name: str = "token") -> Axis:
    """Label all tokens of an inspection."""
    return Axis(name, tuple(token.piece for token in inspection.tokens))


def states_axis(inspection: InspectionData) -> Axis:
    """Label all states of an inspection by their numbers."""
    return Axis.numbered("state", inspection.layers + 1)


def statistic_matrix(inspection: InspectionData, name: str) -> LabelledMatrix:
    """Return a statistic of every head, layers × heads.

    Raises:
        InputError: there is no such statistic, or it takes more than one run of the model.
    """
    values = inspection.statistic(name)
    declared = STATISTICS[name]
    return LabelledMatrix(
        inspection.source_with(statistic=name),
        name,
        declared.description,
        values,
        Axis.numbered("layer", inspection.layers),
        Axis.numbered("head", inspection.heads),
        declared.unit,
        signed=declared.scale == "diverging",
    )


def attention_matrix(inspection: InspectionData, layer: int, head: int) -> LabelledMatrix:
    """Return the weights of one head, queries × keys."""
    return LabelledMatrix(
        inspection.source_with(layer=layer, head=head),
        "attention",
        f"attention of L{layer} H{head}",
        inspection.attention(layer, head),
        tokens_axis(inspection, "query"),
        tokens_axis(inspection, "key"),
    )
