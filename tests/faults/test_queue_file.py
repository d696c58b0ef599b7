"""A queue file that a program cannot use: named in one line with the cure, and nothing is lost."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from random import Random

import pytest

from tests.faults.shop import Shop
from tests.programs import Program
from tests.waiting import until_async

Start = Callable[..., AbstractAsyncContextManager[Program]]

ENDS = ("--until", "caught-up", "--timeout", "60")


async def refused(program: Start, *message: str, queue: str = "queue.db") -> None:
    """The program ends with code 3 and one line that says all this."""
    async with program(*ENDS, queue=queue) as running:
        assert await running.ended() == 3, running.lines
        complaints = [line for line in running.lines if "text" in line]
        assert len(complaints) <= 1, complaints
        said = str(running.lines)
        assert "Traceback" not in said
        for part in (queue, *message):
            assert part in said


async def trade_and_run(program: Start, shop: Shop, seed: int) -> None:
    shop.seed(seed)
    await shop.trade(30)
    async with program(*ENDS) as running:
        assert await running.ended() == 0, running.lines


async def test_a_disk_that_fills_up_is_waited_for_and_nothing_is_lost(
    program: Start, caught_up, shop: Shop
) -> None:
    """The limit of a file's size stands for a disk of that size."""
    shop.seed(1)
    await shop.trade(10)
    async with program() as running:
        await running.logged("streaming")
        await until_async(lambda: shop.value("SELECT count(*) > 0 FROM audit"))
        limit_files(running, 300_000)
        connection = await shop.connection()
        await connection.execute(
            "INSERT INTO posts SELECT n, repeat('x', 10000) FROM generate_series(1000, 1050) n"
        )
        said = (await running.logged("queue.db cannot be written"))["event"]
        assert "nothing is lost: free space at" in said
        limit_files(running, resource.RLIM_INFINITY)
        await running.logged("nothing waits to be written any more")
        running.terminate()
        assert await running.ended() == 0, running.lines
        assert "Traceback" not in str(running.lines)
    await shop.trade(10)
    await caught_up()


async def test_a_program_that_waits_for_a_full_disk_can_be_ended(
    program: Start, caught_up, shop: Shop
) -> None:
    shop.seed(1)
    async with program() as running:
        await running.logged("streaming")
        limit_files(running, 1_000)
        await shop.trade(10)
        await running.logged("queue.db cannot be written")
        running.terminate()
        await running.ended(20)
        assert "Traceback" not in str(running.lines)
    await caught_up()


def limit_files(program: Program, size: int) -> None:
    """Have none of its files grow beyond a size."""
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def test_a_file_that_another_process_has_names_its_pid(program: Start, shop: Shop) -> None:
    async with program() as first:
        await first.logged("streaming")
        await refused(program, f"is in use by process {first.pid}")
        assert first.running


async def test_a_file_that_is_damaged_is_left_as_it_is(
    program: Start, caught_up, shop: Shop, tmp_path: Path
) -> None:
    await trade_and_run(program, shop, 2)
    path = tmp_path / "queue.db"
    whole = path.read_bytes()
    noise = Random(3).randbytes(len(whole) - 16_384)
    damaged = whole[:16_384] + noise
    path.write_bytes(damaged)
    await shop.trade(10)
    await refused(program, "cannot be used", "it was left as it is", "backfill")
    assert path.read_bytes() == damaged
    path.write_bytes(whole)
    await caught_up()


async def test_a_file_of_a_newer_version_is_left_as_it_is(
    program: Start, caught_up, shop: Shop, tmp_path: Path
) -> None:
    await trade_and_run(program, shop, 4)
    path = tmp_path / "queue.db"
    with closing(sqlite3.connect(path)) as file:
        [version] = file.execute("PRAGMA user_version").fetchone()
        file.execute("PRAGMA user_version = 999")
    newer = path.read_bytes()
    await refused(program, "999")
    assert path.read_bytes() == newer
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"PRAGMA user_version = {version}")
    await shop.trade(10)
    await caught_up()


@pytest.mark.parametrize("column", ["system_id", "slot"])
async def test_a_file_of_another_stream_is_left_as_it_is(
    program: Start, caught_up, shop: Shop, tmp_path: Path, column: str
) -> None:
    await trade_and_run(program, shop, 5)
    path = tmp_path / "queue.db"
    with closing(sqlite3.connect(path)) as file:
        [table] = file.execute(
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c"
            " WHERE m.type = 'table' AND c.name = 'system_id'"
        ).fetchone()
        [ours] = file.execute(f"SELECT {column} FROM {table}").fetchone()
        file.execute(f"UPDATE {table} SET {column} = '7123'")
        file.commit()
    other = path.read_bytes()
    await refused(program, "7123", "name another with queue_path")
    assert path.read_bytes() == other
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"UPDATE {table} SET {column} = ?", (ours,))
        file.commit()
    await shop.trade(10)
    await caught_up()
