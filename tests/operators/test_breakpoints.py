"""Events that a breakpoint's filter matches wait before an operator runs them."""

from __future__ import annotations

import pytest

from eventscope import EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import (
    Break,
    CommandRefused,
    Continue,
    DropBreakpoint,
    Pause,
    Resume,
    Retry,
    Step,
)
from eventscope.engine.deliveries import deliveries
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.operators.declared import Attempts, Seen
from tests.operators.oracle import differing
from tests.operators.shop import TRUTH, counting_comments, tables
from tests.waiting import operator, until


async def until_held(engine: Engine, name: str = "good") -> str:
    await until(lambda: operator(engine, name).held is not None)
    shown = operator(engine, name)
    assert shown.state == "waiting"
    return shown.detail


async def test_a_matching_event_waits_and_goes_on_when_it_is_let(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("breaks")
    seen = Seen(app)
    async with Engine(app, make_settings()) as engine:
        said = await engine.command(Break("key:3"))
        assert said == "breakpoint 1: events wait before any operator"
        await notes(1, 2, 3, 4)
        assert await until_held(engine) == "held at breakpoint 1: key:3"
        await until(lambda: operator(engine, "good").depth == 2)
        assert seen.ids == [1, 2]
        assert await engine.command(Continue("good")) == "good goes on"
        await engine.settle(60)
        assert seen.ids == [1, 2, 3, 4]
        assert operator(engine, "good").held is None


async def test_a_step_runs_one_event_and_holds_the_next_whatever_it_is(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("breaks")
    seen = Seen(app)
    async with Engine(app, make_settings()) as engine:
        await engine.command(Break("key:1"))
        await notes(1, 2, 3, 4)
        for done in ([], [1], [1, 2]):
            await until(lambda done=done: seen.ids == done)  # type: ignore[misc]
            await until_held(engine)
            await engine.command(Step("good"))
        await until(lambda: seen.ids == [1, 2, 3])
        assert await until_held(engine) == "held after a step"
        await engine.command(Continue("good"))
        await engine.settle(60)
        assert seen.ids == [1, 2, 3, 4]


async def test_dropping_a_breakpoint_lets_everybody_go_on(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("breaks")
    first, second = Seen(app, "first"), Seen(app, "second")
    async with Engine(app, make_settings()) as engine:
        await engine.command(Break("key:2"))
        await notes(1, 2, 3)
        await until_held(engine, "first")
        await until_held(engine, "second")
        (shown,) = engine.snapshot().breakpoints
        assert (shown.filter, shown.meaning, shown.operator) == ("key:2", "key is 2", "")
        await engine.command(DropBreakpoint(shown.id))
        await engine.settle(60)
        assert first.ids == second.ids == [1, 2, 3]
        assert not engine.snapshot().breakpoints


async def test_others_and_the_acknowledgement_do_not_wait(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("breaks")
    held, free = Seen(app, "held"), Seen(app, "free")
    async with Engine(app, make_settings()) as engine:
        await engine.command(Break("table:notes", operator="held"))
        await notes(1, 2, 3)
        await until_held(engine, "held")
        await until(lambda: free.ids == [1, 2, 3])
        assert held.ids == []
        stored = engine.snapshot().stream.stored_lsn
        await until(lambda: engine.snapshot().stream.acknowledged_lsn >= stored)
        assert operator(engine, "held").held is not None


async def test_it_takes_effect_in_the_middle_of_a_batch(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app = EventScope("breaks")
    seen = Seen(app)
    engine = Engine(app, make_settings(), attended=True)
    async with engine:
        await engine.command(Pause("good"))
        await connection.execute("INSERT INTO notes SELECT n, 'x' FROM generate_series(1, 400) n")
        await until(lambda: operator(engine, "good").depth == 400)
        await engine.command(Break("key:250"))
        await engine.command(Resume("good"))
        await until_held(engine)
        assert seen.ids == list(range(1, 250))
        states = [
            next(deliveries(entry, engine.snapshot().operators)).state
            for seq in (248, 249, 250)
            if (entry := engine.ring.entry(seq)) is not None
        ]
        assert states == ["done", "held", "queued"]
        await engine.command(Retry("good"))
        await until(lambda: len(seen.ids) == 250)
        assert await until_held(engine) == "held after a step"


async def test_an_event_that_fails_after_it_was_let_go_is_not_held_again(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("breaks")
    bad = Attempts(app, failures=2)
    async with Engine(app, make_settings(operator_queue_min_restart_time=1)) as engine:
        await engine.command(Break("key:1"))
        await notes(1)
        await until_held(engine, "bad")
        await engine.command(Continue("bad"))
        await engine.settle(60)
        assert bad.ids == [1, 1, 1]


async def test_a_held_query_leaves_its_table_as_it_was_and_right_in_the_end(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    async with Engine(counting_comments(), make_settings()) as engine:
        await engine.command(Break("table:comments"))
        await connection.execute("INSERT INTO posts VALUES (1), (2)")
        await engine.settle(60)
        await connection.execute("INSERT INTO comments (post_id) VALUES (1)")
        await until_held(engine, "post_with_comments_counts")
        assert operator(engine, "post_with_comments_counts").depth == 1
        cursor = await connection.execute("SELECT comments_count FROM post_with_comments_counts")
        assert await cursor.fetchall() == [(0,), (0,)]
        await engine.command(DropBreakpoint(1))
        await engine.settle(60)
        assert await differing(connection, "post_with_comments_counts", TRUTH) == []


async def test_what_waits_is_where_it_was_after_a_restart_without_the_breakpoint(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("breaks")
    seen = Seen(app)
    settings = make_settings()
    async with Engine(app, settings) as engine:
        await engine.command(Break("key:2"))
        await notes(1, 2)
        await until_held(engine)
    async with Engine(app, settings) as engine:
        await engine.settle(60)
    assert seen.ids == [1, 2]


async def test_what_cannot_be_asked_is_refused_with_the_reason(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("breaks")
    Seen(app)
    async with Engine(app, make_settings()) as engine:
        for command, reason in [
            (Break("op:upd"), "op"),
            (Break("  "), "a breakpoint needs a filter"),
            (Break("key:1", operator="nobody"), "there is no operator nobody; there are good"),
            (DropBreakpoint(7), "there is no breakpoint 7"),
            (Step("good"), "good waits at no breakpoint"),
            (Continue("good"), "good waits at no breakpoint"),
        ]:
            with pytest.raises(CommandRefused, match=reason):
                await engine.command(command)  # type: ignore[arg-type]
        first = await engine.command(Break("key:1"))
        assert await engine.command(Break("key:1")) == first, "asked twice is asked once"
