"""Which log records are listed: the newest that a filter lets through, or those of a moment."""

from __future__ import annotations

from bisect import bisect_left

from eventscope.engine.log_ring import LogRecord, LogRing
from eventscope.tui.log_filter import LogFilter


class LogWindow:
    """A filtered list over the ring, which can be held still.

    While frozen it keeps what the ring drops.
    """

    def __init__(self, ring: LogRing) -> None:
        self.filter = LogFilter()
        self.frozen = False
        self.unseen = 0
        """How many records have come since it was frozen that the filter lets through."""
        self._ring = ring
        self._kept: list[tuple[int, LogRecord]] = []
        self._listed: list[tuple[int, LogRecord]] = []
        self._seen = 0
        """What comes next of the ring."""
        self._counted = 0
        """The same, while frozen."""

    def __len__(self) -> int:
        return len(self._listed)

    @property
    def total(self) -> int:
        """How many there are without the filter."""
        return len(self._kept)

    def pump(self) -> bool:
        """Take in what is new; whether the list has changed."""
        if self.frozen:
            self._count()
            return False
        new = self._ring.since(self._seen)
        if not new:
            return False
        self._seen = new[-1][0] + 1
        oldest = self._seen - self._ring.capacity
        self._kept = [one for one in self._kept if one[0] >= oldest] + new
        self._listed = [one for one in self._listed if one[0] >= oldest]
        self._listed += [one for one in new if self.filter.matches(one[1])]
        return True

    def freeze(self) -> None:
        """Hold the list as it is."""
        if not self.frozen:
            self.frozen, self.unseen, self._counted = True, 0, self._seen

    def follow(self) -> None:
        """Go back to the newest records."""
        self.frozen = False
        self.pump()

    def use(self, filter: LogFilter) -> None:
        """List what another filter lets through."""
        self.filter = filter
        self._listed = [one for one in self._kept if filter.matches(one[1])]
        self.unseen, self._counted = 0, self._seen
        self.pump()

    def at(self, index: int) -> tuple[int, LogRecord]:
        """The record at a place with its sequence number; raises IndexError outside the list."""
        return self._listed[index]

    def index_of(self, seq: int) -> int:
        """The place of a sequence number, or of the next one that is listed."""
        found = bisect_left(self._listed, seq, key=lambda one: one[0])
        return min(found, max(0, len(self._listed) - 1))

    def _count(self) -> None:
        new = self._ring.since(self._counted)
        if new:
            self._counted = new[-1][0] + 1
            self.unseen += sum(self.filter.matches(record) for _, record in new)
