"""Relation versions, and what their raw rows mean.

A relation version is a table as it was at one point of the stream. Queued rows keep the version
that describes them, so they stay readable when the table changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

import eventscope
from eventscope.event import UNCHANGED, Event, EventId, Form, Lsn, RowImages, Source, entity_name
from eventscope.replication import pgoutput, values
from eventscope.replication.pgoutput import MISSING, LogicalMessage, Missing, ProtocolError, Tuple


@dataclass(frozen=True)
class Column:
    """A column of one relation version."""

    name: str
    type_oid: int
    typmod: int
    in_identity: bool
    type_name: str
    """As the catalog spells it: ``numeric(10,2)``, ``mood``, ``public.posint``, ``uuid[]``."""
    value_oid: int
    """The type that reads its values: a domain's base, text[] for an array of an enum."""
    generated: bool = False
    """Whether the server computes it from other columns."""
    is_identity: bool = False
    """Whether it is ``GENERATED ALWAYS AS IDENTITY``."""
    masked: bool = False
    """Whether its values are hidden, so that it looks like a column of texts."""


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

    dropped: tuple[str, ...] = ()
    """Columns that are hidden altogether."""

    @classmethod
    def of_messages(cls, database: str, prefix: str) -> Relation:
        """What describes the logical messages of a prefix; with an empty one, of any."""
        types = {"prefix": values.TEXT, "content": values.BYTEA, "transactional": values.BOOL}
        columns = (
            Column(name, oid, -1, False, values.name(oid), oid) for name, oid in types.items()
        )
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
            generated=tuple(column.name for column in self.columns if column.generated),
            identity=tuple(column.name for column in self.columns if column.is_identity),
            masked=tuple(column.name for column in self.columns if column.masked),
            dropped=self.dropped,
            nameless=self._is_nameless,
        )

    @property
    def _is_nameless(self) -> bool:
        """Whether a row is all that names it, and a part of it is hidden."""
        hides = bool(self.dropped) or any(column.masked for column in self.columns)
        return hides and self.identity == "f" and not self.primary_key

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
    def column_names(self) -> tuple[str, ...]:
        """The columns in their order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def value_oids(self) -> tuple[int, ...]:
        """The types that read its columns' values."""
        return tuple(column.value_oid for column in self.columns)

    @cached_property
    def mutable_places(self) -> tuple[int, ...]:
        """Where the columns are whose values could be changed in place."""
        oids = enumerate(self.value_oids)
        return tuple(place for place, oid in oids if oid not in values.IMMUTABLE)

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
    hops: int = 0
    """How many operators lie between it and what was not written by one."""


def event_of(relation: Relation, message: bytes, transaction: Transaction, index: int) -> Event:
    """Build the event of a raw row message; its values are decoded when looked at."""
    end_lsn, timestamp = _printed(transaction.end_lsn), _moment(transaction.committed_at)
    source = relation.source
    if not relation.table:  # of messages whose prefix nobody follows
        source = replace(source, table=pgoutput.parse_message(message).prefix)
    return Event(
        EventId(f"{end_lsn}/{index}"),
        pgoutput.EVENT_TYPE_OF[message[0]],
        source,
        timestamp,
        transaction.commit_lsn,
        transaction.xid,
        relation.key,
        partial(_load, relation, message),
    )


_printed = lru_cache(maxsize=16)(str)
_moment = lru_cache(maxsize=16)(pgoutput.timestamp)


Text = bytes | None | Missing
Texts = tuple[Text, ...]


def texts(
    relation: Relation, message: bytes, places: tuple[int, ...]
) -> tuple[Texts | None, Texts | None]:
    """The texts of the columns at some places before and after; MISSING what is not in the WAL.

    Before an insert and after a delete there is no row, and None.
    """
    new, old = _images(relation, message)
    before = after = None
    if old is not None:
        before = tuple([old.values[p] if _holds(relation, old, p) else MISSING for p in places])
    elif message[0] == pgoutput.UPDATE:
        before = (MISSING,) * len(places)
    if new is not None:
        after = tuple([new.values[place] for place in places])
    return before, after


def inserted_texts(relation: Relation, message: bytes, places: tuple[int, ...]) -> Texts:
    """The texts of the columns at some places of an inserted row."""
    new, _ = pgoutput.parse_row(message)
    if new is None or len(new.values) != len(relation.columns):
        raise _of_another_width(relation, new or Tuple((), "N"))
    values = new.values
    return tuple([values[place] for place in places])


def _images(relation: Relation, message: bytes) -> tuple[Tuple | None, Tuple | None]:
    """The row images, with what one of them leaves out taken from the other."""
    new, old = pgoutput.parse_row(message)
    width = len(relation.columns)
    if new is not None and len(new.values) != width:
        raise _of_another_width(relation, new)
    if old is not None and len(old.values) != width:
        raise _of_another_width(relation, old)
    if old is not None and new is not None and MISSING in new.values:
        new = _completed(relation, new, old)
    # No old image is sent when the identity did not change. FULL always sends one, unless a
    # partition has another identity.
    if old is None and message[0] == pgoutput.UPDATE and relation.identity != "f" and new:
        old = Tuple(_identity(relation, new), "K")
    return new, old


def _of_another_width(relation: Relation, image: Tuple) -> ProtocolError:
    return ProtocolError(
        f"{len(image.values)} values for the {len(relation.columns)} columns"
        f" of table {relation.entity}"
    )


def _completed(relation: Relation, new: Tuple, old: Tuple) -> Tuple:
    """The new row with the values that were not sent again, as far as the old one holds them."""
    values = (
        old.values[position] if value is MISSING and _holds(relation, old, position) else value
        for position, value in enumerate(new.values)
    )
    return Tuple(tuple(values), "N")


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


def _is_whole(relation: Relation, image: Tuple) -> bool:
    """Whether a row image surely tells of every column."""
    return image.kind == "N" or (image.kind == "O" and not relation.partitioned)


def _load(relation: Relation, message: bytes, form: Form) -> RowImages:
    kind = message[0]
    if kind == pgoutput.TRUNCATE:
        return RowImages(None, None, False, ())
    reader = values.reader(form)
    if kind == pgoutput.MESSAGE:
        return RowImages(_said(pgoutput.parse_message(message), reader), None, False, ())
    new, old = _images(relation, message)
    after = None if new is None else _record(relation, new, reader)
    if old is None:
        return RowImages(after, None, False, ())
    if new is not None and after is not None and _is_whole(relation, old):
        return _load_both(relation, after, new.values, old.values, reader)
    old_is_key = old.kind == "K" or (relation.partitioned and None in old.values)
    changed: tuple[str, ...] = ()
    if new is not None:
        changed = tuple(
            column.name
            for position, column in enumerate(relation.columns)
            if _holds(relation, old, position) and new.values[position] != old.values[position]
        )
    return RowImages(after, _record(relation, old, reader), old_is_key, changed)


def _load_both(
    relation: Relation,
    after: dict[str, Any],
    new: tuple[Text, ...],
    old: tuple[Text, ...],
    reader: values.Reader,
) -> RowImages:
    """Both rows of an update: what is the same in both is decoded once."""
    before = after.copy()
    changed = []
    for column, now, then in zip(relation.columns, new, old):  # noqa: B905 - counted before
        if now != then:
            name = column.name
            changed.append(name)
            before[name] = _value(reader, column.value_oid, then)
    for place in relation.mutable_places:  # one must not change with the other
        column = relation.columns[place]
        before[column.name] = _value(reader, column.value_oid, old[place])
    return RowImages(after, before, False, tuple(changed))


def _said(message: LogicalMessage, reader: values.Reader) -> dict[str, Any]:
    """A logical message as a row; its content is text for who wrote text."""
    read = reader.read
    content, type_oid = message.content, values.TEXT
    try:
        content.decode()
    except UnicodeDecodeError:
        content, type_oid = rb"\x" + content.hex().encode(), values.BYTEA
    return {
        "prefix": read(values.TEXT, message.prefix.encode()),
        "content": read(type_oid, content),
        "transactional": read(values.BOOL, b"t" if message.transactional else b"f"),
    }


def _record(relation: Relation, image: Tuple, reader: values.Reader) -> dict[str, Any]:
    if _is_whole(relation, image):
        try:
            row = reader.read_row(relation.value_oids, image.values)
            return dict(zip(relation.column_names, row))  # noqa: B905 - counted before
        except Exception:  # noqa: S110 - a value was not sent, or its loader cannot say it
            pass
    return {
        column.name: _value(reader, column.value_oid, image.values[place])
        for place, column in enumerate(relation.columns)
        if _holds(relation, image, place)
    }


def _value(reader: values.Reader, oid: int, text: Text) -> Any:
    if text is None:
        return None
    return UNCHANGED if isinstance(text, Missing) else reader.read(oid, text)
