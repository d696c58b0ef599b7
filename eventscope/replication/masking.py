"""Taking out of raw rows what an application hides, before anything keeps them.

The bytes of a row are written anew, and its relation version is told as if the server had never
known more. That costs nothing where nothing is hidden, and works on every version of PostgreSQL.
Column lists of publications would not: they came with 15, and must hold the replica identity,
which with FULL is every column.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from eventscope.concealment import MASK, Concealment
from eventscope.replication import pgoutput, values
from eventscope.replication.assembly import Row
from eventscope.replication.connection import SourceError
from eventscope.replication.pgoutput import ProtocolError
from eventscope.replication.relations import Column, Relation

_U16: Final = struct.Struct(">H")
_U32: Final = struct.Struct(">I")
_TEXT, _NULL, _UNCHANGED = b"tnu"
_ROWS: Final = frozenset({pgoutput.INSERT, pgoutput.UPDATE, pgoutput.DELETE})
_MASKED: Final = b"t" + _U32.pack(len(MASK)) + MASK.encode()


class _Fate(Enum):
    """What becomes of a column's values."""

    KEPT = auto()
    MASKED = auto()
    DROPPED = auto()


_Fates = tuple[_Fate, ...]


def conceal(relation: Relation, concealment: Concealment) -> Relation:
    """A relation version without what is hidden; done twice it changes nothing more.

    Raises:
        SourceError: a column is hidden by which the table's rows are told apart.
    """
    is_table = bool(relation.schema)  # and not logical messages
    if not is_table or concealment.columns.isdisjoint(relation.column_names):
        return relation
    _check_key(relation, concealment)
    columns = [column for column in relation.columns if column.name not in concealment.dropped]
    gone = tuple(c.name for c in relation.columns if c.name in concealment.dropped)
    return replace(
        relation,
        columns=tuple(_masked(c) if c.name in concealment.masked else c for c in columns),
        dropped=(*relation.dropped, *gone),
    )


class Masking:
    """What is to be done to the rows of each relation version.

    It is told by the version itself: what its description names and it does not have is dropped,
    so that rows and version always fit.
    """

    def __init__(self) -> None:
        self._fates: dict[int, _Fates] = {}

    def learn(self, version: int, description: bytes, relation: Relation) -> None:
        """Hear what describes the rows of a version, in the server's words and in ours."""
        if description[0] != pgoutput.RELATION:
            return
        ours = {column.name: column for column in relation.columns}
        fates = tuple(
            _fate(ours.get(column.name)) for column in pgoutput.parse_relation(description).columns
        )
        if set(fates) != {_Fate.KEPT}:
            self._fates[version] = fates

    def rows(self, rows: list[Row]) -> list[Row]:
        """The rows without what is hidden; raises ProtocolError for one that cannot be read."""
        fates = self._fates
        if not fates:
            return rows
        return [
            (seq, version, _rewritten(message, fates[version])) if version in fates else row
            for row in rows
            for seq, version, message in (row,)
        ]


def lacking(relation: Relation, concealment: Concealment) -> frozenset[str]:
    """The columns that are to be hidden, and that a version does not have."""
    return concealment.columns - {*relation.column_names, *relation.dropped}


def _check_key(relation: Relation, concealment: Concealment) -> None:
    """See that rows can still be told apart; with FULL every column is in the identity."""
    key = set(relation.primary_key)
    if relation.identity != "f":
        key |= {column.name for column in relation.columns if column.in_identity}
    for column in sorted(key & concealment.columns):
        raise SourceError(
            f"table {relation.entity}: column {column} is part of its key, by which its rows are"
            f" told apart, and cannot be hidden: take it out of mask and drop"
        )


def _masked(column: Column) -> Column:
    return replace(
        column,
        type_oid=values.TEXT,
        typmod=-1,
        in_identity=False,
        type_name=values.name(values.TEXT),
        value_oid=values.TEXT,
        masked=True,
    )


def _fate(column: Column | None) -> _Fate:
    if column is None:
        return _Fate.DROPPED
    return _Fate.MASKED if column.masked else _Fate.KEPT


def _rewritten(message: bytes, fates: _Fates) -> bytes:
    """A row message without what is hidden. NULL stays NULL, which in a key image says nothing."""
    if message[0] not in _ROWS:
        return message
    parts, position = [message[:5]], 5
    try:
        while position < len(message):
            position = _rewrite_image(message, position, fates, parts)
    except (IndexError, struct.error):
        raise ProtocolError("row message ends early") from None
    if position != len(message):
        raise ProtocolError("row message ends early")
    return b"".join(parts)


def _rewrite_image(message: bytes, position: int, fates: _Fates, parts: list[bytes]) -> int:
    """Add a row image to the parts of a message; returns where it ends in the given one."""
    (count,) = _U16.unpack_from(message, position + 1)
    if count != len(fates):
        raise ProtocolError(f"{count} values for the {len(fates)} columns of a table")
    kept = count - fates.count(_Fate.DROPPED)
    parts.append(message[position : position + 1] + _U16.pack(kept))
    position += 3
    for fate in fates:
        start, status = position, message[position]
        position += 1
        if status == _TEXT:
            position += 4 + _U32.unpack_from(message, position)[0]
        elif status not in (_NULL, _UNCHANGED):
            raise ProtocolError(f"unknown column status {chr(status)!r}")
        if fate is _Fate.MASKED and status == _TEXT:
            parts.append(_MASKED)
        elif fate is not _Fate.DROPPED:
            parts.append(message[start:position])
    return position
