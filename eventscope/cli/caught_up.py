"""The end of a CI job: everything is processed, or the time for it is over."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from eventscope.cli.dialogue import say
from eventscope.cli.signals import OK
from eventscope.engine import Engine, Snapshot
from eventscope.engine.snapshot import OperatorSnapshot

TIMED_OUT: Final = 4

Work = Callable[[Engine], Awaitable[int]]
"""What ends a run by itself; returns the exit code, to which halted operators add."""


def until_caught_up(timeout: float | None) -> Work:
    """The work of a CI job: to have processed everything, cascades included.

    Args:
        timeout: seconds that it may take from now on.
    """
    began = time.monotonic()

    async def work(engine: Engine) -> int:
        left = max(0.0, began + timeout - time.monotonic()) if timeout is not None else None
        try:
            await engine.settle(left)
        except TimeoutError:
            say(f"not caught up after {timeout:g} s{_why(engine.snapshot())}")
            return TIMED_OUT
        return OK

    return work


def start_timed_out(engine: Engine, timeout: float) -> int:
    """Say that there was no time left when everything was up; returns the exit code."""
    waits_for = f": {engine.waits_for}" if engine.waits_for else ""
    say(f"not even started after {timeout:g} s{waits_for}")
    return TIMED_OUT


def is_late(operator: OperatorSnapshot) -> bool:
    """Whether an operator keeps a run from having caught up."""
    is_at_work = operator.depth or operator.retrying or operator.backfill
    return bool(is_at_work) and operator.state != "halted"


def _why(snapshot: Snapshot) -> str:
    late = [f"{one.name} ({one.state})" for one in snapshot.operators if is_late(one)]
    at_work = f"; still at work: {', '.join(late)}" if late else ""
    stream = snapshot.stream
    return f"{at_work}; {stream.state}: {stream.detail}" if stream.detail else at_work
