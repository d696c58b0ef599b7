"""What a dashboard shows of one operator: what it is, how it fares, and what blocks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eventscope.declaration import Operator
from eventscope.engine import moments
from eventscope.engine.commands import CommandRefused
from eventscope.engine.questions.base import Known
from eventscope.event import Event, EventId
from eventscope.operators.interest import Interest
from eventscope.operators.timeline import Attempt
from eventscope.queue.base import Queue

_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt at one event, or at several that were applied together."""

    event: EventId | None
    """The first of them; None if the queue does not know it any more."""
    events: int
    began_at: float
    """Seconds since the epoch."""
    seconds: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds from the commit of an event to its effect: of this share it was no longer."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class OperatorDetails:
    """One operator, as it was declared, and what it did lately."""

    operator: Operator
    attempts: tuple[Attempted, ...]
    """The last ones, the newest first."""
    latencies: Latencies | None
    """Of the last thousand batches; None before the first."""


@dataclass(frozen=True, slots=True)
class DetailsOf:
    """Asks for an operator's details: of what it did the last ``limit`` attempts."""

    operator: str
    limit: int = _ATTEMPTS

    async def answer(self, known: Known) -> OperatorDetails:
        """Look them up."""
        runner = known.runners[self.operator]
        last = sorted(runner.timeline.attempts[-self.limit :], key=_order, reverse=True)
        attempts = [await _attempted(one, known.queue) for one in last]
        return OperatorDetails(
            runner.operator, tuple(attempts), latencies(runner.timeline.latencies)
        )


@dataclass(frozen=True, slots=True)
class Blocking:
    """The event that an operator fails at, and cannot pass."""

    event: Event
    error: str


@dataclass(frozen=True, slots=True)
class BlockingEvent:
    """Asks at which event an operator fails."""

    operator: str

    async def answer(self, known: Known) -> Blocking | None:
        """Look it up; None if it fails at none, or at one that is not kept."""
        record = known.runners[self.operator].standing.record
        if record.failed_seq is None:
            return None
        queue, seq = known.queue, record.failed_seq
        found = await queue.read(seq - 1, list(queue.relations), 1, until=seq)
        return Blocking(found[0].event(), record.error or "") if found else None


@dataclass(frozen=True, slots=True)
class Replayable:
    """What a replay would bring again."""

    events: int
    first: EventId
    last: EventId


@dataclass(frozen=True, slots=True)
class ReplayOf:
    """Asks what a replay would bring again; its ends are as in the command ``Replay``."""

    operator: str
    start: str
    end: str | None

    async def answer(self, known: Known) -> Replayable:
        """Count the events.

        Raises:
            CommandRefused: there are none, or an end is no point of the stream.
        """
        runner, queue = known.runners[self.operator], known.queue
        first, last = await moments.had_by(runner.standing.current, queue, self.start, self.end)
        ends = await queue.place(first), await queue.place(last)
        counts = await queue.counts(first - 1, last)
        events = Interest(runner.operator).counted(counts, queue.relations)
        if not events or ends[0] is None or ends[1] is None:
            raise CommandRefused(f"there is no event for {self.operator} between these")
        return Replayable(events, EventId.of(*ends[0]), EventId.of(*ends[1]))


def latencies(seconds: Sequence[float]) -> Latencies | None:
    """The percentiles of some latencies; None of none."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    p50, p95, p99 = (ordered[(len(ordered) - 1) * share // 100] for share in (50, 95, 99))
    return Latencies(p50, p95, p99)


def _order(attempt: Attempt) -> tuple[float, int]:
    """By time; of a list that failed half way, what was done comes before the failure."""
    return attempt.began_at, attempt.first


async def _attempted(attempt: Attempt, queue: Queue) -> Attempted:
    place = await queue.place(attempt.first)
    event = EventId.of(*place) if place is not None else None
    return Attempted(event, attempt.events, attempt.began_at, attempt.seconds, attempt.error)
