"""What a queue keeps beside its log: operators, dead letters, requests, backfills, statuses.

Times are in seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from eventscope.queue.event import QueuedEvent

_LONGEST: Final = 65_536

Target = tuple[str, ...]
"""A target row's id: the texts of its columns."""


@dataclass(frozen=True, slots=True)
class OperatorRecord:
    """Where an operator stands, and what must survive a restart."""

    name: str
    position: int = 0
    """The sequence number of the last event that it is done with."""
    paused: str = ""
    """Why or by whom it is held; empty if it is not."""
    halted: bool = False
    """Whether it is out of retries at ``failed_seq``."""
    failed_seq: int | None = None
    """The event that ``attempts``, ``error`` and ``next_retry`` are about."""
    attempts: int = 0
    next_retry: float | None = None
    error: str | None = None
    """The last failure in one line."""
    traceback: str | None = None
    skip: int | None = None
    """The event to pass over when it comes to it."""
    rewind_to: int | None = None
    """Where a replay is to begin: the event before its first; None once it has."""
    replay_to: int | None = None
    """The last event of a replay under way; it then goes on behind ``resume_at``."""
    resume_at: int | None = None
    crashed_at: int | None = None
    """The event at which the process last ended without a word."""
    crashes: int = 0
    """How often it did so there."""

    @property
    def needs_after(self) -> int:
        """The last event that it will not see again, whatever is asked of it."""
        return self.position if self.rewind_to is None else min(self.position, self.rewind_to)

    def limited(self) -> OperatorRecord:
        """The same, its foreign texts as they may be kept."""
        return replace(
            self,
            paused=limited(self.paused),
            error=limited(self.error) if self.error is not None else None,
            traceback=limited(self.traceback) if self.traceback is not None else None,
        )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that an operator gave up, or an id that it could not bring up to date."""

    id: int
    operator: str
    target: Target | None
    """The target row of a query operator; None for a handler's event."""
    event: QueuedEvent
    """The event that failed, which outlives the log here."""
    attempts: int
    error: str
    traceback: str
    first_at: float
    last_at: float
    next_retry: float | None
    """When it is tried again by itself; None once it is dead."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody outside asks of the process that runs the operators."""

    id: int
    asked_at: float
    asked_by: str
    command: str
    """In JSON."""
    answer: str | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Backfill:
    """How far the recomputation of an operator's whole target has come."""

    operator: str
    asked_by: str
    entity: int = 0
    """Which of the operator's entities its ids are taken from now."""
    after: Target | None = None
    """The last id that is done, of that entity; None before the first."""
    done: int = 0
    total: int | None = None
    """How many ids there are, as counted at the start; None before that."""
    rate: float | None = None
    """Ids a second at most."""
    failed: int = 0
    """Ids that became dead letters."""
    started_at: float = field(default=0.0)


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """How far an entity's rows are processed by those who follow it."""

    entity: str
    timestamp: int
    """The latest ``updated_at`` of a processed row, in microseconds since 1970."""
    position: int
    """The last event that this takes account of."""


def limited(text: str) -> str:
    """Foreign text as it may be kept: 64 Ki characters at most, its end and its beginning."""
    if len(text) > _LONGEST:
        half = _LONGEST // 2 - 50
        left_out = len(text) - 2 * half
        text = f"{text[:half]}\n... {left_out} characters left out ...\n{text[-half:]}"
    return storable(text)


def storable(text: str) -> str:
    """The same in its full length: what is no Unicode is escaped.

    That are lone surrogates, which stand for undecodable bytes.
    """
    return text.encode("utf-8", "backslashreplace").decode()
