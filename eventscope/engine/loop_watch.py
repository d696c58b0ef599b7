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


async def watch_loop() -> None:
    """Watch the running loop until cancelled; a thread looks whether it still turns."""
    end = threading.Event()
    loop, thread = asyncio.get_running_loop(), threading.get_ident()
    watcher = threading.Thread(
        target=_watch, args=(loop, thread, end), name="eventscope loop watch", daemon=True
    )
    watcher.start()
    try:
        await asyncio.Event().wait()
    finally:
        end.set()


def _watch(loop: asyncio.AbstractEventLoop, thread: int, end: threading.Event) -> None:
    turned = threading.Event()
    while not end.wait(_INTERVAL):
        turned.clear()
        began = time.monotonic()
        try:
            loop.call_soon_threadsafe(turned.set)
        except RuntimeError:  # closed
            return
        if not turned.wait(PATIENCE):
            holder = _holder(thread)
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
