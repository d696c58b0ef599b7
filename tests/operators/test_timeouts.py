"""A handler's time: one that hangs is cancelled, and it is told where it hung."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine, core
from eventscope.operators import calling
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.waiting import operator, until, until_state


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "GRACE", 0.1)
    monkeypatch.setattr(core, "GRACE", 0.1)


@pytest.fixture
def halting(make_settings: MakeSettings) -> Settings:
    """Settings by which the first failure is the last."""
    return make_settings(operator_queue_max_retries=0)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Lets a thread go on in the end."""
    release = threading.Event()
    yield release
    release.set()


async def test_an_awaited_one_is_cancelled_and_the_report_shows_where_it_hung(
    notes: Write, halting: Settings
) -> None:
    app, cleaned = EventScope("times"), []

    async def hangs_here() -> None:
        await asyncio.Event().wait()

    @app.operator(entities=["notes"], timeout=0.05)
    async def handler(event: Event) -> None:
        try:
            await hangs_here()
        finally:
            cleaned.append(True)

    async with Engine(app, halting) as engine:
        await notes(1)
        state = await until_state(engine, "handler", "halted")
    assert cleaned == [True]
    assert state.error == "HandlerTimeout: no end after 0.05 s"
    assert "in hangs_here" in (state.traceback or "")


async def test_one_in_a_thread_is_shown_where_it_hangs(
    notes: Write, halting: Settings, release: threading.Event
) -> None:
    app = EventScope("times")

    def blocks_here() -> None:
        release.wait(60)

    @app.operator(entities=["notes"], timeout=0.05)
    def handler(event: Event) -> None:
        blocks_here()

    async with Engine(app, halting) as engine:
        await notes(1)
        state = await until_state(engine, "handler", "halted")
    assert "It still runs, and is here:" in (state.traceback or "")
    assert "in blocks_here" in (state.traceback or "")


async def never_ends() -> None:
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def never_ever_ends() -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except BaseException:
            continue


@pytest.mark.parametrize("hang", [never_ends, never_ever_ends])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_one_that_hides_its_cancellation_is_left_where_it_is_and_that_is_said(
    notes: Write, make_settings: MakeSettings, hang: Any
) -> None:
    app, calls = EventScope("times"), []

    @app.operator(entities=["notes"], timeout=0.05)
    async def handler(event: Event) -> None:
        calls.append(event.id)
        if len(calls) == 1:
            await hang()

    async with Engine(app, make_settings(operator_queue_min_restart_time=500)) as engine:
        await notes(1, 2)
        state = await until_state(engine, "handler", "backing-off")
        assert state.error == ("HandlerTimeout: no end after 0.05 s")
        assert "It did not end when it was cancelled, and was left:" in (state.traceback or "")
        assert f"in {hang.__name__}" in (state.traceback or "")
        await engine.settle(60)
        assert operator(engine, "handler").applied == 2
    assert len(calls) == 3


@pytest.mark.parametrize("options", [{}, {"batch": 2}])
async def test_one_that_is_left_inside_a_statement_leaves_no_session(
    notes: Write, connection: Connection, settings: Settings, options: dict[str, int]
) -> None:
    app, calls = EventScope("times"), []

    @app.operator(entities=["notes"], timeout=0.2, **options)
    async def handler(given: Any, tx: psycopg.AsyncConnection[Any]) -> None:
        calls.append(given)
        await tx.execute("INSERT INTO seen (id) VALUES (1)")
        if len(calls) == 1:
            with suppress(asyncio.CancelledError):
                async with tx.transaction():
                    await tx.execute("SELECT pg_sleep(3600)")
            await tx.execute("SELECT pg_sleep(3600)")

    async with Engine(app, settings) as engine:
        await notes(1)
        await until(lambda: operator(engine, "handler").failed)
        assert "no end after" in (operator(engine, "handler").error or "no end after")
        await engine.settle(60)
        state = operator(engine, "handler")
        assert (state.failed, state.applied) == (1, 1)
    assert len(calls) == 2
    assert await (await connection.execute("SELECT id FROM seen")).fetchall() == [(1,)]


async def test_one_that_returns_after_its_time_as_if_nothing_had_been_has_failed(
    notes: Write, halting: Settings
) -> None:
    app = EventScope("times")

    @app.operator(entities=["notes"], timeout=0.05)
    async def handler(event: Event) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async with Engine(app, halting) as engine:
        await notes(1)
        state = await until_state(engine, "handler", "halted")
    assert (state.error, state.applied) == ("HandlerTimeout: no end after 0.05 s", 0)


async def test_a_timeout_within_it_is_its_own_affair(notes: Write, halting: Settings) -> None:
    app, ends = EventScope("times"), []

    @app.operator(entities=["notes"], timeout=30)
    async def handler(event: Event) -> None:
        try:
            async with asyncio.timeout(0.01):
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(3 * calling.GRACE)
        except TimeoutError:
            ends.append("caught")

    async with Engine(app, halting) as engine:
        await notes(1)
        await engine.settle(60)
        assert operator(engine, "handler").failed == 0
    assert ends == ["caught"]


async def test_the_task_of_an_operator_is_not_left_cancelled(
    notes: Write, settings: Settings
) -> None:
    app, calls = EventScope("times"), []

    @app.operator(entities=["notes"], timeout=0.05)
    async def handler(event: Event) -> None:
        task = asyncio.current_task()
        calls.append(task.cancelling() if task else None)
        if len(calls) == 1:
            await asyncio.Event().wait()
        async with asyncio.timeout(30):
            await asyncio.sleep(0)

    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
    assert calls == [0, 0]


@pytest.mark.parametrize("options", [{}, {"batch": 5}, {"concurrency": 2}])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_the_engine_stops_whatever_a_handler_makes_of_that(
    notes: Write, settings: Settings, options: dict[str, int]
) -> None:
    app, calls, good = EventScope("times"), [], False

    @app.operator(entities=["notes"], timeout=3600, **options)
    async def handler(event: Any) -> None:
        calls.append(event)
        if not good:
            await never_ever_ends()

    async with Engine(app, settings):
        await notes(1)
        await until(lambda: calls)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 10
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "handler"]
    good = True
    async with Engine(app, settings) as engine:
        await engine.settle(60)
    assert len(calls) == 2, "it comes again"
