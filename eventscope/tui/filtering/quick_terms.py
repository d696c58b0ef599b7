"""What an event suggests to filter by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from eventscope.event import UNCHANGED, Event
from eventscope.tui.filtering.words import changed_word, column_word, event_table, value_word

_COLUMNS: Final = 40
"""Columns that are looked at."""


class QuickTerm(NamedTuple):
    """A filter that the event matches, and what it is about."""

    text: str
    about: str
    key: str = ""
    """What chooses it at once."""
    group: int = 0


def quick_terms(event: Event) -> list[QuickTerm]:
    """Its table, operation, row and transaction; what changed; what it holds."""
    return [*_place(event), *_changes(event), *_values(event)]


def _place(event: Event) -> Iterator[QuickTerm]:
    table = event_table(event)
    about = "this prefix" if event.type == "message" else "this table"
    if table is not None:
        yield QuickTerm(f"table:{table}", about, "t")
    yield QuickTerm(f"op:{event.type}", "this operation", "o")
    key = _key(event)
    if table is not None and key is not None:
        yield QuickTerm(f"table:{table} key:{key}", "this row", "r")
    if event.xid:
        yield QuickTerm(f"xid:{event.xid}", "this transaction", "x")


def _key(event: Event) -> str | None:
    """The key's value; that of ``id`` where every column is the key."""
    key = dict(event.key)
    if len(key) > 1 and len(key) == len(event.source.columns):
        key = {"id": key["id"]} if "id" in key else {}
    if len(key) == 1:
        return value_word(*key.values())
    return None


def _changes(event: Event) -> Iterator[QuickTerm]:
    for name, change in list((event.changes or {}).items())[:_COLUMNS]:
        column, changed = column_word(name), changed_word(name)
        if column is None or changed is None:
            continue
        yield QuickTerm(f"col:{changed}", "it changed", group=1)
        old, new = value_word(change.old_value), value_word(change.new_value)
        if old is not None and new is not None:
            yield QuickTerm(f"{column}:{old}->{new}", "it changed so", group=1)


def _values(event: Event) -> Iterator[QuickTerm]:
    row: dict[str, Any] = dict(event.new_record or event.old_record or {})
    for name, value in list(row.items())[:_COLUMNS]:
        column, word = column_word(name), value_word(value)
        if column is not None and word is not None and value is not UNCHANGED:
            yield QuickTerm(f"{column}:{word}", "its value", group=2)
