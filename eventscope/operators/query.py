"""Query operators: SQL that brings the dirty rows of a derived table up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import psycopg
from psycopg import sql

from eventscope.app import QueryOperator
from eventscope.operators.dirty import Dirty, dirty_ids
from eventscope.operators.session import Session
from eventscope.queue.event import QueuedEvent
from eventscope.replication.catalog import identifier
from eventscope.replication.connection import Connection

_TRANSIENT: Final = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_TRANSIENT_ATTEMPTS: Final = 3


class QueryEffect:
    """Applies events by running the operator's SQL once for each dirty id.

    Ids are given to the server as text without a type, so that it finds the type itself, as
    with any literal.
    """

    coalesces = True

    def __init__(
        self, operator: QueryOperator, conninfo: str, on_wait: Callable[[int | None], None]
    ) -> None:
        self._operator = operator
        self._session = Session(conninfo, on_wait, cursor_factory=psycopg.AsyncRawCursor)
        self._target = identifier(operator.target)
        self._id = sql.Identifier(operator.id)

    async def apply(self, events: Sequence[QueuedEvent]) -> None:
        """Bring every row that these events may have changed up to date, in one transaction."""
        dirty = dirty_ids(self._operator, events)
        transactions = {queued.transaction.xid for queued in events}
        attempt = 1
        while True:
            try:
                async with self._session.transaction(transactions, pipelined=True) as connection:
                    await self._recompute(connection, dirty)
                return
            except _TRANSIENT:
                if attempt == _TRANSIENT_ATTEMPTS:
                    raise
                attempt += 1

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def _recompute(self, connection: Connection, dirty: Dirty) -> None:
        ids = dict(dirty.ids)
        for id_, entities in dirty.left.items():
            for entity in entities:
                if not await self._is_mapped(connection, entity, id_):
                    await self._delete(connection, id_)
                    ids.pop(id_, None)
                    break
        if dirty.everything:
            for entity in dirty.swept:
                await self._delete_unmapped(connection, entity)
            ids = dict.fromkeys(await self._all_ids(connection)) | ids
        for id_ in ids:
            await connection.execute(self._operator.sql, (id_,))

    async def _is_mapped(self, connection: Connection, entity: str, id_: str) -> bool:
        """Whether a row of the entity still maps to the id."""
        statement = sql.SQL("SELECT FROM {} WHERE {} = $1 LIMIT 1").format(
            identifier(entity), self._column(entity)
        )
        cursor = await connection.execute(statement, (id_,))
        return await cursor.fetchone() is not None

    async def _delete(self, connection: Connection, id_: str) -> None:
        statement = sql.SQL("DELETE FROM {} WHERE {} = $1").format(self._target, self._id)
        await connection.execute(statement, (id_,))

    async def _delete_unmapped(self, connection: Connection, entity: str) -> None:
        statement = sql.SQL(
            "DELETE FROM {} target WHERE NOT EXISTS"
            " (SELECT FROM {} source WHERE source.{} = target.{})"
        ).format(self._target, identifier(entity), self._column(entity), self._id)
        await connection.execute(statement)

    async def _all_ids(self, connection: Connection) -> list[str]:
        statement = sql.SQL("SELECT {}::text FROM {}").format(self._id, self._target)
        cursor = await connection.execute(statement)
        return [id_ for (id_,) in await cursor.fetchall()]

    def _column(self, entity: str) -> sql.Identifier:
        return sql.Identifier(self._operator.ids[entity])
