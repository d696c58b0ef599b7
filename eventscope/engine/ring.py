"""The recent events, bounded, for views that are redrawn many times a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eventscope.event import Event, EventType


class Entry(Protocol):
    """What the ring keeps: a raw row that becomes an event when somebody looks."""

    @property
    def seq(self) -> int:
        """Its number in the queue, which operators' positions are told in."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which somebody may follow its table."""
        ...

    @property
    def type(self) -> EventType:
        """What happened."""
        ...

    def event(self) -> Event:
        """Decode the row."""
        ...


class EventRing:
    """The last ``capacity`` events by absolute sequence number, from 0.

    One thread appends, any thread reads: a reader sees None for what has been overwritten or is
    not there yet, never a wrong event.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self.capacity = capacity
        self.next = 0
        """The sequence number that the next event will get."""
        self._slots: list[tuple[int, Entry] | None] = [None] * capacity

    @property
    def first(self) -> int:
        """The oldest sequence number still kept."""
        return max(0, self.next - self.capacity)

    def extend(self, entries: Sequence[Entry]) -> None:
        """Append, oldest first; of more than ``capacity`` entries the last ones stay."""
        start = self.next + max(0, len(entries) - self.capacity)
        for seq, entry in enumerate(entries[start - self.next :], start):
            self._slots[seq % self.capacity] = (seq, entry)
        self.next += len(entries)

    def between(self, start: int, end: int) -> list[Entry]:
        """The undecoded rows from ``start`` up to ``end``, without it, as far as they are here."""
        places = range(max(start, self.first), min(end, self.next))
        slots = [(seq, self._slots[seq % self.capacity]) for seq in places]
        return [slot[1] for seq, slot in slots if slot is not None and slot[0] == seq]

    def entry(self, seq: int) -> Entry | None:
        """The undecoded row with this sequence number; it outlives its place in the ring."""
        slot = self._slots[seq % self.capacity]
        return slot[1] if slot is not None and slot[0] == seq else None

    def get(self, seq: int) -> Event | None:
        """The event with this sequence number, or None if it is gone or has not come yet."""
        entry = self.entry(seq)
        return None if entry is None else entry.event()
