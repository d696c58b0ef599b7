"""Handlers with ``batch``: they get lists, and only the event that fails is to blame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import RetryLetters
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.waiting import operator, until_state

Tx = psycopg.AsyncConnection[Any]


def ids(events: list[Event]) -> list[Any]:
    return [(event.new_record or {})["id"] for event in events]


async def at_once(connection: Connection, count: int) -> None:
    await connection.execute(
        "INSERT INTO notes SELECT n, 'x' FROM generate_series(1, %s) n", [count]
    )


@pytest.fixture(params=["async", "plain", "tx"])
def declare(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Declare an operator ``lists`` in each of the ways, which hands its ids to a function."""

    def declare(app: EventScope, work: Callable[[list[Any]], None], **options: Any) -> None:
        declaring = app.operator(entities=["notes"], name="lists", **options)
        if request.param == "async":

            @declaring
            async def awaited(events: list[Event]) -> None:
                await asyncio.sleep(0)
                work(ids(events))

        elif request.param == "plain":
            declaring(lambda events: work(ids(events)))
        else:

            @declaring
            async def with_tx(events: list[Event], tx: Tx) -> None:
                for id in ids(events):
                    await tx.execute("INSERT INTO seen (id) VALUES (%s)", [id])
                work(ids(events))

    return declare


async def test_lists_are_as_long_as_asked_for_and_in_order(
    notes: Write, connection: Connection, settings: Settings, declare: Callable[..., None]
) -> None:
    app, calls = EventScope("lists"), []
    declare(app, calls.append, batch=10)
    async with Engine(app, settings) as engine:
        await at_once(connection, 95)
        await engine.settle(60)
        assert operator(engine, "lists").applied == 95
        await connection.execute("INSERT INTO notes VALUES (96, 'x')")
        await engine.settle(60)
    assert [id for call in calls for id in call] == list(range(1, 97))
    assert max(map(len, calls)) == 10
    assert calls[-1] == [96], "a list is not waited for until it is full"


async def test_one_that_fails_is_alone_to_blame_even_without_any_retries(
    notes: Write,
    connection: Connection,
    make_settings: MakeSettings,
    declare: Callable[..., None],
) -> None:
    app, done = EventScope("lists"), []

    def work(ids: list[Any]) -> None:
        if 7 in ids:
            raise ValueError(f"7 in a list of {len(ids)}")
        done.extend(ids)

    declare(app, work, batch=10)
    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await at_once(connection, 20)
        state = await until_state(engine, "lists", "halted")
        assert done == [1, 2, 3, 4, 5, 6]
        assert (state.error, state.attempts, state.failed) == (
            "ValueError: 7 in a list of 1", 1, 1,
        )  # fmt: skip
        assert (state.applied, state.depth) == (6, 14)


async def test_a_dead_letter_holds_the_one_event_and_the_rest_comes_in_lists_again(
    notes: Write,
    connection: Connection,
    make_settings: MakeSettings,
    declare: Callable[..., None],
) -> None:
    app, calls, bad = EventScope("lists"), [], {7}

    def work(ids: list[Any]) -> None:
        if bad & set(ids):
            raise ValueError("no")
        calls.append(ids)

    declare(app, work, batch=10, on_failure="dead_letter")
    async with Engine(app, make_settings(operator_queue_max_retries=1)) as engine:
        await at_once(connection, 40)
        await engine.settle(60)
        assert operator(engine, "lists").dead == 1
        [letter] = await engine._queue.letters("lists")
        assert ids([letter.event.event()]) == [7]
        assert letter.attempts == 2
        bad.clear()
        await engine.command(RetryLetters("lists"))
        await engine.settle(60)
        assert operator(engine, "lists").dead == 0
    done = [id for call in calls for id in call]
    assert done == [*range(1, 7), *range(8, 41), 7], "each once, and the letter last"
    assert max(map(len, calls[-3:])) == 10, "lists are long again"


async def test_the_work_of_a_list_with_tx_is_there_once_whatever_failed(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    """Each list is one transaction, and moves the ledger to its last event."""
    app, failed = EventScope("lists"), []

    @app.operator(entities=["notes"], batch=10)
    async def lists(events: list[Event], tx: Tx) -> None:
        for event in events:
            await tx.execute(
                "INSERT INTO seen (id, event) VALUES (%s, pg_current_xact_id()::text)",
                [(event.new_record or {})["id"]],
            )
        if len(failed) < 2 and len(events) == (10, 1)[len(failed)]:
            failed.append(ids(events))
            await tx.execute("SELECT 1 / 0")

    async with Engine(app, make_settings()) as engine:
        await at_once(connection, 40)
        await engine.settle(60)
    rows = await (await connection.execute("SELECT id, event FROM seen ORDER BY n")).fetchall()
    assert [id for id, _ in rows] == list(range(1, 41))
    assert [len(call) for call in failed] == [10, 1]
    assert len({xid for _, xid in rows}) < 20
    assert len({xid for id, xid in rows if id > 20}) <= 3


async def test_a_lost_connection_is_no_failure_of_a_list(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, calls = EventScope("lists"), []

    @app.operator(entities=["notes"], batch=10)
    async def lists(events: list[Event], tx: Tx) -> None:
        calls.append(ids(events))
        if len(calls) == 1:
            await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async with Engine(app, settings) as engine:
        await at_once(connection, 10)
        await engine.settle(60)
        assert operator(engine, "lists").failed == 0
    assert calls == [list(range(1, 11))] * 2
