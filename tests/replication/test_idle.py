"""What an engine tells the server while nothing of interest happens."""

from __future__ import annotations

import time

import pytest

from eventscope import EventScope
from eventscope.engine import Engine
from eventscope.event import Lsn
from eventscope.replication import catalog


@pytest.fixture
async def app(connection) -> EventScope:
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
    await connection.execute("CREATE TABLE unpublished (body text)")
    app = EventScope("idle")
    app.entity("t")
    return app


async def flushed(connection) -> Lsn:
    cursor = await connection.execute("SELECT pg_current_wal_flush_lsn()::text")
    return Lsn.parse((await cursor.fetchone())[0])


async def test_an_idle_engine_pins_no_wal(app, connection, settings):
    async with Engine(app, settings):
        await connection.execute(
            "INSERT INTO unpublished SELECT repeat('x', 100) FROM generate_series(1, 10000)"
        )
        written = await flushed(connection)
        deadline = time.monotonic() + 20
        while (await catalog.slot(connection, settings.slot_name)).confirmed_flush < written:
            assert time.monotonic() < deadline


async def test_nothing_is_acknowledged_that_is_not_stored(app, connection, settings):
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO t VALUES (1)")
        await engine.settle(20)
        stream = engine.snapshot().stream
        slot = await catalog.slot(connection, settings.slot_name)
        assert slot.confirmed_flush <= stream.stored_lsn
        assert stream.acknowledged_lsn <= stream.stored_lsn


async def test_a_short_sender_timeout_does_not_end_an_idle_engine(
    app, connection, make_settings, database
):
    settings = make_settings(url=f"{database}&options=-c%20wal_sender_timeout%3D1s")
    async with Engine(app, settings):
        started = before = await _sender(connection, settings)
        replies = 0
        while replies < 4:  # the server asks after half a second of silence
            now = await _sender(connection, settings)
            if now[1] != before[1]:
                replies, before = replies + 1, now
        assert before[0] == started[0]


async def _sender(connection, settings):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        cursor = await connection.execute(
            "SELECT r.pid, r.reply_time FROM pg_stat_replication r"
            " JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE s.slot_name = %s"
            " AND r.reply_time IS NOT NULL",
            [settings.slot_name],
        )
        if row := await cursor.fetchone():
            return row
    raise AssertionError("nobody reads the slot")
