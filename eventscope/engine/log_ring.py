"""The recent log records, bounded, for a view of them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, get_args

from eventscope.event import EventId

Level = Literal["debug", "info", "print", "warning", "error"]
"""``print``: a handler, or something that it calls, has written it to its output."""

LEVELS: Final[tuple[Level, ...]] = get_args(Level)


@dataclass(frozen=True, slots=True)
class LogRecord:
    """What was logged or printed; its texts are as they came, and may hold anything."""

    at: float
    """Seconds since the epoch."""
    level: Level
    message: str
    operator: str | None = None
    event_id: EventId | None = None
    """The event that the operator was at."""
    details: tuple[tuple[str, str], ...] = ()
    """Whatever else was said, by name."""


class LogRing:
    """The last ``capacity`` records by sequence number, from 0; any thread may write and read."""

    def __init__(self, capacity: int = 5_000) -> None:
        self.capacity = capacity
        self.next = 0
        """The sequence number that the next record will get."""
        self._records: deque[LogRecord] = deque(maxlen=capacity)
        self._lock = threading.Lock()

    @property
    def first(self) -> int:
        """The oldest sequence number still kept."""
        return max(0, self.next - self.capacity)

    def add(self, record: LogRecord) -> None:
        """Keep a record; the oldest one goes if there are too many."""
        with self._lock:
            self._records.append(record)
            self.next += 1

    def since(self, seq: int) -> list[tuple[int, LogRecord]]:
        """The records from a sequence number on that are still kept, oldest first."""
        with self._lock:
            first = self.next - len(self._records)
            start = max(seq, first)
            return list(enumerate(islice(self._records, start - first, None), start))
