"""Handlers: Python functions that are called with one event at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

from eventscope.app import HandlerOperator
from eventscope.event import Event
from eventscope.operators.session import Session
from eventscope.queue.base import QueuedEvent


class HandlerTimeout(Exception):
    """A handler took longer than its timeout."""


class HandlerEffect:
    """Applies events by calling the handler, with a transaction if it asks for one."""

    coalesces = False

    def __init__(
        self, operator: HandlerOperator, conninfo: str, on_wait: Callable[[int], None]
    ) -> None:
        self._operator = operator
        self._session = Session(conninfo, on_wait) if operator.takes_tx else None

    async def apply(self, events: Sequence[QueuedEvent]) -> None:
        """Call the handler with each event in turn.

        Raises:
            HandlerTimeout: it took too long. A handler that is awaited has been cancelled; one
                in a thread cannot be, and goes on unheard.
        """
        for queued in events:
            if self._session is None:
                await self._call(queued.event())
            else:
                after = (queued.transaction.xid,)
                async with self._session.transaction(after=after) as tx:
                    await self._call(queued.event(), tx=tx)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._session is not None:
            await self._session.close()

    async def _call(self, event: Event, **arguments: Any) -> None:
        function, timeout = self._operator.function, self._operator.timeout
        clock = asyncio.timeout(timeout)
        try:
            async with clock:
                if self._operator.is_async:
                    await function(event, **arguments)
                else:
                    await _in_thread(function, event)
        except TimeoutError as error:
            if not clock.expired():
                raise
            raise HandlerTimeout(f"no end after {timeout:g} s") from error


async def _in_thread(function: Callable[..., Any], event: Event) -> None:
    """Call a function in a thread that cannot keep the process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def finish(error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def work() -> None:
        error: BaseException | None = None
        try:
            function(event)
        except StopIteration as stopped:
            error = RuntimeError(f"the handler raised {stopped!r}")
        except BaseException as raised:
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, error)

    threading.Thread(target=work, name="eventscope handler", daemon=True).start()
    await done
