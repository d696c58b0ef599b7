"""How an engine's source and queue are: what an examination finds, and how far everything is."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from eventscope.engine.examination import examine
from eventscope.engine.questions.base import Known
from eventscope.event import Lsn
from eventscope.replication.catalog import Slot
from eventscope.replication.doctor.examination import Groups


@dataclass(frozen=True, slots=True)
class Health:
    """What an examination of a running engine has found."""

    checked_at: float
    """Seconds since the epoch."""
    groups: Groups
    """Findings by what they are about, in the order of reading."""
    slot: Slot | None
    """The engine's slot; None if there is none, or it could not be looked at."""


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Examine what the engine runs on, as ``eventscope doctor`` does.

    Args:
        is_reader: whether the engine streams, so that the slot is its own.
    """

    is_reader: bool

    async def answer(self, known: Known) -> Health:
        """Ask the server over connections of its own; may take as long as that is away."""
        found = await examine(known.app, known.settings, is_reader=self.is_reader, has_queue=True)
        return Health(time.time(), found.groups, found.slot)


@dataclass(frozen=True, slots=True)
class Stock:
    """What the queue holds, and how much of it is applied."""

    slowest: str | None
    """The operator that is the furthest behind; None if all have applied what is stored."""
    applied: Lsn | None
    """The end of the transaction at which that one stands; None where nobody knows."""
    events: int
    """Events kept."""
    retention_events: int
    """Events to be kept after all operators have passed them."""
    size: int | None
    """Bytes of the queue file and its log; None if it lies in none."""
    retention_size: int


@dataclass(frozen=True, slots=True)
class TakeStock:
    """Look what the queue holds, and where the slowest operator stands."""

    async def answer(self, known: Known) -> Stock:
        """Look at the file's size and at one row of it."""
        queue, settings = known.queue, known.settings
        done = {name: runner.done for name, runner in known.runners.items()}
        slowest = min(done, key=lambda name: done[name], default=None)
        place = None
        if slowest is not None:
            if done[slowest] >= queue.last_seq:
                slowest = None
            else:
                place = await queue.place(done[slowest])
        return Stock(
            slowest=slowest,
            applied=place.end_lsn if place is not None else None,
            events=queue.last_seq - queue.oldest_seq + 1,
            retention_events=settings.retention_events,
            size=await asyncio.to_thread(_size, queue.path) if queue.path is not None else None,
            retention_size=settings.retention_bytes,
        )


def _size(path: Path) -> int:
    files = (path, Path(f"{path}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
