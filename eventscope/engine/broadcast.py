"""From the queue to whoever listens: what is committed and durable, in commit order."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple, Protocol

import structlog

from eventscope.app import EventScope
from eventscope.event import ROW_EVENTS
from eventscope.pubsub.base import PubSub
from eventscope.pubsub.channels import Announcement, announcements
from eventscope.queue.event import QueuedEvent
from eventscope.replication.assembly import Counts
from eventscope.replication.pgoutput import EVENT_TYPE_OF
from eventscope.replication.relations import Relation

_log = structlog.get_logger("eventscope.listeners")

_READ: Final = 100
"""Events that are published at once: few, so that buffers of listeners take several times that."""
_KINDS: Final = frozenset(kind for kind, type in EVENT_TYPE_OF.items() if type in ROW_EVENTS)


class Due(NamedTuple):
    """What is to be published next."""

    events: list[QueuedEvent]
    until: int
    """The last event that is done with then."""


class Log(Protocol):
    """As much of a queue as there is to be told of."""

    @property
    def last_seq(self) -> int:
        """The last visible event."""

    @property
    def relations(self) -> Mapping[int, Relation]:
        """What describes the events."""

    async def read(self, after: int, relations: Collection[int], limit: int) -> list[QueuedEvent]:
        """The first events after ``after`` of some relations."""


class Broadcast:
    """Publishes the events of tables that somebody listens to, and reads no others.

    It keeps a position of its own, so that neither the reader nor an operator waits for it.

    Args:
        app: whose tables and scopes.
        queue: where the events are.
        pubsub: where they go.
        position: the last event that is not to be told of any more; by default the last visible.
    """

    def __init__(
        self, app: EventScope, queue: Log, pubsub: PubSub, position: int | None = None
    ) -> None:
        self.position = queue.last_seq if position is None else position
        """The last event that has been told of, or is of no interest."""
        self._scopes = {entity: app.scopes(entity) for entity in app.entities}
        self._queue = queue
        self._pubsub = pubsub
        self._behind = asyncio.Event()
        self._went_on = asyncio.Event()

    def announce(self, counts: Counts) -> None:
        """Hear of new visible events."""
        relations = self._queue.relations
        if any(kind in _KINDS and self._heard(relations[version]) for version, kind in counts):
            self._behind.set()
        elif not self._behind.is_set():
            self.position = self._queue.last_seq

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._behind.wait()
            await self.publish(await self.read())
            self._went_on.set()
            if self.position == self._queue.last_seq:
                self._behind.clear()

    async def reach(self, seq: int) -> None:
        """Wait until everything up to ``seq`` has been published."""
        while self.position < seq:
            self._went_on.clear()
            await self._went_on.wait()

    async def read(self) -> Due:
        """The next events that somebody listens to."""
        visible = self._queue.last_seq
        versions = [v for v, r in self._queue.relations.items() if self._heard(r)]
        events = await self._queue.read(self.position, versions, _READ)
        is_all = len(events) < _READ
        return Due(events, max(self.position, visible) if is_all else events[-1].seq)

    async def publish(self, due: Due) -> None:
        """Tell of what has been read."""
        announced: list[Announcement] = []
        for queued in due.events:
            with self._reporting("an event cannot be announced", queued):
                announced += self._of(queued)
        if announced:
            with self._reporting(f"pubsub failed with {len(announced)} messages", due.events[-1]):
                await self._pubsub.publish(announced)
        self.position = due.until

    def _of(self, queued: QueuedEvent) -> Iterator[Announcement]:
        if queued.message[0] not in _KINDS:
            return
        event, key = queued.event(), _key(queued.relation)
        for entity in self._heard(queued.relation):
            yield from announcements(event, entity, self._scopes[entity], key)

    @contextmanager
    def _reporting(self, what: str, at: QueuedEvent) -> Iterator[None]:
        """Let nothing that one event or the adapter does keep the next events from listeners."""
        try:
            yield
        except Exception as error:
            _log.error(what, seq=at.seq, table=at.relation.entity,
                       error=f"{type(error).__name__}: {error}")  # fmt: skip

    def _heard(self, relation: Relation) -> list[str]:
        """The names of a table that somebody listens to."""
        wants = self._pubsub.wants
        return [name for name in relation.names if name in self._scopes and wants(name)]


def _key(relation: Relation) -> tuple[str, ...]:
    """The columns that a row is asked for by; not all of them, where nothing else tells rows apart.

    A table without a primary key may have a column ``id`` that its users take for one.
    """
    if relation.primary_key or relation.identity != "f":
        return relation.key
    return ("id",) if relation.position("id") is not None else ()
