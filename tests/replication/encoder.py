"""Messages of pgoutput as the server would write them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from eventscope.replication.pgoutput import ColumnMessage, Missing

Value = bytes | Missing | None
Values = Sequence[Value]


def begin(commit_lsn: int, xid: int = 7, committed_at: int = 0) -> bytes:
    return b"B" + struct.pack(">qqI", commit_lsn, committed_at, xid)


def commit(commit_lsn: int, end_lsn: int, committed_at: int = 0) -> bytes:
    return b"C" + struct.pack(">Bqqq", 0, commit_lsn, end_lsn, committed_at)


def origin(commit_lsn: int, name: str) -> bytes:
    return b"O" + struct.pack(">q", commit_lsn) + text(name)


def type_(oid: int, schema: str, name: str) -> bytes:
    return b"Y" + struct.pack(">I", oid) + text(schema) + text(name)


def relation(
    oid: int, schema: str, table: str, identity: str, columns: Sequence[ColumnMessage]
) -> bytes:
    head = b"R" + struct.pack(">I", oid) + text(schema) + text(table) + identity.encode()
    return (
        head
        + struct.pack(">H", len(columns))
        + b"".join(
            struct.pack(">B", column.in_identity)
            + text(column.name)
            + struct.pack(">Ii", column.type_oid, column.typmod)
            for column in columns
        )
    )


def truncate(oids: Sequence[int], *, cascade: bool = False, restart: bool = False) -> bytes:
    head = struct.pack(">IB", len(oids), cascade | restart << 1)
    return b"T" + head + b"".join(struct.pack(">I", oid) for oid in oids)


def logical_message(transactional: bool, lsn: int, prefix: str, content: bytes) -> bytes:
    head = struct.pack(">Bq", transactional, lsn) + text(prefix)
    return b"M" + head + struct.pack(">I", len(content)) + content


def insert(oid: int, new: Values) -> bytes:
    return b"I" + struct.pack(">I", oid) + row("N", new)


def update(oid: int, new: Values, *, key: Values | None = None, old: Values | None = None) -> bytes:
    before = row("K", key) if key is not None else row("O", old) if old is not None else b""
    return b"U" + struct.pack(">I", oid) + before + row("N", new)


def delete(oid: int, *, key: Values | None = None, old: Values | None = None) -> bytes:
    before = row("K", key) if key is not None else row("O", old or [])
    return b"D" + struct.pack(">I", oid) + before


def row(kind: str, values: Values) -> bytes:
    return kind.encode() + struct.pack(">H", len(values)) + b"".join(map(value, values))


def value(one: Value) -> bytes:
    if one is None:
        return b"n"
    if isinstance(one, Missing):
        return b"u"
    return b"t" + struct.pack(">I", len(one)) + one


def text(name: str) -> bytes:
    return name.encode() + b"\0"
