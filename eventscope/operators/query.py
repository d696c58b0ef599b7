"""Query operators: SQL that brings the dirty rows of a derived table up to date."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from eventscope.app import QueryOperator
from eventscope.operators.bisection import bisect
from eventscope.operators.dirty import Dirty, Marker, RowChange
from eventscope.operators.expressions import compute
from eventscope.operators.target import TargetTable
from eventscope.queue.event import QueuedEvent
from eventscope.queue.records import Target
from eventscope.replication.connection import Connection


@dataclass(frozen=True, slots=True)
class Poison:
    """An id that cannot be brought up to date, while others can."""

    target: Target | None
    """None if the expression that should yield the id fails."""
    event: QueuedEvent
    """The last one that made it dirty."""
    error: Exception


class Recomputation:
    """Brings up to date what events make dirty, in transactions that somebody else runs.

    Args:
        operator: whose target, and by which SQL.
    """

    def __init__(self, operator: QueryOperator) -> None:
        self._marker = Marker(operator)
        self._target = TargetTable(operator)

    def mark(self, events: Sequence[QueuedEvent]) -> Dirty:
        """What these events make dirty.

        Raises:
            MappingError: a row without the mapping column.
        """
        return self._marker.mark(events)

    async def recompute(self, connection: Connection, dirty: Dirty) -> None:
        """Bring all that is dirty up to date.

        It may be called again, or ``isolate`` after it, in another transaction if this one fails.

        Args:
            connection: with raw cursors, inside a transaction that sees the events; failures
                may come no earlier than at its end if it is pipelined.
            dirty: what to bring up to date. If ids are pending, they are computed and marked.
        """
        if dirty.pending:
            for change in await compute(connection, dirty.pending):
                dirty.mark(change)
            dirty.pending.clear()
        left = dict(dirty.entities_left())
        await self._bring_up_to_date(connection, list(dirty.ids), left)
        if dirty.everything is not None:
            async for ids in self._target.every_id(connection):
                others = [id_ for id_ in ids if id_ not in dirty.ids]
                left = dict.fromkeys(others, dirty.swept) if dirty.swept else {}
                await self._bring_up_to_date(connection, others, left)

    async def isolate(self, connection: Connection, dirty: Dirty) -> list[Poison]:
        """Bring up to date what can be, exactly once, and return what cannot be.

        Every attempt has a savepoint of its own, in which deferred constraints are checked too.

        Args:
            connection: as for ``recompute``.
            dirty: what could not be brought up to date all at once.

        Raises:
            psycopg.Error: what is wrong is not about an id (see ``sqlstates.is_general``), or the
                transaction is to be done again as a whole.
        """
        poison = []
        if dirty.pending:
            poison += await self._isolate_pending(connection, dirty)
        left = dict(dirty.entities_left())
        failed = await self._isolate_ids(connection, list(dirty.ids), left)
        poison += [Poison(id_, dirty.ids[id_], error) for id_, error in failed]
        if dirty.everything is not None:
            async for ids in self._target.every_id(connection):
                others = [id_ for id_ in ids if id_ not in dirty.ids]
                left = dict.fromkeys(others, dirty.swept) if dirty.swept else {}
                failed = await self._isolate_ids(connection, others, left)
                poison += [Poison(id_, dirty.everything, error) for id_, error in failed]
        return poison

    async def _bring_up_to_date(
        self,
        connection: Connection,
        ids: Sequence[Target],
        left: Mapping[Target, Collection[str]],
    ) -> None:
        gone: set[Target] = set()
        if left:
            gone = await self._target.gone(connection, {i: left[i] for i in ids if i in left})
            await self._target.delete(connection, gone)
        await self._target.recompute(connection, [id_ for id_ in ids if id_ not in gone])

    async def _isolate_ids(
        self,
        connection: Connection,
        ids: Sequence[Target],
        left: Mapping[Target, Collection[str]],
    ) -> list[tuple[Target, Exception]]:
        async def attempt(some: Sequence[Target]) -> None:
            async with connection.transaction():
                await self._bring_up_to_date(connection, some, left)
                async with connection.transaction(force_rollback=True):
                    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")

        return await bisect(ids, attempt)

    async def _isolate_pending(self, connection: Connection, dirty: Dirty) -> list[Poison]:
        computed: list[RowChange] = []

        async def attempt(some: Sequence[RowChange]) -> None:
            async with connection.transaction():
                computed.extend(await compute(connection, some))

        failed = await bisect(dirty.pending, attempt)
        for change in computed:
            dirty.mark(change)
        dirty.pending[:] = [change for change, _ in failed]
        return [Poison(None, change.queued, error) for change, error in failed]
