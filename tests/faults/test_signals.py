"""Signals: what is begun is finished, the exit code says how it ended."""

from __future__ import annotations

import signal

import psycopg

from tests.faults.shop import Shop
from tests.waiting import until_async


async def test_sigterm_lets_the_event_at_hand_finish_and_ends_with_a_summary(
    shop: Shop, program, caught_up
) -> None:
    async with (
        program() as running,
        await psycopg.AsyncConnection.connect(shop.url) as blocker,
    ):
        await running.logged("streaming")
        await blocker.execute("LOCK TABLE audit")  # the handler stands at its insert
        await shop.trade(5)

        async def at_the_lock() -> bool:
            return bool(await shop.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        async def reader_gone() -> bool:
            return not await shop.value(
                "SELECT active FROM pg_replication_slots WHERE slot_name = %s", shop.slot
            )

        await until_async(at_the_lock)
        running.terminate()
        await until_async(reader_gone)
        assert running.running
        await blocker.rollback()
        assert await running.ended() == 0
        summary = running.summary
        assert summary["applied"]["audit"] == 1
        assert summary["failed"] == dict.fromkeys(summary["failed"], 0)
        assert summary["depth"]["audit"] == summary["events"] - 1 > 0
        assert summary["events"] == len(shop.stored(shop.directory / "queue.db"))
    assert await shop.value("SELECT count(*) FROM audit") == 1
    await caught_up()
    assert await shop.value("SELECT count(*) - count(DISTINCT event) FROM audit") == 0


async def test_sigint_ends_it_as_interrupted(shop: Shop, program, caught_up) -> None:
    async with program() as running:
        await running.logged("streaming")
        await shop.trade(5)
        running.signal(signal.SIGINT)
        assert await running.ended() == 130
        assert "events" in running.summary
    await caught_up()


async def test_sighup_ends_it_in_order(shop: Shop, program, caught_up) -> None:
    async with program() as running:
        await running.logged("streaming")
        running.signal(signal.SIGHUP)
        assert await running.ended() == 0
    await shop.trade(5)
    await caught_up()


async def test_a_second_signal_ends_it_at_once(shop: Shop, program, caught_up) -> None:
    async with (
        program() as running,
        await psycopg.AsyncConnection.connect(shop.url) as blocker,
    ):
        await running.logged("streaming")
        await blocker.execute("LOCK TABLE audit")
        await shop.trade(5)

        async def reader_gone() -> bool:
            return not await shop.value(
                "SELECT active FROM pg_replication_slots WHERE slot_name = %s", shop.slot
            )

        async def at_the_lock() -> bool:
            return bool(await shop.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await until_async(at_the_lock)
        running.terminate()
        await until_async(reader_gone)
        running.terminate()
        assert await running.ended() == 130
        await blocker.rollback()
    await caught_up()


async def test_stopped_and_continued_it_goes_on(shop: Shop, program, caught_up) -> None:
    async with program() as running:
        await running.logged("streaming")
        await shop.trade(5)
        running.signal(signal.SIGSTOP)
        await shop.trade(60)
        running.signal(signal.SIGCONT)
        await shop.trade(5)
        running.terminate()
        assert await running.ended() == 0
    await caught_up()


async def test_a_signal_while_it_starts_ends_it_at_once(shop: Shop, program) -> None:
    """A slot can be made only when every older transaction has ended; this one does not."""
    async with await psycopg.AsyncConnection.connect(shop.url) as writer:
        await writer.execute("SELECT txid_current()")
        async with program("--slot-name", f"{shop.slot}_2") as running:
            await running.line(lambda line: "can be made only" in str(line.get("event")))
            running.terminate()
            assert await running.ended() == 0
        await writer.rollback()
