"""A handler that ends the whole process at one event is held in the end, and nobody else."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

from tests.faults.shop import Shop
from tests.programs import Program, running
from tests.waiting import until

CRASHING = Path(__file__).with_name("crashing.py")


def crashing(shop: Shop, *options: str) -> AbstractAsyncContextManager[Program]:
    return running(
        "run", CRASHING, "--headless", "--log-format", "json", "--url", shop.url,
        "--slot-name", shop.slot, "--queue-path", shop.directory / "queue.db", *options,
        cwd=shop.directory, environment={"WITNESS": str(shop.witness)},
    )  # fmt: skip


async def test_after_three_ends_at_one_event_it_is_paused_and_the_process_stays(
    shop: Shop,
) -> None:
    connection = await shop.connection()
    await connection.execute("INSERT INTO posts VALUES (1, 'harmless')")
    await connection.execute("INSERT INTO posts VALUES (2, 'fatal')")
    for times in (1, 2, 3):
        async with crashing(shop) as program:
            assert await program.ended() == 7, program.lines
            assert ended_before(program) == times - 1
    async with crashing(shop) as program:
        await program.logged("streaming")
        assert ended_before(program) == 3
        await connection.execute("INSERT INTO comments (post_id) VALUES (1)")
        await until(lambda: len(set(witnessed(shop))) == 3)
        assert program.running
        assert record(shop) == ("as the process ended 3 times at the same event of it", 3)
        program.terminate()
        assert await program.ended() == 0
    assert len(set(witnessed(shop))) == 3
    with closing(sqlite3.connect(shop.directory / "queue.db")) as file, file:
        file.execute("UPDATE operator SET paused = '', crashed_at = NULL, crashes = 0")
    async with crashing(shop) as program:  # as resumed
        assert await program.ended() == 7
    async with crashing(shop) as program:
        assert await program.ended() == 7
        assert ended_before(program) == 1, "it is counted afresh"


async def test_being_killed_between_events_is_counted_against_nobody(shop: Shop) -> None:
    connection = await shop.connection()
    for id in range(1, 5):
        async with crashing(shop) as program:
            await program.logged("streaming")
            await connection.execute("INSERT INTO posts VALUES (%s, 'x')", [id])
            await until(lambda id=id: len(set(witnessed(shop))) == id)
            await until(lambda id=id: position(shop) >= id)
            assert ended_before(program) == 0
            await program.kill()


def ended_before(program: Program) -> int:
    """How often the process has ended at the event before, as it says itself."""
    said = [line for line in program.lines if "the process ended while" in line.get("event", "")]
    return max((line["times"] for line in said if line["operator"] == "fatal"), default=0)


def witnessed(shop: Shop) -> list[str]:
    return shop.witness.read_text().split() if shop.witness.exists() else []


def record(shop: Shop) -> tuple[str, int]:
    with closing(sqlite3.connect(shop.directory / "queue.db")) as file:
        [row] = file.execute("SELECT paused, crashes FROM operator WHERE name = 'fatal'").fetchall()
    return (row[0], row[1])


def position(shop: Shop) -> int:
    with closing(sqlite3.connect(shop.directory / "queue.db")) as file:
        [[lowest]] = file.execute("SELECT min(position) FROM operator").fetchall()
    return int(lowest)
