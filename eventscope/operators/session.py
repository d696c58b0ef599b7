"""An operator's own connection to the database, opened when needed and again when lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from eventscope import failpoints
from eventscope.operators.fence import Fence
from eventscope.operators.offsets import Offset
from eventscope.queue.event import Place, QueuedEvent
from eventscope.replication.connection import Connection, Unreachable, connect, one_line
from eventscope.replication.doctor.server import recovery
from eventscope.replication.hops import LIMIT, PREFIX, TELL, written

# a commit that a crash of the server could still undo is not to be noted as done
_ROLE_AND_DURABILITY: Final = """
SELECT pg_is_in_recovery(), CASE WHEN current_setting('synchronous_commit') = 'off'
    THEN set_config('synchronous_commit', 'on', false) END
"""

_PATIENCE: Final = 5.0
"""Seconds for a server to hear that a statement is to end."""


class ConnectionLost(Exception):
    """The database is away; the work is to be done again when it is back."""


class TransactionAborted(Exception):
    """A database error was caught inside a transaction that it had aborted."""


class TransactionEnded(Exception):
    """A transaction was ended by who was only to write in it."""


class Circle(Exception):
    """Operators follow each other without an end."""


class Session:
    """One connection, and transactions on it that see what they follow.

    Args:
        conninfo: where to connect.
        on_wait: called with a transaction id that is not visible yet, with None when it is.
        offset: where the operator stands in the ledger, which every transaction moves.
        is_followed: whether some operator may follow what is written.
        options: further arguments of ``psycopg.AsyncConnection.connect``.
    """

    def __init__(
        self,
        conninfo: str,
        on_wait: Callable[[int | None], None],
        offset: Offset | None = None,
        *,
        is_followed: bool = False,
        **options: Any,
    ) -> None:
        self._offset = offset
        self._is_followed = is_followed
        self._conninfo = conninfo
        self._options = options
        self._fence = Fence(on_wait)
        self._connection: Connection | None = None

    @asynccontextmanager
    async def transaction(
        self,
        events: Collection[QueuedEvent] = (),
        to: Place | None = None,
        *,
        redone: str = "",
        pipelined: bool = False,
    ) -> AsyncIterator[Connection]:
        """Run a transaction that sees those which wrote the given events.

        Args:
            events: what it is about.
            to: where the operator stands with its commit; None: where it does now.
            redone: the id of an event that is tried again out of its order.
            pipelined: do not wait for the outcome of each statement; failures come at the end.

        Raises:
            ConnectionLost: the connection could not be opened or did not survive. Whether a
                commit that was under way succeeded is not known then.
            Moved, Fenced: the ledger is not as we have left it, or is another instance's.
            Circle: what operators write has come back to them too often.
            TransactionAborted: a failure inside was hidden, but the server has not forgotten it.
            TransactionEnded: it was committed or rolled back inside.
        """
        hops = self._hops(events)
        connection = await self._opened()
        try:
            for xid in {event.transaction.xid for event in events} - {0}:
                await self._fence.wait(connection, xid)
            pipeline = connection.pipeline() if pipelined else nullcontext()
            moving = self._moving(connection, to, redone, early=not pipelined)
            async with pipeline, connection.transaction(), moving:
                if hops:
                    cursor = psycopg.AsyncRawCursor(connection)
                    await cursor.execute(TELL, (PREFIX, written(hops)))
                yield connection
                _check(connection)
                failpoints.hit(failpoints.BEFORE_COMMIT)
        except psycopg.Error as error:
            if pipelined and _comes_from_libpq(error):
                await connection.close()  # it can be lost before libpq has noticed
            if connection.closed or connection.broken:
                raise ConnectionLost(one_line(error)) from error
            raise
        finally:
            if connection.info.transaction_status == TransactionStatus.ACTIVE:
                await _end(connection)
        if self._offset is not None:
            self._offset.confirm()

    async def jump(self, to: Place) -> None:
        """Have the operator stand elsewhere, without any effect; see ``transaction``."""
        if self._offset is not None:
            async with self.transaction(to=to):
                pass

    async def close(self) -> None:
        """Close the connection; idempotent."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    def _hops(self, events: Collection[QueuedEvent]) -> int:
        """What to tell of the hops of a transaction about events; 0 if nobody could follow it."""
        if not self._is_followed:
            return 0
        hops = max((event.transaction.hops for event in events), default=0) + 1
        if hops > LIMIT:
            raise Circle(f"what it writes has come back to it through {LIMIT} operators: a circle")
        return hops

    @asynccontextmanager
    async def _moving(
        self, connection: Connection, to: Place | None, redone: str, *, early: bool
    ) -> AsyncIterator[None]:
        """Move in the ledger, and see that this was possible: ``early``, or before the commit."""
        offset = self._offset
        if offset is None:
            yield
            return
        moving = await offset.move(connection, to or offset.place, redone)
        if early:
            await offset.check(connection, moving)
        yield
        if not early:
            await offset.check(connection, moving)

    async def _opened(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._fence.forget()
            try:
                self._connection = await connect_to_write(self._conninfo, **self._options)
            except Unreachable as error:
                raise ConnectionLost(str(error)) from error
        return self._connection


async def connect_to_write(conninfo: str, **options: Any) -> Connection:
    """Open a session whose commits are on disk when they return.

    Raises:
        Unreachable: it could not be opened, or leads to a standby.
    """
    connection = await connect(conninfo, **options)
    try:
        cursor = await connection.execute(_ROLE_AND_DURABILITY)
        [(is_standby, _)] = await cursor.fetchall()
    except BaseException as error:
        await connection.close()
        if isinstance(error, psycopg.OperationalError):
            raise Unreachable(one_line(error)) from error
        raise
    if is_standby:
        await connection.close()
        raise Unreachable(recovery(True).line)
    return connection


async def _end(connection: Connection) -> None:
    """End a session that was left inside a statement, which holds locks as long as it runs."""
    with suppress(psycopg.Error):
        await connection.cancel_safe(timeout=_PATIENCE)
    await connection.close()


def _comes_from_libpq(error: psycopg.Error) -> bool:
    """Whether the server has no part in an error: then it is about the connection."""
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def _check(connection: Connection) -> None:
    """Raise what a caller has hidden: psycopg would leave such a transaction without a word."""
    if connection.closed:
        raise ConnectionLost("the connection was lost inside the transaction")
    if connection.info.transaction_status == TransactionStatus.INERROR:
        raise TransactionAborted(
            "a database error was caught, but it has aborted the whole transaction; "
            "put what may fail into `async with tx.transaction()`"
        )
    if connection.info.transaction_status == TransactionStatus.IDLE:
        raise TransactionEnded(
            "COMMIT or ROLLBACK was sent: what it wrote is no longer kept or undone as a whole; "
            "leave the end of tx to eventscope"
        )
