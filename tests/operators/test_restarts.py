"""What is known of a failing operator outlives the process that it failed in."""

from __future__ import annotations

import time

import pytest
from structlog.testing import capture_logs

from eventscope import EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import CommandRefused, Pause, Resume, Retry, Skip
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.settings import Settings
from tests.conftest import MakeSettings
from tests.operators.conftest import Write
from tests.operators.declared import Attempts, Seen
from tests.waiting import operator, until, until_state

HOUR = 3_600_000


async def test_attempts_error_and_next_retry_are_as_they_were(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    bad = Attempts(app, failures=2)
    settings = make_settings(
        operator_queue_min_restart_time=HOUR, operator_queue_max_restart_time=HOUR
    )
    async with Engine(app, settings) as engine:
        await notes(1)
        before = await until_backing_off(engine, attempts=1)
    async with Engine(app, settings) as engine:
        after = await until_state(engine, "bad", "backing-off")
        assert (after.attempts, after.next_retry) == (1, before.next_retry)
        assert (after.error, after.traceback) == (before.error, before.traceback)
        assert after.error == "ValueError: failure 1"
        assert "raise ValueError" in (after.traceback or "")
        assert (after.next_retry or 0) > time.time() + 3000
        assert bad.ids == [1], "it waits on, and is not tried at the start"
        await engine.command(Retry("bad"))
        await until_backing_off(engine, attempts=2)
        await engine.command(Retry("bad"))
        await engine.settle(60)
        assert (operator(engine, "bad").attempts, operator(engine, "bad").error) == (0, None)
    async with Engine(app, settings) as engine:
        await until_state(engine, "bad", "idle")
        assert operator(engine, "bad").error is None, "what has ended is forgotten"
    assert bad.ids == [1, 1, 1]


async def until_backing_off(engine: Engine, attempts: int) -> OperatorSnapshot:
    def state() -> OperatorSnapshot:
        return operator(engine, "bad")

    await until(lambda: (state().state, state().attempts) == ("backing-off", attempts))
    return state()


async def test_a_retry_that_became_due_meanwhile_is_made_at_the_start(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    bad = Attempts(app, failures=1)
    async with Engine(app, make_settings(operator_queue_min_restart_time=300)) as engine:
        await notes(1)
        await until_state(engine, "bad", "backing-off")
    async with Engine(app, make_settings()) as engine:
        await engine.settle(60)
    assert bad.ids == [1, 1]


async def test_a_halted_one_stays_halted_and_a_retry_starts_afresh(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    bad, good = Attempts(app, failures=5), Seen(app)
    settings = make_settings(operator_queue_max_retries=2)
    async with Engine(app, settings) as engine:
        await notes(1)
        await until_state(engine, "bad", "halted")
    async with Engine(app, settings) as engine:
        await notes(2)
        state = await until_state(engine, "bad", "halted")
        await until(lambda: good.ids == [1, 2])
        assert (state.attempts, len(bad.calls)) == (3, 3)
        assert state.error == "ValueError: failure 3"
        await engine.command(Retry("bad"))
        await engine.settle(60)
    assert bad.ids == [1] * 6 + [2]


async def test_a_paused_one_stays_paused_and_says_by_whom(notes: Write, settings: Settings) -> None:
    app = EventScope("failures")
    held, other = Seen(app, "held"), Seen(app, "other")
    async with Engine(app, settings) as engine:
        with capture_logs() as logs:
            await engine.command(Pause("held"), by="ada@console")
        assert logs == [
            {
                "event": "held is paused",
                "log_level": "info",
                "command": "Pause",
                "operator": "held",
                "by": "ada@console",
            }
        ]
    async with Engine(app, settings) as engine:
        await notes(1)
        await until(lambda: other.ids == [1])
        state = operator(engine, "held")
        assert (state.state, state.detail, state.depth) == ("paused", "paused by ada@console", 1)
        assert held.ids == []
        await engine.command(Resume("held"))
        await engine.settle(60)
    async with Engine(app, settings) as engine:
        await until_state(engine, "held", "idle")
    assert held.ids == [1]


async def test_a_skip_passes_over_the_event_that_fails_and_nothing_else(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    bad = Attempts(app, failures=1)
    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await until_state(engine, "bad", "idle")
        with pytest.raises(CommandRefused, match="nothing to skip: bad has not failed"):
            await engine.command(Skip("bad"))
        await notes(1, 2, 3)
        await until_state(engine, "bad", "halted")
        assert (await engine.command(Skip("bad"))).startswith("bad passes over event ")
        await engine.settle(60)
        state = operator(engine, "bad")
        assert (state.state, state.depth, state.error, state.attempts) == ("idle", 0, None, 0)
        assert state.applied == 2
    assert bad.ids == [1, 2, 3]


async def test_a_skip_of_a_paused_one_waits_for_its_resumption_across_a_restart(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    bad = Attempts(app, failures=1)
    settings = make_settings(operator_queue_max_retries=0)
    async with Engine(app, settings) as engine:
        await notes(1)
        await until_state(engine, "bad", "halted")
        await engine.command(Pause("bad"))
        await engine.command(Skip("bad"))
        await engine.command(Skip("bad"))
    async with Engine(app, settings) as engine:
        await notes(2)
        await until(lambda: operator(engine, "bad").depth == 2)
        assert operator(engine, "bad").state == "paused"
        await engine.command(Resume("bad"))
        await engine.settle(60)
    assert bad.ids == [1, 2]
