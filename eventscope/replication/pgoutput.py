"""The messages of the ``pgoutput`` plugin, protocol version 1.

Source: PostgreSQL documentation, chapter "Logical Replication Message Formats". Everything here
is a pure function from bytes; a message that breaks the format raises ProtocolError.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from eventscope.errors import EventScopeError
from eventscope.event import EventType, Lsn
from eventscope.replication import packed

BEGIN: Final = ord("B")
COMMIT: Final = ord("C")
ORIGIN: Final = ord("O")
RELATION: Final = ord("R")
TYPE: Final = ord("Y")
INSERT: Final = ord("I")
UPDATE: Final = ord("U")
DELETE: Final = ord("D")
TRUNCATE: Final = ord("T")
MESSAGE: Final = ord("M")

EVENT_TYPE_OF: Final[dict[int, EventType]] = {
    INSERT: "insert",
    UPDATE: "update",
    DELETE: "delete",
    TRUNCATE: "truncate",
    MESSAGE: "message",
}

Subject = int | str
"""A table's oid, or the prefix of logical messages; an empty one stands for those that nobody
follows."""

_IMAGES_OF: Final = {INSERT: ("N",), UPDATE: ("N", "KN", "ON"), DELETE: ("K", "O")}
"""The row images that a message may hold, in their order."""

_FIRST_IMAGES: Final = {
    type: tuple(images[0].encode() for images in possible) for type, possible in _IMAGES_OF.items()
}

_POSTGRES_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_YEAR_1: Final = (datetime.min.replace(tzinfo=UTC) - _POSTGRES_EPOCH) // _MICROSECOND
_YEAR_10000: Final = (datetime.max.replace(tzinfo=UTC) - _POSTGRES_EPOCH) // _MICROSECOND + 1

_BEGIN = struct.Struct(">qqI")
_COMMIT = struct.Struct(">Bqqq")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_I32 = struct.Struct(">i")
_I64 = struct.Struct(">q")
_u16, _u32 = _U16.unpack_from, _U32.unpack_from
_status_u32 = struct.Struct(">xI").unpack_from


class ProtocolError(EventScopeError):
    """A message that does not follow the protocol."""

    exit_code = 3


class Begin(NamedTuple):
    """The start of a transaction. ``commit_lsn`` is where its commit record begins."""

    commit_lsn: Lsn
    committed_at: int
    """Microseconds since 2000-01-01 UTC, as PostgreSQL counts."""
    xid: int


class Commit(NamedTuple):
    """The end of a transaction. ``end_lsn`` is where its commit record ends."""

    commit_lsn: Lsn
    end_lsn: Lsn
    committed_at: int


class Origin(NamedTuple):
    """Where a transaction first happened, if it was replicated to this server."""

    commit_lsn: Lsn
    name: str


class ColumnMessage(NamedTuple):
    """A column as a Relation message tells of it."""

    name: str
    type_oid: int
    typmod: int
    in_identity: bool


class RelationMessage(NamedTuple):
    """A table as it is from here on in the stream."""

    oid: int
    schema: str
    table: str
    identity: str
    """``d`` default, ``n`` nothing, ``f`` full, ``i`` index (pg_class.relreplident)."""
    columns: tuple[ColumnMessage, ...]


class TypeMessage(NamedTuple):
    """A type that is not built in."""

    oid: int
    schema: str
    name: str


class Truncate(NamedTuple):
    """A TRUNCATE of one or several tables."""

    relations: tuple[int, ...]
    cascade: bool
    restart_identity: bool


class LogicalMessage(NamedTuple):
    """What ``pg_logical_emit_message`` wrote."""

    transactional: bool
    lsn: Lsn
    prefix: str
    content: bytes


class Tuple(NamedTuple):
    """One row image: each column's text, None for NULL, ``MISSING`` where it was not sent."""

    values: tuple[bytes | Missing | None, ...]
    kind: str
    """``N`` new, ``O`` whole old row, ``K`` old key."""


class Missing:
    """The type of MISSING."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""An unchanged TOAST value, which the WAL does not repeat."""

_ABSENT: Final = {packed.NULL: None, packed.UNCHANGED_TOAST: MISSING}


def timestamp(microseconds: int) -> datetime:
    """Turn PostgreSQL's microseconds since 2000-01-01 UTC into a datetime."""
    return _POSTGRES_EPOCH + timedelta(microseconds=microseconds)


def microseconds(seconds: float) -> int:
    """Turn seconds since 1970-01-01 UTC into PostgreSQL's microseconds since 2000-01-01 UTC."""
    return round((seconds - _POSTGRES_EPOCH.timestamp()) * 1_000_000)


def parse_begin(message: bytes) -> Begin:
    """Read a Begin message."""
    try:
        commit_lsn, committed_at, xid = _BEGIN.unpack_from(message, 1)
    except struct.error as error:
        raise ProtocolError(f"broken Begin message: {error}") from None
    return Begin(_lsn(commit_lsn), _time(committed_at), xid)


def parse_commit(message: bytes) -> Commit:
    """Read a Commit message."""
    try:
        _, commit_lsn, end_lsn, committed_at = _COMMIT.unpack_from(message, 1)
    except struct.error as error:
        raise ProtocolError(f"broken Commit message: {error}") from None
    return Commit(_lsn(commit_lsn), _lsn(end_lsn), _time(committed_at))


def parse_origin(message: bytes) -> Origin:
    """Read an Origin message."""
    reader = _Reader(message)
    return Origin(_lsn(reader.int64()), reader.string())


def parse_relation(message: bytes) -> RelationMessage:
    """Read a Relation message. An empty schema means ``pg_catalog``."""
    reader = _Reader(message)
    oid, schema, table = reader.uint32(), reader.string(), reader.string()
    identity = chr(reader.byte())
    columns = []
    for _ in range(reader.uint16()):
        flags, name = reader.byte(), reader.string()
        columns.append(ColumnMessage(name, reader.uint32(), reader.int32(), bool(flags & 1)))
    return RelationMessage(oid, schema or "pg_catalog", table, identity, tuple(columns))


def parse_type(message: bytes) -> TypeMessage:
    """Read a Type message. An empty schema means ``pg_catalog``."""
    reader = _Reader(message)
    return TypeMessage(reader.uint32(), reader.string() or "pg_catalog", reader.string())


def parse_truncate(message: bytes) -> Truncate:
    """Read a Truncate message."""
    reader = _Reader(message)
    count, options = reader.uint32(), reader.byte()
    relations = tuple(reader.uint32() for _ in range(count))
    return Truncate(relations, bool(options & 1), bool(options & 2))


def parse_message(message: bytes) -> LogicalMessage:
    """Read a logical decoding message."""
    reader = _Reader(message)
    flags, lsn, prefix = reader.byte(), reader.int64(), reader.string()
    return LogicalMessage(bool(flags & 1), _lsn(lsn), prefix, reader.take(reader.uint32()))


def subject(description: bytes) -> Subject:
    """Tell what rows refer to a description by (see ``describing``)."""
    if description[0] == MESSAGE:
        return description[1:].decode()
    return row_relation(description)


def logical_message(prefix: str, content: str) -> bytes:
    """Write a logical message that nobody has sent."""
    said = content.encode()
    head = struct.pack(">BBq", MESSAGE, True, 0)
    return head + prefix.encode() + b"\0" + struct.pack(">I", len(said)) + said


def describing(prefix: str) -> bytes:
    """Describe the logical messages of a prefix, as a Relation message does a table's rows."""
    return bytes([MESSAGE]) + prefix.encode()


def row_relation(message: bytes) -> int:
    """Tell the table oid of an Insert, Update or Delete message."""
    try:
        oid: int = _u32(message, 1)[0]
    except struct.error as error:
        raise ProtocolError(f"broken row message: {error}") from None
    return oid


def parse_row(message: bytes) -> tuple[Tuple | None, Tuple | None]:
    """Split an Insert, Update or Delete message into its new and its old row image.

    Every value that anybody looks at passes here.
    """
    type, first = message[0], message[5:6]
    two = type == UPDATE and first != b"N"
    images = packed.images(message, two=two) if first in _FIRST_IMAGES.get(type, ()) else None
    if images is None:
        return _parse_row_by_value(message)
    image = _image(Tuple, (_values(images[0]), first.decode()))
    if two:
        return _image(Tuple, (_values(images[1]), "N")), image
    return (None, image) if type == DELETE else (image, None)


_image = tuple.__new__
"""Makes a Tuple without the detour of a call in Python."""


def _values(image: packed.Image) -> tuple[bytes | Missing | None, ...]:
    return tuple([value if isinstance(value, bytes) else _ABSENT[value] for value in image])


def _parse_row_by_value(message: bytes) -> tuple[Tuple | None, Tuple | None]:
    """Do the same for any message; raises ProtocolError for one that breaks the format."""
    end = len(message)
    try:
        first, position = _parse_tuple(message, 5)
        second = None
        if position < end:
            second, position = _parse_tuple(message, position)
    except (IndexError, struct.error):
        raise ProtocolError("row message ends early") from None
    kinds = first.kind if second is None else first.kind + second.kind
    if kinds not in _IMAGES_OF.get(message[0], ()) or position != end:
        raise ProtocolError(
            f"row images {kinds} of {position} bytes in a message {chr(message[0])!r} of {end}"
        )
    if second is not None:
        return second, first
    return (first, None) if kinds == "N" else (None, first)


def _parse_tuple(message: bytes, position: int) -> tuple[Tuple, int]:
    """A row image and where it ends, which may be behind the message's end.

    Raises IndexError or struct.error where the message ends early.
    """
    kind = chr(message[position])
    if kind not in "NOK":
        raise ProtocolError(f"unknown row image {kind!r}")
    (count,) = _u16(message, position + 1)
    position += 3
    values: list[bytes | Missing | None] = [None] * count
    for place in range(count):
        status = message[position]
        if status == 0x74:  # t: text
            (length,) = _status_u32(message, position)
            position += 5
            values[place] = message[position : position + length]
            position += length
        elif status == 0x6E:  # n: null
            position += 1
        elif status == 0x75:  # u: unchanged TOAST
            position += 1
            values[place] = MISSING
        else:
            raise ProtocolError(f"unknown column status {chr(status)!r}")
    return Tuple(tuple(values), kind), position


def _lsn(position: int) -> Lsn:
    if position < 0:
        raise ProtocolError("a position that no WAL reaches")
    return Lsn(position)


def _time(microseconds: int) -> int:
    if not _YEAR_1 <= microseconds < _YEAR_10000:
        raise ProtocolError("a commit at no time of our calendar")
    return microseconds


class _Reader:
    """A cursor over one message that never reads past its end."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 1  # behind the kind

    def take(self, count: int) -> bytes:
        end = self._position + count
        if end > len(self._data):
            raise ProtocolError(f"message ends {end - len(self._data)} bytes early")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def uint16(self) -> int:
        value: int = _U16.unpack(self.take(2))[0]
        return value

    def uint32(self) -> int:
        value: int = _U32.unpack(self.take(4))[0]
        return value

    def int32(self) -> int:
        value: int = _I32.unpack(self.take(4))[0]
        return value

    def int64(self) -> int:
        value: int = _I64.unpack(self.take(8))[0]
        return value

    def string(self) -> str:
        end = self._data.find(b"\0", self._position)
        if end < 0:
            raise ProtocolError("string without end")
        text = self._data[self._position : end].decode("utf-8", "replace")
        self._position = end + 1
        return text
