"""A rate from a count that grows, as seen by somebody who looks now and then."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Final

_BARS: Final = "▁▂▃▄▅▆▇"
_SECONDS: Final = 8


class Rate:
    """Events a second over the last second or two, and for each of the last eight."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, time: float, count: int) -> None:
        """Note the count at a time in seconds; a count that shrinks starts anew."""
        if self._seen and count < self._seen[-1][1]:
            self._seen.clear()
        if not self._seen or time > self._seen[-1][0]:
            self._seen.append((time, count))
        while self._seen[0][0] < time - _SECONDS - 1:
            self._seen.popleft()

    @property
    def per_second(self) -> float:
        """The rate over the last second, or over less if less is known."""
        if len(self._seen) < 2:
            return 0.0
        now, count = self._seen[-1]
        since, before = self._at(now - 1.0)
        return (count - before) / (now - since)

    @property
    def is_moving(self) -> bool:
        """Whether the count has grown in the last eight seconds."""
        return bool(self._seen) and self._seen[-1][1] > self._at(self._seen[-1][0] - _SECONDS)[1]

    @property
    def sparkline(self) -> str:
        """The last eight seconds as bars, the highest of them at full height."""
        if not self._seen:
            return ""
        now = self._seen[-1][0]
        counts = [self._at(now - age)[1] for age in range(_SECONDS, -1, -1)]
        rises = [later - earlier for earlier, later in pairwise(counts)]
        top = max(max(rises), 1)
        return "".join(_BARS[rise * (len(_BARS) - 1) // top] for rise in rises)

    def _at(self, time: float) -> tuple[float, int]:
        """The last sighting that is no later than ``time``, or the first there is."""
        found = self._seen[0]
        for seen in self._seen:
            if seen[0] > time:
                break
            found = seen
        return found
