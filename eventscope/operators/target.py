"""A derived table: recomputing and deleting rows of it, and telling which there may be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from psycopg import sql

from eventscope.declaration import QueryOperator
from eventscope.ids import Parts
from eventscope.operators.expressions import as_text, condition
from eventscope.queue.records import Target
from eventscope.replication.catalog import identifier
from eventscope.replication.connection import Connection

_AT_ONCE: Final = 1000
"""Ids of a whole table that are held and recomputed at once."""


class TargetTable:
    """What a query operator does to its target, on a connection with raw cursors.

    Ids are given to the server as text without a type, so that it finds the type itself, as with
    any literal.
    """

    def __init__(self, operator: QueryOperator) -> None:
        self._operator = operator
        self._placeholders = [sql.SQL(f"${place}") for place in range(1, len(operator.id) + 1)]

    async def recompute(self, connection: Connection, ids: Sequence[Target]) -> None:
        """Run the operator's SQL for these ids."""
        if not ids:
            return
        if self._operator.batch:
            await connection.execute(self._sql, [_array(part) for part in zip(*ids, strict=True)])
        else:
            async with connection.cursor() as cursor:
                await cursor.executemany(self._sql, ids)

    async def delete(self, connection: Connection, ids: Collection[Target]) -> None:
        """Delete the rows with these ids."""
        if ids:
            statement = sql.SQL("DELETE FROM {} WHERE {}").format(
                identifier(self._operator.target), condition(self._operator.id, self._placeholders)
            )
            async with connection.cursor() as cursor:
                await cursor.executemany(statement, ids)

    async def gone(
        self, connection: Connection, left: Mapping[Target, Collection[str]]
    ) -> set[Target]:
        """Those ids that no row of some entity maps to any more, of all that it has left.

        Args:
            connection: where to look.
            left: the entities to look at for each id.
        """
        async with connection.pipeline():
            asked = [
                (id_, await connection.execute(self._is_mapped(entity), id_))
                for id_, entities in left.items()
                for entity in entities
            ]
        return {id_ for id_, cursor in asked if await cursor.fetchone() is None}

    async def every_id(self, connection: Connection) -> AsyncIterator[list[Target]]:
        """All ids that the target has or should have, some at a time, in a transaction.

        The target itself does not name a row that it lacks, and the sources do not name one that
        it should lack.
        """
        selects = [self._select(self._operator.id, self._operator.target)]
        selects += [self._select(parts, entity) for entity, parts in self._operator.ids.items()]
        await connection.execute(
            sql.SQL("DECLARE eventscope_ids NO SCROLL CURSOR FOR {}").format(
                sql.SQL(" UNION ").join(selects)
            )
        )
        while True:
            cursor = await connection.execute(f"FETCH {_AT_ONCE} FROM eventscope_ids")
            rows = await cursor.fetchall()
            if not rows:
                break
            yield [row for row in rows if None not in row]
        await connection.execute("CLOSE eventscope_ids")

    @property
    def _sql(self) -> Any:
        return self._operator.sql

    def _is_mapped(self, entity: str) -> sql.Composed:
        return sql.SQL("SELECT FROM {} WHERE {} LIMIT 1").format(
            identifier(entity), condition(self._operator.ids[entity], self._placeholders)
        )

    def _select(self, parts: Parts, table: str) -> sql.Composed:
        texts = sql.SQL(", ").join([as_text(part) for part in parts])
        return sql.SQL("SELECT {} FROM {}").format(texts, identifier(table))


def _array(texts: Iterable[str]) -> str:
    """An array's literal, whose type the server finds as it does for a single text."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return '{"' + '","'.join(quoted) + '"}'
