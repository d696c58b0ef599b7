"""What every queue does, whatever it stores events in.

A queue is a log of transactions that is appended to by one reader, and a position for each
operator. What ``append`` has returned from is durable; a transaction is visible to operators
when its end has been appended, never in part.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from eventscope.errors import EventScopeError
from eventscope.event import Lsn
from eventscope.queue.event import QueuedEvent
from eventscope.replication.assembly import Batch, Counts
from eventscope.replication.pgoutput import Subject
from eventscope.replication.relations import Relation, Transaction


class QueueError(EventScopeError):
    """A queue that cannot be used; the message names it and what to do."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """The stream that a queue holds: events of another one never mix in."""

    system_id: str
    database: str
    slot: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a queue has come in its stream."""

    timeline: int
    stored: Lsn
    """The end of the last transaction that is durable."""
    acknowledged: Lsn
    """The most that the server may have been told to forget."""

    @property
    def reached(self) -> Lsn:
        """Where to go on from: nothing of interest lies before it."""
        return max(self.stored, self.acknowledged)


class Queue(Protocol):
    """The durable log of events and every operator's position in it."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """How far the log has come; None before ``begin`` was first called."""

    @property
    def last(self) -> Transaction | None:
        """The last transaction that is durable; None if there was none."""

    @property
    def last_seq(self) -> int:
        """The sequence number of the last visible event; 0 if there was none."""

    @property
    def relations(self) -> Mapping[int, Relation]:
        """Every relation version that queued events are described by."""

    @property
    def latest_versions(self) -> Mapping[Subject, tuple[int, bytes]]:
        """The latest relation version of each subject: its id and what describes it."""

    async def begin(self, origin: Origin, checkpoint: Checkpoint) -> None:
        """Start the log at a checkpoint, or move it there if nothing lies between.

        Raises:
            QueueError: the log holds events of another stream.
        """

    async def append(self, batch: Batch, relations: Mapping[int, Relation]) -> None:
        """Store a batch, with the descriptions of its new relation versions."""

    async def acknowledge(self, lsn: Lsn) -> None:
        """Note, before the server is told, that it may forget everything before ``lsn``."""

    async def discard_open(self) -> None:
        """Drop the rows of a transaction whose end never came."""

    async def position(self, operator: str) -> int:
        """Where an operator stands; a new one starts at the end of the log."""

    async def advance(self, operator: str, seq: int) -> None:
        """Note that an operator is done with everything up to ``seq``."""

    async def counts(self, after: int) -> Counts:
        """Count the visible events after ``after`` by relation version and kind."""

    async def read(self, after: int, relations: Collection[int], limit: int) -> list[QueuedEvent]:
        """The first ``limit`` visible events after ``after`` of the given relation versions."""

    async def prune(self) -> int:
        """Give up history that no operator needs and retention no longer keeps.

        Returns the number of events dropped. Never blocks an append for long.
        """

    async def close(self) -> None:
        """Release everything; idempotent."""
