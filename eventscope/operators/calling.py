"""Calling a user's function: awaited or in a thread, and never for longer than it may take."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from functools import partial
from typing import Any

from eventscope.declaration import HandlerOperator


class HandlerTimeout(Exception):
    """A handler took longer than its timeout."""


class HandlerEscaped(Exception):
    """A handler raised what would have ended the program, or its task, instead of the event."""

    def __init__(self, raised: BaseException) -> None:
        super().__init__(f"the handler raised {raised!r}")


class Caller:
    """Calls an operator's function.

    Args:
        operator: whose function, and how long a call may take.
    """

    def __init__(self, operator: HandlerOperator) -> None:
        self._function = operator.function
        self._timeout = operator.timeout
        self._thread: threading.Thread | None = None
        """Where the last call runs or has run, if not in the event loop."""
        self._call = operator.function if operator.is_async else self._in_thread
        self.on_wait: Callable[[], None] = _nobody_cares
        """Called before a call first waits for something."""

    async def __call__(self, argument: Any, **more: Any) -> bool:
        """Call the function; its time runs from the first thing that it waits for.

        Returns whether it waited for anything.

        To set a clock for each event costs more than a handler that waits for nothing.

        Raises:
            HandlerTimeout: it took too long. A function that is awaited has been cancelled; one
                in a thread cannot be, and goes on unheard.
            HandlerEscaped: it raised what is not about its event.
        """
        clock: asyncio.Timeout | None = None
        try:
            running = self._call(argument, **more)
            try:
                waited = running.send(None)
            except StopIteration:
                return False
            self.on_wait()
            clock = asyncio.timeout(self._timeout)
            async with clock:
                await _Begun(running, waited)
            return True
        except TimeoutError as error:
            if clock is None or not clock.expired():
                raise
            timeout = HandlerTimeout(f"no end after {self._timeout:g} s")
            if self._thread is not None:
                timeout.add_note(f"It still runs, and is here:\n{_stack(self._thread)}")
            raise timeout from error
        except SystemExit as error:
            raise HandlerEscaped(error) from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise HandlerEscaped(error) from error

    async def _in_thread(self, argument: Any) -> None:
        """Call the function in a thread that cannot keep the process from ending."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        work = partial(_work, self._function, argument, done)
        self._thread = threading.Thread(target=work, name="eventscope handler", daemon=True)
        self._thread.start()
        result = await done
        if inspect.isawaitable(result):  # a coroutine function in some wrapping
            self._thread = None
            await result


def _nobody_cares() -> None:
    """Nobody wants to know."""


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


def _work(function: Callable[..., Any], argument: Any, done: asyncio.Future[Any]) -> None:
    """Call a function, and let whoever waits for ``done`` know of its outcome."""
    result: Any = None
    error: Exception | None = None
    try:
        result = function(argument)
    except StopIteration as raised:  # which no future takes
        error = HandlerEscaped(raised)
    except Exception as raised:
        error = raised
    except BaseException as raised:
        error = HandlerEscaped(raised)

    def finish() -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    with suppress(RuntimeError):  # the loop has been closed, and nobody waits any more
        done.get_loop().call_soon_threadsafe(finish)


def _stack(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return "".join(traceback.format_stack(frame)).rstrip() if frame is not None else "nowhere"
