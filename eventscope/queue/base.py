"""What every queue does, whatever it stores events in.

A queue is a log of transactions that is appended to by one reader, and beside it what operators
need to keep, above all where they stand. What ``append`` has returned from is durable; a
transaction is visible to operators when its end has been appended, never in part.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from eventscope.errors import EventScopeError
from eventscope.event import Lsn
from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.records import (
    Backfill,
    DeadLetter,
    OperatorRecord,
    ProcessStatus,
    Request,
    Target,
)
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

    @property
    def described(self) -> str:
        """The stream, named for people."""
        return f"database {self.database} (system {self.system_id}, slot {self.slot})"


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


class Desk(Protocol):
    """What is kept beside the log. All of it but positions outlives a power failure."""

    async def operator(self, name: str) -> OperatorRecord | None:
        """An operator's record; None if the queue has never heard of it."""

    async def operators(self) -> list[OperatorRecord]:
        """Every record, also of operators that the application no longer has, by name."""

    async def save_operator(self, record: OperatorRecord) -> None:
        """Put a record in the place of the one with its name, if there is one."""

    async def advance(self, operator: str, seq: int) -> None:
        """Note that an operator is done with everything up to ``seq``; the rest stays."""

    async def rename_operator(self, old: str, new: str) -> None:
        """Give all that an operator has to another name; nothing if there is no such operator.

        Raises:
            QueueError: there is an operator of the new name.
        """

    async def drop_operator(self, name: str) -> None:
        """Forget an operator, its letters, its backfill and its maps."""

    async def put_letter(
        self,
        operator: str,
        target: Target | None,
        event: QueuedEvent,
        *,
        attempts: int,
        error: str,
        traceback: str,
        next_retry: float | None,
    ) -> DeadLetter:
        """Keep what an operator could not do, with the event.

        An operator has one letter for each target, or for each event where there is no target;
        a later one takes its place and keeps its id and ``first_at``.
        """

    async def letters(self, operator: str | None = None) -> list[DeadLetter]:
        """The letters of an operator, or of all, oldest first."""

    async def letter(self, id: int) -> DeadLetter | None:
        """One letter."""

    async def retry_letter(self, id: int, at: float) -> None:
        """Have a letter be tried again at a time; one that is gone stays gone."""

    async def drop_letter(self, id: int) -> None:
        """Forget a letter; idempotent."""

    async def requests(self) -> list[Request]:
        """What was asked from outside and is not answered yet, oldest first."""

    async def answer(self, id: int, text: str, refused: bool = False) -> None:
        """Answer a request; whoever asked may have gone meanwhile."""

    async def save_backfill(self, backfill: Backfill) -> None:
        """Note how far a backfill has come; an operator has one at most."""

    async def backfill(self, operator: str) -> Backfill | None:
        """An operator's backfill under way."""

    async def drop_backfill(self, operator: str) -> None:
        """Forget a backfill; idempotent."""

    async def mapped(
        self, operator: str, entity: str, keys: Collection[Target]
    ) -> dict[Target, Target | None]:
        """What an entity's rows map to, by their keys, as far as it is known.

        None for a row that maps to nothing; a key that was never mapped is left out.
        """

    async def map(
        self,
        operator: str,
        entity: str,
        mapping: Mapping[Target, Target | None],
        removed: Collection[Target] = (),
    ) -> None:
        """Note what rows map to, and which are gone; no key may be in both."""

    async def unmap(self, operator: str, entity: str) -> None:
        """Forget what all rows of an entity map to."""

    async def process_statuses(self) -> list[ProcessStatus]:
        """How far each entity is processed, the one that was last saved at the end."""

    async def save_process_status(self, status: ProcessStatus) -> None:
        """Note how far an entity is processed; as durable as a position."""


class Queue(Desk, Protocol):
    """The durable log of events, and what is kept beside it."""

    @property
    def path(self) -> Path | None:
        """The file that it lies in; None if it lies in none."""

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
    def oldest_seq(self) -> int:
        """The first event that is still kept; ``last_seq + 1`` if none is."""

    @property
    def relations(self) -> Mapping[int, Relation]:
        """Every relation version that queued events are described by."""

    @property
    def latest_versions(self) -> Mapping[Subject, tuple[int, bytes]]:
        """The latest relation version of each subject: its id and what describes it."""

    @property
    def trouble(self) -> str:
        """Why nothing can be stored now, and what helps; empty while it can be."""

    def be_patient(self, seconds: float = math.inf) -> None:
        """Have writes wait for what passes, such as a full disk; at first they fail at once."""

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

    async def counts(self, after: int, until: int | None = None) -> Counts:
        """Count the visible events after ``after``, up to ``until``, by version and kind."""

    async def read(
        self, after: int, relations: Collection[int], limit: int, until: int | None = None
    ) -> list[QueuedEvent]:
        """The first ``limit`` visible events after ``after``, up to ``until``, of some versions."""

    async def place(self, seq: int) -> Place | None:
        """Where in the stream an event is, which is the same in every queue.

        None if it is not kept, unless an operator stands at it.
        """

    async def seq_at(self, end_lsn: int, index: int) -> int:
        """The last event at or before a place; if all are behind it, what is before the oldest."""

    async def seq_from_time(self, microseconds: int) -> int:
        """The first event of a transaction that committed then or later.

        In microseconds since 2000-01-01 UTC. ``last_seq + 1`` if there is none yet.
        """

    async def seq_from_lsn(self, lsn: int) -> int:
        """The first event whose commit record lies there or later, or ``last_seq + 1``."""

    async def prune(self, until: int | None = None) -> int:
        """Give up history that no operator needs and retention no longer keeps.

        Nothing behind ``until`` is given up, as somebody else has still to see it.

        Returns the number of events dropped. Never blocks an append for long. An operator that
        the application no longer has needs its events like any other; a dead letter needs none.
        """

    async def close(self) -> None:
        """Release everything; idempotent."""
