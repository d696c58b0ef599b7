"""What a filter may ask of an event in the feed that the event does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from eventscope.engine.deliveries import deliveries
from eventscope.engine.ring import Entry
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.event import Event
from eventscope.inspection.filter import Delivery


class EntryContext:
    """Marks, and deliveries as of the last snapshot, of one entry at a time.

    Args:
        is_marked: whether a person marked the event of a number in the queue.
    """

    def __init__(self, is_marked: Callable[[int], bool] = lambda seq: False) -> None:
        self.operators: tuple[OperatorSnapshot, ...] = ()
        self.entry: Entry | None = None
        """Whose event is asked about."""
        self._is_marked = is_marked

    def is_marked(self, event: Event) -> bool:
        """Whether a person marked the entry."""
        return self.entry is not None and self._is_marked(self.entry.seq)

    def deliveries(self, event: Event) -> Iterable[Delivery]:
        """What became of the entry at each operator that it concerns."""
        return () if self.entry is None else deliveries(self.entry, self.operators)
