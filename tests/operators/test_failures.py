"""A failing operator waits alone, longer each time, and halts in the end."""

from __future__ import annotations

import asyncio

import psycopg

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import RetryLetters
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.operators.declared import Attempts, Seen
from tests.operators.oracle import differing
from tests.operators.shop import README_SQL, TRUTH, counting_comments, tables
from tests.waiting import operator, until, until_async, until_state


async def test_it_is_retried_after_the_waits_of_the_original_while_others_work(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    bad, good = Attempts(app, failures=2), Seen(app)
    async with Engine(app, make_settings(operator_queue_min_restart_time=500)) as engine:
        await notes(1)
        state = await until_state(engine, "bad", "backing-off")
        assert (state.attempts, state.failed, state.max_attempts) == (1, 1, 6)
        assert state.error == "ValueError: failure 1"
        assert "raise ValueError" in (state.traceback or "")
        assert state.next_retry is not None
        await notes(2, 3)
        await until(lambda: good.ids == [1, 2, 3])
        assert len(bad.calls) < 3, "the others' events are applied meanwhile"
        await engine.settle(60)
        after = operator(engine, "bad")
    assert bad.ids == [1, 1, 1, 2, 3]
    times = [at for _, at in bad.calls]
    assert times[1] - times[0] >= 0.5
    assert times[2] - times[1] >= 1.0
    assert (after.state, after.error, after.traceback, after.next_retry) == ("idle",) + (None,) * 3
    assert (after.attempts, after.failed, after.applied) == (0, 2, 3)


async def test_after_its_last_retry_it_halts_and_only_it(notes: Write, settings: Settings) -> None:
    app = EventScope("failures")
    bad, good = Attempts(app, failures=6), Seen(app)
    async with Engine(app, settings) as engine:
        await notes(1)
        state = await until_state(engine, "bad", "halted")
        await notes(2, 3)
        await engine.settle(60)
        assert operator(engine, "bad").state == "halted", "settle does not wait for it"
        assert good.ids == [1, 2, 3]
        assert bad.ids == [1] * 6
        assert (state.attempts, state.failed, state.depth) == (6, 6, 1)
        assert operator(engine, "bad").depth == 3
        assert state.detail == "failed 6 times, waits for a retry"
        assert state.error == "ValueError: failure 6"
        assert state.next_retry is None


async def test_the_engine_stops_while_a_handler_hangs_and_the_event_comes_again(
    notes: Write, settings: Settings
) -> None:
    app, calls = EventScope("failures"), []

    @app.operator(entities=["notes"], timeout=3600)
    async def hangs(event: Event) -> None:
        calls.append(event.id)
        if len(calls) == 1:
            await asyncio.Event().wait()

    async with asyncio.timeout(60), Engine(app, settings):
        await notes(1, 2)
        await until(lambda: calls)
    async with Engine(app, settings) as engine:
        await engine.settle(60)
    assert len(calls) == 3
    assert calls[0] == calls[1]


async def test_the_engine_stops_while_a_query_waits_for_a_lock(
    connection: Connection, database: str, settings: Settings
) -> None:
    await connection.execute(tables())
    name = "post_with_comments_counts"
    async with await psycopg.AsyncConnection.connect(database) as blocker:
        async with asyncio.timeout(60), Engine(counting_comments(), settings):
            await blocker.execute(f"LOCK TABLE {name}")
            await connection.execute("INSERT INTO posts VALUES (1, 'x')")
            await until_async(lambda: somebody_waits(connection))
        assert not await somebody_waits(connection), "the query has been cancelled"
        await blocker.rollback()
    async with Engine(counting_comments(), settings) as engine:
        await engine.settle(60)
        assert await differing(connection, name, TRUTH) == []


async def test_an_id_that_fails_is_retried_alone_and_becomes_a_dead_letter(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    await connection.execute(
        "ALTER TABLE post_with_comments_counts ADD CONSTRAINT few CHECK (comments_count < 3)"
    )
    app = counting_comments()
    settings = make_settings(operator_queue_max_retries=2)
    async with Engine(app, settings) as engine:
        name = "post_with_comments_counts"
        async with connection.transaction():
            await connection.execute("INSERT INTO posts SELECT n, 'x' FROM generate_series(1, 9) n")
            await connection.execute("INSERT INTO comments (post_id) VALUES (1), (2), (2), (2)")
        await engine.settle(60)
        state = operator(engine, name)
        assert (state.state, state.dead, state.retrying) == ("idle", 1, 0)
        [letter] = await engine._queue.letters(name)
        assert (letter.target, letter.attempts) == (("2",), 3)
        assert letter.error.startswith("CheckViolation: ")
        assert 'violates check constraint "few"' in letter.error
        rows = await connection.execute(f"SELECT id, comments_count FROM {name} ORDER BY id")
        others = [(1, 1), *((id, 0) for id in range(3, 10))]
        assert await rows.fetchall() == others, "all others are done"
        await connection.execute(f"ALTER TABLE {name} DROP CONSTRAINT few")
        assert await engine.command(RetryLetters(name)) == f"{name} tries 1 dead letter again"
        await engine.settle(60)
        assert operator(engine, name).dead == 0
        assert await differing(connection, name, TRUTH) == []
        assert operator(engine, name).state == "idle"


async def test_a_column_that_is_renamed_stops_only_those_who_need_it(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app = EventScope("renamed")
    app.query("ids", target="others", sql="SELECT $1::int", ids={"notes": "id"})
    good = Seen(app)
    async with Engine(app, make_settings(operator_queue_max_retries=1)) as engine:
        await notes(1)
        await engine.settle(60)
        await connection.execute("ALTER TABLE notes RENAME id TO number")
        await connection.execute("INSERT INTO notes VALUES (2, 'y')")
        await engine.settle(60)
        assert operator(engine, "ids").state == "halted"
        assert operator(engine, "ids").error == (
            "MappingError: table notes had no column id when this row was written"
        )
        assert good.ids == [1, None]
        await connection.execute("ALTER TABLE notes RENAME number TO id")
        await notes(3)
        await until(lambda: len(good.ids) == 3)
    assert good.ids == [1, None, 3]


async def test_a_query_may_be_wrong_in_any_way(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    app = EventScope("wrong")
    for name, sql in {
        "syntax": "MERGE INTO $1",
        "no column": "SELECT nothing FROM posts WHERE id = $1",
        "two statements": "SELECT $1::int; SELECT 1",
        "two arguments": "SELECT $1::int, $2::int",
        "a type": "SELECT $1::date",
        "a commit": "COMMIT -- $1",
    }.items():
        app.query(name, target="post_with_comments_counts", sql=sql, ids={"posts": "id"})
    app.query("right", target="post_with_comments_counts", sql=README_SQL, ids={"posts": "id"})
    async with Engine(app, make_settings(operator_queue_max_retries=1)) as engine:
        await connection.execute("INSERT INTO posts VALUES (1), (2)")
        await engine.settle(60)
        states = {o.name: o.state for o in engine.snapshot().operators}
        assert states.pop("right") == "idle"
        assert states.pop("a type") == "idle", "it may be right for another id"
        assert next(o for o in engine.snapshot().operators if o.name == "a type").dead == 2
        assert set(states.values()) == {"halted"}, states
    counts = await connection.execute("SELECT * FROM post_with_comments_counts ORDER BY id")
    assert await counts.fetchall() == [(1, None, 0), (2, None, 0)]


async def test_a_deadlock_is_no_failure(
    notes: Write, connection: Connection, database: str, make_settings: MakeSettings
) -> None:
    await notes(1)
    await connection.execute("CREATE TABLE target (id int PRIMARY KEY, n int)")
    await connection.execute("INSERT INTO target VALUES (1, 0), (2, 0)")
    app = EventScope("failures")
    app.query("target", sql="UPDATE target SET n = n + 1 WHERE id = $1", ids={"notes": "id"})
    victim = make_settings(url=f"{database}&options=-c%20deadlock_timeout%3D50ms")
    async with (
        Engine(app, victim) as engine,
        await psycopg.AsyncConnection.connect(database) as other,
    ):
        await other.execute("SET deadlock_timeout = '1h'")
        await other.execute("UPDATE target SET n = 10 WHERE id = 2")
        await connection.execute("UPDATE notes SET id = 2")  # one event, which locks 1, then 2
        await until_async(lambda: somebody_waits(connection))
        await other.execute("UPDATE target SET n = 10 WHERE id = 1")
        await other.commit()
        await engine.settle(60)
        assert operator(engine, "target").failed == 0
    rows = await connection.execute("SELECT * FROM target ORDER BY id")
    assert await rows.fetchall() == [(1, 11), (2, 11)]


async def somebody_waits(connection: Connection) -> bool:
    """Whether somebody waits for a lock."""
    row = await (
        await connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    ).fetchone()
    return bool(row and row[0])
