"""``acknowledge = "applied"``: the slot is held back until every operator is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine, intake
from eventscope.engine.applied import Applied
from eventscope.engine.commands import Command, Pause, Replay, Resume, Retry, RetryLetters
from eventscope.event import Lsn
from eventscope.queue.memory import MemoryQueue
from eventscope.replication.relations import Transaction
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Watching, Write
from tests.operators.shop import README_SQL, tables
from tests.waiting import operator, until, until_async, until_state

Tx = psycopg.AsyncConnection[Any]
Confirmed = Callable[[], Awaitable[Lsn]]


@pytest.fixture(params=["sqlite", "memory"])
def held(request: pytest.FixtureRequest, make_settings: MakeSettings) -> Callable[..., Settings]:
    """Settings that hold the slot back, said by each store in its way."""

    def held(**more: Any) -> Settings:
        if request.param == "memory":
            return make_settings(queue_storage_adapter="memory", **more)
        return make_settings(acknowledge="applied", **more)

    return held


@pytest.fixture
def confirmed(connection: Connection, settings: Settings) -> Confirmed:
    """What the server may forget."""

    async def confirmed() -> Lsn:
        cursor = await connection.execute(
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s",
            [settings.slot_name],
        )
        [(lsn,)] = await cursor.fetchall()
        return Lsn.parse(lsn)

    return confirmed


async def position(connection: Connection) -> Lsn:
    """Where the server's WAL ends."""
    cursor = await connection.execute("SELECT pg_current_wal_lsn()::text")
    [(lsn,)] = await cursor.fetchall()
    return Lsn.parse(lsn)


class Failing(EventScope):
    """An application whose one handler fails at the events with some ids."""

    def __init__(self, *bad: int) -> None:
        super().__init__("applied")
        self.bad = set(bad)
        self.ids: list[Any] = []
        self.operator(entities=["notes"], name="watch")(self._note)

    async def _note(self, event: Event) -> None:
        id = (event.new_record or {}).get("id")
        self.ids.append(id)
        if id in self.bad:
            raise ValueError("no")


async def stays_before(
    confirmed: Confirmed, lsn: Lsn, engine: Engine, connection: Connection
) -> None:
    """See that the slot does not reach a place, whatever else happens on the server."""
    for _ in range(3):
        await connection.execute("SELECT pg_current_xact_id()")
        end = await position(connection)
        await until(lambda end=end: engine.snapshot().stream.received_lsn >= end)
        assert await confirmed() < lsn


async def test_the_slot_waits_for_the_slowest_operator_and_moves_on_with_it(
    notes: Write, connection: Connection, held: Callable[..., Settings], confirmed: Confirmed
) -> None:
    app, slow = Watching("fast"), Watching("slow")
    app.operator(entities=["notes"], name="slow")(slow._note)
    async with Engine(app, held()) as engine:
        await notes(1)
        await engine.settle(60)
        await engine.command(Pause("slow"))
        before = await position(connection)
        await notes(2, 3)
        await until(lambda: app.ids == [1, 2, 3])
        await stays_before(confirmed, await position(connection), engine, connection)
        assert await confirmed() <= before
        assert engine.snapshot().stream.acknowledged_lsn <= before
        after = await position(connection)
        await engine.command(Resume("slow"))
        async with asyncio.timeout(intake.FEEDBACK / 2):
            await until_async(lambda: at_least(confirmed, after))


async def at_least(confirmed: Confirmed, lsn: Lsn) -> bool:
    return await confirmed() >= lsn


async def test_what_is_applied_is_told_soon_though_nothing_else_comes(
    notes: Write, held: Callable[..., Settings], confirmed: Confirmed
) -> None:
    app = Watching()
    async with Engine(app, held()) as engine:
        await engine.command(Pause("watch"))
        await notes(1)
        await until(lambda: operator(engine, "watch").depth == 1)
        await engine.command(Resume("watch"))
        async with asyncio.timeout(intake.FEEDBACK / 2):
            await until_async(lambda: at_least(confirmed, engine._reader.stored))


async def test_what_is_done_while_the_engine_stops_is_told_too(
    notes: Write, held: Callable[..., Settings], confirmed: Confirmed
) -> None:
    app, begun, gate = EventScope("applied"), [], asyncio.Event()

    @app.operator(entities=["notes"])
    async def slow(event: Event) -> None:
        begun.append(event.id)
        await gate.wait()

    async with Engine(app, held()) as engine:
        await notes(1)
        await until(lambda: begun)
        stored = engine._reader.stored
        asyncio.get_running_loop().call_later(0.05, gate.set)
    await until_async(lambda: at_least(confirmed, stored))
    assert len(begun) == 1


async def test_nothing_is_pinned_while_there_is_nothing_to_apply(
    notes: Write, connection: Connection, held: Callable[..., Settings], confirmed: Confirmed
) -> None:
    app = Watching()
    async with Engine(app, held()) as engine:
        await notes(1)
        await engine.settle(60)
        await engine.command(Pause("watch"))  # one that has nothing to do holds nothing back
        await connection.execute("CREATE TABLE elsewhere AS SELECT generate_series(1, 10000)")
        end = await position(connection)
        async with asyncio.timeout(intake.FEEDBACK / 2):
            await until_async(lambda: at_least(confirmed, end))


@pytest.mark.parametrize(
    ("state", "mend"),
    [("backing-off", Retry("watch")), ("halted", Retry("watch")), ("paused", Resume("watch"))],
)
async def test_what_an_operator_has_not_applied_comes_again_after_a_restart_in_any_state(
    notes: Write,
    connection: Connection,
    held: Callable[..., Settings],
    confirmed: Confirmed,
    state: str,
    mend: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "_IDLE_ADVANCE", 0.0)
    app = Failing(2)
    settings = held(
        operator_queue_max_retries=0 if state == "halted" else 5,
        operator_queue_min_restart_time=3_600_000,
        operator_queue_max_restart_time=3_600_000,
    )
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        before = await position(connection)
        if state == "paused":
            await engine.command(Pause("watch"))
        await notes(2, 3)
        await until(lambda: operator(engine, "watch").depth == 2)
        await until_state(engine, "watch", state)
        await stays_before(confirmed, await position(connection), engine, connection)
    assert await confirmed() <= before, "nor at the end"
    app.bad.clear()
    app.ids.clear()
    async with Engine(app, settings) as engine:
        await until(lambda: operator(engine, "watch").depth == 2 or app.ids == [2, 3])
        if settings.queue_storage_adapter == "sqlite":
            await until_state(engine, "watch", state)
            assert app.ids == []
            await stays_before(confirmed, await position(connection), engine, connection)
            assert await confirmed() <= before, "nor after a restart"
            await engine.command(mend)
        await engine.settle(60)
        assert app.ids == [2, 3]
    await until_async(lambda: at_least(confirmed, Lsn(before + 1)))  # it is told with the end
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        assert app.ids == [2, 3], "and does not come again"


async def test_an_id_that_is_still_retried_holds_the_slot_back_a_dead_one_does_not(
    connection: Connection, held: Callable[..., Settings], confirmed: Confirmed
) -> None:
    await connection.execute(tables())
    await connection.execute(
        "ALTER TABLE post_with_comments_counts ADD CONSTRAINT few CHECK (title <> 'bad')"
    )
    app = EventScope("applied")
    name = "post_with_comments_counts"
    app.query(name, sql=README_SQL, ids={"posts": "id"})
    settings = held(operator_queue_min_restart_time=3_600_000, operator_queue_max_retries=1)
    settings = settings.model_copy(update={"operator_queue_max_restart_time": 3_600_000})
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO posts VALUES (1, 'bad')")
        end = await position(connection)
        await connection.execute("INSERT INTO posts VALUES (2, 'good')")
        await until(lambda: operator(engine, name).retrying == 1)
        await until(lambda: operator(engine, name).depth == 0)
        await stays_before(confirmed, end, engine, connection)
        await engine.command(RetryLetters(name))
        await until(lambda: operator(engine, name).dead == 1)
        async with asyncio.timeout(intake.FEEDBACK / 2):
            await until_async(lambda: at_least(confirmed, end))


async def test_a_replay_holds_back_what_is_new_alone(
    notes: Write, connection: Connection, held: Callable[..., Settings], confirmed: Confirmed
) -> None:
    app = Failing()
    settings = held(operator_queue_max_retries=0)
    async with Engine(app, settings) as engine:
        await notes(1, 2)
        await engine.settle(60)
        applied = await position(connection)
        first = (await engine._queue.read(0, list(engine._queue.relations), 1))[0].event().id
        app.bad.add(1)
        await engine.command(Replay("watch", str(first)))
        await until_state(engine, "watch", "halted")
        await until_async(lambda: at_least(confirmed, applied))
        await notes(3)
        await stays_before(confirmed, await position(connection), engine, connection)
        app.bad.clear()
        await engine.command(Retry("watch"))
        await engine.settle(60)
        end = await position(connection)
        await until_async(lambda: at_least(confirmed, end))
    assert app.ids == [1, 2, 1, 1, 2, 3]


async def test_a_handler_with_tx_does_nothing_twice_though_events_come_again(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    """The ledger is ahead of a queue that has ended with its process."""
    app, plain = Watching("plain"), []
    settings = make_settings(queue_storage_adapter="memory")
    app.operator(entities=["notes"], name="slow")(app._note)

    @app.operator(entities=["notes"])
    async def copies(event: Event, tx: Tx) -> None:
        await tx.execute("INSERT INTO copies VALUES (%s)", [(event.new_record or {})["id"]])
        plain.append((event.new_record or {})["id"])

    async with Engine(app, settings) as engine:
        await engine.command(Pause("slow"))
        async with connection.transaction():
            await notes(1, 2)
        await notes(3)
        await until(lambda: operator(engine, "copies").applied == 3)
    async with Engine(app, settings) as engine:
        await until(lambda: app.ids.count(3) == 3)
        await notes(4)
        await engine.settle(60)
        state = operator(engine, "copies")
        assert (state.applied, state.depth, state.failed) == (1, 0, 0)
    assert plain == [1, 2, 3, 4]
    rows = await (await connection.execute("SELECT id FROM copies ORDER BY id")).fetchall()
    assert rows == [(1,), (2,), (3,), (4,)]
    async with Engine(app, settings) as engine:
        await engine.settle(60)
    assert app.ids.count(4) == 2, "once for each plain handler"


def transaction(number: int) -> Transaction:
    return Transaction(number, number, Lsn(100 * number), Lsn(100 * number - 10), number, 0)


def test_many_small_transactions_take_a_bounded_space() -> None:
    done = 0
    applied = Applied(MemoryQueue(retention_events=0, retention_bytes=0), lambda: done)
    for first in range(1, 1_000_001, 100_000):
        applied.extend(map(transaction, range(first, first + 100_000)))
        assert len(applied._pending) <= 10_000
    assert not applied.everything
    last = Lsn(0)
    for done in range(0, 1_000_001, 50_000):
        assert last <= applied.lsn <= Lsn(100 * done), "never ahead of what is applied"
        last = applied.lsn
    assert applied.everything
    assert applied.lsn == Lsn(100_000_000)
    applied.extend([transaction(1_000_001)])
    assert not applied.everything
    assert applied.lsn == Lsn(100_000_000)
