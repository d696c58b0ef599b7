"""kill -9 at every failpoint and at random moments, by numbered seeds.

Each seed is one run of the application that is killed, with random traffic before and during it.
Ten seeds make a chain on one database, slot and queue file: each goes on where the one before has
left off. In the end the application catches up, and all that it promises is checked.

A chain is repeated by its first seed: ``pytest -n 0 "tests/faults/test_seeds.py" -k "[40]"``. The
traffic, the failpoints and the lifetimes are the same then; how far a run comes in its lifetime
depends on the machine. What the runs logged is in ``log`` in the test's own directory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import psycopg
import pytest

from eventscope import failpoints
from eventscope.demo.activity import Activity
from eventscope.demo.embedded import EmbeddedServer
from eventscope.event import EventId
from operators_example import DERIVED
from tests.faults.every_kind import FOLLOWED, JOURNALS, TABLES
from tests.faults.nursery import End, Nursery, Order
from tests.faults.reference import changes, create_reference
from tests.operators.oracle import differing
from tests.operators.workload import transact
from tests.servers import create_blog
from tests.waiting import until_async

SEEDS: Final = 200
CHAIN: Final = 10
LARGE: Final = """
INSERT INTO comments (post_id, body)
SELECT id, repeat('x', 100000) FROM (SELECT id FROM posts LIMIT 2) AS post, generate_series(1, 2)
"""
"""A transaction that comes in several parts, each of which is stored when it is there."""
OF_A_QUEUE_FILE: Final = (failpoints.MID_APPEND, failpoints.DURING_PURGE)


class Chain:
    """Runs of the application, one after the other, on a database that is changed meanwhile.

    Args:
        url: the database.
        nursery: where the runs come from.
        directory: where they keep their files.
        settings: further ones.
    """

    def __init__(self, url: str, nursery: Nursery, directory: Path, **settings: Any) -> None:
        self.url = url
        self.passages: tuple[str, ...] = failpoints.ALL
        self._nursery = nursery
        self._directory = directory
        self._settings = {
            "url": url,
            "slot_name": "seeds_" + url.partition("/test_")[2][:16],
            "queue_path": str(directory / "queue.db"),
            "retention_events": 20,
            "operator_queue_min_restart_time": 10,
            "operator_queue_max_retries": 50,
            **settings,
        }
        self._reference = "reference_" + self._settings["slot_name"]
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def begin(self) -> None:
        """Let everything be made, before anything is to be seen."""
        connection = await self.connection()
        for statement in (JOURNALS, *(table.ddl for table in TABLES[len(DERIVED) :])):
            await connection.execute(statement)  # type: ignore[call-overload]
        await self.catch_up()
        await create_reference(connection, self._reference)

    async def connection(self) -> psycopg.AsyncConnection[Any]:
        """A connection, a new one after the server was away."""
        while self._connection is None or self._connection.closed:
            try:
                self._connection = await psycopg.AsyncConnection.connect(self.url, autocommit=True)
            except psycopg.OperationalError:
                await asyncio.sleep(0.01)
        return self._connection

    async def trade(self, random: Random) -> None:
        """One transaction; one that the server does not survive is left out."""
        connection = await self.connection()
        try:
            if random.random() < 0.06:
                await connection.execute(LARGE)
            else:
                await transact(connection, Activity(connection, random), random)
        except psycopg.OperationalError:
            await connection.close()

    async def is_read(self, wanted: bool = True) -> bool:
        """Whether somebody reads from the slot, or nobody does any more."""
        cursor = await (await self.connection()).execute(
            "SELECT active FROM pg_replication_slots WHERE slot_name = %s",
            [self._settings["slot_name"]],
        )
        return await cursor.fetchone() == (wanted,)

    def run(self, **order: Any) -> asyncio.Task[End]:
        """Run the application, until its end."""
        given = Order(settings=self._settings, directory=str(self._directory), **order)
        return asyncio.create_task(asyncio.to_thread(self._nursery.run, given))

    async def live_and_die(self, seed: int) -> None:
        """Run the application until it is killed: of odd seeds at a failpoint, else by the clock.

        After half of them it catches up before the next.
        """
        random = Random(seed)
        for _ in range(random.randint(0, 3)):
            await self.trade(random)
        if seed % 2:
            name = self.passages[seed // 2 % len(self.passages)]
            running = self.run(failpoint=f"{name}:{random.randint(1, 6)}:kill")
            while not running.done():
                await self.trade(random)
                await asyncio.wait([running], timeout=random.uniform(0, 0.03))
            assert await running == (-9, False), f"seed {seed} does not pass {name}"
        else:
            running = self.run(lifetime=random.uniform(0, 0.5))
            for _ in range(random.randint(0, 12)):
                await self.trade(random)
                await asyncio.wait([running], timeout=random.uniform(0, 0.03))
            assert await running == (-9, True), f"seed {seed} ends by itself"
        if random.random() < 0.5:
            await self.catch_up()
            await self.check_tables()

    async def catch_up(self) -> None:
        """Run the application until it has caught up."""
        assert await self.run(settles=True) == (0, False), self._end_of_log()

    async def check_tables(self) -> None:
        """See that every derived table equals its query."""
        for table in TABLES:
            found = await differing(await self.connection(), table.name, table.truth)
            assert found == [], table.name

    async def check_journals(self) -> None:
        """See that every event was applied: once, and in order; at least once without a tx."""
        connection = await self.connection()
        cursor = await connection.execute("SELECT * FROM journal ORDER BY n")
        journal = [line[1:] for line in await cursor.fetchall()]
        places = [(EventId(id).end_lsn, EventId(id).ordinal) for id, *_ in journal]
        assert places == sorted(set(places)), "each event once, in their order"
        assert [(xid, kind.upper(), entity) for _, xid, kind, entity in journal] == await changes(
            connection, self._reference, FOLLOWED
        )
        cursor = await connection.execute("SELECT event FROM lists ORDER BY n")
        assert [id for (id,) in await cursor.fetchall()] == [id for id, *_ in journal]
        witness = (self._directory / "witness").read_text().split()
        assert list(dict.fromkeys(witness)) == [id for id, *_ in journal]

    def _end_of_log(self) -> str:
        return (self._directory / "log").read_text()[-3000:]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
async def chain(database: str, nursery: Nursery, tmp_path: Path, request):
    create_blog(database)
    chain = Chain(database, nursery, tmp_path, **getattr(request, "param", {}))
    await chain.begin()
    yield chain
    await (await chain.connection()).close()


@pytest.mark.parametrize("first", range(0, SEEDS, CHAIN))
async def test_killed_again_and_again_everything_is_right_in_the_end(
    chain: Chain, first: int
) -> None:
    for seed in range(first, first + CHAIN):
        await chain.live_and_die(seed)
    await chain.catch_up()
    await chain.check_tables()
    await chain.check_journals()


@pytest.mark.parametrize(
    "chain", [{"queue_storage_adapter": "memory", "acknowledge": "applied"}], indirect=True
)
async def test_the_same_without_a_queue_file(chain: Chain) -> None:
    chain.passages = tuple(name for name in failpoints.ALL if name not in OF_A_QUEUE_FILE)
    for seed in range(SEEDS, SEEDS + CHAIN):
        await chain.live_and_die(seed)
    await chain.catch_up()
    await chain.check_tables()
    await chain.check_journals()


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
    await chain.catch_up()
    await chain.check_tables()
    await chain.check_journals()
