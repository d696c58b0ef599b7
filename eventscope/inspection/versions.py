"""Versions of one row: what one of them does not tell, the one before it may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventscope.event import UNCHANGED, Event, Form, RowImages


def completed(event: Event, before: Event) -> Event:
    """The event with the old row taken from the row's version before, where the WAL holds none.

    Args:
        event: an event of a row.
        before: the one before it of the same row.
    """
    if event.type not in ("update", "delete") or not event.unknown or not before.new_record:
        return event
    return Event(
        id=event.id,
        type=event.type,
        source=event.source,
        timestamp=event.timestamp,
        lsn=event.lsn,
        xid=event.xid,
        key=event.key_columns,
        load=lambda form: _images(event, before, form),
    )


def _images(event: Event, before: Event, form: Form) -> RowImages:
    columns = event.source.columns
    old = _known(before.in_form(form).new_record, columns)
    new = event.in_form(form).new_record
    if new is None:
        return RowImages(None, old, False, ())
    # what was not sent again is as it was
    new = {
        name: old.get(name, value) if value is UNCHANGED else value for name, value in new.items()
    }
    then = _known(before.in_form("text").new_record, columns)
    now = _known(event.in_form("text").new_record, columns)
    changed = tuple(name for name in now if name in then and now[name] != then[name])
    return RowImages(new, old, False, changed)


def _known(row: Mapping[str, Any] | None, columns: Mapping[str, str]) -> dict[str, Any]:
    """A row's values, without those that the WAL did not repeat and columns that are gone."""
    items = (row or {}).items()
    return {name: value for name, value in items if value is not UNCHANGED and name in columns}
