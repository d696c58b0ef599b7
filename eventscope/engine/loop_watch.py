"""Watching the event loop: code that does not give way stops everything, feedback included."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import threading
import time
import traceback
from itertools import pairwise
from pathlib import Path
from typing import Final

import structlog

import eventscope
from eventscope.operators import calling, whereabouts

_log = structlog.get_logger("eventscope.loop")

PATIENCE: Final = 2.0
"""Seconds without a turn of the loop after which the code that holds it is named."""
_INTERVAL: Final = 1.0

_LIBRARIES: Final = tuple(
    str(path)
    for path in (
        Path(eventscope.__file__).parent,
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
    )
)


class LoopWatch:
    """Looks from a thread whether an event loop still turns."""

    def __init__(self) -> None:
        self._held_since: float | None = None

    @property
    def held(self) -> float:
        """Seconds for which the loop has not turned; 0 while it does. From any thread."""
        since = self._held_since
        return 0.0 if since is None else time.monotonic() - since

    async def run(self) -> None:
        """Watch the running loop until cancelled."""
        end = threading.Event()
        loop, thread = asyncio.get_running_loop(), threading.get_ident()
        watcher = threading.Thread(
            target=self._watch, args=(loop, thread, end), name="eventscope loop watch", daemon=True
        )
        watcher.start()
        try:
            await asyncio.Event().wait()
        finally:
            end.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int, end: threading.Event) -> None:
        turned = threading.Event()
        while not end.wait(_INTERVAL):
            turned.clear()
            began = time.monotonic()
            try:
                loop.call_soon_threadsafe(turned.set)
            except RuntimeError:  # closed
                return
            if not turned.wait(PATIENCE):
                self._held_since = began
                self._tell_until(turned, began, _holder(thread), end)
                self._held_since = None

    def _tell_until(
        self,
        turned: threading.Event,
        began: float,
        holder: traceback.FrameSummary | None,
        end: threading.Event,
    ) -> None:
        """Say who holds the loop, and when it turns again."""
        if holder is not None:  # else the whole process was away
            _log.warning(
                f"the event loop is held for more than {PATIENCE:g} s by {holder.name}"
                f" ({holder.filename}:{holder.lineno}): let it await, or declare a handler with"
                f" def instead of async def, so that it runs in a thread"
            )
        while not (turned.wait(_INTERVAL) or end.is_set()):
            pass
        if holder is not None:
            _log.info("the event loop turns again", seconds=round(time.monotonic() - began, 1))


def _holder(thread: int) -> traceback.FrameSummary | None:
    """The handler that a thread is in, or other code that is neither ours nor a library's."""
    frame = sys._current_frames().get(thread)
    stack = traceback.extract_stack(frame) if frame is not None else []
    ours = (calling.__file__, whereabouts.__file__)
    called = [to for by, to in pairwise(stack) if by.filename in ours and to.filename not in ours]
    foreign = [at for at in stack if not at.filename.startswith(_LIBRARIES)]
    return next(reversed(called or foreign), None)
