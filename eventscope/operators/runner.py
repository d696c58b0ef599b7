"""One operator's loop: read, apply, advance, back off. Each operator has its own position."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from eventscope import failpoints
from eventscope.app import Operator
from eventscope.operators.backoff import Backoff
from eventscope.operators.effect import Effect
from eventscope.operators.failures import ErrorLogger, Report, RetryStatus
from eventscope.operators.session import ConnectionLost
from eventscope.operators.state import OperatorState
from eventscope.queue.base import Queue
from eventscope.queue.event import QueuedEvent
from eventscope.replication.assembly import Counts
from eventscope.replication.pgoutput import EVENT_TYPE_OF
from eventscope.replication.relations import Relation

_log = structlog.get_logger("eventscope.operators")

_READ: Final = 500
"""Events read from the queue at once."""

_SAVE_INTERVAL: Final = 0.02
"""Seconds of work after which the position is made durable: what a crash may bring again."""

_RECONNECT_WAITS: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)


class Runner:
    """Feeds one operator with its events, in order, and holds its state."""

    def __init__(
        self, operator: Operator, queue: Queue, backoff: Backoff, error_logger: ErrorLogger
    ) -> None:
        self.operator = operator
        self.depth = 0
        """Queued events that the operator will still see."""
        self.attempts = 0
        """Failed attempts at the current event."""
        self.next_retry: float | None = None
        self.error: str | None = None
        self.traceback: str | None = None
        self.applied = 0
        self.failed = 0
        self.detail = ""
        self.backoff = backoff
        self._kinds = {kind for kind, type in EVENT_TYPE_OF.items() if type in operator.events}
        self._queue = queue
        self._error_logger = error_logger
        self._effect: Effect | None = None
        self._position = 0
        self._saved_at = time.monotonic()
        self._saving: asyncio.Task[None] | None = None
        self._phase: OperatorState = "idle"
        self._paused = False
        self._stopping = False
        self._nudge = asyncio.Event()
        self._retry_now = False

    @property
    def state(self) -> OperatorState:
        """The operator's state in one word."""
        if self._paused and self._phase != "running":
            return "paused"
        return self._phase

    @property
    def paused(self) -> bool:
        """Whether a person holds it, perhaps after the event it is at."""
        return self._paused

    @property
    def settled(self) -> bool:
        """Whether there is nothing that it could do now."""
        return self.depth == 0 and self._phase == "idle"

    async def start(self, effect: Effect) -> None:
        """Take up the position that the queue has for this operator."""
        self._effect = effect
        self._position = await self._queue.position(self.operator.name)
        self.depth = self._wanted(await self._queue.counts(self._position))

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

    def pause(self) -> None:
        """Hold after the current event."""
        self._paused = True
        self._nudge.set()

    def resume(self) -> None:
        """Go on."""
        self._paused = False
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
        """Work until stopped."""
        while not self._stopping:
            if self._paused or self.depth == 0:
                await self._rest()
                continue
            visible = self._queue.last_seq
            relations = [v for v, r in self._queue.relations.items() if self._follows(r)]
            events = await self._queue.read(self._position, relations, _READ)
            passed = await self._pass_all(events)
            if passed and len(events) < _READ:
                self._position = max(self._position, visible)
            more = passed and self.depth > 0 and not (self._paused or self._stopping)
            if not more:
                await self.save()

    async def save(self) -> None:
        """Make the position durable."""
        if self.settled:
            self._position = max(self._position, self._queue.last_seq)
        await self._queue.advance(self.operator.name, self._position)
        self._saved_at = time.monotonic()

    async def _save_meanwhile(self) -> None:
        """Save while work goes on; a write that waits for an append holds nothing up."""
        self._saved_at = time.monotonic()
        if self._saving is None or self._saving.done():
            if self._saving is not None:
                self._saving.result()
            self._saving = asyncio.create_task(self.save())
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Release everything."""
        if self._saving is not None:
            await asyncio.gather(self._saving, return_exceptions=True)
        if self._effect is not None:
            await self._effect.close()

    def _due(self) -> bool:
        return time.monotonic() - self._saved_at > _SAVE_INTERVAL

    async def _pass_all(self, events: Sequence[QueuedEvent]) -> bool:
        """Apply events, together if that works; False if not all were done with."""
        if await self._apply_together(events):
            return True
        for queued in events:
            if self._wants(queued):
                if not await self._apply(queued):
                    return False
                self.depth -= 1
                self.applied += 1
            self._position = queued.seq
            if self._due():
                await self._save_meanwhile()
        return True

    async def _apply_together(self, events: Sequence[QueuedEvent]) -> bool:
        """Apply events at once where the effect allows; False if it does not, or failed.

        A failure is not told of: one by one, the events show which of them it is.
        """
        wanted = [queued for queued in events if self._wants(queued)]
        if self._effect is None or not self._effect.coalesces or len(wanted) < 2:
            return False
        self._enter("running")
        try:
            await self._effect.apply(wanted)
        except Exception:
            return False
        failpoints.hit(failpoints.AFTER_EFFECT)
        self.depth -= len(wanted)
        self.applied += len(wanted)
        self._position = events[-1].seq
        return True

    async def _apply(self, queued: QueuedEvent) -> bool:
        """Try until it succeeds; False if stopped before that."""
        lost = 0
        self.attempts = 0
        while True:
            while self._paused and not self._stopping:
                await self._rest()
            if self._stopping:
                return False
            self._enter("running")
            try:
                if self._effect is not None:
                    await self._effect.apply([queued])
                    failpoints.hit(failpoints.AFTER_EFFECT)
            except ConnectionLost as error:
                self._enter("waiting", f"the database: {error}")
                await self._sleep(_RECONNECT_WAITS[min(lost, len(_RECONNECT_WAITS) - 1)])
                lost += 1
            except Exception as error:
                await self._fail(queued, error)
            else:
                self.attempts = 0
                self.error = self.traceback = None
                return True

    async def _fail(self, queued: QueuedEvent, error: Exception) -> None:
        """Note a failed attempt, and wait for the time of the next one."""
        self.failed += 1
        self.attempts += 1
        self.error = " ".join(f"{type(error).__name__}: {error}".split())
        self.traceback = "".join(traceback.format_exception(error))
        if self.attempts > self.backoff.retries:
            self._tell(self._error_logger.on_failed, queued, error, 0)
            self._enter("halted", f"failed {self.attempts} times, waits for a retry")
            await self._sleep(None)
            self.attempts = 0
        else:
            wait = self.backoff.wait(self.attempts)
            self._tell(self._error_logger.on_retry, queued, error, wait)
            self._enter("backing-off")
            self.next_retry = time.time() + wait
            await self._sleep(wait)
            self.next_retry = None

    def _tell(self, report: Report, queued: QueuedEvent, error: Exception, wait: float) -> None:
        """Report a failed attempt; an error logger that fails itself changes nothing."""
        status = RetryStatus(self.attempts, self.backoff.retries, round(wait * 1000))
        try:
            report(self.operator.name, queued.event(), error, status)
        except Exception as failure:
            _log.error("the error logger failed", operator=self.operator.name, error=str(failure))

    async def _rest(self) -> None:
        """Do nothing until something happens."""
        self._enter("idle")
        self._nudge.clear()
        if not self._stopping and (self._paused or self.depth == 0):
            await self._nudge.wait()

    async def _sleep(self, seconds: float | None) -> None:
        """Wait, for ever if ``seconds`` is None, unless asked to retry or stop."""
        deadline = None if seconds is None else time.monotonic() + seconds
        self._retry_now = False
        while not (self._retry_now or self._stopping):
            self._nudge.clear()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self._nudge.wait()
            except TimeoutError:
                return

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
