"""How far the operators have come in the write-ahead log, for whoever waits for it."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Final

from eventscope.app import EventScope
from eventscope.engine.process_status import ProcessStatuses
from eventscope.engine.reader import Reader
from eventscope.errors import DeclarationError, NotRunning
from eventscope.event import Lsn
from eventscope.operators.runner import Runner
from eventscope.queue.base import Queue
from eventscope.replication.assembly import Batch
from eventscope.replication.connection import Unreachable
from eventscope.replication.relations import Transaction

_LOOK: Final = 0.002
"""Seconds between two questions to the server how far it is, while somebody waits for that."""
_PATIENCE: Final = 10
"""Looks after which the server is made to write to disk what it has not yet."""
_RARELY: Final = 500
"""Looks after which it is so again: the token may be one that nobody has given."""
_MOST: Final = 10_000
"""Transactions that are told apart."""


class EngineProgress:
    """Knows by their places in the log which commits operators have applied.

    Its public methods may be called from any thread.
    """

    def __init__(
        self, app: EventScope, queue: Queue, reader: Reader, runners: dict[str, Runner]
    ) -> None:
        self.statuses = ProcessStatuses(app.entities, queue, list(runners.values()))
        self._app = app
        self._queue = queue
        self._reader = reader
        self._runners = runners
        self._loop = asyncio.get_running_loop()
        self._ends: list[tuple[int, Lsn]] = []
        """The last event and the end of each transaction that somebody has still to apply."""
        self._before = queue.last_seq
        """What has to be applied of transactions before those, which are not told apart."""
        self._announced = queue.last.end_lsn if queue.last is not None else Lsn(0)
        """The end of the last transaction that operators have heard of."""
        self._seen = Lsn(0)
        self._waits: set[asyncio.Event] = set()
        self._ahead: dict[asyncio.Event, Lsn] = {}
        """The waits for what has not come yet."""
        self._asked = asyncio.Event()
        self._has_ended = False

    async def open(self) -> None:
        """Let the application ask."""
        for runner in self._runners.values():
            runner.activity.on_progress = self._tell
        await self.statuses.load()
        self._app.progress = self

    def close(self) -> None:
        """End every wait; idempotent."""
        if self._app.progress is self:
            self._app.progress = None
        self._has_ended = True
        self._tell()
        self.statuses.close()

    def announce(self, batch: Batch) -> None:
        """Hear of new visible transactions."""
        self._extend(batch.transactions)
        if batch.transactions:
            self._announced = batch.transactions[-1].end_lsn
            self.statuses.announce(batch.counts, batch.transactions[0].first_seq)
        self._tell()

    async def wait_for(self, lsn: Lsn, operator: str | None, timeout: float | None) -> None:
        """Wait until operators have applied what was committed before ``lsn``."""
        if operator is not None and operator not in self._runners:
            known = ", ".join(self._runners) or "none"
            raise DeclarationError(f"there is no operator {operator!r}; there are: {known}")
        try:
            async with asyncio.timeout(timeout):
                if asyncio.get_running_loop() is self._loop:
                    await self._wait(lsn, operator)
                else:
                    waiting = self._wait(lsn, operator)
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(waiting, self._loop))
        except TimeoutError:
            raise TimeoutError(
                f"not applied within {timeout:g} s: {self._awaited(lsn, operator)}"
            ) from None

    def processed(self, lsn: Lsn) -> bool:
        """Whether every operator has applied what was committed before ``lsn``."""
        if lsn > self._seen_now():
            self._loop.call_soon_threadsafe(self._reader.ask)  # for whoever asks again
            return False
        return self._is_applied(lsn, self._runners.values())

    def processed_until(self, entity: str) -> int | None:
        """The latest ``updated_at`` of an entity's processed rows, in microseconds since 1970."""
        return self.statuses[entity]

    async def run(self) -> None:
        """Ask the server how far it is for as long as somebody waits for it; until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            looks = 0
            while max(self._ahead.values(), default=0) > self._seen_now():
                looks += 1
                if looks == _PATIENCE or looks % _RARELY == 0:
                    with suppress(Unreachable):
                        await self._reader.server_position()
                self._reader.ask()
                await asyncio.sleep(_LOOK)
            self._tell()

    async def _wait(self, lsn: Lsn, operator: str | None) -> None:
        runners, moved = self._waited_for(operator), asyncio.Event()
        self._waits.add(moved)
        try:
            while not (lsn <= self._seen_now() and self._is_applied(lsn, runners)):
                self._check_running()
                if lsn > self._seen:
                    self._ahead[moved] = lsn
                    self._asked.set()
                else:
                    self._ahead.pop(moved, None)
                moved.clear()
                await moved.wait()
            if operator is None:
                await self.statuses.reach(self._last_before(lsn))
                self._check_running()
        finally:
            self._waits.discard(moved)
            self._ahead.pop(moved, None)

    def _waited_for(self, operator: str | None) -> Collection[Runner]:
        return self._runners.values() if operator is None else [self._runners[operator]]

    def _awaited(self, lsn: Lsn, operator: str | None) -> str:
        """What a wait for ``lsn`` still waits for, in words."""
        seen = self._seen_now()
        if lsn > seen:
            return (
                f"the stream ({self._reader.state}) has come to {seen}, and the token stands for "
                f"{lsn}; one of another server means nothing here"
            )
        runners = self._waited_for(operator)
        late = [one for one in runners if one.done < self._last_before(lsn)]
        states = [f"operator {one.operator.name!r} is {one.state}" for one in late]
        return ", ".join(states) or "it has been meanwhile"

    def _check_running(self) -> None:
        if self._has_ended:
            raise NotRunning(f"application {self._app.name!r} has ended meanwhile")

    def _is_applied(self, lsn: Lsn, runners: Iterable[Runner]) -> bool:
        last = self._last_before(lsn)
        return all(runner.done >= last for runner in runners)

    def _last_before(self, lsn: Lsn) -> int:
        """The last event of the transactions that ended at ``lsn`` or before."""
        ends = self._ends
        place = bisect_right(ends, lsn, key=lambda end: end[1])
        return ends[place - 1][0] if place else self._before

    def _seen_now(self) -> Lsn:
        """Where all that ended before is in the queue; a lost connection takes nothing back.

        What is in the queue, and of which operators have not heard yet, does not count: another
        thread may ask in between.
        """
        announced, seen, last = self._announced, self._reader.seen, self._queue.last
        if last is not None and last.end_lsn > announced:
            seen = min(seen, announced)
        self._seen = max(self._seen, seen)
        return self._seen

    def _extend(self, transactions: Iterable[Transaction]) -> None:
        ends = self._ends
        done = min((runner.done for runner in self._runners.values()), default=self._before)
        gone = bisect_right(ends, done, key=lambda end: end[0])
        if len(ends) > _MOST:
            gone = max(gone, _MOST // 2)
        if gone:
            self._before = max(self._before, ends[gone - 1][0])
        # another list, as somebody may be reading this one in another thread
        self._ends = [*ends[gone:], *((one.last_seq, one.end_lsn) for one in transactions)]

    def _tell(self) -> None:
        for wait in self._waits:
            wait.set()
        self.statuses.tell()
