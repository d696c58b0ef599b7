"""Handlers that are called with lists of events."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from eventscope.declaration import HandlerOperator
from eventscope.operators.calling import Caller
from eventscope.operators.effect import Passed
from eventscope.operators.handler import Mark, marked
from eventscope.operators.offsets import Moved
from eventscope.operators.session import ConnectionLost, Session
from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.records import DeadLetter
from eventscope.replication.connection import SourceError

_log = structlog.get_logger("eventscope.operators")


class ListEffect:
    """Calls a handler with up to ``batch`` events at once, in order.

    The events of a list that has failed come one by one at once, so that it is known which one
    fails: the failure of a list is nobody's.

    Args:
        operator: the handler.
        session: for its transactions; None if it takes none.
        mark: is told of the first event of each list before the handler is.
    """

    def __init__(self, operator: HandlerOperator, session: Session | None, mark: Mark) -> None:
        self._call = Caller(operator)
        self._size = operator.batch or 1
        self._session = session
        self._mark = mark
        self._name = operator.name
        self._singly = range(0)
        """The events of the last list that failed."""

    async def apply(self, events: Sequence[QueuedEvent], passed: Passed) -> None:
        """Call the handler with one list after the other."""
        start = 0
        try:
            while start < len(events):
                size = 1 if events[start].seq in self._singly else self._size
                part = events[start : start + size]
                self._mark(part[0].seq)
                try:
                    await self._apply(part)
                except (ConnectionLost, Moved, SourceError):
                    raise
                except Exception as error:
                    if len(part) == 1:
                        raise
                    self._singly = range(part[0].seq, part[-1].seq + 1)
                    _log.info(
                        f"a list of {len(part)} events failed, and comes one by one now",
                        operator=self._name,
                        error=type(error).__name__,
                    )
                    continue
                start += len(part)
                if passed(part[-1], len(part)):
                    break
        finally:
            self._mark(0)

    async def redo(self, letter: DeadLetter) -> None:
        """Call the handler with an event that was given up."""
        with marked(self._mark, letter.event):
            await self._apply([letter.event], redo=True)

    async def jump(self, place: Place) -> None:
        """Stand elsewhere in the ledger."""
        if self._session is not None:
            await self._session.jump(place)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._session is not None:
            await self._session.close()

    async def _apply(self, events: Sequence[QueuedEvent], *, redo: bool = False) -> None:
        heard = [queued.event() for queued in events]
        if self._session is None:
            await self._call(heard)
            return
        to, redone = (None, heard[0].id) if redo else (events[-1].place, "")
        async with self._session.transaction(events, to, redone=redone) as tx:
            await self._call(heard, tx=tx)
