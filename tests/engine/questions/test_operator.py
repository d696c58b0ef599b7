"""What a dashboard may ask about an operator that runs."""

from __future__ import annotations

import asyncio
import time

import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import CommandRefused, Pause, Replay, Resume, Skip
from eventscope.engine.questions.operator import BlockingEvent, DetailsOf, ReplayOf, latencies
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Watching, Write
from tests.waiting import operator, until, until_state


async def test_details_tell_what_it_is_and_what_it_tried(notes: Write, settings: Settings) -> None:
    app = Watching()
    before = time.time()
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        assert (await engine.ask(DetailsOf("watch"))).latencies is None
        await notes(1)
        await engine.settle(60)
        await notes(2)
        await engine.settle(60)
        details = await engine.ask(DetailsOf("watch"))
    assert details.operator is app.operators[0]
    newest, oldest = details.attempts
    assert (newest.event, newest.events, newest.error) == (app.events[1].id, 1, None)
    assert oldest.event == app.events[0].id
    assert before < oldest.began_at < newest.began_at < time.time()
    assert 0 < newest.seconds < 60
    assert details.latencies is not None
    assert 0 < details.latencies.p50 <= details.latencies.p95 <= details.latencies.p99 < 60


async def test_only_the_last_twenty_attempts_are_told(notes: Write, settings: Settings) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        for id in range(22):
            await notes(id)
            await until(lambda id=id: len(app.events) > id)  # type: ignore[misc]
        await engine.settle(60)
        details = await engine.ask(DetailsOf("watch"))
    assert len(details.attempts) == 20
    assert details.attempts[0].event == app.events[-1].id


async def test_several_events_of_one_attempt_are_counted(
    connection: Connection, notes: Write, settings: Settings
) -> None:
    app = EventScope("lists")

    @app.operator(entities=["notes"], batch=10)
    async def listed(events: list[Event]) -> None:
        pass

    async with Engine(app, settings) as engine:
        await engine.settle(60)
        await connection.execute("INSERT INTO notes SELECT n, 'x' FROM generate_series(1, 4) n")
        await engine.settle(60)
        details = await engine.ask(DetailsOf("listed"))
    assert [attempt.events for attempt in details.attempts] == [4]


def test_percentiles_are_taken_from_what_was_seen() -> None:
    assert latencies([]) is None
    found = latencies([second / 10 for second in range(100, -1, -1)])
    assert found is not None
    assert (found.p50, found.p95, found.p99) == (5.0, 9.5, 9.9)


async def test_the_event_that_blocks_is_named_with_its_error(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("blocked")

    @app.operator(entities=["notes"])
    async def picky(event: Event) -> None:
        if (event.new_record or {})["id"] == 2:
            raise ValueError("no 2")

    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await notes(1, 2, 3)
        await until_state(engine, "picky", "halted")
        blocking = await engine.ask(BlockingEvent("picky"))
        assert blocking is not None
        assert (blocking.event.new_record or {})["id"] == 2
        assert blocking.error == "ValueError: no 2"
        [failed, passed] = (await engine.ask(DetailsOf("picky"))).attempts
        assert (failed.event, failed.error) == (blocking.event.id, "ValueError: no 2")
        assert passed.error is None

        await engine.command(Skip("picky", blocking.event.id))
        await engine.settle(60)
        assert await engine.ask(BlockingEvent("picky")) is None


async def test_a_replay_is_counted_before_it_is_begun(
    connection: Connection, notes: Write, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1, 2, 3, 4)
        await engine.settle(60)
        ids = [event.id for event in app.events]
        found = await engine.ask(ReplayOf("watch", ids[1], ids[2]))
        assert (found.events, found.first, found.last) == (2, ids[1], ids[2])
        found = await engine.ask(ReplayOf("watch", ids[1], None))
        assert (found.events, found.last) == (3, ids[3])
        assert len(app.events) == 4, "nothing has been replayed"
        for start, end in [("nonsense", None), (ids[0], "nonsense"), (ids[2], ids[1])]:
            with pytest.raises(CommandRefused):
                await engine.ask(ReplayOf("watch", start, end))


async def test_a_replay_tells_how_far_it_is(notes: Write, settings: Settings) -> None:
    app, go_on, had = EventScope("replay"), asyncio.Event(), list[Event]()
    go_on.set()

    @app.operator(entities=["notes"])
    async def slow(event: Event) -> None:
        had.append(event)
        if len(had) == 5:
            await go_on.wait()

    async with Engine(app, settings) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        go_on.clear()
        await engine.command(Pause("slow"))
        await engine.command(Replay("slow", had[0].id))
        wanted = operator(engine, "slow").replay
        assert wanted is not None
        assert wanted.total is None, "it has not begun"
        await engine.command(Resume("slow"))
        await until(lambda: len(had) == 5)
        under_way = operator(engine, "slow").replay
        assert under_way is not None
        assert (under_way.done, under_way.total) == (1, 3)
        go_on.set()
        await engine.settle(60)
        assert operator(engine, "slow").replay is None


async def test_the_age_of_the_oldest_queued_event(notes: Write, settings: Settings) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        assert operator(engine, "watch").oldest_at is None, "nothing is queued"
        await engine.command(Pause("watch"))
        await notes(2)
        await until(lambda: operator(engine, "watch").depth == 1)
        first = operator(engine, "watch").oldest_at
        await notes(3)
        await until(lambda: operator(engine, "watch").depth == 2)
        assert first == operator(engine, "watch").oldest_at
    async with Engine(app, settings) as engine:  # paused still, it has read nothing
        assert operator(engine, "watch").oldest_at == first
        await engine.command(Resume("watch"))
        await engine.settle(60)
        assert first == app.events[1].timestamp.timestamp()
        assert operator(engine, "watch").oldest_at is None
