"""An event: one row change, with its place in the write-ahead log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal, NamedTuple, Self

import msgspec

EventType = Literal["insert", "update", "delete", "truncate", "message"]
ROW_EVENTS: Final[tuple[EventType, ...]] = ("insert", "update", "delete", "truncate")
"""What can happen to a table."""
MESSAGES: Final[tuple[EventType, ...]] = ("message",)
EVENT_TYPES: Final = (*ROW_EVENTS, *MESSAGES)


Form = Literal["python", "text", "json"]
"""How a row's values are said: as Python's where those are exact, else as PostgreSQL's text; all
as PostgreSQL's text; or as fragments of JSON (``msgspec.Raw``)."""


class _Unchanged(Enum):
    UNCHANGED = "UNCHANGED"

    def __repr__(self) -> str:
        return "UNCHANGED"

    def __bool__(self) -> bool:
        return False


UNCHANGED: Final = _Unchanged.UNCHANGED
"""Stands for a large value that an update left alone and the WAL therefore does not repeat
(PostgreSQL documentation, chapter "TOAST")."""


class Lsn(int):
    """A position in the write-ahead log, in bytes; prints as PostgreSQL does (``0/16B3748``)."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``XXX/XXX``; raises ValueError for anything else."""
        halves = re.fullmatch(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})", text)
        if halves is None:
            raise ValueError(f"{text!r} is no LSN; one looks like 0/16B3748")
        return cls((int(halves[1], 16) << 32) | int(halves[2], 16))

    def __str__(self) -> str:
        return f"{self >> 32:X}/{self & 0xFFFFFFFF:X}"

    def __repr__(self) -> str:
        return f"Lsn('{self}')"


class EventId(str):
    """The stable name of an event: ``<end LSN of its transaction>/<index in it>``.

    It is text, so that it can be stored in a table and compared to deduplicate.
    """

    __slots__ = ()

    @classmethod
    def of(cls, end_lsn: int, index: int) -> Self:
        """Build the id of the event at ``index`` of the transaction that ends at ``end_lsn``."""
        return cls(f"{Lsn(end_lsn)}/{index}")

    @property
    def end_lsn(self) -> Lsn:
        """The end of the transaction's commit record."""
        return Lsn.parse(self.rpartition("/")[0])

    @property
    def ordinal(self) -> int:
        """The event's place in its transaction, from 0."""
        return int(self.rpartition("/")[2])


class Change(msgspec.Struct, frozen=True):
    """A column's value before and after an update."""

    old_value: Any
    new_value: Any


@dataclass(frozen=True, slots=True)
class Source:
    """Where an event comes from: the program, the database, the table and its columns' types."""

    name: str
    version: str
    db: str
    schema: str
    table: str
    columns: Mapping[str, str]
    generated: tuple[str, ...] = ()
    """Columns that the server computes from others, so that no statement may set them."""
    identity: tuple[str, ...] = ()
    """Columns ``GENERATED ALWAYS AS IDENTITY``, which a statement sets only if it insists."""
    masked: tuple[str, ...] = ()
    """Columns whose values the application hides."""
    dropped: tuple[str, ...] = ()
    """Columns that the application hides altogether."""
    nameless: bool = False
    """Whether only those would tell some rows apart."""


class RowImages(NamedTuple):
    """The row of an event before and after, as far as the WAL holds it.

    ``old`` holds the key columns alone if ``old_is_key``; ``changed`` names the columns whose
    text differs between two known images.
    """

    new: Mapping[str, Any] | None
    old: Mapping[str, Any] | None
    old_is_key: bool
    changed: tuple[str, ...]


class Event:
    """One row change. Values are decoded from the raw row when first looked at.

    An event of type ``message`` is what ``pg_logical_emit_message`` wrote: its ``name`` is the
    prefix, and its ``new_record`` holds ``prefix``, ``content`` (text, or bytes if it is none in
    UTF-8) and ``transactional``. A message that was not has ``xid`` 0 and the time of its arrival.
    """

    __slots__ = (
        "_form",
        "_load",
        "_loaded",
        "id",
        "key_columns",
        "lsn",
        "source",
        "timestamp",
        "type",
        "xid",
    )

    def __init__(
        self,
        id: EventId,
        type: EventType,
        source: Source,
        timestamp: datetime,
        lsn: Lsn,
        xid: int,
        key: tuple[str, ...],
        load: Callable[[Form], RowImages],
    ) -> None:
        self.id = id
        self.type: EventType = type
        self.source = source
        self.timestamp = timestamp
        """The commit time, with time zone."""
        self.lsn = lsn
        """The transaction's commit LSN, the same for all its events."""
        self.xid = xid
        self.key_columns = key
        """The columns that tell one row from another: the primary key, else the identity."""
        self._load = load
        self._form: Form = "python"
        self._loaded: RowImages | None = None

    def in_form(self, form: Form) -> Self:
        """The same event, its values said in another form."""
        event = copy(self)
        event._form = form
        event._loaded = None
        return event

    @property
    def name(self) -> str:
        """The entity: the table's name, with its schema unless that is ``public``."""
        return entity_name(self.source.schema, self.source.table)

    @property
    def index(self) -> int:
        """The event's place in its transaction, from 0."""
        return self.id.ordinal

    @property
    def new_record(self) -> Mapping[str, Any] | None:
        """The row after an insert or update; else None. May hold ``UNCHANGED``."""
        return self._images.new

    @property
    def old_record(self) -> Mapping[str, Any] | None:
        """The row that a delete removed (its key alone under REPLICA IDENTITY DEFAULT)."""
        return self._images.old if self.type == "delete" else None

    @property
    def previous(self) -> Mapping[str, Any] | None:
        """The whole row before an update or delete, if the WAL holds it (REPLICA IDENTITY FULL)."""
        return None if self._images.old_is_key else self._images.old

    @property
    def changes(self) -> Mapping[str, Change] | None:
        """What an update changed, by column; None for other types.

        Only columns known to differ: where ``unknown`` names columns, they may have changed too.
        """
        if self.type != "update":
            return None
        new, old, _, changed = self._images
        if new is None or old is None:
            return {}
        return {column: Change(old[column], new[column]) for column in changed}

    @property
    def key(self) -> Mapping[str, Any]:
        """The values of ``key_columns``: the row's key after an insert or update, else before."""
        return self._key_in(self._images.new or self._images.old)

    @property
    def old_key(self) -> Mapping[str, Any]:
        """The key before an update or delete, as far as the WAL holds it."""
        return self._key_in(self._images.old)

    @property
    def key_changed(self) -> bool:
        """Whether an update is known to have given the row another key."""
        return not set(self.key_columns).isdisjoint(self.changes or ())

    @property
    def unknown(self) -> tuple[str, ...]:
        """Columns whose value before this update or delete the WAL does not hold."""
        if self.type not in ("update", "delete"):
            return ()
        known = self._images.old or {}
        return tuple(column for column in self.source.columns if column not in known)

    def _key_in(self, row: Mapping[str, Any] | None) -> Mapping[str, Any]:
        return {name: row[name] for name in self.key_columns if name in row} if row else {}

    @property
    def _images(self) -> RowImages:
        if self._loaded is None:
            self._loaded = self._load(self._form)
        return self._loaded

    def __repr__(self) -> str:
        return f"<Event {self.id} {self.type} {self.name}>"


def entity_name(schema: str, table: str) -> str:
    """Name a table as users do: ``comments`` means ``public.comments``.

    What is in no schema, as a logical message, has its name alone.
    """
    if not schema or (schema == "public" and "." not in table):
        return table
    return f"{schema}.{table}"


def split_entity(name: str) -> tuple[str, str]:
    """Split an entity's name into schema and table; without a schema it is ``public``."""
    schema, dot, table = name.partition(".")
    return (schema, table) if dot else ("public", schema)
