"""Questions about one row: every version of it that the queue still holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeGuard

from eventscope.engine.questions.base import Known
from eventscope.engine.questions.history import NotKept, Page, event_not_kept
from eventscope.queue.base import Queue
from eventscope.queue.event import QueuedEvent
from eventscope.replication.pgoutput import MISSING, ProtocolError
from eventscope.replication.relations import Relation, Texts, texts

_SLICE: Final = 250
"""Numbers that are looked at before others have their turn."""
_STRETCH: Final = 20_000
"""Numbers that are looked at for one answer."""
_VERSIONS: Final = 200
_BYTES: Final = 4 * 1024 * 1024
"""What is found beyond which an answer is given early."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row at one moment: an update may give it another key."""

    entity: str
    """Its table's name as users write it."""
    columns: tuple[str, ...]
    """The columns that tell it from others."""
    key: Texts
    """Their values as PostgreSQL's text."""


@dataclass(frozen=True, slots=True)
class Versions(Page):
    """Events of a row, and the row as it is to be looked for beyond them."""

    row: Row


@dataclass(frozen=True, slots=True)
class RowOf:
    """Which row an event is about: as it was before it, and as it was after."""

    seq: int

    async def answer(self, known: Known) -> tuple[Row, Row]:
        """Look at the event.

        Raises:
            NotKept: the event is not kept any more, or its table's rows cannot be told apart.
        """
        queue = known.queue
        found = await queue.read(self.seq - 1, queue.relations, 1, self.seq)
        if not found:
            raise event_not_kept()
        [event] = found
        relation = event.relation
        if event.type in ("truncate", "message") or not relation.key:
            raise NotKept(f"{relation.entity} has no key by which a row of it could be followed")
        before, after = _keys(event, relation.key)
        last = after if _is_known(after) else before
        if not _is_known(last):
            raise NotKept(f"this event of {relation.entity} does not tell its row's key")
        row = Row(relation.entity, relation.key, last)
        return (replace(row, key=before) if _is_known(before) else row), row


@dataclass(frozen=True, slots=True)
class VersionsBefore:
    """The last events of a row before a number."""

    row: Row
    before: int

    async def answer(self, known: Known) -> Versions:
        """Look backwards for it, under each key that it had, until some are found."""
        queue, row = known.queue, self.row
        oldest = queue.oldest_seq
        reached = min(self.before, queue.last_seq + 1)
        stop = max(oldest, reached - _STRETCH)
        found: list[QueuedEvent] = []
        while reached > stop and not _is_much(found):
            first = max(stop, reached - _SLICE)
            for event in reversed(await _read(queue, row, first - 1, reached - 1)):
                if keys := _concerned(event, row):
                    found.append(event)
                    before, after = keys
                    if after == row.key and _is_known(before):
                        row = replace(row, key=before)
            reached = first
            await asyncio.sleep(0)
        return Versions(tuple(reversed(found)), reached, max(0, reached - oldest), row)


@dataclass(frozen=True, slots=True)
class VersionsAfter:
    """The first events of a row after a number."""

    row: Row
    after: int

    async def answer(self, known: Known) -> Versions:
        """Look forwards for it, under each key that it gets, until some are found."""
        queue, row = known.queue, self.row
        reached, newest = max(self.after, queue.oldest_seq - 1), queue.last_seq
        stop = min(newest, reached + _STRETCH)
        found: list[QueuedEvent] = []
        while reached < stop and not _is_much(found):
            end = min(stop, reached + _SLICE)
            for event in await _read(queue, row, reached, end):
                if keys := _concerned(event, row):
                    found.append(event)
                    before, after = keys
                    if before == row.key and _is_known(after):
                        row = replace(row, key=after)
            reached = end
            await asyncio.sleep(0)
        return Versions(tuple(found), reached, max(0, newest - reached), row)


async def _read(queue: Queue, row: Row, after: int, until: int) -> list[QueuedEvent]:
    """The events of the row's table: its versions may have changed since the last slice."""
    versions = [version for version, known in queue.relations.items() if _holds(known, row)]
    return await queue.read(after, versions, _SLICE, until)


def _holds(relation: Relation, row: Row) -> bool:
    return relation.entity == row.entity and all(
        relation.position(column) is not None for column in row.columns
    )


Keys = tuple[Texts | None, Texts | None]
"""A row's key before and after an event; None where there was no row."""


def _concerned(event: QueuedEvent, row: Row) -> Keys | None:
    """The keys if it is an event of the row; that of a TRUNCATE is of every row."""
    if event.type == "truncate":
        return None, None
    if not all(part in event.message for part in _bare(row)):
        return None
    keys = _keys(event, row.columns)
    return keys if row.key in keys else None


def _bare(row: Row) -> Iterator[bytes]:
    """What an event of the row has in it somewhere: to look for it is quicker than to parse."""
    return (text for text in row.key if isinstance(text, bytes))


def _keys(event: QueuedEvent, columns: tuple[str, ...]) -> Keys:
    places = [event.relation.position(column) for column in columns]
    try:
        return texts(event.relation, event.message, tuple(p for p in places if p is not None))
    except ProtocolError:
        return None, None


def _is_much(found: list[QueuedEvent]) -> bool:
    return len(found) >= _VERSIONS or sum(len(event.message) for event in found) >= _BYTES


def _is_known(key: Texts | None) -> TypeGuard[Texts]:
    return key is not None and MISSING not in key
