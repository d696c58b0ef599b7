"""Reading one's own writes: tokens of commits, and what has been applied up to them."""

from __future__ import annotations

import asyncio
import threading
import time

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import Pause, Resume, StartBackfill
from eventscope.engine.thread import EngineThread
from eventscope.errors import DeclarationError, InvalidToken, NotCommitted, NotRunning
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.engine.conftest import Watching, Write
from tests.operators.shop import counting_comments, tables
from tests.waiting import operator, until, until_state


async def count(connection: Connection, id: int) -> int | None:
    cursor = await connection.execute(
        "SELECT comments_count FROM post_with_comments_counts WHERE id = %s", [id]
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def test_a_derived_row_is_there_when_the_wait_for_its_commit_is_over(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(tables())
    app = counting_comments()
    async with Engine(app, settings):
        await connection.execute("INSERT INTO posts VALUES (1, 'a')")
        for n in range(1, 101):
            await connection.execute("INSERT INTO comments (post_id) VALUES (1)")
            token = await app.token(connection)
            await app.wait_for(token, timeout=60)
            assert await count(connection, 1) == n
            assert app.processed(token)


async def test_the_wait_for_a_commit_is_over_soon_after_its_derived_row_is_there(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(tables())
    app, lags = counting_comments(), list[float]()
    async with Engine(app, settings):
        await connection.execute("INSERT INTO posts VALUES (1, 'a')")
        for n in range(1, 51):
            await connection.execute("INSERT INTO comments (post_id) VALUES (1)")
            token = await app.token(connection)
            waiting = asyncio.create_task(app.wait_for(token, timeout=60))
            async with asyncio.timeout(60):
                while await count(connection, 1) != n:
                    pass
            seen = time.monotonic()
            await waiting
            lags.append(time.monotonic() - seen)
    assert sorted(lags)[len(lags) // 2] < 0.01


async def test_a_commit_that_did_not_wait_for_the_disk_is_waited_for(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings):
        for id in range(20):
            async with connection.transaction():
                await connection.execute("SET LOCAL synchronous_commit = off")
                await notes(id)
            await app.wait_for(await app.token(connection), timeout=60)
            assert app.ids[-1:] == [id]


async def test_a_commit_that_nobody_follows_is_applied_however_much_it_wrote(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings):
        for statement in ("CREATE TABLE elsewhere AS SELECT 1", "SELECT pg_switch_wal()"):
            await connection.execute(statement)
            token = await app.token(connection)
            await app.wait_for(token, timeout=60)
            assert app.processed(token)


async def test_who_asks_without_waiting_is_told_in_the_end(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings):
        await notes(1)
        await connection.execute("CREATE TABLE elsewhere ()")  # of which nothing comes unasked
        token = await app.token(connection)
        await until(lambda: app.processed(token), patience=5)
        assert app.ids == [1]


async def test_all_operators_are_waited_for_or_the_named_one(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, gate = Watching(), asyncio.Event()

    @app.operator(entities="notes")
    async def slow(event: Event) -> None:
        await gate.wait()

    async with Engine(app, settings):
        await notes(1)
        token = await app.token(connection)
        await app.wait_for(token, "watch", timeout=60)
        assert app.ids == [1]
        everybody = asyncio.create_task(app.wait_for(token, timeout=60))
        with pytest.raises(TimeoutError):
            await app.wait_for(token, "slow", timeout=0.05)
        assert not everybody.done()
        assert not app.processed(token)
        gate.set()
        await everybody
        assert app.processed(token)


async def test_what_lies_before_a_token_is_told_from_what_lies_behind(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, let_go = EventScope("engine"), asyncio.Semaphore(0)

    @app.operator(entities="notes")
    async def stepwise(event: Event) -> None:
        await let_go.acquire()

    async with Engine(app, settings):
        tokens = []
        for id in range(3):
            await notes(id)
            tokens.append(await app.token(connection))
        for n, token in enumerate(tokens):
            assert [app.processed(one) for one in tokens[n:]] == [False] * (3 - n)
            let_go.release()
            await app.wait_for(token, timeout=60)
            assert app.processed(token)


async def test_cascades_are_not_waited_for(connection: Connection, settings: Settings) -> None:
    await connection.execute(
        "CREATE TABLE first (id int PRIMARY KEY); CREATE TABLE second (id int PRIMARY KEY)"
    )
    app, gate = EventScope("cascade"), asyncio.Event()
    app.query(
        "second", sql="INSERT INTO second VALUES ($1) ON CONFLICT DO NOTHING", ids={"first": "id"}
    )

    @app.operator(entities="second")
    async def held(event: Event) -> None:
        await gate.wait()

    async with Engine(app, settings):
        await connection.execute("INSERT INTO first VALUES (1)")
        await app.wait_for(await app.token(connection), timeout=60)
        gate.set()


async def test_a_paused_operator_is_waited_for(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await engine.command(Pause("watch"))
        await notes(1)
        token = await app.token(connection)
        with pytest.raises(TimeoutError):
            await app.wait_for(token, timeout=0.05)
        await engine.command(Resume("watch"))
        await app.wait_for(token, timeout=60)
        assert app.ids == [1]


async def test_an_id_that_is_tried_again_is_waited_for(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(
        "CREATE TABLE source (id int PRIMARY KEY); CREATE TABLE copy (id int PRIMARY KEY);"
        "CREATE TABLE allowed (id int)"
    )
    app = EventScope("retried")
    app.query(
        "copy",
        sql="INSERT INTO copy SELECT $1::int / (SELECT count(*) FROM allowed)"
        " ON CONFLICT DO NOTHING",
        ids={"source": "id"},
    )
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO source VALUES (1)")
        token = await app.token(connection)
        await until_state(engine, "copy", "backing-off")
        assert not app.processed(token)
        await connection.execute("INSERT INTO allowed VALUES (1)")
        await app.wait_for(token, timeout=60)
        assert await (await connection.execute("SELECT id FROM copy")).fetchall() == [(1,)]


@pytest.mark.parametrize(("rate", "state"), [(None, "running"), (0.2, "idle")])
async def test_a_backfill_is_not_waited_for(
    notes: Write, connection: Connection, settings: Settings, rate: float | None, state: str
) -> None:
    await connection.execute(
        "CREATE TABLE source (id int PRIMARY KEY); INSERT INTO source VALUES (1), (2), (3);"
        "CREATE TABLE copy (id int PRIMARY KEY); CREATE TABLE gate ()"
    )
    app = Watching()
    app.query(
        "copy",
        sql="INSERT INTO copy SELECT $1::int FROM (SELECT count(*) FROM gate) g"
        " ON CONFLICT DO NOTHING",
        ids={"source": "id"},
    )
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        async with connection.transaction():
            if rate is None:
                await connection.execute("LOCK gate")
            await engine.command(StartBackfill("copy", rate))
            await until(lambda: operator(engine, "copy").state == state)
            async with await psycopg.AsyncConnection.connect(
                settings.url.get_secret_value(), autocommit=True
            ) as other:
                await other.execute("INSERT INTO notes VALUES (1)")
                token = await app.token(other)
            await app.wait_for(token, timeout=10)
            assert app.ids == [1]
        assert operator(engine, "copy").backfill is not None


async def test_an_id_of_a_backfill_that_is_tried_again_is_not_waited_for(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await connection.execute(
        "CREATE TABLE source (id int PRIMARY KEY); INSERT INTO source VALUES (1);"
        "CREATE TABLE copy (id int PRIMARY KEY, CHECK (id > 1))"
    )
    app = Watching()
    app.query("copy", sql="INSERT INTO copy VALUES ($1::int)", ids={"source": "id"})
    slow = settings.model_copy(update={"operator_queue_min_restart_time": 10_000})
    async with Engine(app, slow) as engine:
        await engine.command(StartBackfill("copy"))
        await until_state(engine, "copy", "backing-off")
        await notes(1)
        await app.wait_for(await app.token(connection), timeout=5)


async def test_a_token_is_good_after_a_restart(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings):
        await notes(1)
        before = await app.token(connection)
        await app.wait_for(before, timeout=60)
    await notes(2)
    after = await app.token(connection)
    async with Engine(app, settings):
        await app.wait_for(before, timeout=60)
        await app.wait_for(after, timeout=60)
        assert app.ids == [1, 2]


async def test_a_lost_connection_takes_nothing_back(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        for n in range(3):  # more often than the queue takes note of what is not for it
            await connection.execute(f"CREATE TABLE elsewhere_{n} ()".encode())
            token = await app.token(connection)
            await app.wait_for(token, timeout=60)
        await connection.execute(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
        )
        await until(lambda: engine.snapshot().stream.state != "streaming")
        assert app.processed(token)


async def test_an_engine_in_another_thread_is_waited_for(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, gate = EventScope("engine"), threading.Event()

    @app.operator(entities="notes")
    def held(event: Event) -> None:
        gate.wait(60)

    thread = EngineThread(app, settings)
    await asyncio.to_thread(thread.start)
    try:
        await notes(1)
        token = await app.token(connection)
        with pytest.raises(TimeoutError):
            await app.wait_for(token, timeout=0.1)
        assert not app.processed(token)
        opening = threading.Timer(0.1, gate.set)  # when this loop has nothing else to do
        opening.start()
        began = time.monotonic()
        await app.wait_for(token, timeout=20)
        assert time.monotonic() - began < 10, "this loop was woken"
        assert app.processed(token)
    finally:
        gate.set()
        await asyncio.to_thread(thread.stop)


async def test_a_wait_ends_with_the_engine(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings):
        waiting = asyncio.create_task(app.wait_for("FFFFFFFF/0"))
        await asyncio.sleep(0)
    with pytest.raises(NotRunning, match="has ended meanwhile"):
        await asyncio.wait_for(waiting, 60)


async def test_without_an_engine_nobody_can_tell(connection: Connection) -> None:
    app = Watching()
    token = await app.token(connection)
    for ask in (lambda: app.processed(token), lambda: app.processed("notes", 1)):
        with pytest.raises(NotRunning, match="'engine' is not running in this process: ask inside"):
            ask()
    with pytest.raises(NotRunning, match="wait inside"):
        await app.wait_for(token)


async def test_a_token_is_of_what_is_committed(database: str) -> None:
    app = EventScope("token")
    async with await psycopg.AsyncConnection.connect(
        database, row_factory=psycopg.rows.dict_row
    ) as connection:
        await connection.execute("CREATE TABLE t ()")
        with pytest.raises(NotCommitted, match="commit first"):
            await app.token(connection)
        await connection.commit()
        assert "/" in await app.token(connection)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.parametrize("token", ["", "posts", "0/1/2", "\x1b]0;x\x07", "G/0", 7])
async def test_what_is_no_token_is_refused(token: str) -> None:
    app = Watching()
    with pytest.raises(InvalidToken, match="is no token") as caught:
        app.processed(token)
    assert str(caught.value).isprintable()
    with pytest.raises(InvalidToken):
        await app.wait_for(token)


async def test_an_operator_that_there_is_not_is_named(notes: Write, settings: Settings) -> None:
    app = Watching()
    async with Engine(app, settings):
        with pytest.raises(DeclarationError, match="no operator 'welcome'; there are: watch"):
            await app.wait_for("0/1", "welcome")
