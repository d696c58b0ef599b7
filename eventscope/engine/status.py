"""What is told of an application to somebody outside: by its process, or else by its queue file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from eventscope.app import EventScope
from eventscope.declaration import Operator
from eventscope.engine.snapshot import OperatorSnapshot, Snapshot, StreamState
from eventscope.event import EventId
from eventscope.operators.interest import Interest
from eventscope.operators.state import OperatorState
from eventscope.queue.base import Queue
from eventscope.queue.outside import OutsideQueue
from eventscope.queue.records import Backfill, OperatorRecord
from eventscope.queue.status import look


@dataclass(frozen=True, slots=True)
class BackfillStatus:
    """How far a backfill has come."""

    done: int
    total: int | None
    failed: int
    rate: float | None
    """Ids a second at most."""
    asked_by: str


@dataclass(frozen=True, slots=True)
class OperatorStatus:
    """One operator; None is what nobody can tell while nothing runs."""

    name: str
    kind: Literal["query", "handler"] | None
    state: OperatorState | Literal["stopped", "unknown"]
    """``unknown``: its process cannot be asked."""
    position: str | None
    """The id of the last event that it is done with, as far as that is kept."""
    depth: int | None
    """Queued events that it will still see."""
    paused: str | None
    """By whom or why it is held."""
    halted: bool
    attempts: int
    next_retry: datetime | None
    error: str | None
    failed_at: str | None
    """The id of the event that ``attempts`` and ``error`` are about."""
    detail: str
    """What it waits for."""
    dead: int
    """Dead letters: events or ids that it gave up."""
    retrying: int
    """Ids that it failed at and still tries again by itself."""
    replaying: bool
    backfill: BackfillStatus | None
    applied: int | None = None
    """Events applied since the start."""
    failed: int | None = None
    """Failed attempts since the start."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The replication stream; None is what nobody can tell while nothing runs."""

    state: StreamState
    detail: str
    slot: str | None
    stored_lsn: str | None
    """Everything of interest before this is in the queue."""
    acknowledged_lsn: str | None
    server: str | None = None
    received_lsn: str | None = None
    """The server's position as last heard of."""
    lag_bytes: int | None = None
    """What the server has and the queue has not."""
    next_retry: datetime | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """An application at one moment."""

    process: int | None
    """The process that runs it; None: nothing does."""
    queue: str
    """The queue file."""
    taken_at: datetime
    stream: StreamStatus
    app: str | None = None
    operators: list[OperatorStatus] = field(default_factory=list)
    orphans: list[str] | None = None
    """Operators that the application no longer has; None if nobody can tell."""

    @property
    def failed(self) -> bool:
        """Whether something waits for a person."""
        return any(operator.halted or operator.dead for operator in self.operators)


async def of_running(snapshot: Snapshot, queue: Queue, process: int) -> Status:
    """The status of an application that runs in this process."""
    stream = snapshot.stream
    operators = []
    for operator in snapshot.operators:
        record = await queue.operator(operator.name) or OperatorRecord(operator.name)
        operators.append(await _operator(record, queue, operator))
    return Status(
        process=process,
        queue=str(queue.path or ""),
        taken_at=_moment(snapshot.taken_at),
        stream=StreamStatus(
            state=stream.state,
            detail=stream.detail,
            slot=stream.slot,
            stored_lsn=str(stream.stored_lsn),
            acknowledged_lsn=str(stream.acknowledged_lsn),
            server=stream.server,
            received_lsn=str(stream.received_lsn),
            lag_bytes=max(stream.received_lsn - stream.stored_lsn, 0),
            next_retry=_moment_or_none(stream.next_retry),
        ),
        app=snapshot.app,
        operators=operators,
        orphans=list(snapshot.orphans),
    )


def blocked(status: Status, process: int, trouble: str) -> Status:
    """What a queue file tells of an application whose process cannot be asked.

    Args:
        status: as if nothing ran.
        process: what runs.
        trouble: why no question can be put.
    """
    stream = replace(status.stream, state="blocked", detail=trouble)
    operators = [replace(operator, state="unknown") for operator in status.operators]
    return replace(status, process=process, stream=stream, operators=operators)


async def of_stopped(path: Path, queue: OutsideQueue, app: EventScope | None) -> Status:
    """The status of an application that nothing runs, from its queue file.

    Args:
        path: the queue file.
        queue: the same, opened.
        app: tells how many events wait for each operator, and which are orphans.
    """
    found = look(path)
    origin, checkpoint = (found.origin, found.checkpoint) if found is not None else (None, None)
    declared = {operator.name: operator for operator in app.operators} if app is not None else {}
    records = await queue.operators()
    operators = [
        await _operator(record, queue, declared.get(record.name))
        for record in records
        if app is None or record.name in declared
    ]
    known = {record.name for record in records}
    return Status(
        process=None,
        queue=str(path),
        taken_at=datetime.now(UTC),
        stream=StreamStatus(
            state="stopped",
            detail="nothing runs",
            slot=origin.slot if origin is not None else None,
            stored_lsn=str(checkpoint.reached) if checkpoint is not None else None,
            acknowledged_lsn=str(checkpoint.acknowledged) if checkpoint is not None else None,
        ),
        app=app.name if app is not None else None,
        operators=operators,
        orphans=sorted(known - declared.keys()) if app is not None else None,
    )


async def _operator(
    record: OperatorRecord,
    queue: Queue | OutsideQueue,
    told_by: OperatorSnapshot | Operator | None,
) -> OperatorStatus:
    """One operator, from what is kept and from its runner, its declaration or neither."""
    running = told_by if isinstance(told_by, OperatorSnapshot) else None
    letters = await queue.letters(record.name)
    retrying = sum(letter.next_retry is not None for letter in letters)
    due = [record.next_retry, *(letter.next_retry for letter in letters)]
    if running is not None:
        depth: int | None = running.depth
    elif told_by is not None and not isinstance(told_by, OperatorSnapshot):
        depth = await _depth(record, queue, Interest(told_by))
    else:
        depth = None
    return OperatorStatus(
        name=record.name,
        kind=told_by.kind if told_by is not None else None,
        state=running.state if running is not None else "stopped",
        position=await _event(queue, record.position),
        depth=depth,
        paused=record.paused or None,
        halted=record.halted,
        attempts=record.attempts,
        next_retry=_moment_or_none(min((at for at in due if at is not None), default=None)),
        error=record.error,
        failed_at=await _event(queue, record.failed_seq),
        detail=running.detail if running is not None else "",
        dead=len(letters) - retrying,
        retrying=retrying,
        replaying=record.rewind_to is not None or record.replay_to is not None,
        backfill=_backfill(await queue.backfill(record.name)),
        applied=running.applied if running is not None else None,
        failed=running.failed if running is not None else None,
    )


async def _depth(record: OperatorRecord, queue: Queue | OutsideQueue, interest: Interest) -> int:
    """How many events wait for an operator, those of a replay included."""
    start, resume_at = record.position, record.resume_at
    if record.rewind_to is not None:
        start, resume_at = record.rewind_to, start if resume_at is None else resume_at
    counts = [await queue.counts(start, record.replay_to)]
    if resume_at is not None:
        counts.append(await queue.counts(resume_at))
    return sum(interest.counted(each, queue.relations) for each in counts)


def _backfill(backfill: Backfill | None) -> BackfillStatus | None:
    if backfill is None:
        return None
    return BackfillStatus(
        backfill.done, backfill.total, backfill.failed, backfill.rate, backfill.asked_by
    )


async def _event(queue: Queue | OutsideQueue, seq: int | None) -> str | None:
    place = await queue.place(seq) if seq is not None else None
    return str(EventId.of(*place)) if place is not None else None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _moment_or_none(seconds: float | None) -> datetime | None:
    return _moment(seconds) if seconds is not None else None
