"""The attempts of one operator, and what comes after one that has failed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from eventscope.declaration import HandlerOperator, Operator
from eventscope.operators.activity import Activity
from eventscope.operators.backoff import Backoff
from eventscope.operators.failure import Failure, Reports
from eventscope.operators.letters import Letters
from eventscope.operators.offsets import Moved
from eventscope.operators.session import ConnectionLost
from eventscope.operators.standing import Standing
from eventscope.queue.base import QueueError
from eventscope.queue.event import Place, QueuedEvent
from eventscope.replication.connection import SourceError

_RECONNECT_WAITS: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)

Work = Callable[[], Awaitable[None]]
Failed = Callable[[Failure], Awaitable[None]]


class Attempts:
    """Makes attempts, notes failures, and waits between them.

    Args:
        operator: says what happens when no retry is left.
        standing: keeps what is known of the failure at hand.
        activity: tells what is waited for.
        backoff: how long to wait after a failure, and how often.
        reports: is told of failures.
        letters: what the operator gave up.
    """

    def __init__(
        self,
        operator: Operator,
        standing: Standing,
        activity: Activity,
        backoff: Backoff,
        reports: Reports,
        letters: Letters,
    ) -> None:
        self.failed = 0
        """Failed attempts since the start."""
        self._lost = 0
        """Attempts in a row that could not reach the database."""
        self._operator = operator
        self._standing = standing
        self._activity = activity
        self._backoff = backoff
        self._reports = reports
        self._letters = letters

    async def make(self, work: Work, failed: Failed) -> bool:
        """Do some work; False if it is not done, and then what is left of it is to be looked up.

        Raises:
            SourceError: another instance has taken over, or the ledger is not as we left it.
            QueueError: the queue cannot be used any more.
        """
        if self._activity.is_held:
            return False
        self._activity.enter("running")
        try:
            await work()
        except ConnectionLost as error:
            # not again at once: some of the work may be done
            self._activity.enter("waiting", f"the database: {error}")
            wait = _RECONNECT_WAITS[min(self._lost, len(_RECONNECT_WAITS) - 1)]
            self._lost += 1
            await self._activity.sleep(wait)
            return False
        except Moved as moved:
            await self.take_up(moved.place, moved.redone)
            return False
        except (SourceError, QueueError):
            raise
        except Exception as error:
            self.failed += 1
            await failed(self._reports.failure(error))
            return False
        self._lost = 0
        return True

    async def take_up(self, place: Place, redone: str) -> None:
        """Stand where the ledger says, without the letters of what it says was done.

        Those are the one that was tried again, and those of events that were replayed.
        """
        standing, record = self._standing, self._standing.record
        first = standing.position + 1
        await self._letters.redone(redone)
        await standing.take_up(place)
        if isinstance(self._operator, HandlerOperator) and record.replay_to is not None:
            end = min(standing.position, record.replay_to) + 1
            if record.skip is not None:  # which is a letter, and the last that can have been met
                end = min(end, record.skip)
            await self._letters.passed(range(first, end))

    async def turn_of(self, head: QueuedEvent) -> bool:
        """Wait until an event may be tried; False if something else is to be done first."""
        record, activity = self._standing.record, self._activity
        if record.failed_seq == head.seq != record.skip:
            if record.halted:
                activity.enter("halted", f"failed {record.attempts} times, waits for a retry")
                if await activity.sleep(None):
                    await self._standing.note(halted=False, attempts=0)
            elif record.next_retry is not None:
                activity.enter("backing-off")
                # the clock may have been set back meanwhile
                await activity.sleep(
                    min(record.next_retry - time.time(), self._backoff.longest * 1.1)
                )
                self._standing.record = replace(self._standing.record, next_retry=None)
        return not (activity.is_held or self._standing.record.rewind_to is not None)

    async def note(self, head: QueuedEvent, failure: Failure) -> None:
        """Keep what is known of a failed attempt at an event, and decide what comes after it."""
        record = self._standing.record
        attempts = record.attempts + 1 if record.failed_seq == head.seq else 1
        after: dict[str, Any] = {"next_retry": None}
        if attempts <= self._backoff.retries:
            wait = self._backoff.wait(attempts)
            self._reports.retry(head, failure, attempts, wait)
            after["next_retry"] = time.time() + wait
        elif isinstance(self._operator, HandlerOperator) and self._operator.on_failure != "halt":
            await self._letters.give_up(None, head, failure, attempts)
            after["skip"] = head.seq
        else:
            self._reports.failed(head, failure, attempts)
            after["halted"] = True
        await self._standing.note(
            failed_seq=head.seq,
            attempts=attempts,
            error=failure.error,
            traceback=failure.traceback,
            **after,
        )

    async def retreat(self, failure: Failure) -> None:
        """Wait before what is about no event is tried again."""
        self._activity.enter("backing-off", failure.error)
        await self._activity.sleep(self._backoff.wait(1))
