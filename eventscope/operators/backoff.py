"""How long to wait after a failure."""

from __future__ import annotations

import random
from dataclasses import dataclass

from eventscope.settings import Settings


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter, capped. Times are in seconds.

    The jitter only lengthens a wait, by at most a tenth, so that operators that failed together
    do not come back together.
    """

    first: float
    factor: float
    longest: float
    retries: int
    """Failures after which no wait helps any more."""

    @classmethod
    def of(cls, settings: Settings) -> Backoff:
        """The backoff that the settings ask for, in their milliseconds."""
        return cls(
            first=settings.operator_queue_min_restart_time / 1000,
            factor=settings.operator_queue_backoff_multiplicator,
            longest=settings.operator_queue_max_restart_time / 1000,
            retries=settings.operator_queue_max_retries,
        )

    def wait(self, failures: int) -> float:
        """Seconds to wait after that many failures in a row, from 1, jitter included."""
        exponent = min(failures - 1, 64)  # beyond that every factor over 1 has met its cap
        planned = min(self.first * self.factor**exponent, self.longest)
        return planned * (1 + random.uniform(0, 0.1))  # noqa: S311 - no secret
