"""What every task's result has: where it comes from, and the forms that it can be given: dict, JSON, CSV, HTML."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xlmrxl.rendering.components import render_result, render_rows
from xlmrxl.rendering.formats import format_number
from xlmrxl.rendering.style import render_cell
from xlmrxl.tasks.option_fields import TaskOptions
from xlmrxl.tasks.record import HIDDEN, Record
from xlmrxl.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from xlmrxl.loaded_model import LoadedModel


MAX_TABLE_ROWS = 40
"""Rows of a table in a terminal."""


@dataclass(frozen=True)
class Source:
    """What has to be known to get a result again."""

    model: str
    revision: str | None
    precision: str
    version: str  # of xlmrxl
    settings: Mapping[str, Any] = field(default_factory=dict)  # what the task was called with, texts excepted

    @classmethod
    def from_model(cls, loaded_model: LoadedModel, options: TaskOptions | None = None, **settings: Any) -> Source:
        """Return the source of what a model has found.

        Args:
            loaded_model: the model.
            options: of the task; those are recorded that differ from the defaults of this version.
            **settings: what else the result depends on.
        """
        recorded = options.changed() if options else {}
        return cls(loaded_model.name, loaded_model.revision, loaded_model.precision, __version__, recorded | settings)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {
            "model": self.model,
            "revision": self.revision,
            "precision": self.precision,
            "version": self.version,
            "settings": to_json_value(self.settings),
        }


@dataclass(frozen=True)
class Result(Record):
    """A result of a task. Its columns are what was found; `rows` is the same for tables."""

    source: Source = field(metadata=HIDDEN)

    def rows(self) -> list[dict[str, Any]]:
        """Return what was found as rows of a table, all with the same columns."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return what was found and, under `source`, where it comes from."""
        return {**to_json_value(self.content()), "source": self.source.to_dict()}

    def to_json(self) -> str:
        """Return `to_dict` as JSON on one line."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        """Return `rows` with a header, as RFC 4180 has it."""
        rows = self.rows()
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()

    def to_frame(self) -> pd.DataFrame:
        """Return `rows` as a DataFrame; needs pandas."""
        import pandas as pd  # noqa: PLC0415 - not needed otherwise

        return pd.DataFrame(self.rows())

    def __str__(self) -> str:
        """Return the first rows as a table; most results know something better."""
        rows = self.rows()
        more = f"\n… and {len(rows) - MAX_TABLE_ROWS:,} rows more" if len(rows) > MAX_TABLE_ROWS else ""
        return format_table(rows[:MAX_TABLE_ROWS]) + more

    def to_html(self, *, interactive: bool = True) -> str:
        """Return the result as escaped HTML, whose looks `rendering.style_sheet` has; most results know better.

        Args:
            interactive: whether there are buttons, which need `rendering/interaction.js` and somebody who answers.
        """
        return render_result(render_rows(self.rows()))

    def _repr_html_(self) -> str:
        return render_cell(self.to_html(interactive=False))


def to_json_value(value: Any) -> Any:
    """Return a value as JSON can hold it: what is no number becomes null."""
    if isinstance(value, Mapping):
        return {str(key): to_json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json_value(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def format_table(rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None) -> str:
    """Return rows as aligned text for a terminal."""
    if not rows:
        return ""
    names = list(columns or rows[0])
    cells = [[format_number(row[n]) if isinstance(row[n], float) else str(row[n]) for n in names] for row in rows]
    widths = [max(len(name), *(len(row[i]) for row in cells)) for i, name in enumerate(names)]
    right = [isinstance(rows[0][n], int | float) for n in names]
    lines = [
        "  ".join(t.rjust(w) if r else t.ljust(w) for t, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in [names, *cells]
    ]
    return "\n".join(lines)
