from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg

from eventscope.demo.embedded import EmbeddedServer
from eventscope.replication.connection import connect_for_replication
from eventscope.replication.doctor.server import server_version
from eventscope.settings import Settings
from tests.replication.doctor.examining import Examined, examined, mend
from tests.replication.reading import make_slot, role_url
from tests.servers import running_server


def looked_at(server: EmbeddedServer) -> Examined:
    return asyncio.run(examined(None, Settings(url=server.url)))


async def test_a_server_that_is_fit_is_told_so(settings):
    found = await examined(None, settings)
    assert found.one("wal_level").found == "wal_level is logical"
    for check in ("server_version", "recovery", "max_replication_slots", "max_wal_senders"):
        assert found.one(check).severity == "ok"
    assert found.troubles() == []


def test_a_server_that_is_too_old_blocks():
    assert server_version(150000, "15.0").severity == "ok"
    old = server_version(140012, "14.12")
    assert (old.severity, old.found) == ("blocking", "the server is PostgreSQL 14.12")
    assert "15" in old.mend


def test_settings_that_leave_no_room_block_until_they_are_mended():
    checks = ("wal_level", "max_replication_slots", "max_wal_senders")
    tight = {"wal_level": "replica", "max_replication_slots": 1, "max_wal_senders": 1}
    with running_server(settings=tight) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("SELECT pg_create_physical_replication_slot('taken')")
            found = looked_at(server)
            assert found.one("max_wal_senders").severity == "ok"

            async def crowded() -> Examined:
                async with await connect_for_replication(f"{server.url}&replication=true"):
                    return await examined(None, Settings(url=server.url))

            found = asyncio.run(crowded())
            for check in checks:
                assert found.one(check).severity == "blocking"
                asyncio.run(mend(found.one(check), server.url))
            assert "max_wal_senders" in found.one("replication").found
        server.restart()
        found = looked_at(server)
        assert [found.one(check).severity for check in checks] == ["ok"] * 3


def test_a_full_server_has_room_for_a_slot_that_is_there_already():
    with running_server(settings={"max_replication_slots": 1}) as server:
        asyncio.run(make_slot(Settings(url=server.url)))
        assert looked_at(server).one("max_replication_slots").severity == "ok"


def test_a_slot_that_may_fill_the_disk_is_noted_until_there_is_a_limit():
    with running_server() as server:
        note = looked_at(server).one("max_slot_wal_keep_size")
        assert note.severity == "note"
        asyncio.run(mend(note, server.url))
        limited = looked_at(server).one("max_slot_wal_keep_size")
        assert (limited.severity, limited.found) == ("ok", "max_slot_wal_keep_size is 10GB")


def test_a_standby_blocks(tmp_path: Path):
    with running_server() as server:
        server.stop()
        (Path(server.log).parent / "standby.signal").touch()
        server.start()
        found = looked_at(server)
        assert found.one("recovery").severity == "blocking"
        assert "primary" in found.one("recovery").mend
        assert found.troubles() == ["recovery"]


async def test_a_timeout_that_is_short_or_off_is_warned_of_until_it_is_mended(
    database, connection, role, make_settings
):
    settings = make_settings(url=role_url(database, role))
    for timeout in ("2s", "0"):
        name = connection.info.dbname
        await connection.execute(
            f"ALTER DATABASE {name} SET wal_sender_timeout = '{timeout}';"
            f'ALTER ROLE "{role}" RESET wal_sender_timeout'
        )
        warning = (await examined(None, settings)).one("wal_sender_timeout")
        assert warning.severity == "warning"
        await mend(warning, database)
        after = (await examined(None, settings)).one("wal_sender_timeout")
        assert (after.severity, after.found) == ("ok", "wal_sender_timeout is 1min")
