"""Standard output whose reader may be slow, or gone."""

from __future__ import annotations

import asyncio
import errno
import os
import queue
import select
import stat
import threading
from contextlib import suppress
from typing import Final

from eventscope.errors import EventScopeError

_GONE: Final = {errno.EPIPE, errno.EIO}
"""What a write meets when nobody reads any more: a closed pipe, a terminal that hung up."""


class OutputError(EventScopeError):
    """What was to be written finds no place; the message says why."""

    exit_code = 1


class OutputClosed(Exception):
    """Nobody reads any more."""


class Output:
    """Writes from a thread of its own, so that a reader who takes his time holds nothing up.

    The thread writes to the descriptor itself, past Python's buffers: it may still wait for the
    reader when the process ends.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="output", daemon=True).start()

    async def write(self, data: bytes) -> None:
        """Write everything.

        Raises:
            OutputClosed: nobody reads any more.
            OutputError: the disk is full, for one.
        """
        written = self._loop.create_future()
        self._jobs.put((data, written))
        try:
            await written
        except OSError as error:
            if error.errno in _GONE:
                raise OutputClosed from error
            raise OutputError(f"cannot write to standard output: {error.strerror}") from error

    async def closed(self) -> None:
        """Wait until nobody reads any more, as far as that can be told without writing."""
        closed = asyncio.Event()
        if not stat.S_ISFIFO(os.fstat(self._descriptor).st_mode):
            await closed.wait()
        # the writing end of a pipe becomes readable when the reading end is closed
        self._loop.add_reader(self._descriptor, closed.set)
        try:
            await closed.wait()
        finally:
            self._loop.remove_reader(self._descriptor)

    def _work(self) -> None:
        while True:
            data, written = self._jobs.get()
            error: OSError | None = None
            try:
                self._write(data)
            except OSError as raised:
                error = raised
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                self._loop.call_soon_threadsafe(_resolve, written, error)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # whoever shares the descriptor has made it so
                select.select([], [self._descriptor], [])


def _resolve(written: asyncio.Future[None], error: OSError | None) -> None:
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)
