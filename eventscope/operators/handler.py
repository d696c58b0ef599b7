"""Handlers: Python functions that are called with events, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from eventscope.declaration import HandlerOperator
from eventscope.operators.calling import Caller
from eventscope.operators.effect import Passed
from eventscope.operators.session import Session
from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.records import DeadLetter

_AT_ONCE: Final = 8
"""Events that a handler is given without a look at the clock, while it waits for nothing."""

Mark = Callable[[int], None]
"""Notes which event an operator is at, where that survives the process; 0 for none."""


@contextmanager
def marked(mark: Mark, queued: QueuedEvent) -> Iterator[None]:
    """Have an operator be known to be at one event."""
    try:
        mark(queued.seq)
        yield
    finally:
        mark(0)


class HandlerEffect:
    """Calls a handler with one event after the other.

    Args:
        operator: the handler.
        mark: is told of each event before the handler is.
    """

    def __init__(self, operator: HandlerOperator, mark: Mark) -> None:
        self._call = Caller(operator)
        self._mark = mark

    async def apply(self, events: Sequence[QueuedEvent], passed: Passed) -> None:
        """Call the handler with each event in turn.

        While it waits for nothing, nobody can ask for anything, so that several are told at once.
        """
        call, mark = self._call, self._mark
        last, untold = events[0], 0

        def tell() -> None:
            """Before a call that waits, however long, nobody is to wait for those before it."""
            nonlocal untold
            if untold:
                count, untold = untold, 0
                passed(last, count)

        call.on_wait = tell
        try:
            for queued in events:
                mark(queued.seq)
                waited = await call(queued.event())
                last, untold = queued, untold + 1
                if waited or untold == _AT_ONCE:
                    is_enough, untold = passed(queued, untold), 0
                    if is_enough:
                        break
        finally:
            mark(0)
            tell()

    async def redo(self, letter: DeadLetter) -> None:
        """Call the handler with an event that was given up."""
        with marked(self._mark, letter.event):
            await self._call(letter.event.event())

    async def jump(self, place: Place) -> None:
        """Nothing is noted anywhere but in the queue."""

    async def close(self) -> None:
        """Nothing is held open."""


class TransactionEffect:
    """Calls a handler with one event after the other, each in a transaction of its own.

    Args:
        operator: the handler, which takes ``tx``.
        session: whose transactions move the operator in the ledger.
        mark: is told of each event before the handler is.
    """

    def __init__(self, operator: HandlerOperator, session: Session, mark: Mark) -> None:
        self._call = Caller(operator)
        self._session = session
        self._mark = mark

    async def apply(self, events: Sequence[QueuedEvent], passed: Passed) -> None:
        """Call the handler with each event in turn, and commit what it has written."""
        try:
            for queued in events:
                self._mark(queued.seq)
                async with self._session.transaction([queued], queued.place) as tx:
                    await self._call(queued.event(), tx=tx)
                if passed(queued, 1):
                    break
        finally:
            self._mark(0)

    async def redo(self, letter: DeadLetter) -> None:
        """Call the handler with an event that was given up, and commit that it was."""
        event = letter.event.event()
        with marked(self._mark, letter.event):
            async with self._session.transaction([letter.event], redone=event.id) as tx:
                await self._call(event, tx=tx)

    async def jump(self, place: Place) -> None:
        """Stand elsewhere in the ledger."""
        await self._session.jump(place)

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()
