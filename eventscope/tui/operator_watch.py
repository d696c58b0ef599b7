"""What operators look like to somebody who looks a few times a second: rates, and calm states."""

from __future__ import annotations

from typing import Final

from eventscope.engine.snapshot import OperatorSnapshot, Snapshot
from eventscope.operators.state import OperatorState
from eventscope.tui.rate import Rate

LASTING: Final = 1.0
"""Seconds that a state must last before it is shown, where it may be over in milliseconds."""


class OperatorWatch:
    """One operator's rate, and its state without flicker.

    An operator that is busy for milliseconds at a time is running, and one that tries again
    between two waits is backing off still; what a person must know of is shown at once.
    """

    def __init__(self) -> None:
        self.state: OperatorState = "idle"
        self.rate = Rate()
        self._applied: int | None = None
        self._other_since: float | None = None

    def look(self, operator: OperatorSnapshot, now: float) -> None:
        """Take note of how it is at ``now``, in seconds since the epoch."""
        self.rate.add(now, operator.applied)
        seen = self._seen(operator)
        is_first = self._applied is None
        self._applied = operator.applied
        if seen == self.state:
            self._other_since = None
            return
        if self._other_since is None:
            self._other_since = now
        lasts = now - self._other_since >= LASTING
        if is_first or lasts or not self._may_be_brief(seen, operator):
            self.state, self._other_since = seen, None

    def _seen(self, operator: OperatorSnapshot) -> OperatorState:
        has_worked = self._applied is not None and operator.applied > self._applied
        return "running" if operator.state == "idle" and has_worked else operator.state

    def _may_be_brief(self, seen: OperatorState, operator: OperatorSnapshot) -> bool:
        match self.state, seen:
            case ("running", "idle" | "waiting") | ("idle", "waiting"):
                return True
            case "backing-off", "running" | "waiting" | "idle":
                return operator.attempts > 0 or operator.retrying > 0
            case _:
                return False


class OperatorWatches:
    """A watch for each operator."""

    def __init__(self) -> None:
        self._watches: dict[str, OperatorWatch] = {}

    def look(self, snapshot: Snapshot) -> None:
        """Take note of all."""
        for operator in snapshot.operators:
            self[operator.name].look(operator, snapshot.taken_at)

    def __getitem__(self, name: str) -> OperatorWatch:
        """The watch of one operator."""
        return self._watches.setdefault(name, OperatorWatch())
