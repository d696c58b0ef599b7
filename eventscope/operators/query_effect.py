"""A query operator at work: batches in one transaction each, and what fails in them set aside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg

from eventscope.declaration import QueryOperator, known_as
from eventscope.operators.dirty import Dirty
from eventscope.operators.effect import Passed
from eventscope.operators.facts import Mapped
from eventscope.operators.failure import Reports
from eventscope.operators.letters import Letters
from eventscope.operators.query import Poison, Recomputation
from eventscope.operators.session import Session
from eventscope.operators.sqlstates import TRANSIENT_ATTEMPTS, is_general, is_transient
from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.records import DeadLetter

_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


class QueryEffect:
    """Brings up to date what events make dirty, all of a batch in one transaction.

    If an id fails, the others are brought up to date without it in one transaction, and it
    becomes a letter that is tried again by itself.

    Args:
        operator: the query.
        session: with raw cursors; its transactions move the operator in the ledger.
        letters: of the ids that fail.
        reports: describes failures.
        mapped: keeps what rows map to where the WAL does not tell it.
        shares_target: whether another operator writes the same table: they take turns then, or
            one could write what it has read before the other over what the other has written.
        applied_until: tells up to which event all have taken effect before, in a replay.
    """

    def __init__(
        self,
        operator: QueryOperator,
        session: Session,
        letters: Letters,
        reports: Reports,
        mapped: Mapped,
        *,
        shares_target: bool = False,
        applied_until: Callable[[], int] = int,
    ) -> None:
        self.skipped = 0
        """Events of rows without a target, as their id is NULL, since the start."""
        self._operator = operator
        self._session = session
        self._letters = letters
        self._applied_until = applied_until
        self._reports = reports
        self._work = Recomputation(operator, mapped)
        self._turn = f"eventscope {known_as(operator.target)}" if shares_target else None

    async def apply(self, events: Sequence[QueuedEvent], passed: Passed) -> None:
        """Bring every row that these events may have changed up to date."""
        dirty = self._work.mark(events, self._applied_until())
        poison = await self._bring_up_to_date(dirty, events, events[-1].place)
        failed = {one.event.seq for one in poison if one.target is None}
        await self._letters.passed({queued.seq for queued in events} - failed)
        self.skipped += dirty.skipped
        passed(events[-1], len(events))

    async def redo(self, letter: DeadLetter) -> None:
        """Bring the row of a letter up to date, or what its event makes dirty."""
        event = letter.event
        if letter.target is None:
            dirty = self._work.mark([event], applied_until=event.seq)
        else:
            dirty = Dirty.again(self._operator, {letter.target: event})
        await self._at_once(dirty, [event], None)

    async def refill(self, dirty: Dirty) -> int:
        """Bring ids up to date that no event has marked; returns how many of them failed."""
        return len(await self._bring_up_to_date(dirty, (), None))

    async def jump(self, place: Place) -> None:
        """Stand elsewhere in the ledger."""
        await self._session.jump(place)

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def _bring_up_to_date(
        self, dirty: Dirty, events: Collection[QueuedEvent], to: Place | None
    ) -> Sequence[Poison]:
        """Returns what has failed."""
        try:
            await self._at_once(dirty, events, to)
        except psycopg.Error as error:
            if is_general(error) or self._operator.on_failure == "halt":
                raise
            return await self._without_poison(dirty, events, to)
        return ()

    async def _at_once(
        self, dirty: Dirty, events: Collection[QueuedEvent], to: Place | None
    ) -> None:
        for left in reversed(range(TRANSIENT_ATTEMPTS)):
            try:
                async with self._transaction(events, to, pipelined=True) as connection:
                    await self._work.recompute(connection, dirty)
            except psycopg.Error as error:
                if not left or not is_transient(error):
                    raise
            else:
                await self._work.committed(dirty)
                await self._letters.healed(dirty.ids)
                return

    async def _without_poison(
        self, dirty: Dirty, events: Collection[QueuedEvent], to: Place | None
    ) -> Sequence[Poison]:
        async with self._transaction(events, to) as connection:
            poison = await self._work.isolate(connection, dirty)
            # kept before the commit, after which nobody would know of them any more
            for one in poison:
                await self._letters.failed(one.target, one.event, self._reports.failure(one.error))
        await self._work.committed(dirty)
        failed = {one.target for one in poison}
        await self._letters.healed(id_ for id_ in dirty.ids if id_ not in failed)
        return poison

    @asynccontextmanager
    async def _transaction(
        self, events: Collection[QueuedEvent], to: Place | None, *, pipelined: bool = False
    ) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A transaction of the session, when it is our turn."""
        async with self._session.transaction(events, to, pipelined=pipelined) as connection:
            if self._turn is not None:
                await connection.execute(_TURN, (self._turn,))
            yield connection
