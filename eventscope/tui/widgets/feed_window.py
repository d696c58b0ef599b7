"""Which events the feed shows: the newest ones, or those it showed when it was frozen."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

from eventscope.engine.questions import Question
from eventscope.engine.questions.history import EventsBefore, Page
from eventscope.engine.ring import Entry, EventRing
from eventscope.tui.widgets.held_list import HeldList, seq_of

_MOST: Final = 100_000
"""Rows beyond which no older ones are listed: what is listed stays in memory."""


class FeedWindow(HeldList):
    """A list of the ring's events, which can be held still and read on beyond the ring's oldest.

    It keeps its own references: what is overwritten in the ring stays readable here.
    """

    def __init__(self, ring: EventRing) -> None:
        super().__init__()
        self._ring = ring
        self._seen = ring.first
        self._frozen = False
        self._reached: int | None = None
        self._left: int | None = None

    @property
    def frozen(self) -> bool:
        """Whether the list is held still."""
        return self._frozen

    @property
    def unseen(self) -> int:
        """How many events have come since it was frozen."""
        return self._ring.next - self._seen if self._frozen else 0

    @property
    def dropped(self) -> int:
        """How many events are known to be older than the first that is listed."""
        return self._seen - len(self._listed) if self._left is None else self._left

    @property
    def is_full(self) -> bool:
        """Whether no older ones are listed although there are some."""
        return self._frozen and self.dropped > 0 and len(self._listed) >= _MOST

    def pump(self) -> bool:
        """Take in what is new and let go of what the ring has dropped; whether that was any."""
        newest = self._ring.next
        if self._frozen or newest == self._seen:
            return False
        new = self._ring.between(self._seen, newest)
        if self._listed:  # the queue may have been asked for what the ring was about to show
            del new[: bisect_right(new, self._listed[-1].seq, key=seq_of)]
        self._listed += new
        self._seen = newest
        self._trim()
        return True

    def freeze(self) -> None:
        """Hold the list as it is."""
        self._frozen = True

    def follow(self) -> None:
        """Go back to the newest events."""
        self._frozen = False
        self._trim()
        self.pump()

    @property
    def entries(self) -> list[Entry]:
        """What is listed, as it changes: not to be changed by others."""
        return self._listed

    def between(self, start: int, end: int) -> list[Entry]:
        """The events from a number up to another, without it."""
        first = bisect_left(self._listed, start, key=seq_of)
        return self._listed[first : bisect_left(self._listed, end, first, key=seq_of)]

    def older(self) -> Question[Page] | None:
        """What to ask for the events before the first, while the list is held still."""
        if not self._frozen or self._left == 0 or len(self._listed) >= _MOST:
            return None
        if self._reached is None:
            return EventsBefore(self._listed[0].seq if self._listed else None)
        return EventsBefore(self._reached)

    def add_older(self, page: Page) -> int:
        """List events from before the first; returns how many."""
        if self._listed and page.reached > self._listed[0].seq:
            return 0  # the ring has shown more meanwhile
        self._reached, self._left = page.reached, page.left
        return super().add_older(page)

    def _trim(self) -> None:
        """Let go of what the ring would no longer hold."""
        excess = len(self._listed) - self._ring.capacity
        if excess > 0:
            del self._listed[:excess]
            self._reached = self._left = None
