"""What an operator has tried lately: which events, when, for how long, and what came of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from eventscope.operators.durations import DurationCounter
from eventscope.queue.event import QueuedEvent
from eventscope.replication import pgoutput

_ATTEMPTS: Final = 200
_LATENCIES: Final = 1_000


class Attempt(NamedTuple):
    """One attempt, at one event or at several that were applied together."""

    first: int
    """The sequence number of the first event in the queue."""
    last: int
    began_at: float
    """Seconds since the epoch."""
    seconds: float
    """How long it took."""
    error: str | None
    """What went wrong in one line; None if nothing did."""
    traceback: str | None
    events: int = 1
    """How many events it was at."""


class Timeline:
    """The last attempts of one operator, and how long after their commit events took effect."""

    def __init__(self) -> None:
        self.took = DurationCounter()
        """How long attempts have taken, all since the start."""
        self.waited = DurationCounter()
        """How long after their commit events took effect, counted once for each batch."""
        self._attempts: deque[Attempt] = deque(maxlen=_ATTEMPTS)
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The last attempts, oldest first."""
        return tuple(self._attempts)

    @property
    def latencies(self) -> tuple[float, ...]:
        """Seconds from the commit of an event to its effect, one for each batch, oldest first."""
        return tuple(self._latencies)

    def of(self, seq: int) -> Iterator[Attempt]:
        """The attempts at one event, oldest first."""
        return (one for one in self.attempts if one.first <= seq <= one.last)

    def succeeded(self, first: int, last: QueuedEvent, began_at: float, count: int) -> None:
        """Note that ``count`` events, from ``first`` to ``last``, have taken effect."""
        now = time.time()
        took = now - began_at
        self._attempts.append(Attempt(first, last.seq, began_at, took, None, None, count))
        committed = pgoutput.timestamp(last.transaction.committed_at).timestamp()
        waited = max(now - committed, 0.0)
        self._latencies.append(waited)
        self.took.add(took)
        self.waited.add(waited)

    def failed(self, seq: int, began_at: float, error: str, traceback: str) -> None:
        """Note that an attempt at one event has failed."""
        took = time.time() - began_at
        self.took.add(took)
        self._attempts.append(Attempt(seq, seq, began_at, took, error, traceback))
