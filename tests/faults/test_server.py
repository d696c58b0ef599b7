"""The server goes away, or cuts connections: everything comes back, and nothing is lost."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from eventscope.demo.embedded import EmbeddedServer, ShutdownMode
from tests.faults.application import TABLE
from tests.faults.shop import Shop
from tests.operators.oracle import differing
from tests.operators.shop import TRUTH
from tests.waiting import until_async


async def until_equal(shop: Shop) -> None:
    """Wait until the derived table is right, while the program runs on."""

    async def equal() -> bool:
        return await differing(await shop.connection(), TABLE, TRUTH) == []

    await until_async(equal)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_the_server_restarts_in_the_middle_of_traffic(
    shop: Shop, server: EmbeddedServer, program, caught_up, mode: ShutdownMode
) -> None:
    shop.seed(1)
    before = server.log.read_text()
    async with program() as running:
        await running.logged("streaming")
        for _ in range(3):
            trading = asyncio.create_task(shop.trade(120))
            await shop.trade_has_begun()
            await asyncio.to_thread(server.restart, mode)
            await trading
            await until_equal(shop)
        assert running.running
        await running.kill()
        assert not [line for line in running.lines if line.get("level") == "error"]
    if mode == "fast":
        log = server.log.read_text().removeprefix(before)
        assert "received fast shutdown request" in log
        assert "received immediate shutdown request" not in log, "the stream delayed the server"
    await caught_up()


async def test_every_connection_is_cut_again_and_again(shop: Shop, program, caught_up) -> None:
    shop.seed(2)
    connection = await shop.connection()
    async with program() as running:
        await running.logged("streaming")
        for victim in ("replication", "catalog", TABLE, "audit", "%") * 2:
            trading = asyncio.create_task(shop.trade(40))
            async with await psycopg.AsyncConnection.connect(shop.url, autocommit=True) as killer:
                cursor = await killer.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'eventscope faults ' || %s",
                    [victim],
                )
                await cursor.fetchall()
            await trading
        await until_equal(shop)
        assert connection.closed is False
        await running.kill()
        lost = [
            line for line in running.lines if line.get("event") == "operator failed, will retry"
        ]
        assert lost == [], "a lost connection is no failure of an operator"
    await caught_up()


async def test_a_program_that_starts_before_its_server_says_so(
    shop: Shop, server: EmbeddedServer, program, caught_up
) -> None:
    await shop.trade(5)
    await shop.close()
    await asyncio.to_thread(server.stop)
    try:
        async with program() as running:
            assert await running.ended() == 3
            [line] = running.lines
            assert "cannot connect to PostgreSQL" in line["text"]
    finally:
        await asyncio.to_thread(server.start)
    await caught_up()


async def test_a_program_that_waits_for_its_server_can_be_stopped(
    shop: Shop, server: EmbeddedServer, program, caught_up
) -> None:
    async with program() as running:
        await running.logged("streaming")
        await shop.trade(5)
        await shop.close()
        await asyncio.to_thread(server.stop)
        try:
            line = await running.line(lambda line: line.get("state") == "reconnecting")
            assert line["level"] == "warning"
            running.terminate()
            assert await running.ended() == 0
        finally:
            await asyncio.to_thread(server.start)
    await caught_up()


async def test_what_only_a_person_can_mend_ends_a_program_with_its_name(
    shop: Shop, program
) -> None:
    async with program() as running:
        await running.logged("streaming")
        await shop.trade(3)
        connection = await shop.connection()
        await connection.execute("DROP PUBLICATION events; INSERT INTO posts VALUES (99)")
        assert await running.ended() == 3
        [error] = [line for line in running.lines if line.get("level") == "error"]
        said = "publication events does not exist any more: what was written"
        assert error["event"].startswith(said)
        assert running.summary["events"] == len(shop.stored(shop.directory / "queue.db"))
        [text] = [line["text"] for line in running.lines if "text" in line]
        assert said in text
