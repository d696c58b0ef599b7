"""A second program on one slot waits for the end of the first."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import psycopg

from tests.faults.application import TABLE
from tests.faults.shop import Shop
from tests.operators.oracle import differing
from tests.operators.shop import TRUTH
from tests.waiting import until_async

TAKES_OVER: float = 5 + 25
"""Seconds; five are promised, the rest is for a busy machine."""


async def test_it_says_who_has_the_slot_and_takes_over_at_its_end(
    shop: Shop, program, tmp_path: Path
) -> None:
    shop.seed(1)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(program(queue="first.db"))
        await first.logged("streaming")
        second = await stack.enter_async_context(program(queue="second.db"))
        line = await second.line(lambda line: line.get("state") == "standby")
        holder = await shop.value(
            "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s", shop.slot
        )
        assert line["event"].startswith(
            f"slot {shop.slot} is in use by pid {holder} "
            f"(eventscope faults replication, local socket, since 2"
        )
        await looked_several_times(shop)
        await shop.trade(40)
        last = (await shop.reference())[-1]

        async def done() -> bool:
            stored = shop.stored(tmp_path / "first.db")
            count = await shop.value("SELECT count(DISTINCT event) FROM audit")
            acknowledged = await shop.value(
                "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots"
                " WHERE slot_name = %s",
                str(stored[-1].id.end_lsn) if stored else "FFFFFFFF/0", shop.slot,
            )  # fmt: skip
            return bool(stored) and stored[-1][2:] == last and count == len(stored) and acknowledged

        await until_async(done)
        await first.kill()
        await second.line(lambda line: line.get("event") == "streaming", TAKES_OVER)
        await shop.trade(40)

        last = (await shop.reference())[-1]

        async def right() -> bool:
            stored = shop.stored(tmp_path / "second.db")
            if not stored or stored[-1][2:] != last:
                return False
            return await differing(await shop.connection(), TABLE, TRUTH) == []

        await until_async(right)
        await second.kill()
        told = [line for line in second.lines if line.get("state") == "standby"]
        assert len(told) == 1, "it is said once, not at each look"

    first_part = shop.stored(tmp_path / "first.db")
    second_part = shop.stored(tmp_path / "second.db")
    assert [event[2:] for event in first_part + second_part] == await shop.reference()


async def looked_several_times(shop: Shop) -> None:
    """Wait until the standby has tried anew a few times, each time with a connection of its own."""
    connection = await shop.connection()
    seen: set[int] = set()

    async def enough() -> bool:
        cursor = await connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'eventscope faults catalog'"
        )
        seen.update(pid for (pid,) in await cursor.fetchall())
        return len(seen) > 4

    await until_async(enough)


async def test_it_waits_for_any_holder(shop: Shop, program, caught_up) -> None:
    """Somebody else's replication connection, that acknowledges nothing."""
    await shop.trade(5)
    holder = await psycopg.AsyncConnection.connect(
        shop.url, autocommit=True, replication="database", application_name="a stranger"
    )
    holder.pgconn.send_query(
        f'START_REPLICATION SLOT "{shop.slot}" LOGICAL 0/0'
        " (proto_version '1', publication_names 'events')".encode()
    )
    holder.pgconn.flush()

    async def held() -> bool:
        return bool(
            await shop.value(
                "SELECT active FROM pg_replication_slots WHERE slot_name = %s", shop.slot
            )
        )

    await until_async(held)
    async with program() as running:
        line = await running.line(lambda line: line.get("state") == "standby")
        assert "(a stranger, local socket, since " in line["event"]
        await holder.close()
        await running.line(lambda line: line.get("event") == "streaming", TAKES_OVER)
        await shop.trade(5)
        await running.kill()
    await caught_up()


async def test_two_programs_on_one_queue_file_are_one_too_many(shop: Shop, program) -> None:
    async with program() as first:
        await first.logged("streaming")
        async with program() as second:
            assert await second.ended() == 3
            [line] = second.lines
            assert f"is in use by process {first.pid}" in line["text"]
        assert first.running
