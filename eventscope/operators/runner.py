"""One operator's loop: read, apply, advance, back off. Each operator has its own position."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final

from eventscope import failpoints
from eventscope.declaration import Operator
from eventscope.operators import replay
from eventscope.operators.activity import Activity
from eventscope.operators.attempts import Attempts
from eventscope.operators.backfill import Backfilling
from eventscope.operators.backoff import Backoff
from eventscope.operators.breakpoints import Breakpoints, Gate
from eventscope.operators.effect import Apply, Effect
from eventscope.operators.failure import Failure, Reports
from eventscope.operators.letters import Letters
from eventscope.operators.query_effect import QueryEffect
from eventscope.operators.standing import Standing
from eventscope.operators.state import OperatorState
from eventscope.operators.timeline import Timeline
from eventscope.queue.base import Queue
from eventscope.queue.event import QueuedEvent
from eventscope.queue.records import Backfill, DeadLetter, OperatorRecord
from eventscope.replication.assembly import Counts

_SEQ: Final = attrgetter("seq")


class Runner:
    """Feeds one operator with its events, in order.

    Args:
        operator: whose events.
        queue: where they are, and what must outlive the process.
        backoff: how long to wait after a failure.
        reports: is told of failures.
        letters: what the operator gave up.
        breakpoints: of the engine.
    """

    def __init__(
        self,
        operator: Operator,
        queue: Queue,
        backoff: Backoff,
        reports: Reports,
        letters: Letters,
        breakpoints: Breakpoints,
    ) -> None:
        self.operator = operator
        self.backoff = backoff
        self.reports = reports
        self.letters = letters
        self.standing = Standing(operator, queue)
        self.activity = Activity(self.standing)
        self.timeline = Timeline()
        self.gate = Gate(operator.name, breakpoints, self.activity, self.standing)
        self.attempts = Attempts(operator, self.standing, self.activity, backoff, reports, letters)
        self._queue = queue
        self._effect: Effect
        self._apply: Apply
        self._backfilling: Backfilling | None = None
        self._fills = False
        """Whether the backfill has its turn, before the next events."""
        self._is_filling = False
        """Whether it is at a step of the backfill now, and at no event."""

    @property
    def state(self) -> OperatorState:
        """The operator's state in one word."""
        return self.activity.state

    @property
    def settled(self) -> bool:
        """Whether there is nothing that it could do now, or will by itself."""
        return (
            self.standing.depth == 0
            and not self.standing.is_replaying
            and self.activity.phase == "idle"
            and self.letters.next_retry is None
            and self.backfill is None
        )

    @property
    def is_stuck(self) -> bool:
        """Whether it has halted, and nobody has asked it for anything else meanwhile."""
        return self.state == "halted" and not self.standing.is_called_away

    @property
    def backfill(self) -> Backfill | None:
        """The backfill under way."""
        return self._backfilling.progress if self._backfilling is not None else None

    @property
    def skipped(self) -> int:
        """Events of rows that have no target, since the start."""
        return self._effect.skipped if isinstance(self._effect, QueryEffect) else 0

    @property
    def called_away(self) -> bool:
        """Whether it is to leave the events that it has not begun with."""
        return (
            self.activity.is_held
            or self.gate.has_changed
            or self.standing.record.rewind_to is not None
        )

    @property
    def done(self) -> int:
        """The last event that it is done with, and before those of which it tries ids again."""
        standing, passed = self.standing, self.standing.position
        is_at_none = self._is_filling or self.activity.phase in ("idle", "backing-off")
        if is_at_none and standing.depth == 0 and not standing.is_replaying:
            passed = self._queue.last_seq
        elif standing.record.resume_at is not None:
            passed = standing.record.resume_at
        retried = self.letters.first_retried
        return passed if retried is None else min(passed, retried - 1)

    @property
    def next_retry(self) -> float | None:
        """When the next attempt at anything is due, in seconds since the epoch."""
        return self.standing.record.next_retry or self.letters.next_retry

    async def start(
        self,
        record: OperatorRecord,
        effect: Effect,
        backfilling: Backfilling | None = None,
        apply: Apply | None = None,
    ) -> None:
        """Take up the position that the queue has for this operator.

        Args:
            record: what the queue has of it.
            effect: what it does with events.
            backfilling: recomputes its target.
            apply: is called in the place of the effect's own ``apply``, and calls that.
        """
        self._effect, self._backfilling = effect, backfilling
        self._apply = apply or effect.apply
        await self.letters.load()
        if backfilling is not None:
            await backfilling.look()
        await self.standing.begin(record)

    def announce(self, counts: Counts) -> None:
        """Hear of new visible events."""
        if self.standing.announce(counts):
            self.activity.nudge()

    def waits_for(self, xid: int | None) -> None:
        """Hear that a transaction is not visible yet, or with None that the wait is over."""
        if xid is None:
            self.activity.enter("running")
        else:
            self.activity.enter("waiting", f"transaction {xid} is not visible yet")

    async def change(self, **changes: Any) -> None:
        """Change what survives a restart, and act upon it."""
        await self.standing.note(**changes)
        self.activity.nudge()

    async def look_for_letters(self) -> None:
        """Hear that dead letters have been changed."""
        await self.letters.load()
        self.activity.nudge()
        self.activity.on_progress()

    async def change_backfill(self, wanted: Backfill | None) -> None:
        """Begin a backfill, have it go on in another way, or end it."""
        if self._backfilling is not None:
            await self._backfilling.change(wanted)
        self.activity.nudge()

    def retry(self) -> None:
        """Try at once what is waited for."""
        self.letters.hurry()
        if self._backfilling is not None:
            self._backfilling.hurry()
        self.activity.retry()

    def stop(self) -> None:
        """End the loop after the current attempt."""
        self.activity.stop()

    async def run(self) -> None:
        """Work until stopped.

        Raises:
            SourceError: another instance has taken over, or the ledger is not as we left it.
            QueueError: the queue cannot be used any more.
        """
        while not self.activity.stopping:
            if not await self._work():
                await self._rest()

    async def save(self) -> None:
        """Make the position durable."""
        if self.settled:  # nothing between it and the end is for the operator
            self.standing.position = max(self.standing.position, self._queue.last_seq)
        await self.standing.save()

    async def close(self) -> None:
        """Release everything."""
        await self.standing.close()
        await self._effect.close()
        if self._backfilling is not None:
            await self._backfilling.close()

    async def _work(self) -> bool:
        """Do one thing of what there is to do; False if there is nothing."""
        standing = self.standing
        if standing.record.paused:
            return False
        if standing.record.rewind_to is not None:
            begin = partial(replay.begin, standing, self._effect)
            await self.attempts.make(begin, self.attempts.retreat)
            return True
        letter = await self.letters.due()
        if letter is not None:
            await self._redo(letter)
            return True
        has_events = standing.depth > 0 or standing.record.replay_to is not None
        if self._backfilling is not None and self._backfilling.wait == 0:
            self._fills = not self._fills
            if self._fills or not has_events:
                self._is_filling = True
                await self.attempts.make(self._backfilling.step, self._hold_backfill)
                self._is_filling = False
                return True
        if has_events:
            await self._read_on()
        return has_events

    async def _read_on(self) -> None:
        """Apply the next events."""
        standing = self.standing
        events, read_to = await standing.read()
        passed = await self._deliver(events)
        if passed:
            standing.position = read_to
            self.activity.on_progress()
            last = standing.record.replay_to
            # another replay may have been asked for meanwhile
            if last is not None and standing.record.rewind_to is None and read_to >= last:
                end = partial(replay.end, standing, self._effect)
                await self.attempts.make(end, self.attempts.retreat)
            elif not events and standing.depth and read_to >= self._queue.last_seq:
                # history was given up that had been counted, for a replay
                await standing.stand(read_to)
        if not (passed and standing.depth):
            await self.save()

    async def _deliver(self, events: Sequence[QueuedEvent]) -> bool:
        """Apply events in their order; False if not all were done with."""
        while events:
            head = events[0]
            self.standing.comes_to(head)
            if not (await self.attempts.turn_of(head) and await self.gate.opens(head)):
                return False
            began_at = time.time()
            failed = partial(self._note_failure, events, began_at)
            if head.seq == self.standing.record.skip:
                done = await self.attempts.make(partial(self._pass_over, head), failed)
            else:
                apply = partial(self._apply, self.gate.open_part(events), self._passed)
                done = await self.attempts.make(apply, failed)
                if not isinstance(self._effect, QueryEffect):  # which knows better
                    await self.letters.passed(range(head.seq, self.standing.position + 1))
                self._note_success(events, began_at)
            if not done:
                return False
            if self.standing.is_due:
                await self.standing.save_meanwhile()
            events = events[self._count_done(events) :]
        return True

    def _note_success(self, events: Sequence[QueuedEvent], began_at: float) -> None:
        """Note which events have taken effect."""
        count = self._count_done(events)
        if count:
            self.timeline.succeeded(events[0].seq, events[count - 1], began_at, count)

    def _count_done(self, events: Sequence[QueuedEvent]) -> int:
        """How many of some events, the first of them, it is done with."""
        return bisect_right(events, self.standing.position, key=_SEQ)

    async def _note_failure(
        self, events: Sequence[QueuedEvent], began_at: float, failure: Failure
    ) -> None:
        """Note a failure of the first event that is not done."""
        position = self.standing.position
        head = next(queued for queued in events if queued.seq > position)
        self.timeline.failed(head.seq, began_at, failure.error, failure.traceback)
        await self.attempts.note(head, failure)

    def _passed(self, last: QueuedEvent, count: int = 1) -> bool:
        """Hear that events have taken effect; tells whether there is something more urgent."""
        failpoints.hit(failpoints.AFTER_EFFECT)
        self.standing.passed(last, count)
        self.activity.on_progress()
        return self.called_away or self.standing.is_due

    async def _pass_over(self, head: QueuedEvent) -> None:
        """Be done with an event that was given up."""
        await self._effect.jump(head.place)
        await self.standing.skipped(head)

    async def _hold_backfill(self, failure: Failure) -> None:
        """Let a backfill that fails wait; the events do not wait for it."""
        if self._backfilling is not None:
            self._backfilling.hold(failure, self.backoff.wait(1))

    async def _redo(self, letter: DeadLetter) -> None:
        """Try once more what was given up, or could not be done at first."""

        async def failed(failure: Failure) -> None:
            if letter.id in self.letters:  # and has not been discarded meanwhile
                await self.letters.failed(letter.target, letter.event, failure)

        done = await self.attempts.make(partial(self._effect.redo, letter), failed)
        if done:
            failpoints.hit(failpoints.AFTER_REDO)
            await self.letters.drop(letter.id)

    async def _rest(self) -> None:
        """Do nothing until something happens."""
        is_paused = bool(self.standing.record.paused)
        error = self._backfilling.error if self._backfilling is not None else None
        is_backing_off = error is not None or self.letters.next_retry is not None
        self.activity.enter("backing-off" if is_backing_off else "idle", error or "")
        if is_paused or self.standing.depth <= 0:
            await self.activity.rest(None if is_paused else self._next_wait)

    @property
    def _next_wait(self) -> float | None:
        """Seconds until there is something to do of which nobody will tell; None if never."""
        waits = [self._backfilling.wait] if self._backfilling is not None else []
        if self.letters.next_retry is not None:
            waits.append(max(self.letters.next_retry - time.time(), 0.0))
        return min((wait for wait in waits if wait is not None), default=None)
