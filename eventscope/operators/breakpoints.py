"""Breakpoints: filters at whose events operators wait until a person lets them go on.

They live with the process: one that has ended leaves no operator waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eventscope.inspection.filter import Filter
from eventscope.operators.activity import Activity
from eventscope.operators.standing import Standing
from eventscope.queue.event import QueuedEvent


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """A filter, at one operator or at every one."""

    id: int
    filter: Filter
    operator: str = ""
    """At which operator; empty for all."""

    def stops(self, queued: QueuedEvent, operator: str) -> bool:
        """Whether an operator is to wait before an event; never fails, as that would end it."""
        if self.operator not in ("", operator):
            return False
        try:
            return self.filter.matches(queued.event())
        except Exception:
            return False


@dataclass(slots=True)
class Breakpoints:
    """The breakpoints of an engine."""

    version: int = 0
    """Grows with each change."""
    _set: dict[int, Breakpoint] = field(default_factory=dict)
    _last: int = 0

    @property
    def all(self) -> tuple[Breakpoint, ...]:
        """Every breakpoint, oldest first."""
        return tuple(self._set.values())

    def add(self, filter: Filter, operator: str = "") -> Breakpoint:
        """Set one; the same filter at the same operator stays one breakpoint."""
        for known in self._set.values():
            if (known.filter, known.operator) == (filter, operator):
                return known
        self._last += 1
        self.version += 1
        self._set[self._last] = Breakpoint(self._last, filter, operator)
        return self._set[self._last]

    def drop(self, id: int) -> bool:
        """Take one away; False if there is none of that id."""
        self.version += 1
        return self._set.pop(id, None) is not None

    def at(self, queued: QueuedEvent, operator: str) -> Breakpoint | None:
        """The first breakpoint that holds an event back from an operator."""
        return next((one for one in self._set.values() if one.stops(queued, operator)), None)


class Gate:
    """Holds one operator before events at a breakpoint; other operators have gates of their own.

    Args:
        operator: its name.
        breakpoints: of the engine.
        activity: of the operator, which waits here.
        standing: of the operator; may call it away.
    """

    def __init__(
        self, operator: str, breakpoints: Breakpoints, activity: Activity, standing: Standing
    ) -> None:
        self.held: int | None = None
        """The event that waits."""
        self._operator = operator
        self._breakpoints = breakpoints
        self._activity = activity
        self._standing = standing
        self._released: int | None = None
        self._is_stepping = False
        self._seen = breakpoints.version

    @property
    def has_changed(self) -> bool:
        """Whether other events are to wait than those that were looked for last."""
        return self._seen != self._breakpoints.version

    async def opens(self, head: QueuedEvent) -> bool:
        """Wait until an event may be run; False if something else is to be done first."""
        reason = self._reason(head)
        if reason:
            self.held = head.seq
            self._activity.enter("waiting", reason)
            try:
                hurried = await self._activity.sleep(None, until=lambda: not self._reason(head))
                if hurried:
                    self.step()
            finally:
                self.held = None
        return not (
            self._reason(head)
            or self._activity.is_held
            or self._standing.record.rewind_to is not None
        )

    def open_part(self, events: Sequence[QueuedEvent]) -> Sequence[QueuedEvent]:
        """Of events whose first may be run: those before the next that has to wait."""
        self._seen = self._breakpoints.version
        if self._breakpoints.all:
            for index, queued in enumerate(events[1:], 1):
                if self._reason(queued):
                    return events[:index]
        return events

    def step(self) -> bool:
        """Let the event run that waits, and hold the next one; False if none waits."""
        return self._release(then_hold=True)

    def go_on(self) -> bool:
        """Let the operator run until the next breakpoint; False if it does not wait at one."""
        return self._release(then_hold=False)

    def _release(self, *, then_hold: bool) -> bool:
        if self.held is None:
            return False
        self._released, self._is_stepping = self.held, then_hold
        self._activity.nudge()
        return True

    def _reason(self, queued: QueuedEvent) -> str:
        """Why an event has to wait; empty if it has not."""
        if not self._breakpoints.all:
            self._is_stepping = False
        if queued.seq == self._released:
            return ""
        if self._is_stepping:
            return "held after a step"
        stop = self._breakpoints.at(queued, self._operator)
        return "" if stop is None else f"held at breakpoint {stop.id}: {stop.filter.text}"
