"""A backfill recomputes a whole target beside the stream, and goes on where it was."""

from __future__ import annotations

import time

import pytest
import structlog

from eventscope import EventScope, Sql
from eventscope.engine import Engine
from eventscope.engine.commands import CancelBackfill, CommandRefused, Pause, Resume, StartBackfill
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.operators.declared import Seen
from tests.operators.oracle import differing
from tests.operators.shop import README_SQL, TRUTH, counting_comments, tables
from tests.waiting import operator, until, until_async

COUNTS = "post_with_comments_counts"


async def fill(connection: Connection, posts: int) -> None:
    await connection.execute(
        "INSERT INTO posts SELECT n, 'post ' || n FROM generate_series(1, %s) n", [posts]
    )
    await connection.execute(
        "INSERT INTO comments (post_id) SELECT 1 + n %% %s FROM generate_series(1, %s) n",
        [posts, 2 * posts],
    )


async def test_a_new_operator_starts_at_now_or_with_a_backfill(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(tables())
    await connection.execute("CREATE TABLE plain (LIKE post_with_comments_counts)")
    await fill(connection, 1200)
    app = counting_comments(backfill=True)
    app.query("plain", sql=README_SQL.replace(COUNTS, "plain"), ids={"posts": "id"})
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        assert await differing(connection, COUNTS, TRUTH) == []
        assert await count(connection, "plain") == 0
        await connection.execute(f"UPDATE {COUNTS} SET comments_count = 77 WHERE id = 5")
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        assert operator(engine, COUNTS).backfill is None
    assert len(await differing(connection, COUNTS, TRUTH)) == 2, "it is filled once, not each time"


async def test_rows_that_are_wrong_missing_or_should_not_be_are_put_right_by_command(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(tables())
    async with Engine(counting_comments(), settings) as engine:
        await fill(connection, 700)
        await engine.settle(60)
        await connection.execute(f"UPDATE {COUNTS} SET title = 'wrong' WHERE id % 7 = 0")
        await connection.execute(f"DELETE FROM {COUNTS} WHERE id % 7 = 1")
        await connection.execute(
            f"INSERT INTO {COUNTS} SELECT n, 'ghost', 1 FROM generate_series(10000, 10600) n"
        )
        assert (
            await engine.command(StartBackfill(COUNTS), by="ada") == f"{COUNTS} begins a backfill"
        )
        await until(lambda: operator(engine, COUNTS).backfill is not None)
        await engine.settle(60)
        assert operator(engine, COUNTS).backfill is None
    assert await differing(connection, COUNTS, TRUTH) == []


async def test_it_goes_on_after_a_restart_and_does_nothing_twice(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(tables())
    await connection.execute("CREATE TABLE filled (n int GENERATED ALWAYS AS IDENTITY, id int)")
    app = EventScope("filling")
    app.query("filled", sql="INSERT INTO filled (id) SELECT $1::int", ids={"posts": "id"}, id="n")
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO posts SELECT n FROM generate_series(1, 60) n")
        await engine.settle(60)
        await connection.execute("TRUNCATE filled")
        await engine.command(StartBackfill("filled", rate=20))
        await until(lambda: progress(engine) >= 20)
        await engine.command(Pause("filled"))
    async with Engine(app, settings) as engine:
        before = progress(engine)
        assert 20 <= before < 60
        assert operator(engine, "filled").state == "paused"
        assert await engine.command(StartBackfill("filled")) == "filled goes on with its backfill"
        await engine.command(Resume("filled"))
        await engine.settle(60)
    cursor = await connection.execute("SELECT id, count(*) FROM filled WHERE id <= 60 GROUP BY id")
    counts = dict(await cursor.fetchall())
    assert counts.keys() == set(range(1, 61))
    # the ids of the target itself come last, as they may have to go
    cursor = await connection.execute("SELECT id FROM filled ORDER BY n LIMIT 60")
    assert [id for [id] in await cursor.fetchall()] == list(range(1, 61))


def progress(engine: Engine) -> int:
    backfill = operator(engine, "filled").backfill
    return backfill.done if backfill is not None else 0


async def test_a_rate_holds_it_back_and_the_stream_goes_on_beside_it(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(tables())
    async with Engine(counting_comments(), settings) as engine:
        await connection.execute("INSERT INTO posts SELECT n FROM generate_series(1, 30) n")
        await engine.settle(60)
        began = time.monotonic()
        await engine.command(StartBackfill(COUNTS, rate=40))
        await until(lambda: operator(engine, COUNTS).backfill is not None)
        await connection.execute("INSERT INTO comments (post_id) VALUES (30)")
        await until_async(lambda: is_counted(connection, 30))
        assert operator(engine, COUNTS).backfill is not None, "the stream has not waited for it"
        await engine.settle(60)
        # 30 posts, no other comment, and 30 rows of the target, of which the last part is free
        assert time.monotonic() - began >= 0.7
    assert await differing(connection, COUNTS, TRUTH) == []


async def is_counted(connection: Connection, id: int) -> bool:
    cursor = await connection.execute(
        f"SELECT FROM {COUNTS} WHERE id = %s AND comments_count = 1",  # type: ignore[arg-type]
        [id],
    )
    return cursor.rowcount == 1


async def test_it_is_cancelled_and_a_second_cancel_is_no_error(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(tables())
    async with Engine(counting_comments(), settings) as engine:
        await connection.execute("INSERT INTO posts SELECT n FROM generate_series(1, 50) n")
        await engine.settle(60)
        await engine.command(StartBackfill(COUNTS, rate=1))
        await until(lambda: (operator(engine, COUNTS).backfill or engine) is not engine)
        assert await engine.command(CancelBackfill(COUNTS)) == f"{COUNTS} ends its backfill"
        assert await engine.command(CancelBackfill(COUNTS)) == f"{COUNTS} has no backfill under way"
        await engine.settle(60)
        assert operator(engine, COUNTS).backfill is None
    async with Engine(counting_comments(), settings) as engine:
        await engine.settle(60)
        assert operator(engine, COUNTS).backfill is None


async def test_an_id_that_fails_is_a_letter_and_the_others_are_filled(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    await fill(connection, 20)
    await connection.execute(f"ALTER TABLE {COUNTS} ADD CONSTRAINT no_seven CHECK (id <> 7);")
    settings = make_settings(operator_queue_max_retries=1)
    async with Engine(counting_comments(backfill=True), settings) as engine:
        with structlog.testing.capture_logs() as logged:
            await engine.settle(60)
        given_up, *_ = [line for line in logged if line["event"] == "operator is out of retries"]
        assert given_up["target"] == "7"
        assert "event_id" not in given_up, "there is none"
        assert operator(engine, COUNTS).dead == 1
        [letter] = await engine._queue.letters(COUNTS)
        assert letter.target == ("7",)
        assert await count(connection, COUNTS) == 19
        await connection.execute(f"ALTER TABLE {COUNTS} DROP CONSTRAINT no_seven")
        await engine.command(StartBackfill(COUNTS))
        await engine.settle(60)
        assert operator(engine, COUNTS).dead == 0
    assert await differing(connection, COUNTS, TRUTH) == []


async def test_composite_ids_and_ids_by_expression(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(
        "CREATE TABLE lines (id int PRIMARY KEY, org int, name text, amount int);"
        "ALTER TABLE lines REPLICA IDENTITY FULL;"
        "CREATE TABLE sums (org int, name text, total bigint, PRIMARY KEY (org, name));"
        "INSERT INTO lines SELECT n, n % 7, CASE WHEN n % 5 > 0 THEN 'N' || n % 5 END, n"
        " FROM generate_series(1, 1500) n;"
        "INSERT INTO lines SELECT 2000 + n, NULL, 'x', 1 FROM generate_series(1, 3) n;"
        "INSERT INTO sums VALUES (1, 'gone', 5)"
    )
    app = EventScope("sums")
    app.query(
        "sums",
        sql="INSERT INTO sums SELECT $1::int, $2::text, sum(amount) FROM lines"
        " WHERE org = $1::int AND lower(name) = $2::text HAVING count(*) > 0"
        " ON CONFLICT (org, name) DO UPDATE SET total = excluded.total",
        ids={"lines": ("org", Sql("lower(name)"))},
        id=("org", "name"),
        delete_with=["lines"],
        backfill=True,
    )
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        assert operator(engine, "sums").failed == 0
    truth = (
        "SELECT org, lower(name), sum(amount) FROM lines"
        " WHERE org IS NOT NULL AND name IS NOT NULL GROUP BY 1, 2"
    )
    assert await differing(connection, "sums", truth) == []


async def test_only_a_query_can_be_filled(notes: Write, settings: Settings) -> None:
    app = EventScope("failures")
    Seen(app)
    async with Engine(app, settings) as engine:
        with pytest.raises(CommandRefused, match="good is a handler"):
            await engine.command(StartBackfill("good"))


async def test_one_that_cannot_be_made_does_not_hold_the_stream_up(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    app = counting_comments(ids={"posts": "id"}, delete_with=["posts"])
    hour = 3_600_000
    settings = make_settings(
        operator_queue_min_restart_time=hour, operator_queue_max_restart_time=hour
    )
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        await connection.execute("ALTER TABLE post_with_comments_counts RENAME TO away")
        await engine.command(StartBackfill(COUNTS))
        await until(lambda: operator(engine, COUNTS).failed == 1)
        state = operator(engine, COUNTS)
        assert (state.state, state.backfill is None) == ("backing-off", False)
        assert "does not exist" in state.detail
        await connection.execute("ALTER TABLE away RENAME TO post_with_comments_counts")
        await connection.execute("INSERT INTO posts VALUES (1, 'x')")
        await until_async(lambda: is_there(connection))
        await engine.command(CancelBackfill(COUNTS))
        await engine.settle(60)


async def is_there(connection: Connection) -> bool:
    return await count(connection, COUNTS) == 1


async def count(connection: Connection, table: str) -> int:
    cursor = await connection.execute(f"SELECT count(*) FROM {table}")  # type: ignore[call-overload]
    [(found,)] = await cursor.fetchall()
    return int(found)
