"""The dead letters of an operator, for a person who is to decide about them."""

from __future__ import annotations

from dataclasses import dataclass

from eventscope.engine.questions.base import Known
from eventscope.event import Event, EventId, EventType
from eventscope.queue.records import DeadLetter, Target


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter without what may be large; see ``DeadLetter``."""

    id: int
    target: Target | None
    event: EventId | None
    """None where a backfill has come upon the target."""
    type: EventType
    table: str
    attempts: int
    error: str
    last_at: float
    """Seconds since the epoch."""
    next_retry: float | None
    """When it is tried again by itself; None once it is dead."""


@dataclass(frozen=True, slots=True)
class LetterDetails:
    """All of a dead letter."""

    letter: Letter
    event: Event
    traceback: str


@dataclass(frozen=True, slots=True)
class LettersOf:
    """Asks for the dead letters of an operator: the newest, as many as ``limit``."""

    operator: str
    limit: int = 200

    async def answer(self, known: Known) -> tuple[Letter, ...]:
        """Look them up, the newest first."""
        letters = await known.queue.letters(self.operator)
        return tuple(_letter(one) for one in reversed(letters[-self.limit :]))


@dataclass(frozen=True, slots=True)
class LetterOf:
    """Asks for one dead letter."""

    id: int

    async def answer(self, known: Known) -> LetterDetails | None:
        """Look it up; None if it is there no more."""
        found = await known.queue.letter(self.id)
        if found is None:
            return None
        return LetterDetails(_letter(found), found.event.event(), found.traceback)


@dataclass(frozen=True, slots=True)
class AllLetters:
    """Asks for the dead letters of all operators, whole, as they are kept."""

    async def answer(self, known: Known) -> tuple[DeadLetter, ...]:
        """Look them up, oldest first."""
        return tuple(await known.queue.letters())


def _letter(letter: DeadLetter) -> Letter:
    queued = letter.event
    return Letter(
        id=letter.id,
        target=letter.target,
        event=EventId.of(*queued.place) if queued.place.end_lsn else None,
        type=queued.type,
        table=queued.names[0],
        attempts=letter.attempts,
        error=letter.error,
        last_at=letter.last_at,
        next_retry=letter.next_retry,
    )
