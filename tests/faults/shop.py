"""A shop whose changes are known from a second slot, to compare with what a program stored."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
import psycopg

from eventscope.event import EventId
from tests.faults.application import TABLE
from tests.faults.reference import changes
from tests.operators.oracle import differing
from tests.operators.shop import TRUTH
from tests.waiting import until, until_async

_KINDS = {"I": "INSERT", "U": "UPDATE", "D": "DELETE", "T": "TRUNCATE", "M": "MESSAGE"}
_FOLLOWED = ("posts", "comments")


class Stored(NamedTuple):
    """One event as it lies in a queue file."""

    seq: int
    id: EventId
    xid: int
    kind: str
    table: str


class Shop:
    """The tables of a test, whoever watches them.

    Args:
        url: where they are.
        directory: where a program keeps its files.
    """

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory
        self.witness = directory / "witness"
        name = uuid4().hex[:16]
        self.slot = f"test_{name}"
        self._reference = f"reference_{name}"
        self._random = Random(0)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._done = 0

    async def watch(self) -> None:
        """Make the slot of the program and a reference slot, both before any change."""
        connection = await self.connection()
        await connection.execute(
            "SELECT pg_create_logical_replication_slot(%s, 'pgoutput'),"
            " pg_create_logical_replication_slot(%s, 'test_decoding')",
            [self.slot, self._reference],
        )
        await connection.execute("CREATE PUBLICATION events FOR TABLE posts, comments")

    async def connection(self) -> psycopg.AsyncConnection[Any]:
        """A connection, a new one after the server was away."""
        if self._connection is None or self._connection.closed:
            self._connection = None

            async def reached() -> bool:
                try:
                    self._connection = await psycopg.AsyncConnection.connect(
                        self.url, autocommit=True
                    )
                except psycopg.OperationalError:
                    return False
                return True

            await until_async(reached)
        assert self._connection is not None
        return self._connection

    async def close(self) -> None:
        """Let the server go."""
        if self._connection is not None:
            await self._connection.close()

    def seed(self, seed: int) -> Random:
        """Choose what the traffic will be; the generator is the caller's too."""
        self._random = Random(seed)
        return self._random

    async def trade(self, transactions: int) -> None:
        """Change the tables; a transaction that the server does not survive is left out."""
        for _ in range(transactions):
            connection = await self.connection()
            try:
                async with connection.transaction(force_rollback=self._random.random() < 0.05):
                    for _ in range(self._random.randint(1, 6)):
                        await connection.execute(*self._statement())
            except psycopg.OperationalError:
                await connection.close()
            self._done += 1

    async def trade_has_begun(self) -> None:
        """Wait until traffic in another task is in full swing."""
        before = self._done
        await until(lambda: self._done > before + 20)

    async def value(self, query: str, *values: Any) -> Any:
        """The first column of the first row."""
        connection = await self.connection()
        row = await (await connection.execute(query, values)).fetchone()  # type: ignore[call-overload]
        return row[0] if row else None

    async def check(self, queue: Path) -> None:
        """Check all that a program promises once it has caught up."""
        stored = self.stored(queue)
        assert len(stored) == self.stored_rows(queue), "nothing is left of an open transaction"
        assert [event.seq for event in stored] == list(
            range(stored[0].seq, stored[0].seq + len(stored))
        ), "sequence numbers have no gaps"
        assert [event[2:] for event in stored] == await self.reference()
        connection = await self.connection()
        assert await differing(connection, TABLE, TRUTH) == []
        ids = [event.id for event in stored]
        cursor = await connection.execute("SELECT event FROM audit ORDER BY n")
        for journal in (
            [event for (event,) in await cursor.fetchall()],
            self.witness.read_text().split(),
        ):
            assert list(dict.fromkeys(journal)) == ids, "each at least once, in commit order"

    async def reference(self) -> list[tuple[int, str, str]]:
        """What the server itself says has happened: transaction, kind and table."""
        return await changes(await self.connection(), self._reference, _FOLLOWED)

    @staticmethod
    def stored(queue: Path) -> list[Stored]:
        """The events of a queue file whose transactions have ended."""
        with closing(sqlite3.connect(queue)) as file:
            relations = {
                version: msgspec.json.decode(description)
                for version, description in file.execute(
                    "SELECT version, description FROM relation"
                )
            }
            rows = file.execute(
                "SELECT seq, relation, substr(message, 1, 1), first_seq, end_lsn, xid"
                " FROM event JOIN txn ON seq BETWEEN first_seq AND last_seq ORDER BY seq"
            ).fetchall()
        events = []
        for seq, version, kind, first, end_lsn, xid in rows:
            described = relations[version]
            table = described["table"]
            kind = kind.decode() if isinstance(kind, bytes) else kind
            events.append(Stored(seq, EventId.of(end_lsn, seq - first), xid, _KINDS[kind], table))
        return events

    @staticmethod
    def stored_rows(queue: Path) -> int:
        """How many rows lie in a queue file, those of an open transaction included."""
        with closing(sqlite3.connect(queue)) as file:
            return int(file.execute("SELECT count(*) FROM event").fetchone()[0])

    def _statement(self) -> tuple[Any, dict[str, int]]:
        random = self._random
        post, other, row = (random.randint(1, 8) for _ in range(3))
        [statement] = random.choices(
            [
                "INSERT INTO posts VALUES (%(post)s, %(row)s) ON CONFLICT DO NOTHING",
                "INSERT INTO comments (post_id) SELECT id FROM posts WHERE id <> %(post)s",
                "UPDATE comments SET post_id = (SELECT min(id) FROM posts WHERE id >= %(other)s)"
                " WHERE post_id = %(post)s AND id %% 3 = 0",
                "UPDATE posts SET title = %(row)s WHERE id = %(post)s",
                "UPDATE posts SET id = %(other)s + 100 WHERE id = %(post)s"
                " AND NOT EXISTS (SELECT FROM posts WHERE id = %(other)s + 100)",
                "DELETE FROM comments WHERE id %% 7 = %(row)s",
                "DELETE FROM posts WHERE id = %(post)s OR id = %(post)s + 100",
                "TRUNCATE posts, comments",
            ],
            [20, 30, 10, 10, 5, 10, 8, 1],
        )
        return statement, {"post": post, "other": other, "row": row}
