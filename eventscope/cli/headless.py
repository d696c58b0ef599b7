"""Running an engine without a dashboard, and telling at the end how it went."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext, suppress
from typing import Final

import structlog

from eventscope.app import EventScope
from eventscope.cli.caught_up import Work, start_timed_out
from eventscope.cli.cures import cures
from eventscope.cli.report import Report
from eventscope.cli.signals import INTERRUPTED, OK, Signals, first
from eventscope.cli.summary import print_summary
from eventscope.engine import Engine, Snapshot
from eventscope.errors import EventScopeError
from eventscope.metrics.serving import serving
from eventscope.settings import Settings

FAILED: Final = 1
"""An operator halted, or has dead letters."""

_LOOK_AGAIN: Final = 1.0
_FULL_DISK: Final = 30.0
"""Seconds that a run with an end waits for a disk that is full: long enough for a neighbour's
temporary file, not for a person, whom nobody calls for a CI job."""
_log = structlog.get_logger("eventscope.cli")


async def run(
    app: EventScope,
    settings: Settings,
    work: Work | None = None,
    *,
    timeout: float | None = None,
    report: Report | None = None,
    is_told: bool = False,
    prints: AbstractContextManager[object] | None = None,
) -> int:
    """Run until ``work`` is done, or a signal comes; prints the summary as the last line.

    What comes to wait for a person is logged with what helps.

    SIGTERM drains: operators finish the event they are at. A second signal ends at once.
    Returns the exit code.

    Args:
        app: what to run.
        settings: how.
        work: what ends it by itself.
        timeout: seconds within which it must be up.
        report: is told how it went.
        is_told: whether who reads the errors has the log before his eyes, and so knows already
            what has ended the engine from within.
        prints: takes what is printed while it runs.

    Raises:
        EventScopeError: it or its metrics cannot start, or what has ended it, unless that is told.
    """
    began = time.monotonic()
    signals = Signals()
    engine = Engine(app, settings, patience=_FULL_DISK if work is not None else math.inf)
    told: set[str] = set()

    async def session() -> int:
        async with AsyncExitStack() as opened:
            try:
                async with asyncio.timeout(timeout) as limit:
                    await opened.enter_async_context(engine)
            except TimeoutError:
                if timeout is None or not limit.expired():
                    raise
                return start_timed_out(engine, timeout)
            if report is not None:
                report.watch(engine)
            works = [work(engine)] if work is not None else []
            return await first(engine.wait(), _watch(engine, told), *works)

    code = OK
    with serving(engine, settings), prints or nullcontext(), suppress(EventScopeError):
        running = asyncio.ensure_future(session())
        code = await first(signals.wait(), running)
    failure = engine.failure or (None if running.cancelled() else running.exception())
    if signals.came and work is not None and code == OK:
        code = INTERRUPTED  # it was to do something, and has not
    snapshot = engine.snapshot() if engine.started else None
    if snapshot is not None:
        _tell_cures(snapshot, told)
        print_summary(snapshot, time.monotonic() - began)
        if code == OK and any(o.state == "halted" or o.dead for o in snapshot.operators):
            code = FAILED
    if report is not None:
        code = report.write(code, failure, snapshot, time.monotonic() - began)
    if isinstance(failure, EventScopeError) and is_told and failure is engine.failure:
        return failure.exit_code
    if failure is not None:  # also one that came while a signal was heeded
        raise failure
    return code


async def _watch(engine: Engine, told: set[str]) -> int:
    while True:
        _tell_cures(engine.snapshot(), told)
        await asyncio.sleep(_LOOK_AGAIN)


def _tell_cures(snapshot: Snapshot, told: set[str]) -> None:
    """Log what waits for a person, but for what was ``told`` the last time."""
    now = tuple(cures(snapshot.operators, snapshot.orphans))
    for cure in now:
        if cure not in told:
            _log.warning(cure)
    told.clear()
    told.update(now)
