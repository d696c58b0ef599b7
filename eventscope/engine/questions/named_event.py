"""Which event of the queue an id names."""

from __future__ import annotations

from dataclasses import dataclass

from eventscope.engine.questions.base import Known
from eventscope.event import EventId


@dataclass(frozen=True, slots=True)
class SeqOf:
    """Look up the sequence number of an event.

    Args:
        id: its name.
    """

    id: EventId

    async def answer(self, known: Known) -> int | None:
        """Look it up; None if the event is not kept."""
        named = (self.id.end_lsn, self.id.ordinal)
        seq = await known.queue.seq_at(*named)
        is_kept = seq >= known.queue.oldest_seq and await known.queue.place(seq) == named
        return seq if is_kept else None
