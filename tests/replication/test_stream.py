from __future__ import annotations

import time

import psycopg
import pytest

from eventscope.event import Lsn
from eventscope.replication import catalog, stream
from eventscope.replication.pgoutput import ProtocolError
from eventscope.settings import Settings
from tests.replication.reading import make_slot, reading
from tests.servers import fresh_database


@pytest.fixture
async def table(connection) -> None:
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, body text)")


async def confirmed(connection, settings) -> Lsn:
    slot = await catalog.slot(connection, settings.slot_name)
    return slot.confirmed_flush


async def test_rows_come_in_the_order_they_were_written(table, connection, settings):
    async with reading(settings, ["t"]) as stream:
        async with connection.transaction():
            await connection.execute("INSERT INTO t VALUES (1), (2)")
            await connection.execute("UPDATE t SET body = 'x' WHERE id = 2")
            await connection.execute("DELETE FROM t WHERE id = 1")
        await connection.execute("INSERT INTO t VALUES (3)")
        events = await stream.catch_up()
    assert [(event.type, event.index) for event in events] == [
        ("insert", 0),
        ("insert", 1),
        ("update", 2),
        ("delete", 3),
        ("insert", 0),
    ]


async def test_it_starts_where_it_is_told_to(table, connection, settings):
    async with reading(settings, ["t"]) as first:
        await connection.execute("INSERT INTO t VALUES (1)")
        await connection.execute("INSERT INTO t VALUES (2)")
        one, two = await first.catch_up()
    async with reading(settings, ["t"], start=one.id.end_lsn) as second:
        assert [event.id for event in await second.catch_up()] == [two.id]


async def test_what_the_server_sends_again_is_skipped(table, connection, settings):
    start = await make_slot(settings)
    async with reading(settings, ["t"], start=start) as first:
        await connection.execute("INSERT INTO t VALUES (1)")
        await connection.execute("INSERT INTO t VALUES (2)")
        one, two = await first.catch_up()
    async with reading(settings, ["t"], start=start, stored=one.id.end_lsn) as second:
        assert [event.id for event in await second.catch_up()] == [two.id]


async def test_acknowledging_moves_the_slot(table, connection, settings):
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1)")
        (event,) = await stream.catch_up()
        assert await confirmed(connection, settings) < event.id.end_lsn
        stream.stream.acknowledge(event.id.end_lsn)
        deadline = time.monotonic() + 10
        while await confirmed(connection, settings) != event.id.end_lsn:
            assert time.monotonic() < deadline


async def test_an_answered_server_keeps_an_idle_stream(table, connection, make_settings, database):
    settings = make_settings(url=f"{database}&options=-c%20wal_sender_timeout%3D1s")
    async with reading(settings, ["t"]) as stream:
        for _ in range(4):
            while not stream.stream.reply_requested:
                await stream.stream.arrived(10)
            stream.stream.acknowledge(Lsn(0))
        await connection.execute("INSERT INTO t VALUES (1)")
        assert len(await stream.catch_up()) == 1


async def test_a_server_that_gave_up_on_us_is_an_operational_error(
    table, connection, make_settings, database
):
    settings = make_settings(url=f"{database}&options=-c%20wal_sender_timeout%3D1s")
    async with reading(settings, ["t"]) as stream:
        with pytest.raises(psycopg.OperationalError):
            await stream.until_its_end()


async def test_a_killed_connection_is_an_operational_error(table, connection, settings):
    async with reading(settings, ["t"]) as stream:
        slot = await catalog.slot(connection, settings.slot_name)
        await connection.execute("SELECT pg_terminate_backend(%s)", [slot.active_pid])
        with pytest.raises(psycopg.OperationalError):
            await stream.until_its_end()


async def test_a_missing_publication_surfaces_with_its_sqlstate(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("DROP PUBLICATION events")
        await connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(psycopg.Error) as raised:
            await stream.catch_up()
        assert raised.value.sqlstate == "42704"
        assert "events" in str(raised.value)


async def test_a_missing_publication_surfaces_on_older_servers_too(postgres_15):
    with fresh_database(postgres_15) as url:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await test_a_missing_publication_surfaces_with_its_sqlstate(
                connection, Settings(url=url)
            )


async def test_what_the_server_said_is_not_hidden_by_an_acknowledgement(
    table, connection, settings
):
    async with reading(settings, ["t"]) as stream:
        await connection.execute("DROP PUBLICATION events")
        await connection.execute("INSERT INTO t VALUES (1)")
        for _ in range(2):
            with pytest.raises(psycopg.errors.UndefinedObject):
                await stream.until_its_end()
            stream.stream.acknowledge(Lsn(0))


async def test_a_connection_that_is_gone_is_told_by_the_stream(table, settings):
    async with reading(settings, ["t"]) as stream:
        stream.stream._pgconn.finish()
        stream.stream.acknowledge(Lsn(0))
        with pytest.raises(psycopg.OperationalError):
            await stream.until_its_end()


async def test_a_slot_in_use_is_refused_with_its_sqlstate(table, connection, settings):
    start = await make_slot(settings)
    async with reading(settings, ["t"], start=start):
        with pytest.raises(psycopg.errors.ObjectInUse):
            async with reading(settings, ["t"], start=start):
                pass


async def test_a_full_assembler_stops_the_reading_and_loses_nothing(
    table, connection, settings, monkeypatch
):
    monkeypatch.setattr(stream, "HIGH_WATER", 20_000)
    async with reading(settings, ["t"]) as read:
        await connection.execute(
            "INSERT INTO t SELECT n, repeat('x', 300) FROM generate_series(1, 3000) n"
        )
        events = await read.catch_up()
    assert [event.new_record["id"] for event in events] == list(range(1, 3001))
    assert max(batch.size for batch in read.batches) < 60_000


async def test_large_rows_do_not_overrun_the_high_water_mark(
    table, connection, settings, monkeypatch
):
    monkeypatch.setattr(stream, "HIGH_WATER", 100_000)
    async with reading(settings, ["t"]) as read:
        await connection.execute("INSERT INTO t VALUES (0, repeat('x', 30000000))")
        await read.catch_up()  # libpq has made room for that now, and keeps it
        read.batches.clear()
        await connection.execute(
            "INSERT INTO t SELECT n, repeat('x', 90000) FROM generate_series(1, 300) n"
        )
        assert len(await read.catch_up()) == 300
    assert max(batch.size for batch in read.batches) < 300_000


async def test_nothing_is_read_while_the_assembler_is_full(
    table, connection, settings, monkeypatch
):
    monkeypatch.setattr(stream, "HIGH_WATER", 10_000)
    async with reading(settings, ["t"]) as read:
        await connection.execute(
            "INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 2000) n"
        )
        while read.assembler.size < 10_000:
            await read.stream.arrived(10)
        held = read.assembler.size
        read.stream.acknowledge(Lsn(0), ask=True)
        await read.stream.arrived(0.2)
        assert read.assembler.size == held
        assert len(await read.catch_up()) == 2000


async def test_giving_way_to_a_user_interface_loses_nothing(table, connection, settings):
    async with reading(settings, ["t"]) as read:
        read.stream._slice = 0.0
        await connection.execute("INSERT INTO t SELECT generate_series(1, 3000)")
        assert len(await read.catch_up()) == 3000


async def test_what_cannot_be_understood_ends_the_stream(table, connection, settings, monkeypatch):
    async with reading(settings, ["t"]) as read:
        monkeypatch.setattr(read.assembler, "feed", _refuse)
        await connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(ProtocolError, match="not this"):
            await read.catch_up()


def _refuse(message: bytes) -> None:
    raise ProtocolError("not this")


async def test_a_publication_name_may_need_quotes(table, connection, make_settings):
    settings = make_settings(publication="My \"odd\", 'name' \\")
    async with reading(settings, ["t"]) as read:
        await connection.execute("INSERT INTO t VALUES (1)")
        assert len(await read.catch_up()) == 1


async def test_closing_twice_is_closing_once(table, settings):
    async with reading(settings, ["t"]) as read:
        await read.stream.close()


async def test_a_missing_slot_is_refused_with_its_sqlstate(table, settings):
    with pytest.raises(psycopg.errors.UndefinedObject):
        async with reading(settings, ["t"], start=Lsn(0)):
            pass
