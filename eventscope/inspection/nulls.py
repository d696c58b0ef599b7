"""JSON's null told apart from NULL: in Python both are None."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

from eventscope.event import Event


class _JsonNull(Enum):
    JSON_NULL = "null"

    def __str__(self) -> str:
        return "null"


JSON_NULL: Final = _JsonNull.JSON_NULL
"""Stands for a document that is ``null``."""


def told_apart(event: Event, column: str, value: object, row: Literal["old", "new"]) -> object:
    """A column's value in one of an event's rows, or ``JSON_NULL`` for a None that is no NULL."""
    if value is not None or event.source.columns.get(column) not in ("json", "jsonb"):
        return value
    said = event.in_form("text")
    if row == "new":
        text = (said.new_record or {}).get(column)
    elif said.type == "update":
        text = (said.changes or {})[column].old_value
    else:
        text = (said.old_record or {}).get(column)
    return value if text is None else JSON_NULL
