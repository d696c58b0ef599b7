"""What an operator does with events: the seam between its loop and its work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eventscope.queue.event import QueuedEvent


class Effect(Protocol):
    """Applies events. All of a call takes effect, or it raises."""

    coalesces: bool
    """Whether applying several events at once does the same as one after the other."""

    async def apply(self, events: Sequence[QueuedEvent]) -> None:
        """Apply events in their order.

        Raises:
            ConnectionLost: the database is away; nothing is wrong with the events.
        """

    async def close(self) -> None:
        """Release everything; idempotent."""
