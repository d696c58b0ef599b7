"""Query operators: SQL that brings the dirty rows of a derived table up to date."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from eventscope.declaration import QueryOperator
from eventscope.operators.bisection import bisect
from eventscope.operators.dirty import Dirty, Marker, RowChange
from eventscope.operators.expressions import compute
from eventscope.operators.facts import Mapped
from eventscope.operators.mapping import ShadowMap
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
        mapped: keeps what rows map to where the WAL does not tell it.
    """

    def __init__(self, operator: QueryOperator, mapped: Mapped) -> None:
        self._marker = Marker(operator, shadowed=True)
        self._shadow = ShadowMap(operator.name, mapped)
        self._resolved: Dirty | None = None
        self._target = TargetTable(operator)

    def mark(self, events: Sequence[QueuedEvent], applied_until: int = 0) -> Dirty:
        """What these events make dirty.

        Args:
            events: in their order.
            applied_until: events up to this sequence number have taken effect before, as in a
                replay, so that what their rows were before need not be known.

        Raises:
            MappingError: a row without the mapping column.
        """
        return self._marker.mark(events, applied_until)

    async def recompute(self, connection: Connection, dirty: Dirty) -> None:
        """Bring all that is dirty up to date.

        It may be called again, or ``isolate`` after it, in another transaction if this one fails.

        Args:
            connection: with raw cursors, inside a transaction that sees the events; failures
                may come no earlier than at its end if it is pipelined.
            dirty: what to bring up to date. If ids are pending, they are computed and marked.
        """
        if dirty.pending or dirty.told:
            await self._resolve(dirty, await compute(connection, dirty.pending))
            dirty.pending.clear()
        await self._begin_maps(connection, dirty)
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
        if dirty.pending or dirty.told:
            poison += await self._isolate_pending(connection, dirty)
        await self._begin_maps(connection, dirty)
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

    async def committed(self, dirty: Dirty) -> None:
        """Hear that the transaction is committed in which all this has been brought up to date.

        Not to hear of it costs nothing but time later.
        """
        if dirty is self._resolved:
            await self._shadow.committed()

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
        """Compute what can be computed; a row's old id may be, and its new one not."""
        computed: list[RowChange] = []

        async def attempt(some: Sequence[RowChange]) -> None:
            async with connection.transaction():
                computed.extend(await compute(connection, some))

        halves = [half for change in dirty.pending for half in change.halves()]
        failed = await bisect(halves, attempt)
        await self._resolve(dirty, computed)
        dirty.pending[:] = [change for change, _ in failed]
        by_event = {change.queued.seq: (change.queued, error) for change, error in failed}
        return [Poison(None, queued, error) for queued, error in by_event.values()]

    async def _resolve(self, dirty: Dirty, changes: Sequence[RowChange]) -> None:
        """Mark what changes make dirty, whose ids are computed."""
        if changes or dirty.told:
            changes, wanted = await self._shadow.resolve(changes, dirty.applied_until, dirty.told)
            dirty.unmapped, self._resolved = wanted, dirty
            dirty.told.clear()
        for change in changes:
            if change.before is not None or change.after is not None:
                dirty.mark(change)

    async def _begin_maps(self, connection: Connection, dirty: Dirty) -> None:
        while dirty.unmapped:
            await self._shadow.begin(connection, dirty.unmapped[-1])
            dirty.unmapped.pop()
