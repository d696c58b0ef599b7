"""Slots on servers with settings of their own."""

from __future__ import annotations

import asyncio

from eventscope.replication import catalog
from eventscope.replication.connection import connect
from eventscope.settings import Settings
from tests.replication.doctor.examining import a_writer_lasts, examined, mend
from tests.replication.reading import make_slot
from tests.servers import running_server
from tests.waiting import until_async


def test_a_prepared_transaction_keeps_a_slot_from_being_made_until_it_is_rolled_back():
    with running_server(settings={"max_prepared_transactions": 2}) as server:

        async def run() -> None:
            settings = Settings(url=server.url)
            async with await connect(server.url) as connection:
                await connection.execute("CREATE TABLE posts (id int)")
                await connection.execute("BEGIN")
                await connection.execute("INSERT INTO posts VALUES (1)")
                await connection.execute("PREPARE TRANSACTION 'it''s \\ mine'")
                await until_async(lambda: a_writer_lasts(connection))
                [warning] = (await examined(None, settings)).all("open_transaction")
                assert "prepared transaction" in warning.found
                assert "it's" in warning.found.replace("''", "'")
                await mend(warning, server.url)
                assert (await examined(None, settings)).all("open_transaction") == []

        asyncio.run(run())


def test_a_slot_near_its_limit_is_warned_of_and_blocks_when_it_is_lost():
    limits = {"max_slot_wal_keep_size": "64MB", "max_wal_size": "64MB", "min_wal_size": "32MB"}
    with running_server(settings=limits) as server:

        async def run() -> None:
            settings = Settings(url=server.url)
            async with await connect(server.url) as connection:
                await make_slot(settings)
                assert (await examined(None, settings)).troubles() == []

                async def warned() -> bool:
                    await connection.execute(
                        "SELECT pg_logical_emit_message(false, '', repeat('x', 3000000))"
                    )
                    return (await examined(None, settings)).troubles() == ["retained_wal"]

                await until_async(warned)
                found = (await examined(None, settings)).one("retained_wal")
                assert "more the slot is lost (max_slot_wal_keep_size)" in found.why
                assert (await catalog.slot(connection, "postgres_slot")).wal_status != "unreserved"

                async def lost() -> bool:
                    await connection.execute("SELECT pg_logical_emit_message(false, '', '')")
                    await connection.execute("SELECT pg_switch_wal()")
                    await connection.execute("CHECKPOINT")
                    return (await examined(None, settings)).one("slot").severity == "blocking"

                await until_async(lost)
                found = (await examined(None, settings)).one("slot")
                assert found.found == "slot postgres_slot is lost"
                await mend(found, server.url)
                assert (await examined(None, settings)).troubles() == []

        asyncio.run(run())
