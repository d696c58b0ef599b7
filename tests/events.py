"""Events built by hand, as the reader would have built them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from eventscope.event import (
    UNCHANGED,
    Event,
    EventId,
    EventType,
    Form,
    Lsn,
    RowImages,
    Source,
)

COMMITTED = datetime(2026, 7, 1, 12, 6, 38, 412_000, tzinfo=UTC)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry for the ring that holds an event."""

    held: Event
    seq: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        return (self.held.name,)

    @property
    def type(self) -> EventType:
        return self.held.type

    def event(self) -> Event:
        return self.held


def an_insert(table: str = "orders", new: Row | None = None, **given: Any) -> Event:
    row = {"id": 1, "status": "new"} if new is None else new
    return an_event("insert", table, RowImages(row, None, False, ()), **given)


def an_update(
    table: str = "orders", old: Row | None = None, new: Row | None = None, **given: Any
) -> Event:
    """An update under REPLICA IDENTITY FULL."""
    before = {"id": 1, "status": "new"} if old is None else old
    after = {**before, "status": "paid"} if new is None else {**before, **new}
    changed = tuple(name for name in after if after[name] != before.get(name))
    return an_event("update", table, RowImages(after, before, False, changed), **given)


def a_default_identity_update(table: str = "orders", new: Row | None = None, **given: Any) -> Event:
    """An update whose old row the WAL does not hold."""
    row = {"id": 1, "status": "paid"} if new is None else new
    key = {name: row[name] for name in given.get("key", ("id",)) if name in row}
    return an_event("update", table, RowImages(row, key, True, ()), **given)


def a_delete(
    table: str = "orders", old: Row | None = None, *, key_only: bool = False, **given: Any
) -> Event:
    row = {"id": 1, "status": "new"} if old is None else old
    known = {"id": row["id"]} if key_only else row
    columns = given.pop("columns", dict.fromkeys(row, "text"))
    images = RowImages(None, known, key_only, ())
    return an_event("delete", table, images, columns=columns, **given)


def a_truncate(table: str = "orders", **given: Any) -> Event:
    return an_event("truncate", table, RowImages(None, None, False, ()), **given)


def an_event(
    type: EventType,
    table: str,
    images: RowImages,
    *,
    schema: str = "public",
    key: Sequence[str] = ("id",),
    columns: Mapping[str, str] | None = None,
    lsn: int = 0x16B3748,
    index: int = 0,
    xid: int = 7412132,
    timestamp: datetime = COMMITTED,
) -> Event:
    if columns is None:
        columns = dict.fromkeys([*(images.old or {}), *(images.new or {})], "text")
    return Event(
        id=EventId.of(lsn, index),
        type=type,
        source=Source("postgresql", "17.2", "shop", schema, table, columns),
        timestamp=timestamp,
        lsn=Lsn(lsn),
        xid=xid,
        key=tuple(key),
        load=lambda form: _said(images, form),
    )


def _said(images: RowImages, form: Form) -> RowImages:
    """The images in a form."""
    new, old = (
        None if row is None else {name: _value(value, form) for name, value in row.items()}
        for row in (images.new, images.old)
    )
    return images._replace(new=new, old=old)


def _value(value: Any, form: Form) -> Any:
    if form == "python" or value is UNCHANGED or value is None:
        return value
    if form == "json":
        is_number = isinstance(value, Decimal)
        return msgspec.Raw(str(value).encode() if is_number else msgspec.json.encode(value))
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return rf"\x{value.hex()}"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
