"""A failing operator waits alone, longer each time, and halts in the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import CommandRefused, Pause, Resume, Retry
from eventscope.operators.failures import RetryStatus
from eventscope.settings import Settings, SettingsError
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.operators.oracle import differing
from tests.operators.shop import README_SQL, TRUTH, counting_comments, tables
from tests.waiting import operator, until, until_async, until_state


class Attempts:
    """A handler that fails as often as it is told to, and notes when it was called."""

    def __init__(self, app: EventScope, failures: float, name: str = "bad") -> None:
        self.failures = failures
        self.calls: list[tuple[Any, float]] = []
        app.operator(entities=["notes"], name=name)(self.handle)

    async def handle(self, event: Event) -> None:
        self.calls.append(((event.new_record or {}).get("id"), time.monotonic()))
        if len(self.calls) <= self.failures:
            raise ValueError(f"failure {len(self.calls)}")

    @property
    def ids(self) -> list[Any]:
        return [id for id, _ in self.calls]


class Seen:
    """A handler that never fails."""

    def __init__(self, app: EventScope, name: str = "good") -> None:
        self.ids: list[Any] = []
        app.operator(entities=["notes"], name=name)(self.handle)

    async def handle(self, event: Event) -> None:
        self.ids.append((event.new_record or {}).get("id"))


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
        engine._runners["bad"].retry()  # as a retry that came a moment too late
        go_on.set()
        await until_state(engine, "bad", "halted")
        assert operator(engine, "bad").failed == 1


async def test_what_cannot_be_done_now_is_refused_and_says_why(
    notes: Write, settings: Settings
) -> None:
    app = EventScope("failures")
    Seen(app)
    async with Engine(app, settings) as engine:
        await until_state(engine, "good", "idle")
        with pytest.raises(CommandRefused, match="nothing to retry: good is idle"):
            await engine.command(Retry("good"))
        with pytest.raises(CommandRefused, match="good is not paused"):
            await engine.command(Resume("good"))
        with pytest.raises(CommandRefused, match="there is no operator who"):
            await engine.command(Pause("who"))
        assert await engine.command(Pause("good")) == "good is paused"
        with pytest.raises(CommandRefused, match="good is paused already"):
            await engine.command(Pause("good"))
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


async def test_a_query_that_fails_for_one_id_is_retried_from_there(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    await connection.execute(
        "ALTER TABLE post_with_comments_counts ADD CONSTRAINT few CHECK (comments_count < 3)"
    )
    app = counting_comments()
    app.query(
        "other", target="post_with_comments_counts", sql="SELECT $1::int", ids={"posts": "id"}
    )
    settings = make_settings(operator_queue_max_retries=2)
    async with Engine(app, settings) as engine:
        name = "post_with_comments_counts"
        async with connection.transaction():
            await connection.execute("INSERT INTO posts SELECT n, 'x' FROM generate_series(1, 9) n")
            await connection.execute("INSERT INTO comments (post_id) VALUES (1), (2), (2), (2)")
        state = await until_state(engine, name, "halted")
        await until(lambda: operator(engine, "other").applied == 9)
        assert "CheckViolation" in (state.error or "")
        assert 'violates check constraint "few"' in (state.error or "")
        assert state.failed == 3
        rows = await connection.execute(f"SELECT comments_count FROM {name} WHERE id = 1")
        assert await rows.fetchall() == [(1,)], "what came before is done"
        await connection.execute(f"ALTER TABLE {name} DROP CONSTRAINT few")
        await engine.command(Retry(name))
        await engine.settle(60)
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
        app.query(name, target="posts", sql=sql, ids={"posts": "id"})
    app.query("right", target="posts", sql=README_SQL, ids={"posts": "id"})
    async with Engine(app, make_settings(operator_queue_max_retries=1)) as engine:
        await connection.execute("INSERT INTO posts VALUES (1), (2)")
        await engine.settle(60)
        states = {o.name: o.state for o in engine.snapshot().operators}
        assert states.pop("right") == "idle"
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


class Heard:
    """An error logger that keeps what it is told."""

    retries: Sequence[tuple[Any, ...]] = ()
    failures: Sequence[tuple[Any, ...]] = ()

    def on_retry(
        self, operator: str, event: Event, error: BaseException, status: RetryStatus
    ) -> None:
        Heard.retries = [*Heard.retries, (operator, event.id, str(error), status)]

    def on_failed(
        self, operator: str, event: Event, error: BaseException, status: RetryStatus
    ) -> None:
        Heard.failures = [*Heard.failures, (operator, event.id, str(error), status)]


class Broken:
    """An error logger with an error of its own."""

    def on_retry(self, *_: object) -> None:
        raise RuntimeError("of the error logger")

    on_failed = on_retry


async def test_every_retry_and_the_halt_are_told_with_the_status_of_the_original(
    notes: Write, make_settings: MakeSettings
) -> None:
    Heard.retries = Heard.failures = ()
    app = EventScope("failures")
    Attempts(app, failures=99)
    settings = make_settings(
        error_logger_adapter=f"{__name__}:Heard",
        operator_queue_max_retries=2,
        operator_queue_min_restart_time=100,
        operator_queue_max_restart_time=150,
    )
    async with Engine(app, settings) as engine:
        await notes(1)
        await until_state(engine, "bad", "halted")
    assert [(name, error) for name, _, error, _ in Heard.retries] == [
        ("bad", "failure 1"), ("bad", "failure 2"),
    ]  # fmt: skip
    first, second = (status for *_, status in Heard.retries)
    assert (first.curr_retries, first.max_retries) == (1, 2)
    assert 100 <= first.curr_time_to_wait <= 110
    assert 150 <= second.curr_time_to_wait <= 165
    [(name, id, error, last)] = Heard.failures
    assert (name, id, error) == ("bad", Heard.retries[0][1], "failure 3")
    assert last == RetryStatus(curr_retries=3, max_retries=2, curr_time_to_wait=0)


async def test_an_error_logger_with_an_error_of_its_own_harms_nobody(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    Attempts(app, failures=99)
    good = Seen(app)
    settings = make_settings(
        error_logger_adapter=f"{__name__}:Broken", operator_queue_max_retries=1
    )
    async with Engine(app, settings) as engine:
        await notes(1)
        await until_state(engine, "bad", "halted")
        await notes(2)
        await engine.settle(60)
        assert engine.failure is None
        assert good.ids == [1, 2]


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        ("nowhere", "want log or package.module:Class"),
        ("no.such.module:Class", "No module named 'no'"),
        (f"{__name__}:Nothing", "has no attribute 'Nothing'"),
        (f"{__name__}:Seen", "missing 1 required positional argument"),
        ("collections:Counter", "has no method on_retry"),
    ],
)
async def test_an_error_logger_that_cannot_be_is_refused_at_the_start(
    notes: Write, make_settings: MakeSettings, adapter: str, why: str
) -> None:
    app = EventScope("failures")
    Seen(app)
    with pytest.raises(SettingsError, match="setting error_logger_adapter") as caught:
        async with Engine(app, make_settings(error_logger_adapter=adapter)):
            pass
    assert why in str(caught.value)
