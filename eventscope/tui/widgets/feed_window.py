"""Which events the feed shows: the newest ones, or those it showed when it was frozen."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from eventscope.engine.ring import Entry, EventRing
from eventscope.event import Event


class FeedWindow:
    """A list over the ring by sequence number, which can be held still.

    While frozen it keeps its own references: what is overwritten in the ring stays readable here.
    """

    def __init__(self, ring: EventRing) -> None:
        self._ring = ring
        self._listed = array("Q")
        self._seen = ring.first
        self._kept: dict[int, Entry] | None = None

    def __len__(self) -> int:
        return len(self._listed)

    @property
    def frozen(self) -> bool:
        """Whether the list is held still."""
        return self._kept is not None

    @property
    def unseen(self) -> int:
        """How many events have come since it was frozen."""
        return self._ring.next - self._seen if self.frozen else 0

    def pump(self) -> bool:
        """Take in what is new and let go of what the ring has dropped; whether that was any."""
        newest = self._ring.next
        if self.frozen or newest == self._seen:
            return False
        oldest = self._ring.first
        self._listed.extend(range(max(self._seen, oldest), newest))
        del self._listed[: bisect_left(self._listed, oldest)]
        self._seen = newest
        return True

    def freeze(self) -> None:
        """Hold the list as it is."""
        if self.frozen:
            return
        entries = ((seq, self._ring.entry(seq)) for seq in self._listed)
        self._kept = {seq: entry for seq, entry in entries if entry is not None}
        self._listed = array("Q", self._kept)

    def follow(self) -> None:
        """Go back to the newest events."""
        self._kept = None
        self.pump()

    def seq_at(self, index: int) -> int:
        """The sequence number at a place in the list; raises IndexError outside it."""
        return self._listed[index]

    def index_of(self, seq: int) -> int:
        """The place of a sequence number, or of the next one that is listed."""
        return min(bisect_left(self._listed, seq), max(0, len(self._listed) - 1))

    def event(self, seq: int) -> Event | None:
        """The event, or None if it was overwritten before it could be kept."""
        entry = self.entry(seq)
        return None if entry is None else entry.event()

    def entry(self, seq: int) -> Entry | None:
        """The same, undecoded."""
        return self._ring.entry(seq) if self._kept is None else self._kept.get(seq)
