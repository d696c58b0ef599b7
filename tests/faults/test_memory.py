"""However large a transaction is, it passes through a small memory."""

from __future__ import annotations

import sys

import pytest

from tests.faults.application import TABLE
from tests.faults.shop import Shop
from tests.operators.oracle import differing
from tests.operators.shop import TRUTH
from tests.waiting import until_async

ROWS = 200_000
LIMIT = 100 * 1024 * 1024

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


async def test_one_transaction_of_200_000_rows(shop: Shop, program) -> None:
    connection = await shop.connection()
    async with program(attribute="counting") as running:
        await running.logged("streaming")
        async with connection.transaction():
            await connection.execute("INSERT INTO posts SELECT n, 'x' FROM generate_series(1, 9) n")
            await connection.execute(
                "INSERT INTO comments (post_id, body) SELECT n % 9 + 1, repeat('x', 200)"
                f" FROM generate_series(1, {ROWS}) n"
            )

        async def applied() -> bool:
            return await differing(connection, TABLE, TRUTH) == []

        await until_async(applied, 300)
        peak = running.peak_memory()
        running.terminate()
        assert await running.ended() == 0
        assert running.summary["events"] == ROWS + 9
    assert peak < LIMIT, f"{peak / 1024 / 1024:.0f} MB"
