"""Dataclasses whose fields are columns: declared once for dicts, JSON, CSV, tables and files. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

HIDDEN = {"hidden": True}
"""Metadata of a field that is for programs, and no column."""
OPTIONAL = {"optional": True}
"""Metadata of a column that is left out where it is None, or nothing."""


@dataclass(frozen=True)
class Record:
    """Something that was found, whose fields are columns in their order, but for those that are HIDDEN."""

    def content(self) -> dict[str, Any]:
        """Return the columns as plain values, records within records as dicts."""
        return {
            each.name: _to_plain(getattr(self, each.name))
            for each in fields(self)
            if not each.metadata.get("hidden")
            and not (each.metadata.get("optional") and getattr(self, each.name) in (None, ()))
        }


def _to_plain(value: Any) -> Any:
    """Return a value of a column with its records as dicts."""
    if isinstance(value, Record):
        return value.content()
    return [_to_plain(item) for item in value] if isinstance(value, tuple) else value


def to_rows(records: Sequence[Record], renamed: dict[str, str] | None = None, **shared: Any) -> list[dict[str, Any]]:
    """Return records as rows of a table, all with the same columns.

    Args:
        records: of one kind.
        renamed: from names of columns to those that they have in the table.
        **shared: columns of all rows, before those of the records.
    """
    names = renamed or {}
    rows = [shared | {names.get(name, name): value for name, value in each.content().items()} for each in records]
    return align_columns(rows)


def align_columns(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in which each has the columns of all, None where it had none."""
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in columns} for row in rows]
