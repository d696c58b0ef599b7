"""The dead letters about one event."""

from __future__ import annotations

from dataclasses import dataclass

from eventscope.engine.questions.base import Known


@dataclass(frozen=True, slots=True)
class LettersAbout:
    """Which dead letters of operators are about an event."""

    seq: int
    operators: tuple[str, ...]

    async def answer(self, known: Known) -> tuple[tuple[str, int], ...]:
        """Look them up: each operator's name with the letter's id."""
        letters = [letter for name in self.operators for letter in await known.queue.letters(name)]
        return tuple((one.operator, one.id) for one in letters if one.event.seq == self.seq)
