"""Relation versions, and what their raw rows mean.

A relation version is a table as it was at one point of the stream. Queued rows keep the version
that describes them, so they stay readable when the table changes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from typing import Any, NamedTuple

import psycopg
from psycopg.adapt import AdaptersMap, Transformer
from psycopg.pq import Format
from psycopg.types.json import set_json_loads
from psycopg.types.string import TextLoader

import eventscope
from eventscope.event import UNCHANGED, Event, EventId, Lsn, RowImages, Source, entity_name
from eventscope.replication import pgoutput
from eventscope.replication.pgoutput import MISSING, LogicalMessage, Missing, Tuple


@dataclass(frozen=True)
class Column:
    """A column of one relation version."""

    name: str
    type_oid: int
    typmod: int
    in_identity: bool
    type_name: str
    """As the catalog spells it: ``numeric(10,2)``, ``mood``, ``uuid[]``."""
    value_oid: int
    """The type whose text form its values have: a domain's base, text for an enum."""


@dataclass(frozen=True)
class Relation:
    """A table as it was at one point of the stream."""

    database: str
    oid: int
    schema: str
    table: str
    identity: str
    """``d`` default, ``n`` nothing, ``f`` full, ``i`` index (pg_class.relreplident)."""
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    partitioned: bool = False
    """Whether its rows lie in partitions, each with a replica identity of its own, while its
    messages tell of the table's."""

    ancestors: tuple[str, ...] = ()
    """The tables that it is a partition of or inherits from, nearest first: its rows are theirs."""

    @classmethod
    def of_messages(cls, database: str, prefix: str) -> Relation:
        """What describes the logical messages of a prefix."""
        types = {"prefix": ("text", 25), "content": ("bytea", 17), "transactional": ("bool", 16)}
        columns = (Column(name, oid, -1, False, type_, oid) for name, (type_, oid) in types.items())
        return cls(database, 0, "", prefix, "n", tuple(columns), ())

    @cached_property
    def entity(self) -> str:
        """The table's name as users write it, or the prefix of its messages."""
        return entity_name(self.schema, self.table)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name under which somebody may follow it."""
        return (self.entity, *self.ancestors)

    @cached_property
    def source(self) -> Source:
        """What its events tell of their origin."""
        return Source(
            name="eventscope",
            version=eventscope.__version__,
            db=self.database,
            schema=self.schema,
            table=self.table,
            columns={column.name: column.type_name for column in self.columns},
        )

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The columns that tell one row from another."""
        if self.primary_key and self._positions.keys() >= set(self.primary_key):
            return self.primary_key
        return tuple(column.name for column in self.columns if column.in_identity)

    def position(self, column: str) -> int | None:
        """The column's place in a row, or None if there is no such column."""
        return self._positions.get(column)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {column.name: index for index, column in enumerate(self.columns)}


class Transaction(NamedTuple):
    """A committed transaction and the sequence numbers of its events."""

    first_seq: int
    last_seq: int
    end_lsn: Lsn
    commit_lsn: Lsn
    xid: int
    committed_at: int
    """Microseconds since 2000-01-01 UTC."""


def event_of(relation: Relation, message: bytes, transaction: Transaction, index: int) -> Event:
    """Build the event of a raw row message; its values are decoded when looked at."""
    return Event(
        id=EventId.of(transaction.end_lsn, index),
        type=pgoutput.EVENT_TYPE_OF[message[0]],
        source=relation.source,
        timestamp=pgoutput.timestamp(transaction.committed_at),
        lsn=transaction.commit_lsn,
        xid=transaction.xid,
        key=relation.key,
        load=partial(_load, relation, message),
    )


def texts(relation: Relation, message: bytes, column: str) -> tuple[Text, Text]:
    """One column's text before and after; MISSING where the WAL does not hold it.

    Before an insert and after a delete there is no row: both are MISSING then.
    """
    position = relation.position(column)
    if position is None or message[0] == pgoutput.TRUNCATE:
        return MISSING, MISSING
    new, old = _images(relation, message)
    before = MISSING if old is None or not _holds(relation, old, position) else old.values[position]
    after = MISSING if new is None else new.values[position]
    return before, after


Text = bytes | None | Missing


def _images(relation: Relation, message: bytes) -> tuple[Tuple | None, Tuple | None]:
    """The row images, with what one of them leaves out taken from the other."""
    new, old = pgoutput.parse_row(message)
    if new is not None and old is not None and MISSING in new.values:
        values = (
            old.values[position] if value is MISSING and _holds(relation, old, position) else value
            for position, value in enumerate(new.values)
        )
        new = Tuple(tuple(values), "N")
    # No old image is sent when the identity did not change. FULL always sends one, unless a
    # partition has another identity.
    if old is None and message[0] == pgoutput.UPDATE and relation.identity != "f" and new:
        old = Tuple(_identity(relation, new), "K")
    return new, old


def _identity(relation: Relation, image: Tuple) -> tuple[Text, ...]:
    """A row's values as far as they belong to its identity."""
    return tuple(
        value if column.in_identity else None
        for column, value in zip(relation.columns, image.values, strict=True)
    )


def _holds(relation: Relation, image: Tuple, position: int) -> bool:
    """Whether a row image tells of a column: the nulls of a key image are no values.

    The old image of a partition's row may be a key image that does not say so.
    """
    if relation.partitioned and image.kind != "N":
        return image.values[position] is not None
    return image.kind != "K" or relation.columns[position].in_identity


def _load(relation: Relation, message: bytes) -> RowImages:
    if message[0] == pgoutput.TRUNCATE:
        return RowImages(None, None, False, ())
    if message[0] == pgoutput.MESSAGE:
        return RowImages(_said(pgoutput.parse_message(message)), None, False, ())
    new, old = _images(relation, message)
    changed: tuple[str, ...] = ()
    if new is not None and old is not None:
        changed = tuple(
            column.name
            for position, column in enumerate(relation.columns)
            if _holds(relation, old, position) and new.values[position] != old.values[position]
        )
    return RowImages(
        new=None if new is None else _record(relation, new),
        old=None if old is None else _record(relation, old),
        old_is_key=old is not None
        and (old.kind == "K" or (relation.partitioned and None in old.values)),
        changed=changed,
    )


def _said(message: LogicalMessage) -> dict[str, Any]:
    """A logical message as a row; its content is text for who wrote text."""
    try:
        content: str | bytes = message.content.decode()
    except UnicodeDecodeError:
        content = message.content
    return {
        "prefix": message.prefix,
        "content": content,
        "transactional": message.transactional,
    }


def _record(relation: Relation, image: Tuple) -> dict[str, Any]:
    return {
        column.name: _value(column.value_oid, image.values[position])
        for position, column in enumerate(relation.columns)
        if _holds(relation, image, position)
    }


def _value(oid: int, text: Text) -> Any:
    if text is None:
        return None
    if isinstance(text, Missing):
        return UNCHANGED
    try:
        return _loader(oid)(text)
    except Exception:  # whatever a loader cannot say in Python stays as PostgreSQL said it
        return text.decode("utf-8", "replace")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dict; raises ValueError where that would lose a repeated key."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is repeated")
    return members


class _Context:
    """The adaptation context of decoding: psycopg's types, exact, without a connection."""

    connection = None

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        # a timedelta tells neither a month from 30 days nor a day from 24 hours
        self.adapters.register_loader("interval", TextLoader)
        loads = partial(json.loads, parse_float=Decimal, object_pairs_hook=_object)
        set_json_loads(loads, self)


_context = _Context()
_of_thread = threading.local()


def _loader(oid: int) -> Callable[[bytes], Any]:
    """The loader of a type. psycopg's loaders keep state, so each thread has its own."""
    loaders: dict[int, Callable[[bytes], Any]] | None = getattr(_of_thread, "loaders", None)
    if loaders is None:
        loaders = _of_thread.loaders = {}
        _of_thread.transformer = Transformer(_context)
    loader = loaders.get(oid)
    if loader is None:
        loader = _of_thread.transformer.get_loader(oid, Format.TEXT).load
        info = psycopg.adapters.types.get(oid)
        if info is not None and info.array_oid == oid:
            loader = _exact_array(loader)
        loaders[oid] = loader
    return loader


def _exact_array(load: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Refuse arrays whose bounds a list cannot hold: ``[0:1]={a,b}``."""

    def load_exactly(text: bytes) -> Any:
        if text.startswith(b"["):
            raise ValueError("the array does not start at 1")
        return load(text)

    return load_exactly
