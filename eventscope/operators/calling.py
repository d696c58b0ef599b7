"""Calling a user's function: awaited or in a thread, and never for longer than it may take."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from types import FrameType
from typing import Any, Final

from eventscope.declaration import HandlerOperator

GRACE: Final = 2.0
"""Seconds that a handler has for its end once it has been cancelled."""

LEAVE: Final = "eventscope leaves this call where it is"
"""The message of a second cancellation, for a task whose handler has hidden the first."""


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
            HandlerTimeout: it took too long. A function that is awaited has been cancelled, and
                left where it was if it did not end then; one in a thread cannot be, and goes on
                unheard.
            HandlerEscaped: it raised what is not about its event.
        """
        rest: _Rest | None = None
        try:
            running = self._call(argument, **more)
            try:
                waited = running.send(None)
            except StopIteration:
                return False
            self.on_wait()
            rest = _Rest(running, waited, self._timeout)
            await rest
        except SystemExit as error:
            raise HandlerEscaped(error) from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            if rest is not None and rest.expired:
                raise self._timed_out(rest) from error
            raise HandlerEscaped(error) from error
        if rest.expired:  # and it has hidden that it was cancelled
            raise self._timed_out(rest)
        return True

    def _timed_out(self, rest: _Rest) -> HandlerTimeout:
        timeout = HandlerTimeout(f"no end after {self._timeout:g} s")
        if rest.left_at:
            timeout.add_note(f"It did not end when it was cancelled, and was left:\n{rest.left_at}")
        elif self._thread is not None:
            timeout.add_note(f"It still runs, and is here:\n{_stack(self._thread)}")
        return timeout

    async def _in_thread(self, argument: Any) -> None:
        """Call the function in a thread that cannot keep the process from ending."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        work = partial(copy_context().run, _work, self._function, argument, done)
        self._thread = threading.Thread(target=work, name="eventscope handler", daemon=True)
        self._thread.start()
        result = await done
        if inspect.isawaitable(result):  # a coroutine function in some wrapping
            self._thread = None
            await result


def _nobody_cares() -> None:
    """Nobody wants to know."""


class _Rest:
    """What is left of a coroutine that has been run up to its first wait.

    When its time is over, or the task that awaits it is cancelled, so is the coroutine. If it has
    not ended ``GRACE`` seconds after its time, or when the task is cancelled with the message
    ``LEAVE``, it is closed, and not waited for whatever it makes of that.

    Args:
        coroutine: what is left.
        waited: what it waits for.
        time: seconds that it has.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None], waited: Any, time: float) -> None:
        self.left_at = ""
        """The stack of a coroutine that was closed."""
        self._coroutine = coroutine
        self._waited = waited
        self._time = time
        self._clock: asyncio.TimerHandle
        self._cancellations = 0
        """Of ours."""

    @property
    def expired(self) -> bool:
        """Whether it has been cancelled as its time was over."""
        return self._cancellations > 0

    def __await__(self) -> Generator[Any, Any, None]:
        step: Callable[[Any], Any]
        task, waited = asyncio.current_task(), self._waited
        if task is None:
            raise RuntimeError("a handler is called in a task")
        self._clock = asyncio.get_running_loop().call_later(self._time, self._expire, task)
        try:
            while True:
                try:
                    answer = yield waited
                except BaseException as error:
                    if error.args == (LEAVE,):
                        self._leave()
                        raise
                    step, answer = self._coroutine.throw, error
                else:
                    step = self._coroutine.send
                try:
                    waited = step(answer)
                except StopIteration:
                    return
        finally:
            self._clock.cancel()
            for _ in range(self._cancellations):
                task.uncancel()

    def _expire(self, task: asyncio.Task[Any]) -> None:
        self._cancellations += 1
        if self._cancellations == 1:
            self._clock = task.get_loop().call_later(GRACE, self._expire, task)
            task.cancel()
        else:
            task.cancel(LEAVE)

    def _leave(self) -> None:
        self.left_at = _stack_of(self._coroutine)
        with suppress(RuntimeError):  # it refuses even that
            self._coroutine.close()


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


def _stack_of(coroutine: Any) -> str:
    """Where a coroutine waits: its own frame, then those of what it awaits."""
    frames: list[tuple[FrameType, int]] = []
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        frames.append((frame, frame.f_lineno))
        coroutine = coroutine.cr_await
    return "".join(traceback.StackSummary.extract(iter(frames)).format()).rstrip()
