"""The signals that end a command in order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Final

OK: Final = 0
INTERRUPTED: Final = 130


class Signals:
    """Ctrl-C, SIGTERM and SIGHUP, from now on; the second one ends the process at once.

    It does so also while something blocks the event loop, by which signals are heeded in order.
    SIGHUP is a terminal that has been closed: what is still said then is lost, and no error. It is
    left ignored where it is, as ``nohup`` wants it.
    """

    def __init__(self) -> None:
        self._came = asyncio.Event()
        self._code: int | None = None
        self._loop = asyncio.get_running_loop()
        self._before = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        }
        self._terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]
        self._before[signal.SIGINT] = signal.default_int_handler  # and not that of the loop

    @property
    def came(self) -> bool:
        """Whether one has come."""
        return self._code is not None

    async def wait(self) -> int:
        """Wait for a signal; returns the exit code that it asks for."""
        await self._came.wait()
        return self._code or OK

    def _on_signal(self, number: int, _: object) -> None:
        if self._loop.is_closed():  # the work is done: what comes now is for whoever goes on
            signal.signal(number, self._before[signal.Signals(number)])
            signal.raise_signal(number)
            return
        if self._code is not None:
            os._exit(INTERRUPTED)
        if number == signal.SIGHUP:
            _lose_output(self._terminals)
        self._code = INTERRUPTED if number == signal.SIGINT else OK
        with suppress(RuntimeError):  # the loop has just been closed
            self._loop.call_soon_threadsafe(self._came.set)


def _lose_output(terminals: Iterable[int]) -> None:
    """Have what is written to terminals that are gone go nowhere, and raise nothing."""
    gone = [descriptor for descriptor in terminals if not os.isatty(descriptor)]
    if not gone:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for descriptor in gone:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


async def first(*works: Awaitable[int | None]) -> int:
    """The result of what ends first; the others are cancelled, and have ended then."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return next(iter(done)).result() or OK
