"""What an operator does with events: the seam between its loop and its work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.records import DeadLetter

Passed = Callable[[QueuedEvent, int], bool]
"""Hears that everything up to an event has taken effect, and how many events those are since it
last heard; answers whether there is something more urgent than the events that follow."""

Apply = Callable[[Sequence[QueuedEvent], Passed], Awaitable[None]]
"""Applies events: the method of that name of an effect, or something around it."""


class Effect(Protocol):
    """Applies events."""

    async def apply(self, events: Sequence[QueuedEvent], passed: Passed) -> None:
        """Apply events in their order, telling ``passed``; end early where it says so.

        What this raises is about the first event that ``passed`` has not heard of.

        Raises:
            ConnectionLost: the database is away; nothing is wrong with the events.
            Moved: the ledger is not as we have left it.
        """

    async def redo(self, letter: DeadLetter) -> None:
        """Try once more what became a dead letter, out of its order."""

    async def jump(self, place: Place) -> None:
        """Stand elsewhere without applying what lies between."""

    async def close(self) -> None:
        """Release everything; idempotent."""
