"""Events that are listed as they were found."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from eventscope.engine.questions import Question
from eventscope.engine.questions.history import Page
from eventscope.engine.ring import Entry
from eventscope.event import Event
from eventscope.tui.widgets.event_list import EventList

seq_of: Final = attrgetter("seq")
"""An entry's number in the queue."""


class HeldList(EventList):
    """A list that nothing new comes into.

    Args:
        title: what it is restricted to, as harmless text.
        entries: what it lists, in the order of the queue.
    """

    def __init__(self, title: str = "", entries: Iterable[Entry] = ()) -> None:
        self._title = title
        self._listed = list(entries)

    def __len__(self) -> int:
        return len(self._listed)

    @property
    def title(self) -> str:
        """What the list is restricted to."""
        return self._title

    @property
    def frozen(self) -> bool:
        """Always."""
        return True

    def pump(self) -> bool:
        """Nothing new comes."""
        return False

    def freeze(self) -> None:
        """It is held as it is."""

    def follow(self) -> None:
        """It never shows the newest events."""

    def seq_at(self, index: int) -> int:
        """The number in the queue of the event at a place; raises IndexError outside the list."""
        return self._listed[index].seq

    def index_of(self, seq: int) -> int:
        """The place of an event by its number, or of the next one that is listed."""
        return min(bisect_left(self._listed, seq, key=seq_of), max(0, len(self._listed) - 1))

    def entry(self, seq: int) -> Entry | None:
        """An event that is listed, undecoded."""
        place = bisect_left(self._listed, seq, key=seq_of)
        if place == len(self._listed) or self._listed[place].seq != seq:
            return None
        return self._listed[place]

    def event(self, seq: int) -> Event | None:
        """The same, to be looked at."""
        entry = self.entry(seq)
        return None if entry is None else entry.event()

    def older(self) -> Question[Page] | None:
        """Nothing is to be asked for."""
        return None

    def newer(self) -> Question[Page] | None:
        """Nothing is to be asked for."""
        return None

    def add_older(self, page: Page) -> int:
        """List events from before the first; returns how many."""
        first = self._listed[0].seq if self._listed else None
        older = [event for event in page.events if first is None or event.seq < first]
        self._listed[:0] = older
        return len(older)

    def add_newer(self, page: Page) -> int:
        """List events from after the last; nothing moves up for them."""
        last = self._listed[-1].seq if self._listed else -1
        self._listed += [event for event in page.events if event.seq > last]
        return 0
