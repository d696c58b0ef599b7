"""How far the rows of each entity are processed, by the time that they tell of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from eventscope.operators.runner import Runner
from eventscope.progress import UPDATED_AT, microseconds
from eventscope.queue.base import Queue
from eventscope.queue.event import QueuedEvent
from eventscope.queue.records import ProcessStatus
from eventscope.replication import pgoutput, values
from eventscope.replication.assembly import Counts
from eventscope.replication.relations import Relation, texts

_READ: Final = 500
_PAUSE: Final = 0.003
"""Seconds between two looks, so that it costs little to follow a handler step by step."""
_ROWS: Final = frozenset((pgoutput.INSERT, pgoutput.UPDATE, pgoutput.DELETE))


class ProcessStatuses:
    """Follows the operators, and keeps the latest ``updated_at`` that they have applied.

    It reads events of tables with such a column alone. As it takes the latest, a row of an earlier
    moment that is committed later takes nothing back.

    Args:
        entities: whose rows.
        queue: where they are, and where it keeps what it knows.
        runners: who has to have applied them.
    """

    def __init__(self, entities: Iterable[str], queue: Queue, runners: Iterable[Runner]) -> None:
        self._queue = queue
        self._followers = {
            entity: [runner for runner in runners if entity in runner.operator.entities]
            for entity in entities
        }
        self._timestamps: dict[str, int] = {}
        self._positions: dict[str, int] = {}
        self._behind: set[str] = set(self._followers)
        self._moved = asyncio.Event()
        self._went_on = asyncio.Event()
        self._has_ended = False

    async def load(self) -> None:
        """Take up what earlier runs have left."""
        for status in await self._queue.process_statuses():
            self._timestamps[status.entity] = status.timestamp
            self._positions[status.entity] = status.position
        self.tell()

    def __getitem__(self, entity: str) -> int | None:
        """In microseconds since 1970; None if no row is known that tells a time."""
        return self._timestamps.get(entity)

    def announce(self, counts: Counts, first: int) -> None:
        """Hear of new visible events, from ``first`` on."""
        for version, kind in counts:
            if kind in _ROWS:
                for entity in self._told_by(self._queue.relations[version]):
                    if entity not in self._behind:
                        self._behind.add(entity)
                        self._positions[entity] = first - 1
        self.tell()

    def tell(self) -> None:
        """Hear that an operator may have come further."""
        if self._behind:
            self._moved.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            for entity in sorted(self._behind):
                await self._follow(entity)
            self._went_on.set()
            await asyncio.sleep(_PAUSE)

    async def reach(self, seq: int) -> None:
        """Wait until it has come where the operators are, or to ``seq`` if they are further.

        Returns at once when it has been closed, however far it is.
        """
        while not self._has_ended and any(
            self._position(e) < min(seq, self._applied(e)) for e in self._behind
        ):
            self._went_on.clear()
            await self._went_on.wait()

    def close(self) -> None:
        """Let nobody wait any longer; idempotent."""
        self._has_ended = True
        self._went_on.set()

    async def _follow(self, entity: str) -> None:
        """Take account of all that the entity's operators have applied."""
        visible, until = self._queue.last_seq, self._applied(entity)
        relations = self._queue.relations.items()
        versions = [version for version, one in relations if entity in self._told_by(one)]
        while versions and (position := self._position(entity)) < until:
            events = await self._queue.read(position, versions, _READ, until=until)
            position = events[-1].seq if len(events) == _READ else until
            latest = _latest(events)
            if latest is not None and latest > self._timestamps.get(entity, latest - 1):
                await self._queue.save_process_status(ProcessStatus(entity, latest, position))
                self._timestamps[entity] = latest  # only now: what was once true stays so
            self._positions[entity] = position
        if visible == self._queue.last_seq and (until >= visible or not versions):
            self._behind.discard(entity)

    def _applied(self, entity: str) -> int:
        """The last event that all who follow the entity are done with."""
        last = self._queue.last_seq
        return min((runner.done for runner in self._followers[entity]), default=last)

    def _position(self, entity: str) -> int:
        return self._positions.get(entity, self._queue.oldest_seq - 1)

    def _told_by(self, relation: Relation) -> Sequence[str]:
        """The entities whose rows a relation's are, if they tell a time."""
        if relation.position(UPDATED_AT) is None:
            return ()
        return [name for name in relation.names if name in self._followers]


def _latest(events: Iterable[QueuedEvent]) -> int | None:
    """The latest time that rows tell, before a delete and else after."""
    told = set()
    for queued in events:
        place = queued.relation.position(UPDATED_AT)
        if place is not None and queued.message[0] in _ROWS:
            before, after = texts(queued.relation, queued.message, (place,))
            [text] = after or before or (None,)
            told.add((queued.relation.columns[place].value_oid, text))
    read = values.reader("python").read
    moments = (microseconds(read(oid, text)) for oid, text in told if isinstance(text, bytes))
    return max((moment for moment in moments if moment is not None), default=None)
