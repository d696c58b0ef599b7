"""Handlers: Python functions that are called with one event at a time."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from typing import Any

from eventscope.app import HandlerOperator
from eventscope.event import Event
from eventscope.operators.effect import Passed
from eventscope.operators.offsets import place_of
from eventscope.operators.session import Session
from eventscope.queue.base import Place
from eventscope.queue.event import QueuedEvent
from eventscope.queue.records import DeadLetter


class HandlerTimeout(Exception):
    """A handler took longer than its timeout."""


class HandlerEscaped(Exception):
    """A handler raised what would have ended the program, or its task, instead of the event."""

    def __init__(self, raised: BaseException) -> None:
        super().__init__(f"the handler raised {raised!r}")


class HandlerEffect:
    """Applies events by calling the handler, with a transaction if it asks for one.

    Args:
        operator: the handler.
        session: for its transactions; None if it asks for none.
        mark: notes which event it is at, where that survives the process.
    """

    def __init__(
        self, operator: HandlerOperator, session: Session | None, mark: Callable[[int], None]
    ) -> None:
        self._operator = operator
        self._is_async = operator.is_async
        self._session = session
        self._mark = mark

    async def apply(self, events: Sequence[QueuedEvent], passed: Passed) -> None:
        """Call the handler with each event in turn.

        Raises:
            HandlerTimeout: it took too long. A handler that is awaited has been cancelled; one
                in a thread cannot be, and goes on unheard.
        """
        mark, session = self._mark, self._session
        try:
            for queued in events:
                mark(queued.seq)
                if session is None:
                    await self._call(queued.event())
                else:
                    after, place = (queued.transaction.xid,), place_of(queued)
                    async with session.transaction(after, place) as tx:
                        await self._call(queued.event(), tx=tx)
                if passed(queued, 1):
                    break
        finally:
            mark(0)

    async def redo(self, letter: DeadLetter) -> None:
        """Call the handler with an event that was given up."""
        if self._session is None:
            await self._call(letter.event.event())
        else:
            async with self._session.transaction((letter.event.transaction.xid,)) as tx:
                await self._call(letter.event.event(), tx=tx)

    async def jump(self, place: Place) -> None:
        """Stand elsewhere in the ledger."""
        if self._session is not None:
            await self._session.jump(place)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._session is not None:
            await self._session.close()

    async def _call(self, event: Event, **arguments: Any) -> None:
        """Call the handler; its time runs from the first thing that it waits for.

        To set a clock for each event costs more than a handler that waits for nothing.
        """
        clock: asyncio.Timeout | None = None
        call = self._operator.function if self._is_async else self._call_plain
        try:
            running = call(event, **arguments)
            try:
                waited = running.send(None)
            except StopIteration:
                return
            clock = asyncio.timeout(self._operator.timeout)
            async with clock:
                await _Begun(running, waited)
        except TimeoutError as error:
            if clock is None or not clock.expired():
                raise
            raise HandlerTimeout(f"no end after {self._operator.timeout:g} s") from error
        except SystemExit as error:
            raise HandlerEscaped(error) from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise HandlerEscaped(error) from error

    async def _call_plain(self, event: Event) -> None:
        result = await _in_thread(self._operator.function, event)
        if inspect.isawaitable(result):  # a coroutine function in some wrapping
            await result


class _Begun:
    """The rest of a coroutine that has been run up to its first wait."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waited: Any) -> None:
        self._coroutine = coroutine
        self._waited = waited

    def __await__(self) -> Generator[Any, Any, None]:
        step: Callable[[Any], Any]
        waited = self._waited
        while True:
            try:
                answer = yield waited
            except BaseException as error:
                step, answer = self._coroutine.throw, error
            else:
                step = self._coroutine.send
            try:
                waited = step(answer)
            except StopIteration:
                return


async def _in_thread(function: Callable[..., Any], event: Event) -> Any:
    """Call a function in a thread that cannot keep the process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def finish(result: Any, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def work() -> None:
        result: Any = None
        error: Exception | None = None
        try:
            result = function(event)
        except StopIteration as raised:  # which no future takes
            error = HandlerEscaped(raised)
        except Exception as raised:
            error = raised
        except BaseException as raised:
            error = HandlerEscaped(raised)
        with suppress(RuntimeError):  # the loop has been closed, and nobody waits any more
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=work, name="eventscope handler", daemon=True).start()
    return await done
