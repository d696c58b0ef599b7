"""How an engine's source and queue are: what an examination finds, and how far everything is."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path

from eventscope.engine.examination import examine
from eventscope.engine.questions.base import Known
from eventscope.engine.slowest import slowest
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
        is_held_back = self.is_reader and known.settings.holds_back
        behind = slowest(known.runners, known.queue) if is_held_back else None
        groups = found.groups if behind is None else _naming(behind, found.groups)
        return Health(time.time(), groups, found.slot)


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
        behind = slowest(known.runners, queue)
        place = await queue.place(known.runners[behind].done) if behind is not None else None
        return Stock(
            slowest=behind,
            applied=place.end_lsn if place is not None else None,
            events=queue.last_seq - queue.oldest_seq + 1,
            retention_events=settings.retention_events,
            size=await asyncio.to_thread(_size, queue.path) if queue.path is not None else None,
            retention_size=settings.retention_bytes,
        )


def _naming(operator: str, groups: Groups) -> Groups:
    """The same findings, with the operator that the WAL is kept for."""
    mend = f"the slot waits for operator {operator}: see what that waits for"
    return {
        name: [
            replace(finding, mend=mend)
            if finding.check == "retained_wal" and finding.severity == "warning"
            else finding
            for finding in found
        ]
        for name, found in groups.items()
    }


def _size(path: Path) -> int:
    files = (path, Path(f"{path}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
