"""What the engine shows of itself: immutable, complete, cheap to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from eventscope.event import EventType, Lsn
from eventscope.operators.durations import Durations
from eventscope.operators.state import OperatorState

StreamState = Literal["connecting", "streaming", "standby", "reconnecting", "blocked", "stopped"]
"""The state of the replication stream.

``standby``: another process holds the slot. ``blocked``: the queue cannot be written now, so that
nothing is acknowledged, and nothing lost.
"""


@dataclass(frozen=True, slots=True)
class BackfillSnapshot:
    """How far the recomputation of a whole target has come."""

    done: int
    """Ids that were recomputed."""
    total: int | None
    """How many there are, as counted at the start; None before that."""
    failed: int
    """Ids that became dead letters."""
    started_at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ReplaySnapshot:
    """How far a replay has come."""

    done: int
    """Events that have come again, since the start of the process."""
    total: int | None
    """How many there were then; None before it has begun."""


@dataclass(frozen=True, slots=True)
class OperatorSnapshot:
    """One operator at one moment."""

    name: str
    kind: Literal["query", "handler"]
    entities: tuple[str, ...]
    state: OperatorState
    depth: int
    """Queued events that this operator will still see."""
    attempts: int
    """Failed attempts at the current event."""
    max_attempts: int
    """Attempts before it halts: one more than the retries."""
    next_retry: float | None
    """When the next attempt is due, in seconds since the epoch, while backing off."""
    error: str | None
    """The last failure in one line, until an attempt succeeds; also that of a dead letter."""
    traceback: str | None
    applied: int
    """Events applied since the start."""
    failed: int
    """Failed attempts since the start."""
    paused: bool = False
    """Whether a person holds it, perhaps after the event it is at."""
    detail: str = ""
    """What it waits for, why it is halted, or who paused it."""
    dead: int = 0
    """Events or ids that it gave up, which wait for a person."""
    retrying: int = 0
    """Ids that it failed at and still tries again, while it goes on."""
    skipped: int = 0
    """Events of rows that have no target, as their id is NULL, since the start."""
    backfill: BackfillSnapshot | None = None
    """The backfill under way."""
    events: tuple[EventType, ...] = ()
    """The types of events that it is given."""
    position: int = 0
    """The sequence number of the last queued event that it is done with."""
    failing: int | None = None
    """The event that ``attempts`` and ``error`` are about."""
    held: int | None = None
    """The event that waits at a breakpoint."""
    replay_to: int | None = None
    """The last event of a replay under way."""
    resume_at: int | None = None
    """The event behind which it goes on after the replay."""
    letters: Mapping[int, bool] = field(default_factory=dict)
    """The events that its dead letters are about, and of each whether it waits for a person."""

    oldest_at: float | None = None
    """When the oldest queued event committed, in seconds since the epoch."""
    replay: ReplaySnapshot | None = None
    """The replay that is wanted or under way."""
    retries: int = 0
    """Failed attempts that were to be followed by another, since the start."""
    took: Durations = field(default_factory=Durations)
    """How long its attempts have taken, at one event or at several together."""
    waited: Durations = field(default_factory=Durations)
    """How long after their commit events took effect, once for each batch."""

    def is_past(self, seq: int) -> bool:
        """Whether it is done with an event."""
        if self.resume_at is not None and (self.replay_to or 0) < seq <= self.resume_at:
            return True
        return seq <= self.position


@dataclass(frozen=True, slots=True)
class StreamSnapshot:
    """The replication stream at one moment."""

    state: StreamState
    detail: str
    """Why it is not streaming, in one line; empty while it is."""
    next_retry: float | None
    """When the next connection attempt is due, in seconds since the epoch."""
    server: str
    """The database as ``name@host``."""
    slot: str
    received_lsn: Lsn
    """The server's position as last heard of."""
    stored_lsn: Lsn
    """Everything of interest before this is durable here."""
    acknowledged_lsn: Lsn
    """What the server was told it may forget."""
    events: int
    """Events stored since the start."""
    wal_limit: int | None = None
    """Bytes of WAL that the server keeps for the slot at most; None if it knows no limit."""
    held_back_by: str | None = None
    """The operator that the server must keep WAL for, if it is to wait for operators."""
    server_lsn: Lsn = field(default=Lsn(0))
    """The end of the server's WAL as last looked at, also of what it has not got to yet itself."""
    retained: int | None = None
    """Bytes of WAL that the server keeps for the slot, as last looked at."""
    current_until: float | None = None
    """What committed before this moment is stored, in seconds since the epoch; None: unknown."""

    @property
    def lag(self) -> int:
        """Bytes of WAL that the server has written and that are not dealt with here."""
        return max(0, max(self.server_lsn, self.received_lsn) - self.stored_lsn)

    @property
    def unacknowledged(self) -> int:
        """Bytes of WAL that the server was not told yet that it may forget."""
        return max(0, self.received_lsn - self.acknowledged_lsn)


@dataclass(frozen=True, slots=True)
class BreakpointSnapshot:
    """A filter at whose events operators wait."""

    id: int
    filter: str
    """As it was written."""
    meaning: str
    """The same as a sentence."""
    operator: str
    """At which operator; empty for all."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole engine at one moment."""

    app: str
    taken_at: float
    """Seconds since the epoch."""
    started_at: float
    stream: StreamSnapshot
    operators: tuple[OperatorSnapshot, ...] = field(default=())
    orphans: tuple[str, ...] = ()
    """Operators that the queue still keeps a position of, and the application no longer has."""
    breakpoints: tuple[BreakpointSnapshot, ...] = ()
    """The breakpoints that are set."""
    lost_messages: int = 0
    """Messages that listeners were too slow for, of all of them together, since the start."""
    loop_held: float = 0.0
    """Seconds for which something has kept the engine's event loop from turning."""

    @property
    def lag_seconds(self) -> float | None:
        """How long ago what is not stored can have been committed; None: unknown."""
        if self.stream.current_until is None:
            return None
        return max(0.0, self.taken_at - self.stream.current_until)
