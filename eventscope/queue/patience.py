"""Waiting until a queue file can be written again: its disk is full, or somebody has locked it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import structlog

from eventscope.queue.faults import Unwritable, writing

Result = TypeVar("Result")

_AGAIN: Final = 0.5
"""Seconds between two attempts."""

_log = structlog.get_logger("eventscope.queue")


class Patience:
    """Makes writes to a queue file, again and again if they must wait.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.seconds = 0.0
        """How long they wait before they fail."""
        self._path = path
        self._waiting: dict[object, str] = {}
        """By write: why it waits, and what helps."""

    @property
    def trouble(self) -> str:
        """Why a write waits, and what helps; empty if none does."""
        return next(iter(self._waiting.values()), "")

    async def write(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do work that does all or nothing.

        Raises:
            Unwritable: it could not be done in the time that it is to wait.
            QueueError: it cannot be done.
        """
        this = object()
        began = time.monotonic()
        try:
            while True:
                try:
                    with writing(self._path):
                        return await work()
                except Unwritable as error:
                    if time.monotonic() - began >= self.seconds:
                        raise
                    self._say(this, error)
                await asyncio.sleep(_AGAIN)
        finally:
            if self._waiting.pop(this, None) is not None and not self._waiting:
                _log.info(f"queue file {self._path}: nothing waits to be written any more")

    def _say(self, write: object, error: Unwritable) -> None:
        if not self._waiting:
            _log.warning(f"{error.fault}; nothing is lost: {error.cure}; until then it waits")
        self._waiting[write] = f"{error.fault}; {error.cure}"
