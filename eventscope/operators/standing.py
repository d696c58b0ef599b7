"""Where one operator stands in the queue, and what else of it survives a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from eventscope.declaration import Operator
from eventscope.operators.interest import Interest
from eventscope.operators.offsets import START
from eventscope.operators.reading import Reading
from eventscope.queue.base import Queue
from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.records import OperatorRecord
from eventscope.replication import pgoutput
from eventscope.replication.assembly import Counts

_SAVE_INTERVAL: Final = 0.02
"""Seconds of work after which the position is made durable: what a crash may bring again."""

_LOOKED_AT: Final = 50
"""Events of the followed tables among which the oldest of interest is looked for."""

NO_FAILURE: Final[Mapping[str, Any]] = {
    "failed_seq": None,
    "attempts": 0,
    "next_retry": None,
    "error": None,
    "traceback": None,
    "halted": False,
}
"""What a record tells of failures when there are none."""


class Standing:
    """The position of one operator, and its record.

    Args:
        operator: whose it is.
        queue: what it is a position in, and where it is kept.
    """

    def __init__(self, operator: Operator, queue: Queue) -> None:
        self.record = OperatorRecord(operator.name)
        """What survives a restart; its position lags behind."""
        self.position = 0
        """The last event that the operator is done with."""
        self.depth = 0
        """Queued events that the operator will still see."""
        self.applied = 0
        """Events applied since the start."""
        self.replay_total = 0
        """The events of the replay under way, as counted when it began here."""
        self.replay_left = 0
        self._operator = operator
        self._queue = queue
        self._interest = Interest(operator)
        self._reading = Reading(operator, queue)
        self._ahead: Place | None = None
        """Where the ledger stands, if that is beyond all that the queue has ever held."""
        self._oldest: int | None = None
        """When the oldest queued event committed, in PostgreSQL's microseconds."""
        self._changed = False
        """Whether the record has changed since it was saved."""
        self._writing = asyncio.Lock()
        """Keeps an older position from being written over a newer one."""
        self._saved_at = time.monotonic()
        self._saving: asyncio.Task[None] | None = None

    @property
    def current(self) -> OperatorRecord:
        """What survives a restart, as of now."""
        return replace(self.record, position=self.position)

    @property
    def is_replaying(self) -> bool:
        """Whether a replay is wanted or under way."""
        return self.record.rewind_to is not None or self.record.replay_to is not None

    @property
    def oldest_at(self) -> float | None:
        """When the oldest queued event committed, in seconds since the epoch; None: none waits."""
        if self.depth <= 0 or self._oldest is None:
            return None
        return pgoutput.timestamp(self._oldest).timestamp()

    @property
    def is_called_away(self) -> bool:
        """Whether there is something to do that no wait may keep from being done."""
        record = self.record
        return record.rewind_to is not None or (
            record.skip is not None and record.skip == record.failed_seq
        )

    @property
    def is_due(self) -> bool:
        """Whether the position should be made durable."""
        return time.monotonic() - self._saved_at > _SAVE_INTERVAL

    async def begin(self, record: OperatorRecord) -> None:
        """Stand where the queue says."""
        self.record = record
        await self.stand(record.position)

    async def take_up(self, place: Place) -> None:
        """Stand where the ledger says."""
        last = self._queue.last
        is_ahead = last is None or place.end_lsn > last.end_lsn
        self._ahead = place if is_ahead else None
        await self.stand(await self._queue.seq_at(*place))
        if self.record.failed_seq is not None and self.record.failed_seq <= self.position:
            self._forget_failure()

    async def stand(self, position: int) -> None:
        """Take a position, and count what lies behind it."""
        last, record = self._queue.last_seq, self.record
        self.position = position
        self.depth = self.replay_total = 0  # what is announced from here on is added to it
        if record.resume_at is None:
            depth = self._wanted(await self._queue.counts(position, last))
        else:
            depth = self._wanted(await self._queue.counts(position, record.replay_to))
            self.replay_total = self.replay_left = depth
            depth += self._wanted(await self._queue.counts(record.resume_at, last))
        self.depth += depth
        if depth:
            await self._look_for_oldest()

    async def place(self, seq: int | None = None) -> Place:
        """The place of an event in the stream, or one before all that the queue holds.

        By default the place of the last event that the operator is done with.
        """
        return await self._queue.place(self.position if seq is None else seq) or START

    def announce(self, counts: Counts) -> bool:
        """Hear of new visible events; tells whether there are any for the operator."""
        wanted = self._wanted(counts)
        if wanted and self.depth <= 0 and self._queue.last is not None:
            self._oldest = self._queue.last.committed_at
        self.depth += wanted
        return wanted > 0

    async def read(self) -> tuple[Sequence[QueuedEvent], int]:
        """The next events for the operator, and how far the queue holds no others for it."""
        end = self.record.replay_to
        events, read_to = await self._reading.read(self.position, end)
        events = [queued for queued in events if self._interest.wants(queued)]
        if self._ahead is not None and end is None:
            events = self._not_had(events, self._ahead)
        return events, read_to

    def comes_to(self, head: QueuedEvent) -> None:
        """Hear which event is the next."""
        self._oldest = head.transaction.committed_at

    def passed(self, last: QueuedEvent, count: int) -> None:
        """Hear that ``count`` events, up to this one, have taken effect."""
        self._pass(last, count)
        self.applied += count
        if self.record.failed_seq is not None:
            self._forget_failure()

    async def skipped(self, head: QueuedEvent) -> None:
        """Hear that an event was passed over."""
        self._pass(head, 1)
        await self.note(skip=None, **NO_FAILURE)

    async def note(self, **changes: Any) -> None:
        """Change what survives a restart; durable when it returns."""
        self.record = replace(self.record, **{"position": self.position, **changes})
        self._changed = False
        async with self._writing:
            await self._queue.save_operator(self.record)

    async def save(self) -> None:
        """Make the position durable."""
        self._saved_at = time.monotonic()
        if self._changed:
            await self.note()
            return
        async with self._writing:
            await self._queue.advance(self._operator.name, self.position)

    async def save_meanwhile(self) -> None:
        """Save while work goes on; a write that waits for an append holds nothing up."""
        self._saved_at = time.monotonic()
        if self._saving is None or self._saving.done():
            if self._saving is not None:
                self._saving.result()
            self._saving = asyncio.create_task(self.save())
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Let what is being saved come to its end."""
        await self._reading.close()
        if self._saving is not None:
            await asyncio.gather(self._saving, return_exceptions=True)

    def _forget_failure(self) -> None:
        self.record = replace(self.record, **NO_FAILURE)
        self._changed = True

    def _pass(self, last: QueuedEvent, count: int) -> None:
        self.position = last.seq
        self.depth -= count
        self.replay_left -= count
        self._oldest = last.transaction.committed_at  # the next one is hardly younger

    async def _look_for_oldest(self) -> None:
        """Look up the next event, as an operator that is held reads none."""
        known = self._queue.relations.items()
        followed = [version for version, relation in known if self._interest.follows(relation)]
        queued = await self._queue.read(self.position, followed, _LOOKED_AT)
        oldest = next((each for each in queued if self._interest.wants(each)), None)
        if oldest is not None:
            self.comes_to(oldest)

    def _not_had(self, events: Sequence[QueuedEvent], ahead: Place) -> Sequence[QueuedEvent]:
        """Pass over what was applied before the queue that held it was lost."""
        had = [queued for queued in events if queued.place <= ahead]
        if had:
            self._pass(had[-1], len(had))
        if len(had) < len(events):
            self._ahead = None
        return events[len(had) :]

    def _wanted(self, counts: Counts) -> int:
        return self._interest.counted(counts, self._queue.relations)
