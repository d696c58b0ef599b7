"""However large a transaction is, it passes through a small memory."""

from __future__ import annotations

import sys

import pytest

from tests.faults.application import TABLE
from tests.faults.shop import Shop
from tests.operators.oracle import differing
from tests.operators.shop import TRUTH
from tests.waiting import until_async

ROWS = 500_000
LIMIT = 80 * 1024 * 1024
"""Bytes resident at most: of the whole program, its operator included (VmHWM)."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


async def test_one_transaction_of_500_000_rows(shop: Shop, program) -> None:
    connection = await shop.connection()
    await connection.execute("ALTER TABLE comments DROP CONSTRAINT comments_post_id_fkey")
    async with program(attribute="counting") as running:
        await running.logged("streaming")
        async with connection.transaction():
            await connection.execute("INSERT INTO posts SELECT n, 'x' FROM generate_series(1, 9) n")
            await connection.execute(
                "INSERT INTO comments (post_id, body) SELECT n % 9 + 1, repeat('x', 200)"
                f" FROM generate_series(1, {ROWS}) n"
            )

        async def applied() -> bool:
            return await shop.value(f"SELECT sum(comments_count) FROM {TABLE}") == ROWS

        await until_async(applied, 300)
        assert await differing(connection, TABLE, TRUTH) == []
        peak = running.peak_memory()
        running.terminate()
        assert await running.ended() == 0
        assert running.summary["events"] == ROWS + 9
    assert peak < LIMIT, f"{peak / 1024 / 1024:.0f} MB"
