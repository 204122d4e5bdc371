"""What numbers of an inspection come as: a grid with a label on every row and column, or curves over the states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xlmrxl.inspection.attention import STATISTICS
from xlmrxl.tasks.result import MAX_TABLE_ROWS, Result, Source, format_table

if TYPE_CHECKING:
    from xlmrxl.inspection.inspection import Inspection

Array = NDArray[Any]
WIDE = 12
"""Columns of a matrix in a terminal."""


@dataclass(frozen=True)
class Axis:
    """What the rows, the columns or the points of a curve are."""

    name: str  # "state", "layer", "head", "token", "word", "text"
    labels: tuple[str, ...]

    @classmethod
    def numbered(cls, name: str, count: int) -> Axis:
        """States, layers or heads, counted from 0."""
        return cls(name, tuple(map(str, range(count))))

    def columns(self, index: int, suffix: str = "") -> dict[str, Any]:
        """The columns of a table that say where: the index and, unless it is the same, the label."""
        where: dict[str, Any] = {f"{self.name}{suffix}": index}
        if self.labels[index] != str(index):
            where[f"{self.name}_label{suffix}"] = self.labels[index]
        return where


def frozen(values: Any) -> Array:
    """Numbers as a float32 array that cannot be written to."""
    array = np.array(values, dtype=np.float32)
    array.setflags(write=False)
    return array


def source_of(inspection: Inspection, **settings: Any) -> Source:
    """An inspection's source with what was asked of it beside its own settings."""
    source = inspection.source
    return replace(source, settings={**source.settings, **settings})


def matrix_text(title: str, unit: str, values: Array, row: Axis, column: Axis) -> str:
    """A matrix for a terminal: its first rows and columns, and how many there are."""
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
class Grid(Result):
    """A matrix of numbers.

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
        object.__setattr__(self, "values", frozen(self.values))
        object.__setattr__(self, "signed", self.signed or bool((self.values < 0).any()))
        if self.values.shape != (len(self.row.labels), len(self.column.labels)):
            raise ValueError(
                f"{self.values.shape} values for {len(self.row.labels)} × {len(self.column.labels)} labels."
            )

    def content(self) -> dict[str, Any]:
        """`{"measure": …, "title": …, "unit": …, "rows": {"name": …, "labels": …}, "columns": …, "values": [[…]]}`."""
        return {
            "measure": self.measure,
            "title": self.title,
            "unit": self.unit,
            "rows": vars(self.row),
            "columns": vars(self.column),
            "values": self.values.tolist(),
        }

    def rows(self) -> list[dict[str, Any]]:
        """A row a number."""
        other = "_2" if self.row.name == self.column.name else ""
        return [
            {**self.row.columns(i), **self.column.columns(j, other), self.measure: value}
            for i, line in enumerate(self.values.tolist())
            for j, value in enumerate(line)
        ]

    def __str__(self) -> str:
        return matrix_text(self.title, self.unit, self.values, self.row, self.column)

    def curves(self, columns: Sequence[int] | None = None) -> Curves:
        """The chosen columns as curves over the rows; without a choice one curve, the mean of all columns."""
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
        object.__setattr__(self, "values", frozen(self.values))
        if self.values.shape != (len(self.names), len(self.x.labels)):
            raise ValueError(f"{self.values.shape} values for {len(self.names)} curves of {len(self.x.labels)} points.")

    def __str__(self) -> str:
        return matrix_text(self.title, self.unit, self.values, Axis("curve", self.names), self.x)

    def content(self) -> dict[str, Any]:
        """`{"measure": …, "title": …, "unit": …, "chance": …, "x": …, "curves": [{"name": …, "values": […]}, …]}`."""
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
        """A row a number."""
        return [
            {"curve": name, **self.x.columns(i), self.measure: value}
            for name, line in zip(self.names, self.values.tolist(), strict=True)
            for i, value in enumerate(line)
        ]


def tokens_axis(inspection: Inspection, name: str = "token") -> Axis:
    """All tokens of an inspection."""
    return Axis(name, tuple(token.piece for token in inspection.tokens))


def states_axis(inspection: Inspection) -> Axis:
    """All states of an inspection."""
    return Axis.numbered("state", inspection.layers + 1)


def statistic(inspection: Inspection, name: str) -> Grid:
    """One of `STATISTICS` for every head, layers × heads.

    Raises:
        ValueError: there is no such statistic.
    """
    values = inspection.statistic(name)
    return Grid(
        source_of(inspection, statistic=name),
        name,
        STATISTICS[name].what,
        values,
        Axis.numbered("layer", inspection.layers),
        Axis.numbered("head", inspection.heads),
        STATISTICS[name].unit,
    )


def attention(inspection: Inspection, layer: int, head: int) -> Grid:
    """The weights of one head, queries × keys."""
    return Grid(
        source_of(inspection, layer=layer, head=head),
        "attention",
        f"attention of L{layer} H{head}",
        inspection.attention(layer, head),
        tokens_axis(inspection, "query"),
        tokens_axis(inspection, "key"),
    )
