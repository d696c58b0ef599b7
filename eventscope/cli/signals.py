"""The signals that end a command in order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable
from typing import Final

OK: Final = 0
INTERRUPTED: Final = 130


class Signals:
    """Ctrl-C, SIGTERM and SIGHUP, from now on; the second one ends the process at once."""

    def __init__(self) -> None:
        self._came = asyncio.Event()
        self._code = OK
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._on_signal, OK)
        loop.add_signal_handler(signal.SIGHUP, self._on_signal, OK)
        loop.add_signal_handler(signal.SIGINT, self._on_signal, INTERRUPTED)

    async def wait(self) -> int:
        """Wait for a signal; returns the exit code that it asks for."""
        await self._came.wait()
        return self._code

    def _on_signal(self, code: int) -> None:
        if self._came.is_set():
            os._exit(INTERRUPTED)
        self._code = code
        self._came.set()


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
