"""Operators that are added, renamed and removed while the queue holds events, or is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import CommandRefused, Forget, RetryLetters
from eventscope.replication.connection import SourceError
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.operators.declared import Seen
from tests.waiting import operator, until, until_state


class Auditing:
    """An application whose handlers write ids into ``seen``, with their names."""

    def __init__(self, *names: str, refused: int = 0, **more: Any) -> None:
        self.app = EventScope("auditing")
        self.refused = refused
        for name in names:
            self.app.operator(entities=["notes"], name=name, **more)(self.writer(name))

    def writer(self, name: str) -> Any:
        async def write(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
            id = (event.new_record or {})["id"]
            if id == self.refused:
                raise ValueError("no")
            await tx.execute("INSERT INTO seen (id, event) VALUES (%s, %s)", [id, name])

        return write


async def seen(connection: Connection, name: str) -> list[int]:
    cursor = await connection.execute("SELECT id FROM seen WHERE event = %s ORDER BY n", [name])
    return [id for [id] in await cursor.fetchall()]


async def ledger(connection: Connection) -> set[str]:
    cursor = await connection.execute("SELECT operator FROM eventscope.offsets")
    return {name for [name] in await cursor.fetchall()}


async def test_a_new_handler_starts_at_now(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    async with Engine(Auditing("old").app, settings) as engine:
        await notes(1)
        await engine.settle(60)
    async with Engine(Auditing("old", "new").app, settings) as engine:
        await notes(2)
        await engine.settle(60)
    assert await seen(connection, "old") == [1, 2]
    assert await seen(connection, "new") == [2]


async def test_an_alias_keeps_position_letters_and_the_place_in_the_ledger(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    settings = make_settings(operator_queue_max_retries=0)
    old = Auditing("old", refused=2, on_failure="dead_letter")
    other = Auditing("other")
    async with Engine(old.app, settings) as engine:
        await notes(1, 2)
        await engine.settle(60)
        [letter] = await engine._queue.letters("old")
    async with Engine(other.app, settings) as engine:
        assert engine.snapshot().orphans == ("old",)
        await notes(3)
        await engine.settle(60)
    new = Auditing("new", alias="old", on_failure="dead_letter")
    for _ in range(2):  # the alias may stay in the code
        async with Engine(new.app, settings) as engine:
            assert engine.snapshot().orphans == ("other",)
            await engine.settle(60)
            [kept] = await engine._queue.letters("new")
            assert (kept.id, kept.event.seq) == (letter.id, letter.event.seq)
        assert await seen(connection, "old") == [1]
        assert await seen(connection, "new") == [3], "it goes on where it was"
    assert await ledger(connection) == {"new", "other"}
    async with Engine(new.app, settings) as engine:
        await engine.command(RetryLetters("new"))
        await engine.settle(60)
    assert await seen(connection, "new") == [3, 2]


async def test_an_orphan_is_listed_keeps_its_events_and_is_forgotten_on_request(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    async with Engine(Auditing("kept", "left").app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        with pytest.raises(CommandRefused, match="left is declared by the application"):
            await engine.command(Forget("left"))
    async with Engine(Auditing("kept").app, settings) as engine:
        assert engine.snapshot().orphans == ("left",)
        await notes(2)
        await engine.settle(60)
        assert await ledger(connection) == {"kept", "left"}
        assert await engine.command(Forget("left")) == "left is forgotten"
        assert engine.snapshot().orphans == ()
        assert await ledger(connection) == {"kept"}
        with pytest.raises(CommandRefused, match="there is no operator left"):
            await engine.command(Forget("left"))
    async with Engine(Auditing("kept", "left").app, settings) as engine:
        await notes(3)
        await engine.settle(60)
    assert await seen(connection, "left") == [1, 3], "it is a new one"
    assert await seen(connection, "kept") == [1, 2, 3]


async def test_the_last_one_with_a_place_in_the_ledger_is_forgotten_there_too(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    async with Engine(Auditing("left").app, settings) as engine:
        await notes(1)
        await engine.settle(60)
    app = EventScope("auditing")
    Seen(app)
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        await engine.command(Forget("left"))
        assert await ledger(connection) == set()
        await notes(2)
        await engine.settle(60)
    async with Engine(Auditing("left").app, settings) as engine:
        await engine.settle(60)
    assert await seen(connection, "left") == [1]


@pytest.mark.parametrize("without", ["exactly_once", "tx"])
async def test_what_was_done_while_the_ledger_was_not_used_is_not_done_again(
    notes: Write, connection: Connection, make_settings: MakeSettings, without: str
) -> None:
    def application(*, takes_tx: bool) -> EventScope:
        app = EventScope("renewal")

        async def with_tx(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
            await tx.execute("INSERT INTO seen (id) VALUES (%s)", [(event.new_record or {})["id"]])

        async def alone(event: Event) -> None:
            id = (event.new_record or {})["id"]
            await connection.execute("INSERT INTO seen (id) VALUES (%s)", [id])

        app.operator(entities=["notes"], name="audit")(with_tx if takes_tx else alone)
        return app

    for id in (1, 2, 3):
        is_without = id == 2
        app = application(takes_tx=not is_without or without != "tx")
        settings = make_settings(exactly_once=not is_without or without != "exactly_once")
        async with Engine(app, settings) as engine:
            await notes(id)
            await engine.settle(60)
    rows = await connection.execute("SELECT id FROM seen ORDER BY n")
    assert await rows.fetchall() == [(1,), (2,), (3,)]


@pytest.mark.parametrize("fails", [False, True], ids=["", "and the first new event fails"])
async def test_a_lost_queue_file_makes_nobody_apply_an_event_twice(
    notes: Write,
    connection: Connection,
    make_settings: MakeSettings,
    tmp_path: Path,
    fails: bool,
) -> None:
    settings = make_settings(acknowledge="applied", operator_queue_max_retries=3)
    app, calls = EventScope("auditing"), list[int]()
    slow = EventScope("auditing")

    async def audit(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        id = (event.new_record or {})["id"]
        calls.append(id)
        await tx.execute("INSERT INTO seen (id, event) VALUES (%s, 'audit')", [id])
        if fails and id == 6 and calls.count(6) < 3:
            raise ValueError("not yet")

    for each in (app, slow):
        each.operator(entities=["notes"], name="audit")(audit)

    @slow.operator(entities=["notes"], on_failure="halt")
    async def holds_back(event: Event) -> None:
        raise ValueError("so that the slot stays behind")

    async with Engine(slow, settings) as engine:
        await notes(1, 2, 3, 4, 5)
        await until(lambda: operator(engine, "audit").applied == 5)
        await until_state(engine, "holds_back", "halted")
    for path in files_of(tmp_path):
        path.unlink()
    await notes(6, 7)
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        assert operator(engine, "audit").depth == 0
        await notes(8)
        await engine.settle(60)
    assert await seen(connection, "audit") == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_lost_queue_file_and_a_restart_before_the_first_new_event(
    notes: Write, connection: Connection, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(acknowledge="applied")
    auditing = Auditing("audit")
    slow = Auditing("audit")

    @slow.app.operator(entities=["notes"])
    async def holds_back(event: Event) -> None:
        raise ValueError("so that the slot stays behind")

    async with Engine(slow.app, settings) as engine:
        await notes(1, 2, 3)
        await until(lambda: operator(engine, "audit").applied == 3)
        await until(lambda: operator(engine, "holds_back").failed)
    for path in files_of(tmp_path):
        path.unlink()
    for _ in range(2):
        async with Engine(auditing.app, settings) as engine:
            await engine.settle(60)
            assert engine._queue.last_seq == 3, "they have come again"
    assert await seen(connection, "audit") == [1, 2, 3]


async def test_without_the_ledger_all_works_and_nothing_is_noted_in_the_database(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    settings = make_settings(exactly_once=False)
    auditing = Auditing("audit")
    auditing.app.query(
        "others", sql="INSERT INTO others VALUES ($1::int) ON CONFLICT DO NOTHING",
        ids={"notes": "id"},
    )  # fmt: skip
    for id in (1, 2):
        async with Engine(auditing.app, settings) as engine:
            await notes(id)
            await engine.settle(60)
    assert await seen(connection, "audit") == [1, 2]
    assert await (await connection.execute("TABLE others")).fetchall() == [(1,), (2,)]
    cursor = await connection.execute("SELECT FROM pg_namespace WHERE nspname = 'eventscope'")
    assert cursor.rowcount == 0
    async with Engine(Auditing("another").app, settings) as engine:
        await engine.settle(60)
        await engine.command(Forget("audit"))
        assert engine.snapshot().orphans == ("others",)


async def test_a_row_of_the_ledger_that_is_taken_away_ends_it_and_is_named(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    async with Engine(Auditing("audit").app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        await connection.execute("DELETE FROM eventscope.offsets")
        await notes(2)
        with pytest.raises(SourceError, match="no row of operator audit"):
            await engine.wait()
    async with Engine(Auditing("audit").app, settings) as engine:
        await engine.settle(60)
    assert await seen(connection, "audit") == [1, 2]


def files_of(directory: Path) -> list[Path]:
    return list(directory.glob("queue.db*"))
