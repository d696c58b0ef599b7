"""Recomputing a query operator's whole target, beside the stream and a part at a time.

A recomputed row is right whenever it is recomputed, so it matters neither when a backfill reads
an id nor what the stream has said of it meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from psycopg import sql

from eventscope.declaration import QueryOperator
from eventscope.event import Lsn
from eventscope.ids import Parts
from eventscope.operators.dirty import Dirty
from eventscope.operators.expressions import part_sql
from eventscope.operators.failure import Failure
from eventscope.operators.query_effect import QueryEffect
from eventscope.operators.session import Session
from eventscope.queue.base import Queue
from eventscope.queue.event import QueuedEvent
from eventscope.queue.records import Backfill, Target
from eventscope.replication import pgoutput
from eventscope.replication.catalog import identifier
from eventscope.replication.connection import Connection
from eventscope.replication.relations import Relation, Transaction

_AT_ONCE: Final = 500
"""Ids of one step, which is one transaction."""


class Backfilling:
    """Takes a backfill forward, if there is one.

    First come the ids that the followed tables name, then those of the target itself, whose rows
    may have to go.

    Args:
        operator: whose target.
        queue: where its progress is kept.
        session: with raw cursors, to read ids by.
        effect: recomputes them.
    """

    def __init__(
        self, operator: QueryOperator, queue: Queue, session: Session, effect: QueryEffect
    ) -> None:
        self.progress: Backfill | None = None
        """The backfill under way."""
        self.error: str | None = None
        """What the last step has failed with."""
        self._operator = operator
        self._queue = queue
        self._session = session
        self._effect = effect
        self._sources: list[tuple[str, Parts]] = [
            *operator.ids.items(),
            (operator.target, operator.id),
        ]
        self._next_at = 0.0
        self._writing = asyncio.Lock()

    async def look(self) -> None:
        """Read whether one is under way since an earlier run."""
        self.progress = await self._queue.backfill(self._operator.name)

    async def change(self, wanted: Backfill | None) -> None:
        """Begin one, have it go on in another way, or end it."""
        self.progress, self.error = wanted, None
        self.hurry()
        async with self._writing:
            await self._write(wanted)

    @property
    def wait(self) -> float | None:
        """Seconds until the next step may be made; None if there is nothing to do."""
        return None if self.progress is None else max(self._next_at - time.monotonic(), 0.0)

    def hold(self, failure: Failure, seconds: float) -> None:
        """Make no step for some time after one that has failed."""
        self.error = failure.error
        self._next_at = time.monotonic() + seconds

    def hurry(self) -> None:
        """Make the next step at once."""
        self._next_at = 0.0

    async def step(self) -> None:
        """Recompute some ids, and note that.

        Raises:
            ConnectionLost: the database is away; the step is made again.
            psycopg.Error: what is wrong is not about an id.
        """
        progress = self.progress
        if progress is None:
            return
        began = time.monotonic()
        size = _AT_ONCE if progress.rate is None else max(1, min(_AT_ONCE, int(progress.rate)))
        async with self._session.transaction() as connection:
            if progress.total is None:
                total = await self._count(connection)
                progress = replace(progress, total=total, started_at=time.time())
            ids = await self._page(connection, progress, size)
        failed = 0
        if ids:
            event = self._event()
            failed = await self._effect.refill(
                Dirty.again(self._operator, dict.fromkeys(ids, event))
            )
        began_at = progress.entity, progress.after, progress.done
        progress = replace(progress, done=progress.done + len(ids), failed=progress.failed + failed)
        if len(ids) == size:
            progress = replace(progress, after=ids[-1])
        else:
            progress = replace(progress, entity=progress.entity + 1, after=None)
        await self._keep(progress, began_at)
        self.error = None
        took = time.monotonic() - began
        pause = len(ids) / progress.rate - took if progress.rate else took
        self._next_at = time.monotonic() + max(pause, 0.0)

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def _keep(self, progress: Backfill, began_at: tuple[int, Target | None, int]) -> None:
        wanted = self.progress
        if wanted is None or (wanted.entity, wanted.after, wanted.done) != began_at:
            return  # somebody has ended it meanwhile, and perhaps begun another one
        progress = replace(progress, rate=wanted.rate)
        self.progress = progress if progress.entity < len(self._sources) else None
        async with self._writing:
            await self._write(self.progress)

    async def _write(self, progress: Backfill | None) -> None:
        if progress is not self.progress:
            return  # it has been changed again meanwhile, which will be written
        if progress is None:
            await self._queue.drop_backfill(self._operator.name)
        else:
            await self._queue.save_backfill(progress)

    async def _count(self, connection: Connection) -> int:
        counts = [
            sql.SQL("(SELECT count(*) FROM ({}) AS ids)").format(_distinct(table, parts))
            for table, parts in self._sources
        ]
        cursor = await connection.execute(sql.SQL("SELECT {}").format(sql.SQL(" + ").join(counts)))
        [(total,)] = await cursor.fetchall()
        return int(total)

    async def _page(
        self, connection: Connection, progress: Backfill, size: int
    ) -> Sequence[Target]:
        """The next ids of the table that is at hand."""
        table, parts = self._sources[progress.entity]
        # qualified, as ORDER BY would take the texts that are selected
        columns = [sql.Identifier("ids", f"part{n}") for n in range(len(parts))]
        row = sql.SQL(", ").join(columns)
        parameters: list[Any] = list(progress.after or ())
        behind: sql.Composable = sql.SQL("")
        if parameters:
            marks = sql.SQL(", ").join(sql.SQL(f"${n + 1}") for n in range(len(parts)))
            behind = sql.SQL("WHERE ROW({}) > ROW({})").format(row, marks)
        statement = sql.SQL("SELECT {} FROM ({}) AS ids {} ORDER BY {} LIMIT {}").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(column) for column in columns),
            _distinct(table, parts),
            behind,
            row,
            sql.Literal(size),
        )
        cursor = await connection.execute(statement, parameters)
        return await cursor.fetchall()

    def _event(self) -> QueuedEvent:
        """What has made ids dirty that no event has."""
        relation = Relation.of_messages("", "eventscope backfill")
        nowhere = Transaction(0, 0, Lsn(0), Lsn(0), 0, pgoutput.microseconds(time.time()))
        message = pgoutput.logical_message("eventscope backfill", self._operator.name)
        return QueuedEvent(0, relation, message, nowhere)


def _distinct(table: str, parts: Parts) -> sql.Composed:
    """The ids that a table's rows name, in columns ``part0``, ``part1``."""
    named = [
        sql.SQL("{} AS {}").format(part_sql(part), sql.Identifier(f"part{n}"))
        for n, part in enumerate(parts)
    ]
    known = [sql.SQL("{} IS NOT NULL").format(part_sql(part)) for part in parts]
    return sql.SQL("SELECT DISTINCT {} FROM {} WHERE {}").format(
        sql.SQL(", ").join(named), identifier(table), sql.SQL(" AND ").join(known)
    )
