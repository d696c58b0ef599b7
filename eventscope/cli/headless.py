"""Running an engine without a dashboard, and telling at the end how it went."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from eventscope.app import EventScope
from eventscope.cli.cures import cures
from eventscope.cli.dialogue import say
from eventscope.cli.signals import OK, Signals, first
from eventscope.engine import Engine, Snapshot
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.errors import EventScopeError
from eventscope.metrics.serving import serving
from eventscope.settings import Settings

FAILED: Final = 1
"""An operator halted, or has dead letters."""
TIMED_OUT: Final = 4

_LOOK_AGAIN: Final = 1.0
_log = structlog.get_logger("eventscope.cli")

Work = Callable[[Engine], Awaitable[int]]
"""What ends a run by itself; returns the exit code, to which halted operators add."""


async def run(
    app: EventScope, settings: Settings, work: Work | None = None, *, is_told: bool = False
) -> int:
    """Run until ``work`` is done, or a signal comes; prints the summary as the last line.

    What comes to wait for a person is logged with what helps.

    SIGTERM drains: operators finish the event they are at. A second signal ends at once.
    Returns the exit code.

    Args:
        app: what to run.
        settings: how.
        work: what ends it by itself.
        is_told: whether who reads the errors has the log before his eyes, and so knows already
            what has ended the engine from within.

    Raises:
        EventScopeError: it or its metrics cannot start, or what has ended it, unless that is told.
    """
    began = time.monotonic()
    signals = Signals()
    engine = Engine(app, settings)
    told: set[str] = set()

    async def session() -> int:
        async with engine:
            works = [work(engine)] if work is not None else []
            return await first(engine.wait(), _watch(engine, told), *works)

    code = OK
    with serving(engine, settings):
        running = asyncio.ensure_future(session())
        with suppress(EventScopeError):
            code = await first(signals.wait(), running)
    failure = engine.failure or (None if running.cancelled() else running.exception())
    if engine.started:
        _tell_cures(engine.snapshot(), told)
        print_summary(engine.snapshot(), time.monotonic() - began)
    if isinstance(failure, EventScopeError) and is_told and failure is engine.failure:
        return failure.exit_code
    if failure is not None:  # also one that came while a signal was heeded
        raise failure
    if not engine.started:
        return code
    snapshot = engine.snapshot()
    failed = any(o.state == "halted" or o.dead or o.retrying for o in snapshot.operators)
    return FAILED if code == OK and failed else code


def until_caught_up(timeout: float | None) -> Work:
    """The work of a CI job: to have processed everything, cascades included."""

    async def work(engine: Engine) -> int:
        try:
            await engine.settle(timeout)
        except TimeoutError:
            late = [f"{o.name} ({o.state})" for o in engine.snapshot().operators if _is_late(o)]
            at_work = f"; still at work: {', '.join(late)}" if late else ""
            say(f"not caught up after {timeout:g} s{at_work}")
            return TIMED_OUT
        return OK

    return work


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


def _is_late(operator: OperatorSnapshot) -> bool:
    return bool(operator.depth or operator.retrying or operator.backfill)


def print_summary(snapshot: Snapshot, seconds: float) -> None:
    """Print one line of JSON, in ASCII, that tells how a run went."""
    operators = snapshot.operators
    summary = {
        "events": snapshot.stream.events,
        "applied": {operator.name: operator.applied for operator in operators},
        "failed": {operator.name: operator.failed for operator in operators},
        "dead": {operator.name: operator.dead for operator in operators},
        "depth": {operator.name: operator.depth for operator in operators},
        "state": {operator.name: operator.state for operator in operators},
        "lag_bytes": snapshot.stream.received_lsn - snapshot.stream.stored_lsn,
        "seconds": round(seconds, 3),
    }
    print(json.dumps(summary, separators=(",", ":")), flush=True)
