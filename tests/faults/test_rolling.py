"""Two programs of one application and slot, with a queue each, are restarted in turn."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack

import pytest

from eventscope.event import EventId
from tests.faults.application import TABLE
from tests.faults.shop import Shop
from tests.operators.oracle import differing
from tests.operators.shop import TRUTH
from tests.programs import Program
from tests.waiting import until_async

APPLIED = ("--set", "acknowledge=applied")


@pytest.mark.parametrize(
    ("end", "storage"),
    [
        pytest.param(signal.SIGTERM, "sqlite", id="in order"),
        pytest.param(signal.SIGKILL, "sqlite", id="killed"),
        pytest.param(signal.SIGTERM, "memory", id="in order, without any file"),
    ],
)
async def test_the_standby_takes_over_and_nothing_is_lost_or_repeated(
    shop: Shop, program, end: signal.Signals, storage: str
) -> None:
    shop.seed(7)
    options = (*APPLIED, "--set", f"queue_storage_adapter={storage}")
    async with AsyncExitStack() as stack:

        async def started(queue: str, state: str) -> Program:
            running = await stack.enter_async_context(program(*options, queue=queue))
            await reaches(running, state)
            return running

        active = await started("first.db", "streaming")
        standby = await started("second.db", "standby")
        for queue in ("first.db", "second.db"):
            trading = asyncio.create_task(shop.trade(60))
            await shop.trade_has_begun()
            active.signal(end)
            began = time.monotonic()
            await reaches(standby, "streaming")
            print(f"taken over {time.monotonic() - began:.2f} s after {end.name}")
            assert await active.ended() == (0 if end == signal.SIGTERM else -end)
            assert not warnings(standby)
            active, standby = standby, await started(queue, "standby")
            await trading

        await caught_up(shop)
        for running in (standby, active):
            running.terminate()
            assert await running.ended() == 0, running.lines
    await check(shop)


async def test_who_was_away_learns_from_the_ledger_that_another_one_has_gone_on(
    shop: Shop, program
) -> None:
    for queue in ("first.db", "second.db", "first.db"):
        async with program(*APPLIED, queue=queue) as running:
            await reaches(running, "streaming")
            await shop.trade(5)
            await caught_up(shop)
            running.terminate()
            assert await running.ended() == 0
    await check(shop)


async def test_a_slot_that_no_instance_has_moved_is_still_not_trusted(shop: Shop, program) -> None:
    async with program(*APPLIED) as running:
        await reaches(running, "streaming")
        running.terminate()
        assert await running.ended() == 0
    await shop.trade(5)
    await shop.value("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", shop.slot)
    async with program(*APPLIED) as running:
        assert await running.ended() == 3
        assert any("by somebody else" in str(line) for line in running.lines)


async def test_a_standby_that_would_not_be_sent_everything_says_so(shop: Shop, program) -> None:
    async with program(queue="first.db") as first:
        await reaches(first, "streaming")
        async with program(queue="second.db") as second:
            await reaches(second, "standby")
            [warning] = warnings(second)
            assert warning.endswith("set acknowledge = applied for both")


def warnings(program: Program) -> list[str]:
    """What a standby has said of its queue."""
    told = (str(line.get("event")) for line in program.lines)
    return [event for event in told if event.startswith("standing by with acknowledge")]


async def reaches(program: Program, state: str) -> None:
    """Wait for a program to have the slot, or to wait for it."""
    if state == "standby":
        await program.line(lambda line: line.get("state") == state)
    else:
        await program.line(lambda line: line.get("event") == state)


async def caught_up(shop: Shop) -> None:
    """Wait until the handler with a transaction has noted every change."""

    async def has_all() -> bool:
        noted = await shop.value("SELECT count(*) FROM audit")
        return int(noted) >= len(await shop.reference())

    await until_async(has_all)


async def check(shop: Shop) -> None:
    """Check what both together promise: once with ``tx``, at least once without, in order."""
    connection = await shop.connection()
    cursor = await connection.execute("SELECT event FROM audit ORDER BY n")
    journal = [event for (event,) in await cursor.fetchall()]
    assert len(journal) == len(await shop.reference())
    assert len(set(journal)) == len(journal), "each once"
    ids = [EventId(event) for event in journal]
    assert ids == sorted(ids, key=lambda id: (id.end_lsn, id.ordinal)), "in commit order"
    witnessed = shop.witness.read_text().split()
    assert list(dict.fromkeys(witnessed)) == journal, "each at least once, in commit order"
    assert await differing(connection, TABLE, TRUTH) == []
