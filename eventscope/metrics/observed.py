"""What is asked of an engine, be it in this event loop or in a thread."""

from __future__ import annotations

from typing import Protocol

from eventscope.engine.snapshot import Snapshot
from eventscope.errors import NotRunning


class Observed(Protocol):
    """As much of an engine as there is to be told of."""

    @property
    def started(self) -> bool:
        """Whether it is up, or has been."""

    @property
    def waits_for(self) -> str:
        """What keeps it from being up."""

    def snapshot(self) -> Snapshot:
        """The engine as it is now, once it has started."""


def look(engine: Observed) -> Snapshot | None:
    """The engine as it is now, from any thread; None if it is not up."""
    try:
        return engine.snapshot() if engine.started else None
    except NotRunning:  # it has just been begun again
        return None
