"""What each operator has tried with one event."""

from __future__ import annotations

from dataclasses import dataclass

from eventscope.engine.questions.base import Known
from eventscope.operators.runner import Runner
from eventscope.operators.timeline import Attempt
from eventscope.queue.records import Target


@dataclass(frozen=True, slots=True)
class Letter:
    """What an operator could not do with the event."""

    target: Target | None
    """The target row that is not up to date; None if it is the event itself."""
    attempts: int
    error: str
    traceback: str
    last_at: float
    """Seconds since the epoch."""
    next_retry: float | None
    """When it is tried again by itself; None once that waits for a person."""


@dataclass(frozen=True, slots=True)
class OperatorAttempts:
    """What one operator has tried with the event."""

    attempts: tuple[Attempt, ...]
    """Those that are remembered, oldest first."""
    letters: tuple[Letter, ...]


@dataclass(frozen=True, slots=True)
class AttemptsAt:
    """Asks what each operator has tried with an event: the answer is by its name."""

    seq: int
    """The event's number in the queue."""

    async def answer(self, known: Known) -> dict[str, OperatorAttempts]:
        """Look at every operator; those that the event is not for have none of their own."""
        return {
            name: OperatorAttempts(
                tuple(runner.timeline.of(self.seq)), await self._letters(known, name, runner)
            )
            for name, runner in known.runners.items()
        }

    async def _letters(self, known: Known, name: str, runner: Runner) -> tuple[Letter, ...]:
        if self.seq not in runner.letters.events:
            return ()
        return tuple(
            Letter(
                letter.target,
                letter.attempts,
                letter.error,
                letter.traceback,
                letter.last_at,
                letter.next_retry,
            )
            for letter in await known.queue.letters(name)
            if letter.event.seq == self.seq
        )
