"""A stretch of the queue, read page by page as it is looked at."""

from __future__ import annotations

from typing import Final

from eventscope.engine.questions import Question
from eventscope.engine.questions.history import EventsAfter, EventsBefore, Page
from eventscope.engine.ring import Entry
from eventscope.tui.widgets.held_list import HeldList

_MOST: Final = 10_000
"""Rows beyond which those farthest from the reader are let go of: they can be read again."""


class Stretch(HeldList):
    """All events from one number to another, beginning with the part around one of them.

    Args:
        title: what it is, as harmless text.
        entry: the event that is looked at.
        first: the number of the first event of the stretch.
        last: that of the last one; None for as far as the queue goes.
    """

    def __init__(self, title: str, entry: Entry, first: int, last: int | None) -> None:
        super().__init__(title, [entry])
        self._first, self._last = first, last
        self._from, self._to = entry.seq, entry.seq
        self._has_older = entry.seq > first
        self._has_newer = last is None or entry.seq < last

    def older(self) -> Question[Page] | None:
        """What to ask for the events before the first that is listed."""
        return EventsBefore(self._from, self._first) if self._has_older else None

    def newer(self) -> Question[Page] | None:
        """What to ask for those after the last."""
        return EventsAfter(self._to, self._last) if self._has_newer else None

    def add_older(self, page: Page) -> int:
        """List events from before the first; lets go of the last ones if they become many."""
        added = super().add_older(page)
        self._from, self._has_older = page.reached, page.left > 0
        if len(self._listed) > _MOST:
            del self._listed[_MOST:]
            self._to, self._has_newer = self._listed[-1].seq, True
        return added

    def add_newer(self, page: Page) -> int:
        """List events from after the last; lets go of the first ones if they become many."""
        super().add_newer(page)
        self._to, self._has_newer = page.reached, page.left > 0
        excess = max(0, len(self._listed) - _MOST)
        if excess:
            del self._listed[:excess]
            self._from, self._has_older = self._listed[0].seq, True
        return excess
