"""One operator's loop: read, apply, advance, back off. Each operator has its own position."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from eventscope import failpoints
from eventscope.declaration import HandlerOperator, Operator
from eventscope.operators.backfill import Backfilling
from eventscope.operators.backoff import Backoff
from eventscope.operators.effect import Effect
from eventscope.operators.failure import Failure, Reports
from eventscope.operators.letters import Letters
from eventscope.operators.offsets import START, Moved
from eventscope.operators.session import ConnectionLost
from eventscope.operators.state import OperatorState
from eventscope.queue.base import Queue, QueueError
from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.records import Backfill, DeadLetter, OperatorRecord
from eventscope.replication.assembly import Counts
from eventscope.replication.connection import SourceError
from eventscope.replication.pgoutput import EVENT_TYPE_OF
from eventscope.replication.relations import Relation

_READ: Final = 500
"""Events read from the queue at once; the most that a query operator makes one transaction of."""

_SAVE_INTERVAL: Final = 0.02
"""Seconds of work after which the position is made durable: what a crash may bring again."""

_RECONNECT_WAITS: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)

_NO_FAILURE: Final[Mapping[str, Any]] = {
    "failed_seq": None,
    "attempts": 0,
    "next_retry": None,
    "error": None,
    "traceback": None,
    "halted": False,
}

Work = Callable[[], Awaitable[None]]
Failed = Callable[[Failure], Awaitable[None]]


class Runner:
    """Feeds one operator with its events, in order, and holds its state.

    Args:
        operator: whose events.
        queue: where they are, and what must outlive the process.
        backoff: how long to wait after a failure.
        reports: is told of failures.
        letters: what the operator gave up.
    """

    def __init__(
        self,
        operator: Operator,
        queue: Queue,
        backoff: Backoff,
        reports: Reports,
        letters: Letters,
    ) -> None:
        self.operator = operator
        self.backoff = backoff
        self.letters = letters
        self.record = OperatorRecord(operator.name)
        """What survives a restart; its position lags behind."""
        self.depth = 0
        """Queued events that the operator will still see."""
        self.applied = 0
        self.failed = 0
        self.detail = "the stream has not begun"
        self._kinds = {kind for kind, type in EVENT_TYPE_OF.items() if type in operator.events}
        self._queue = queue
        self._reports = reports
        self._effect: Effect
        self._backfilling: Backfilling | None = None
        self._fills = False
        """Whether the backfill has its turn, before the next events."""
        self._position = 0
        self._ahead: Place | None = None
        """Where the ledger stands, if that is beyond all that the queue has ever held."""
        self._changed = False
        """Whether the record has changed since it was saved."""
        self._saved_at = time.monotonic()
        self._saving: asyncio.Task[None] | None = None
        self._phase: OperatorState = "waiting"
        self._stopping = False
        self._nudge = asyncio.Event()
        self._retry_now = False

    @property
    def state(self) -> OperatorState:
        """The operator's state in one word."""
        if self.record.paused and self._phase != "running":
            return "paused"
        return self._phase

    @property
    def settled(self) -> bool:
        """Whether there is nothing that it could do now, or will by itself."""
        return (
            self.depth == 0
            and self._phase == "idle"
            and self.letters.next_retry is None
            and self.backfill is None
        )

    @property
    def backfill(self) -> Backfill | None:
        """The backfill under way."""
        return self._backfilling.progress if self._backfilling is not None else None

    @property
    def done(self) -> int:
        """The last event that it is done with."""
        if self.settled:
            return self._queue.last_seq
        return self._position if self.record.resume_at is None else self.record.resume_at

    @property
    def next_retry(self) -> float | None:
        """When the next attempt at anything is due, while it waits for that alone."""
        return self.record.next_retry or self.letters.next_retry

    async def start(
        self, record: OperatorRecord, effect: Effect, backfilling: Backfilling | None = None
    ) -> None:
        """Take up the position that the queue has for this operator."""
        self._effect, self._backfilling = effect, backfilling
        self.record = record
        await self.letters.load()
        await self.look_for_backfill()
        await self._stand(record.position)

    async def take_up(self, place: Place) -> None:
        """Go on from where the ledger says that the operator stands."""
        last = self._queue.last
        is_ahead = last is None or place.end_lsn > last.end_lsn
        self._ahead = place if is_ahead else None
        await self._stand(await self._queue.seq_at(*place))

    def announce(self, counts: Counts) -> None:
        """Hear of new visible events."""
        wanted = self._wanted(counts)
        if wanted:
            self.depth += wanted
            self._nudge.set()

    def waits_for(self, xid: int | None) -> None:
        """Hear that a transaction is not visible yet, or with None that the wait is over."""
        if xid is None:
            self._enter("running")
        else:
            self._enter("waiting", f"transaction {xid} is not visible yet")

    def current(self) -> OperatorRecord:
        """What survives a restart, as of now."""
        return replace(self.record, position=self._position)

    async def change(self, **changes: Any) -> None:
        """Change that, and act upon it."""
        await self._note(**changes)
        self._nudge.set()

    async def look_for_letters(self) -> None:
        """Hear that dead letters have been changed."""
        await self.letters.load()
        self._nudge.set()

    async def look_for_backfill(self) -> None:
        """Hear that somebody wants a backfill, or no longer does."""
        if self._backfilling is not None:
            await self._backfilling.look()
        self._nudge.set()

    def retry(self) -> None:
        """Try the current event again at once."""
        self._retry_now = True
        self._nudge.set()

    def stop(self) -> None:
        """End the loop after the current attempt."""
        self._stopping = True
        self._nudge.set()

    async def run(self) -> None:
        """Work until stopped.

        Raises:
            SourceError: another instance has taken over, or the ledger is not as we left it.
            QueueError: the queue cannot be used any more.
        """
        while not self._stopping:
            if not await self._work():
                await self._rest()

    async def save(self) -> None:
        """Make the position durable."""
        if self.settled and self.record.resume_at is None:
            self._position = max(self._position, self._queue.last_seq)
        if self._changed:
            await self._note()
        else:
            await self._queue.advance(self.operator.name, self._position)
        self._saved_at = time.monotonic()

    async def close(self) -> None:
        """Release everything."""
        if self._saving is not None:
            await asyncio.gather(self._saving, return_exceptions=True)
        await self._effect.close()

    async def _work(self) -> bool:
        """Do one thing of what there is to do; False if there is nothing."""
        if self.record.paused:
            return False
        if self.record.rewind_to is not None:
            return await self._attempt(self._rewind, self._retreat)
        letter = await self.letters.due()
        if letter is not None:
            await self._redo(letter)
            return True
        has_events = self.depth > 0 or self.record.replay_to is not None
        if self._backfilling is not None and self._backfilling.wait == 0:
            self._fills = not self._fills
            if self._fills or not has_events:
                await self._attempt(self._backfilling.step, self._retreat)
                return True
        if has_events:
            await self._read_on()
        return has_events

    async def _read_on(self) -> None:
        """Apply the next events."""
        end = self.record.replay_to
        visible = self._queue.last_seq if end is None else end
        relations = [v for v, r in self._queue.relations.items() if self._follows(r)]
        read = await self._queue.read(self._position, relations, _READ, until=end)
        wanted = [queued for queued in read if self._wants(queued)]
        passed = await self._deliver(wanted if self._ahead is None else self._not_had(wanted))
        if passed:
            self._position = read[-1].seq if len(read) == _READ else max(self._position, visible)
            if self._position >= visible and end is not None:
                await self._attempt(self._end_replay, self._retreat)
        if not (passed and self.depth):
            await self.save()

    def _not_had(self, events: Sequence[QueuedEvent]) -> Sequence[QueuedEvent]:
        """Leave out what was applied before the queue that held it was lost."""
        left = [queued for queued in events if self._ahead is None or queued.place > self._ahead]
        self.depth -= len(events) - len(left)
        if left:
            self._ahead = None
        return left

    async def _deliver(self, events: Sequence[QueuedEvent]) -> bool:
        """Apply events in their order; False if not all were done with."""
        while events:
            head = events[0]
            if not await self._turn_of(head):
                return False
            work = (
                partial(self._jump_over, head)
                if head.seq == self.record.skip
                else (partial(self._applied_to, events))
            )
            if not await self._attempt(work, partial(self._note_failure, head)):
                return False
            if self._due():
                await self._save_meanwhile()
            events = [queued for queued in events if queued.seq > self._position]
        return True

    async def _turn_of(self, head: QueuedEvent) -> bool:
        """Wait until an event may be tried; False if something else is to be done first."""
        record = self.record
        if record.failed_seq == head.seq != record.skip:
            if record.halted:
                self._enter("halted", f"failed {record.attempts} times, waits for a retry")
                await self._sleep(None)
                if self._retry_now:
                    await self._note(halted=False, attempts=0)
            elif record.next_retry is not None:
                self._enter("backing-off")
                # the clock may have been set back meanwhile
                await self._sleep(min(record.next_retry - time.time(), self.backoff.longest * 1.1))
                self.record = replace(self.record, next_retry=None)
        return not (self._stopping or self.record.paused or self.record.rewind_to is not None)

    async def _attempt(self, work: Work, failed: Failed) -> bool:
        """Do some work, for as long as it takes to reach the database; False if it failed."""
        lost = 0
        while not (self._stopping or self.record.paused):
            self._enter("running")
            try:
                await work()
            except ConnectionLost as error:
                self._enter("waiting", f"the database: {error}")
                await self._sleep(_RECONNECT_WAITS[min(lost, len(_RECONNECT_WAITS) - 1)])
                lost += 1
            except Moved as moved:
                await self.take_up(moved.place)
                return False
            except (SourceError, QueueError):
                raise
            except Exception as error:
                self.failed += 1
                await failed(self._reports.failure(error))
                return False
            else:
                return True
        return False

    async def _note_failure(self, head: QueuedEvent, failure: Failure) -> None:
        """Keep what is known of a failed attempt, and decide what comes after it."""
        record = self.record
        attempts = record.attempts + 1 if record.failed_seq == head.seq else 1
        after: dict[str, Any] = {"next_retry": None}
        if attempts <= self.backoff.retries:
            wait = self.backoff.wait(attempts)
            self._reports.retry(head, failure, attempts, wait)
            after["next_retry"] = time.time() + wait
        elif isinstance(self.operator, HandlerOperator) and self.operator.on_failure != "halt":
            await self.letters.give_up(None, head, failure, attempts)
            after["skip"] = head.seq
        else:
            self._reports.failed(head, failure, attempts)
            after["halted"] = True
        await self._note(
            failed_seq=head.seq,
            attempts=attempts,
            error=failure.error,
            traceback=failure.traceback,
            **after,
        )

    async def _applied_to(self, events: Sequence[QueuedEvent]) -> None:
        await self._effect.apply(events, self._passed)

    def _passed(self, last: QueuedEvent, count: int = 1) -> bool:
        """Hear that events have taken effect; tells whether there is something more urgent."""
        failpoints.hit(failpoints.AFTER_EFFECT)
        self._position = last.seq
        self.depth -= count
        self.applied += count
        if self.record.failed_seq is not None:
            self.record = replace(self.record, **_NO_FAILURE)
            self._changed = True
        return bool(self._stopping or self.record.paused or self._due())

    async def _jump_over(self, head: QueuedEvent) -> None:
        """Pass an event over that was given up."""
        await self._effect.jump(head.place)
        self._position = head.seq
        self.depth -= 1
        await self._note(skip=None, **_NO_FAILURE)

    async def _rewind(self) -> None:
        """Begin a replay."""
        start, self._ahead = self.record.rewind_to or 0, None
        await self._effect.jump(await self._place(start))
        await self._note(rewind_to=None, skip=None, position=start, **_NO_FAILURE)
        await self._stand(start)

    async def _end_replay(self) -> None:
        """Go on where the replay had begun."""
        end = max(self.record.resume_at or 0, self._position)
        await self._effect.jump(await self._place(end))
        await self._note(replay_to=None, resume_at=None, position=end)
        await self._stand(end)

    async def _retreat(self, failure: Failure) -> None:
        """Wait before what is about no event is tried again."""
        self._enter("backing-off", failure.error)
        await self._sleep(self.backoff.wait(1))

    async def _redo(self, letter: DeadLetter) -> None:
        async def failed(failure: Failure) -> None:
            await self.letters.failed(letter.target, letter.event, failure)

        done = await self._attempt(partial(self._effect.redo, letter), failed)
        if done and letter.id in self.letters:
            await self.letters.drop(letter.id)

    async def _stand(self, position: int) -> None:
        """Take a position, and count what lies behind it."""
        self._position = position
        self.depth = 0  # what is announced meanwhile is added to it
        record = self.record
        depth = self._wanted(await self._queue.counts(position, record.replay_to))
        if record.resume_at is not None:
            depth += self._wanted(await self._queue.counts(record.resume_at))
        self.depth += depth

    async def place(self) -> Place:
        """Where the operator stands in the stream."""
        return await self._place(self._position)

    async def _place(self, seq: int) -> Place:
        """The place of an event in the stream, or one before all that the queue holds."""
        return await self._queue.place(seq) or START

    async def _note(self, **changes: Any) -> None:
        """Change what survives a restart."""
        self.record = replace(self.record, **{"position": self._position, **changes})
        self._changed = False
        await self._queue.save_operator(self.record)

    async def _save_meanwhile(self) -> None:
        """Save while work goes on; a write that waits for an append holds nothing up."""
        self._saved_at = time.monotonic()
        if self._saving is None or self._saving.done():
            if self._saving is not None:
                self._saving.result()
            self._saving = asyncio.create_task(self.save())
        await asyncio.sleep(0)

    async def _rest(self) -> None:
        """Do nothing until something happens."""
        wait = None if self.record.paused else self._next_wait
        self._enter("idle" if self.letters.next_retry is None else "backing-off")
        self._nudge.clear()
        if self._stopping or not (self.record.paused or self.depth == 0):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._nudge.wait()

    @property
    def _next_wait(self) -> float | None:
        """Seconds until there is something to do of which nobody will tell; None if never."""
        waits = [self._backfilling.wait] if self._backfilling is not None else []
        if self.letters.next_retry is not None:
            waits.append(max(self.letters.next_retry - time.time(), 0.0))
        return min((wait for wait in waits if wait is not None), default=None)

    async def _sleep(self, seconds: float | None) -> None:
        """Wait, for ever if ``seconds`` is None, unless there is something else to do."""
        deadline = None if seconds is None else time.monotonic() + seconds
        self._retry_now = False
        while not (self._retry_now or self._is_called_away):
            self._nudge.clear()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._nudge.wait()

    @property
    def _is_called_away(self) -> bool:
        """Whether there is something to do that no wait may keep from being done."""
        record = self.record
        return (
            self._stopping
            or record.rewind_to is not None
            or (record.skip is not None and record.skip == record.failed_seq)
        )

    def _due(self) -> bool:
        return time.monotonic() - self._saved_at > _SAVE_INTERVAL

    def _enter(self, phase: OperatorState, detail: str = "") -> None:
        self._phase = phase
        self.detail = detail

    def _wanted(self, counts: Counts) -> int:
        relations: Mapping[int, Relation] = self._queue.relations
        return sum(
            count
            for (version, kind), count in counts.items()
            if kind in self._kinds and self._follows(relations[version])
        )

    def _follows(self, relation: Relation) -> bool:
        return any(name in self.operator.entities for name in relation.names)

    def _wants(self, queued: QueuedEvent) -> bool:
        """Whether an event of a relation that it follows is for this operator."""
        return queued.message[0] in self._kinds
