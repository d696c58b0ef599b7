"""A slot that comes back: what another instance has done meanwhile is not done again."""

from __future__ import annotations

from typing import Any

import psycopg

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import Pause, Resume
from eventscope.event import Lsn
from eventscope.operators.ledger import Ledger
from eventscope.operators.offsets import Place
from eventscope.operators.session import Session
from eventscope.replication.connection import SystemIdentity
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.operators.conftest import Write
from tests.waiting import operator, until, until_async


async def test_an_instance_that_gets_its_slot_back_repeats_nothing_that_another_has_done(
    notes: Write, connection: Connection, database: str, settings: Settings
) -> None:
    app = EventScope("claims")

    @app.operator(entities=["notes"])
    async def audit(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        await tx.execute("INSERT INTO seen (id) VALUES (%s)", [(event.new_record or {})["id"]])

    async with Engine(app, settings, attended=True) as engine:
        await notes(1)
        await engine.settle(60)
        await engine.command(Pause("audit"))
        await notes(2, 3)
        await until(lambda: operator(engine, "audit").depth == 2)
        second = engine.ring.get(1).id
        place = Place(second.end_lsn, second.ordinal)
        await another_instance(connection, database, settings, place, "VALUES (2)")
        await connection.execute(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active"
            " AND slot_name = %s",
            [settings.slot_name],
        )
        await until_async(lambda: claimed_back(connection))
        await engine.command(Resume("audit"))
        await engine.settle(60)
    cursor = await connection.execute("SELECT id FROM seen ORDER BY n")
    assert await cursor.fetchall() == [(1,), (2,), (3,)]


async def another_instance(
    connection: Connection, database: str, settings: Settings, to: Place, values: str
) -> None:
    """Take the slot over for a moment, and apply an event in its name."""
    cursor = await connection.execute("SELECT system_identifier FROM pg_control_system()")
    [(system_id,)] = await cursor.fetchall()
    other = Ledger(settings, "another")
    await other.claim(SystemIdentity(str(system_id), 1, Lsn(0), "test"), {"audit": None})
    session = Session(database, lambda _: None, other.offset("audit"))
    async with session.transaction(to=to) as tx:
        await tx.execute(f"INSERT INTO seen (id) {values}")  # type: ignore[arg-type]
    await session.close()
    await connection.execute("CREATE TABLE claim AS SELECT epoch FROM eventscope.offsets")


async def claimed_back(connection: Connection) -> bool:
    cursor = await connection.execute(
        "SELECT FROM eventscope.offsets, claim WHERE offsets.epoch > claim.epoch"
    )
    return await cursor.fetchone() is not None
