"""The ledger of a slot: who may move its operators' offsets, and where each of them stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

import psycopg
import structlog
from psycopg import IsolationLevel, sql

from eventscope.event import Lsn
from eventscope.operators.offsets import START, Offset
from eventscope.operators.session import connect_to_write
from eventscope.queue.event import Place
from eventscope.replication import catalog
from eventscope.replication.connection import (
    Connection,
    SourceError,
    SystemIdentity,
    Unreachable,
    conninfo,
    one_line,
)
from eventscope.replication.ledger import NAME, TABLE
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.ledger")

_PATIENCE: Final = 5.0
"""Seconds that a transaction of an instance which has lost the slot may still take."""

_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"

_ROWS: Final = sql.SQL(
    "SELECT operator, system_id, end_lsn::text, index, redone, epoch FROM {} WHERE slot = %s"
).format(TABLE)

# the id of the transaction, so that a number never comes again when all rows were deleted
_NEXT_EPOCH: Final = sql.SQL(
    "SELECT greatest(max(epoch) + 1, pg_current_xact_id()::text::bigint) FROM {} WHERE slot = %s"
).format(TABLE)

_CLAIM: Final = sql.SQL(
    "UPDATE {} SET epoch = %s, timeline = CASE WHEN system_id = %s THEN %s ELSE timeline END"
    " WHERE slot = %s"
).format(TABLE)

_PUT: Final = sql.SQL(
    "INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp(), '')"
    " ON CONFLICT (slot, operator) DO UPDATE SET system_id = excluded.system_id,"
    " timeline = excluded.timeline, end_lsn = excluded.end_lsn, index = excluded.index,"
    " epoch = excluded.epoch, updated_at = excluded.updated_at, redone = ''"
).format(TABLE)

_RENAME: Final = sql.SQL(
    "UPDATE {} SET operator = %s WHERE slot = %s AND operator = %s"
    " AND NOT EXISTS (SELECT FROM {} WHERE slot = %s AND operator = %s)"
).format(TABLE, TABLE)

_IS_THERE: Final = "SELECT to_regclass(%s)"

_DROP: Final = sql.SQL(
    "DELETE FROM {} WHERE slot = %s AND operator = ANY (%s) AND epoch = coalesce(%s, epoch)"
).format(TABLE)

# only who holds a row: another claim is to be waited for, and a person who locks the table
_END_HOLDERS: Final = """
SELECT pid, application_name, pg_terminate_backend(pid)
FROM unnest(pg_blocking_pids(%s)) AS pid JOIN pg_stat_activity USING (pid)
WHERE application_name LIKE 'eventscope %%' AND usename = session_user
AND EXISTS (SELECT FROM pg_locks
    WHERE pid = %s AND NOT granted AND locktype IN ('transactionid', 'tuple'))
"""


class _Row(NamedTuple):
    system_id: str
    epoch: int
    place: Place
    redone: str


class Ledger:
    """The rows of one slot, in the name of one instance.

    Args:
        settings: naming the database and the slot.
        app_name: shown by the server as a part of the session's name.
    """

    def __init__(self, settings: Settings, app_name: str) -> None:
        self.slot = settings.slot_name
        self._conninfo = conninfo(settings, "ledger", app_name)
        self._offsets: dict[str, Offset] = {}
        self._epoch = 0
        self._claiming = asyncio.Lock()

    @property
    def epoch(self) -> int:
        """The number of our claim, higher than that of every claim before it; 0 before one."""
        return self._epoch

    @asynccontextmanager
    async def settled(self) -> AsyncIterator[int]:
        """Gives the epoch; no claim of ours is under way in the block."""
        async with self._claiming:
            yield self._epoch

    def offset(self, operator: str) -> Offset:
        """An operator's offset; it cannot be moved before ``claim`` has found its place."""
        return self._offsets.setdefault(operator, Offset(self, operator, START))

    async def claim(
        self,
        identity: SystemIdentity,
        stands: Mapping[str, Place | None],
        renamed: Iterable[tuple[str, str]] = (),
    ) -> Mapping[str, Place]:
        """Make the slot's rows ours, and find out where each operator stands.

        Whoever had them before cannot move them any more; a transaction of theirs that is open
        is ended if it takes long. Rows of operators that are not named keep their places. If
        nobody else has claimed them since our last claim, nothing is changed. If somebody has,
        and has moved an operator, its offset finds that out with its next move.

        Args:
            identity: of the server that the slot is read from. A row of another one came here
                in a dump: it is not believed, and replaced.
            stands: where each operator stands if it has no row; None is before every event.
            renamed: pairs of an operator's old and new name; an old row becomes the new one
                unless that exists.

        Raises:
            Unreachable: the connection could not be opened, or was lost.
            SourceError: the table cannot be used.
        """
        async with self._claiming:
            try:
                async with await connect_to_write(self._conninfo) as connection:
                    await connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
                    if not await self._is_ours(connection, stands):
                        await self._take(connection, identity, stands, list(renamed))
            except psycopg.Error as error:
                raise _unusable(error) from error
        return {operator: self._offsets[operator].place for operator in stands}

    async def put(self, operator: str, place: Place) -> None:
        """Move an operator to where a person wants it, in a transaction of its own.

        Raises:
            Moved, Fenced, SourceError: as ``Offset.check`` does.
        """
        offset = self.offset(operator)
        try:
            async with await connect_to_write(self._conninfo) as connection:
                async with connection.transaction():
                    await offset.check(connection, await offset.move(connection, place))
                offset.confirm()
        except psycopg.Error as error:
            raise _unusable(error) from error

    async def drop(self, *operators: str) -> None:
        """Delete the rows of operators, those that are there and ours, all without a claim.

        Raises:
            SourceError: the database cannot be reached, or the table not be used.
        """
        try:
            async with await connect_to_write(self._conninfo) as connection:
                [(table,)] = await (await connection.execute(_IS_THERE, (NAME,))).fetchall()
                if table is not None:
                    epoch = self._epoch or None
                    await connection.execute(_DROP, (self.slot, list(operators), epoch))
        except psycopg.Error as error:
            raise _unusable(error) from error
        for operator in operators:
            self._offsets.pop(operator, None)

    async def _is_ours(self, connection: Connection, operators: Iterable[str]) -> bool:
        """Whether all is as our last claim has left it; places may be moving right now."""
        rows = await self._rows(connection)
        return rows.keys() >= set(operators) and all(
            row.epoch == self._epoch for row in rows.values()
        )

    async def _take(
        self,
        connection: Connection,
        identity: SystemIdentity,
        stands: Mapping[str, Place | None],
        renamed: Iterable[tuple[str, str]],
    ) -> None:
        ending = asyncio.create_task(self._end_holders(connection.info.backend_pid))
        try:
            async with connection.transaction():
                epoch, found = await self._claimed(connection, identity, stands, renamed)
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
        self._epoch = epoch
        for operator, (place, redone) in found.items():
            self.offset(operator).begin(place, redone)

    async def _claimed(
        self,
        connection: Connection,
        identity: SystemIdentity,
        stands: Mapping[str, Place | None],
        renamed: Iterable[tuple[str, str]],
    ) -> tuple[int, dict[str, tuple[Place, str]]]:
        slot, system_id, timeline = self.slot, identity.system_id, identity.timeline
        await connection.execute(_ONE_AT_A_TIME, (f"{NAME} {slot}",))
        for old, new in renamed:
            await connection.execute(_RENAME, (new, slot, old, slot, new))
        [(epoch,)] = await (await connection.execute(_NEXT_EPOCH, (slot,))).fetchall()
        await connection.execute(_CLAIM, (epoch, system_id, timeline, slot))
        rows = await self._rows(connection)
        found = {}
        for operator, stand in stands.items():
            row = rows.get(operator)
            if row is not None and row.system_id == system_id:
                found[operator] = row.place, row.redone
                continue
            if row is not None:
                _log.warning(
                    f"{NAME} says where operator {operator} stood in another cluster"
                    f" ({row.system_id}, this is {system_id}): not believed",
                    operator=operator,
                )
            place = stand or START
            found[operator] = place, ""
            values = (system_id, timeline, str(place.end_lsn), place.index, epoch)
            await connection.execute(_PUT, (slot, operator, *values))
        return epoch, found

    async def _rows(self, connection: Connection) -> dict[str, _Row]:
        """The slot's rows, by operator."""
        cursor = await connection.execute(_ROWS, (self.slot,))
        return {
            operator: _Row(system_id, epoch, Place(Lsn.parse(end_lsn), index), redone)
            for operator, system_id, end_lsn, index, redone, epoch in await cursor.fetchall()
        }

    async def _end_holders(self, pid: int) -> None:
        """End transactions of another instance that keep the session ``pid`` from its claim."""
        told = ""
        while True:
            await asyncio.sleep(_PATIENCE)
            with suppress(SourceError, psycopg.Error):  # the next attempt may succeed
                said = await self._end_holder(pid)
                if said != told:
                    _log.warning(said, slot=self.slot)
                told = said

    async def _end_holder(self, pid: int) -> str:
        """Says what was done, or who is to be waited for."""
        async with await connect_to_write(self._conninfo) as connection:
            cursor = await connection.execute(_END_HOLDERS, (pid, pid))
            ended = [f"pid {holder} ({name})" for holder, name, _ in await cursor.fetchall()]
            if ended:
                return f"another instance still held {NAME}, ended: {', '.join(ended)}"
            return f"{NAME} is held by {await catalog.blockers(connection, pid)}: waiting"


def _unusable(error: psycopg.Error) -> SourceError:
    if isinstance(error, psycopg.OperationalError):
        return Unreachable(one_line(error))
    return SourceError(f"cannot use {NAME}: {one_line(error)}; see what eventscope doctor says")
