"""What a person may ask of a running engine. Each can be written as JSON, and asked twice."""

from __future__ import annotations

import msgspec

from eventscope.errors import EventScopeError


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Let the operator finish its event, then hold it until it is resumed."""

    operator: str


class Resume(msgspec.Struct, frozen=True, tag=True):
    """Let a paused operator go on where it stopped."""

    operator: str


class Retry(msgspec.Struct, frozen=True, tag=True):
    """Try the current event again at once, with a fresh count of attempts if it had halted."""

    operator: str


class Skip(msgspec.Struct, frozen=True, tag=True):
    """Pass over the event that the operator fails at."""

    operator: str
    event: str | None = None
    """The id of the event that is meant: another one is not passed over."""


class Replay(msgspec.Struct, frozen=True, tag=True):
    """Give the operator events once more, then let it go on where it was.

    Both ends are event ids, LSNs or times in ISO 8601, and belong to it. Without ``end`` all is
    replayed that the operator has had.
    """

    operator: str
    start: str
    end: str | None = None


class StartBackfill(msgspec.Struct, frozen=True, tag=True):
    """Recompute a query operator's whole target beside the stream."""

    operator: str
    rate: float | None = None
    """Ids a second at most."""


class CancelBackfill(msgspec.Struct, frozen=True, tag=True):
    """End a backfill where it is."""

    operator: str


class RetryLetters(msgspec.Struct, frozen=True, tag=True):
    """Try dead letters again: one, or all of an operator."""

    operator: str
    letter: int | None = None


class DiscardLetters(msgspec.Struct, frozen=True, tag=True):
    """Forget dead letters: one, or all of an operator."""

    operator: str
    letter: int | None = None


class Forget(msgspec.Struct, frozen=True, tag=True):
    """Drop what is kept of an operator that the application no longer has."""

    operator: str


class Break(msgspec.Struct, frozen=True, tag=True):
    """Have events that a filter matches wait before operators run them."""

    filter: str
    operator: str = ""
    """At which operator; empty for all."""


class DropBreakpoint(msgspec.Struct, frozen=True, tag=True):
    """Take a breakpoint away, and let go on whoever waits at it."""

    breakpoint: int
    operator: str = ""
    """Not looked at."""


class Step(msgspec.Struct, frozen=True, tag=True):
    """Let the event run that waits at a breakpoint, and hold the operator's next one."""

    operator: str


class Continue(msgspec.Struct, frozen=True, tag=True):
    """Let an operator that waits at a breakpoint run until the next."""

    operator: str


Debug = Break | DropBreakpoint | Step | Continue
"""What is asked of a process that runs, and ends with it."""

Command = (
    Debug
    | Pause
    | Resume
    | Retry
    | Skip
    | Replay
    | StartBackfill
    | CancelBackfill
    | RetryLetters
    | DiscardLetters
    | Forget
)


class Report(msgspec.Struct, frozen=True, tag=True):
    """Tell how everything is; changes nothing, and so is no command."""


class CommandRefused(EventScopeError):
    """What was asked is not possible now; the message says why in one line."""
