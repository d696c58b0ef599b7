"""Runs of an application that are killed, one after the other on one database that is changed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any, Final

import psycopg

from eventscope import failpoints
from eventscope.demo.activity import Activity
from eventscope.event import EventId
from operators_example import DERIVED
from tests.faults.every_kind import FOLLOWED, JOURNALS, TABLES
from tests.faults.nursery import End, Nursery, Order
from tests.faults.reference import changes, create_reference
from tests.operators.oracle import differing
from tests.operators.workload import transact
from tests.servers import create_blog
from tests.waiting import until_async

LARGE: Final = """
INSERT INTO comments (post_id, body)
SELECT id, repeat('x', 100000) FROM (SELECT id FROM posts LIMIT 2) AS post, generate_series(1, 2)
"""
"""A transaction that comes in several parts, each of which is stored when it is there."""


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
        self.passages = tuple(name for name in failpoints.ALL if name != failpoints.AFTER_REDO)
        """The failpoints that every run passes sooner or later."""
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
        create_blog(self.url)
        connection = await self.connection()
        for statement in (JOURNALS, *(table.ddl for table in TABLES[len(DERIVED) :])):
            await connection.execute(statement)  # type: ignore[call-overload]
        await self.catch_up()
        await create_reference(connection, self._reference)

    async def connection(self) -> psycopg.AsyncConnection[Any]:
        """A connection, a new one after the server was away."""
        if self._connection is None or self._connection.closed:
            await until_async(self._reached)
        assert self._connection is not None
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

    async def live_through(self, seeds: range) -> None:
        """Run the application, die, and so on; and see that all is right in the end."""
        for seed in seeds:
            await self.live_and_die(seed)
        await self.check()

    async def live_and_die(self, seed: int) -> None:
        """Run the application until it is killed: of odd seeds at a failpoint, else by the clock.

        After half of them it catches up, and every table is checked.
        """
        random = Random(seed)
        for _ in range(random.randint(0, 3)):
            await self.trade(random)
        if seed % 2:
            name = self.passages[seed // 2 % len(self.passages)]
            running = self.run(failpoint=f"{name}:{random.randint(1, 6)}:kill")
            while not running.done():
                await self.trade(random)
                await asyncio.wait([running], timeout=random.uniform(0, 0.06))
            assert await running == (-9, False), f"seed {seed} does not pass {name}"
        else:
            running = self.run(lifetime=random.uniform(0, 0.5))
            for _ in range(random.randint(0, 12)):
                await self.trade(random)
                await asyncio.wait([running], timeout=random.uniform(0, 0.06))
            assert await running == (-9, True), f"seed {seed} ends by itself"
        if random.random() < 0.5:
            await self.check_tables()

    async def catch_up(self) -> None:
        """Run the application until it has caught up."""
        assert await self.run(settles=True) == (0, False), self._end_of_log()

    async def check_tables(self) -> None:
        """Catch up, and see that every derived table equals its query."""
        await self.catch_up()
        for table in TABLES:
            found = await differing(await self.connection(), table.name, table.truth)
            assert found == [], table.name

    async def check(self) -> None:
        """See too that every event was applied: once and in order, without a tx at least once."""
        await self.check_tables()
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

    async def close(self) -> None:
        """Let the server go."""
        if self._connection is not None:
            await self._connection.close()

    async def _reached(self) -> bool:
        try:
            self._connection = await psycopg.AsyncConnection.connect(self.url, autocommit=True)
        except psycopg.OperationalError:
            return False
        return True

    def _end_of_log(self) -> str:
        return (self._directory / "log").read_text()[-3000:]
