"""What a person may ask of an operator: pause, resume, retry."""

from __future__ import annotations

import asyncio

import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import CommandRefused, Pause, Resume, Retry, Skip
from eventscope.event import EventId
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.operators.declared import Attempts, Seen
from tests.waiting import operator, until, until_state


async def test_a_retry_lets_a_halted_one_go_on_with_fresh_attempts(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    bad = Attempts(app, failures=5)
    async with Engine(app, make_settings(operator_queue_max_retries=2)) as engine:
        await notes(1, 2)
        await until_state(engine, "bad", "halted")
        assert len(bad.calls) == 3
        assert await engine.command(Retry("bad")) == "bad tries again"
        await engine.settle(60)
        assert operator(engine, "bad").state == "idle"
    assert bad.ids == [1] * 6 + [2]


async def test_a_retry_ends_a_backoff_at_once(notes: Write, make_settings: MakeSettings) -> None:
    app = EventScope("failures")
    bad = Attempts(app, failures=2)
    hour = 3_600_000
    settings = make_settings(
        operator_queue_min_restart_time=hour, operator_queue_max_restart_time=hour
    )
    async with Engine(app, settings) as engine:
        await notes(1)
        for failed in (1, 2):
            await until(
                lambda failed=failed: (
                    operator(engine, "bad").failed == failed
                    and operator(engine, "bad").state == "backing-off"
                )
            )
            await engine.command(Retry("bad"))
        await engine.settle(60)
    assert bad.ids == [1, 1, 1]


async def test_a_retry_is_not_remembered_for_a_later_failure(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    """While a lock is waited for, for instance, a retry has nothing to hurry on."""
    app, called, go_on = EventScope("failures"), asyncio.Event(), asyncio.Event()

    @app.operator(entities=["notes"], timeout=3600)
    async def bad(event: Event) -> None:
        called.set()
        await go_on.wait()
        raise ValueError("no")

    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await notes(1)
        await called.wait()
        with pytest.raises(CommandRefused, match="nothing to retry: bad is running"):
            await engine.command(Retry("bad"))
        engine._workforce.runners["bad"].retry()  # as a retry that came a moment too late
        go_on.set()
        await until_state(engine, "bad", "halted")
        assert operator(engine, "bad").failed == 1


async def test_a_skip_of_one_event_passes_over_no_other(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    bad = Attempts(app, failures=99)
    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await notes(1, 2)
        await until_state(engine, "bad", "halted")
        with pytest.raises(CommandRefused, match=r"bad fails at event 0/.* now, not at 0/1/0"):
            await engine.command(Skip("bad", "0/1/0"))
        [record] = await engine._queue.operators()
        assert record.failed_seq is not None
        place = await engine._queue.place(record.failed_seq)
        assert place is not None
        await engine.command(Skip("bad", str(EventId.of(*place))))
        await until(lambda: operator(engine, "bad").failed == 2)
    assert bad.ids == [1, 2]


async def test_what_cannot_be_done_now_is_refused_and_says_why(
    notes: Write, settings: Settings
) -> None:
    app = EventScope("failures")
    Seen(app)
    async with Engine(app, settings) as engine:
        await until_state(engine, "good", "idle")
        with pytest.raises(CommandRefused, match="nothing to retry: good is idle"):
            await engine.command(Retry("good"))
        assert await engine.command(Resume("good")) == "good is not paused"
        with pytest.raises(CommandRefused, match="there is no operator who"):
            await engine.command(Pause("who"))
        assert await engine.command(Pause("good")) == "good is paused"
        assert await engine.command(Pause("good")) == "good is paused already"
        with pytest.raises(CommandRefused, match="nothing to retry: good is paused"):
            await engine.command(Retry("good"))


async def test_a_paused_one_waits_and_goes_on_where_it_stopped(
    notes: Write, settings: Settings
) -> None:
    app = EventScope("failures")
    held, other = Seen(app, "held"), Seen(app, "other")
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        await engine.command(Pause("held"))
        assert operator(engine, "held").state == "paused"
        await notes(2, 3)
        await until(lambda: other.ids == [1, 2, 3])
        await until(lambda: operator(engine, "held").depth == 2)
        assert held.ids == [1]
        await engine.command(Resume("held"))
        await engine.settle(60)
        assert held.ids == [1, 2, 3]
        assert operator(engine, "held").state == "idle"


async def test_a_pause_lets_the_event_at_hand_finish_and_holds_the_next(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, seen, called, go_on = EventScope("failures"), [], asyncio.Event(), asyncio.Event()

    @app.operator(entities=["notes"])
    async def held(event: Event) -> None:
        called.set()
        await go_on.wait()
        seen.append(event.id)

    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO notes VALUES (1), (2), (3)")
        await called.wait()
        await engine.command(Pause("held"))
        assert operator(engine, "held").state == "running"
        go_on.set()
        await until_state(engine, "held", "paused")
        assert len(seen) == 1
        await engine.command(Resume("held"))
        await engine.settle(60)
    assert len(seen) == 3


async def test_a_pause_holds_the_next_attempt_of_a_failing_one(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    bad = Attempts(app, failures=1)
    good = Seen(app)
    async with Engine(app, make_settings(operator_queue_min_restart_time=200)) as engine:
        await notes(1)
        await until_state(engine, "bad", "backing-off")
        await engine.command(Pause("bad"))
        assert operator(engine, "bad").state == "paused"
        await until(lambda: operator(engine, "bad").next_retry is None)  # its time has come
        await notes(2)
        await until(lambda: good.ids == [1, 2])
        assert bad.ids == [1]
        await engine.command(Resume("bad"))
        await engine.settle(60)
    assert bad.ids == [1, 1, 2]


@pytest.mark.parametrize("at", ["backing-off", "halted", "paused"])
async def test_the_engine_stops_while_an_operator_is(
    at: str, notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    Attempts(app, failures=99)
    hour = 3_600_000
    settings = make_settings(
        operator_queue_max_retries=0 if at == "halted" else 5,
        operator_queue_min_restart_time=hour,
        operator_queue_max_restart_time=hour,
    )
    async with asyncio.timeout(60), Engine(app, settings) as engine:
        await notes(1)
        await until(lambda: operator(engine, "bad").failed)
        if at == "paused":
            await engine.command(Pause("bad"))
        await until_state(engine, "bad", at)
    assert engine.failure is None
    assert not any(task.cancelled() for task in engine._working), "it had not to be forced"
