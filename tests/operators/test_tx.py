"""Handlers that take ``tx``: all that they do is committed with their return, or nothing."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from structlog.testing import capture_logs

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.waiting import operator


def key(event: Event) -> Any:
    row = event.new_record or event.old_record or {}
    return row.get("id")


async def test_what_a_handler_does_with_tx_is_committed_with_its_return(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = EventScope("handlers")

    @app.operator(entities=["notes"])
    async def handler(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        await tx.execute("INSERT INTO seen (id, event) VALUES (%s, %s)", [key(event), event.id])

    async with Engine(app, settings) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
    rows = await (await connection.execute("SELECT id, event FROM seen ORDER BY n")).fetchall()
    assert [id for id, _ in rows] == [1, 2, 3]
    assert len({event for _, event in rows}) == 3


async def test_what_a_handler_does_with_tx_is_undone_when_it_raises(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, attempts = EventScope("handlers"), []

    @app.operator(entities=["notes"])
    async def handler(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        attempts.append(event.id)
        await tx.execute("INSERT INTO seen (id) VALUES (%s)", [key(event)])
        if len(attempts) == 1:
            raise ValueError("no")
        if len(attempts) == 2:
            await tx.execute("SELECT 1 / 0")

    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        assert operator(engine, "handler").failed == 2
    assert len(attempts) == 3
    assert len(set(attempts)) == 1, "the id of an event is the same at each attempt"
    assert await (await connection.execute("SELECT id FROM seen")).fetchall() == [(1,)]


async def test_an_error_that_it_hides_does_not_undo_its_work_unnoticed(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    """An error of the database aborts the transaction, whatever Python makes of it."""
    app = EventScope("handlers")

    @app.operator(entities=["notes"])
    async def hides(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        await tx.execute("INSERT INTO seen (id) VALUES (1)")
        with suppress(psycopg.Error):
            await tx.execute("INSERT INTO others SELECT 1 FROM generate_series(1, 2)")

    @app.operator(entities=["notes"])
    async def shelters(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        await tx.execute("INSERT INTO seen (id) VALUES (2)")
        with suppress(psycopg.Error):
            async with tx.transaction():
                await tx.execute("INSERT INTO others SELECT 1 FROM generate_series(1, 2)")

    async with Engine(app, make_settings(operator_queue_max_retries=1)) as engine:
        await notes(1)
        await engine.settle(60)
        state = operator(engine, "hides")
        assert (state.state, state.applied) == ("halted", 0)
        assert "async with tx.transaction()" in (state.error or "")
        assert operator(engine, "shelters").applied == 1
    assert await (await connection.execute("SELECT id FROM seen")).fetchall() == [(2,)]


@pytest.mark.parametrize(("end", "kept"), [("COMMIT", [(1,)]), ("ROLLBACK", [])])
async def test_one_that_ends_the_transaction_itself_is_told_so(
    notes: Write, connection: Connection, make_settings: MakeSettings, end: str, kept: list[Any]
) -> None:
    app = EventScope("handlers")

    @app.operator(entities=["notes"])
    async def handler(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        await tx.execute("INSERT INTO seen (id) VALUES (%s)", [key(event)])
        await tx.execute(end)  # type: ignore[call-overload]

    with capture_logs() as logs:
        async with Engine(app, make_settings(operator_queue_max_retries=1)) as engine:
            await notes(1)
            await engine.settle(60)
            assert operator(engine, "handler").failed > 0
    [told, *_] = [log["error"] for log in logs if "failed" in log["event"]]
    assert told.startswith("TransactionEnded: COMMIT or ROLLBACK was sent")
    assert await (await connection.execute("SELECT id FROM seen")).fetchall() == kept


async def test_a_lost_connection_that_it_hides_does_not_lose_its_work(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, calls = EventScope("handlers"), []

    @app.operator(entities=["notes"])
    async def handler(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        calls.append(event.id)
        await tx.execute("INSERT INTO seen (id) VALUES (1)")
        if len(calls) == 1:
            with suppress(psycopg.Error):
                await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        assert operator(engine, "handler").failed == 0
    assert len(calls) == 2
    assert await (await connection.execute("SELECT id FROM seen")).fetchall() == [(1,)]


async def test_a_connection_lost_between_events_repeats_none_of_them(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, calls = EventScope("handlers"), list[int]()

    @app.operator(entities=["notes"])
    async def handler(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        id = (event.new_record or {})["id"]
        calls.append(id)
        await tx.execute("INSERT INTO seen (id) VALUES (%s)", [id])
        if id in (3, 5) and calls.count(id) == 1:
            await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO notes SELECT n, 'x' FROM generate_series(1, 6) n")
        await engine.settle(60)
        assert (operator(engine, "handler").depth, operator(engine, "handler").applied) == (0, 6)
    assert calls == [1, 2, 3, 3, 4, 5, 5, 6]
    rows = await connection.execute("SELECT id FROM seen ORDER BY n")
    assert await rows.fetchall() == [(id,) for id in range(1, 7)]


async def test_what_a_handler_makes_of_rows_is_its_own_affair(
    notes: Write, settings: Settings
) -> None:
    app, found = EventScope("handlers"), []

    @app.operator(entities=["notes"])
    async def handler(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        tx.row_factory = dict_row
        found.append(await (await tx.execute("SELECT 1 AS one")).fetchone())

    async with Engine(app, settings) as engine:
        for id in (1, 2, 3):
            await notes(id)
            await engine.settle(60)
        assert operator(engine, "handler").failed == 0
    assert found == [{"one": 1}] * 3


async def test_a_handler_sees_its_own_change_in_tx(
    notes: Write, settings: Settings, connection: Connection
) -> None:
    app, found = EventScope("handlers"), []

    @app.operator(entities=["notes"])
    async def handler(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        cursor = await tx.execute("SELECT count(*) FROM notes WHERE id = %s", [key(event)])
        found.append((await cursor.fetchone() or [None])[0])

    async with Engine(app, settings) as engine:
        await notes(*range(300))
        await engine.settle(60)
    assert found == [1] * 300
