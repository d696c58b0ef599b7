"""kill -9 at any moment: nothing is lost, nothing is stored twice, and the table is right."""

from __future__ import annotations

import pytest

from eventscope import failpoints
from tests.faults.shop import Shop

NOT_PASSED = {failpoints.AFTER_REDO, failpoints.DURING_PURGE}
"""Nobody asks for a retry here, and little is stored."""


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_killed_at_random_moments_in_the_middle_of_traffic(
    shop: Shop, program, caught_up, seed: int
) -> None:
    random = shop.seed(seed)
    for _ in range(5):
        async with program() as running:
            if random.random() < 0.8:
                await running.logged("streaming")
            await shop.trade(random.randint(1, 60))
            await running.kill()
        await shop.trade(random.randint(0, 5))
    await caught_up()


@pytest.mark.parametrize("nth", [1, 2, 9])
@pytest.mark.parametrize("name", sorted({*failpoints.ALL} - NOT_PASSED))
async def test_killed_at_a_chosen_place(
    shop: Shop, program, caught_up, name: str, nth: int
) -> None:
    shop.seed(nth)
    async with program(EVENTSCOPE_FAILPOINT=f"{name}:{nth}:kill") as running:
        while running.running:
            await shop.trade(1)
        assert await running.ended() == -9
    await shop.trade(3)
    await caught_up()


async def test_killed_in_the_middle_of_one_large_transaction(
    shop: Shop, program, caught_up
) -> None:
    connection = await shop.connection()
    async with program(EVENTSCOPE_FAILPOINT="after-append:4:kill") as running:
        await running.logged("streaming")
        await connection.execute("INSERT INTO posts VALUES (1, 'x')")
        await connection.execute(
            "INSERT INTO comments (post_id, body)"
            " SELECT 1, repeat('x', 20000) FROM generate_series(1, 1000)"
        )
        assert await running.ended() == -9
    stored = shop.stored_rows(shop.directory / "queue.db")
    assert 1 < stored < 1001, "killed while a part of it was stored"
    await caught_up()
    assert len(shop.stored(shop.directory / "queue.db")) == 1001
