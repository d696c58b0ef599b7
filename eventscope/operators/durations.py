"""How long things have taken, counted by length, at the price of one addition for each."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

BOUNDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0
)  # fmt: skip
"""Seconds: the longest of each class, in order. One more class has what is longer."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How many things have taken how long."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    """How many there are of each class."""
    seconds: float = 0.0
    """Their sum."""


class DurationCounter:
    """Counts them as they come."""

    def __init__(self) -> None:
        self._counts = list(Durations().counts)
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    @property
    def durations(self) -> Durations:
        """All until now."""
        return Durations(tuple(self._counts), self._seconds)
