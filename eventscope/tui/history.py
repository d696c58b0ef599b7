"""How it went over the last minutes: a look at the engine each second, for plots."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from eventscope.engine.snapshot import Snapshot

_KEPT: Final = 600
"""Samples that are kept, about one for each second."""
_BETWEEN: Final = 0.9
"""Seconds between two looks at least; who draws each quarter of a second looks once a second."""


class Sample(NamedTuple):
    """The engine at one moment."""

    rate: float
    """Events a second since the moment before."""
    lag: int
    """Bytes that the server has and the queue has not."""
    backlog: int
    """Events that the operator with the most of them has still to see."""


class History:
    """The last samples; ``taken`` counts all there were."""

    def __init__(self) -> None:
        self.taken = 0
        self._samples: deque[Sample] = deque(maxlen=_KEPT)
        self._at: float | None = None
        self._events = 0

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples, oldest first."""
        return tuple(self._samples)

    def look(self, snapshot: Snapshot) -> None:
        """Take a sample, if the last one is old enough."""
        at, stream = snapshot.taken_at, snapshot.stream
        passed = None if self._at is None else at - self._at
        if passed is None or passed < 0:  # the first, or the clock was set back
            self._at, self._events = at, stream.events
        elif passed >= _BETWEEN:
            sample = Sample(
                rate=max(0, stream.events - self._events) / passed,
                lag=max(0, stream.received_lsn - stream.stored_lsn),
                backlog=max((operator.depth for operator in snapshot.operators), default=0),
            )
            self._samples.append(sample)
            self.taken += 1
            self._at, self._events = at, stream.events
