"""kill -9 at every failpoint and at random moments, by numbered seeds.

Each seed is one run of the application that is killed, with random traffic before and during it.
Ten seeds make a chain on one database, slot and queue file: each goes on where the one before has
left off. In the end the application catches up, and all that it promises is checked.

A chain is repeated by its first seed: ``pytest -n 0 tests/faults/test_seeds.py -k '[40]'``. The
traffic, the failpoints and the lifetimes are the same then; how far a run comes in its lifetime
depends on the machine. What the runs logged is in ``log`` in the test's own directory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Final

import pytest

from eventscope import failpoints
from eventscope.demo.embedded import EmbeddedServer
from tests.faults.chain import Chain
from tests.faults.nursery import Nursery
from tests.waiting import until_async

SEEDS: Final = 200
CHAIN: Final = 10
OF_A_QUEUE_FILE: Final = (failpoints.MID_APPEND, failpoints.DURING_PURGE)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
async def chain(
    database: str, nursery: Nursery, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Chain]:
    chain = Chain(database, nursery, tmp_path, **getattr(request, "param", {}))
    await chain.begin()
    yield chain
    await chain.close()


@pytest.mark.parametrize("first", range(0, SEEDS, CHAIN))
async def test_killed_again_and_again_everything_is_right_in_the_end(
    chain: Chain, first: int
) -> None:
    await chain.live_through(range(first, first + CHAIN))


@pytest.mark.parametrize("chain", [{"acknowledge": "applied"}], indirect=True)
async def test_the_same_with_a_slot_that_is_held_back(chain: Chain) -> None:
    await chain.live_through(range(SEEDS, SEEDS + CHAIN))


@pytest.mark.parametrize(
    "chain", [{"queue_storage_adapter": "memory", "acknowledge": "applied"}], indirect=True
)
async def test_the_same_without_a_queue_file(chain: Chain) -> None:
    chain.passages = tuple(name for name in chain.passages if name not in OF_A_QUEUE_FILE)
    await chain.live_through(range(SEEDS, SEEDS + CHAIN))


async def test_the_server_crashes_too(chain: Chain, server: EmbeddedServer) -> None:
    for seed in range(SEEDS + CHAIN, SEEDS + CHAIN + 5):
        random = Random(seed)
        await until_async(lambda: chain.is_read(False))
        running = chain.run(lifetime=random.uniform(0.5, 3.0))
        await until_async(chain.is_read)
        crash = asyncio.create_task(asyncio.to_thread(server.restart, "immediate"))
        while not (crash.done() and running.done()):
            await chain.trade(random)
            await asyncio.wait([crash, running], timeout=random.uniform(0, 0.05))
        await crash
        assert await running == (-9, True), f"seed {seed} ends by itself"
    await chain.check()
