"""How far operators have come, noted in the database with what they write.

A ledger has one row for each operator of a slot: the last event that it has applied. The row is
moved in the transaction that holds the event's effect, so the two are there or not together. And
it is moved only from where the operator thinks that it stands, in the epoch that its instance has
claimed: an instance that was suspended while another one took over cannot write any more.

An event that was given up and is tried again out of its order leaves the operator where it
stands. Its id is noted beside that, until the next transaction, before which the letter is gone.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from eventscope.event import Lsn
from eventscope.queue.event import Place
from eventscope.replication.connection import Connection, SourceError
from eventscope.replication.ledger import NAME, TABLE

_MOVE: Final = sql.SQL(
    "UPDATE {} SET end_lsn = $1, index = $2, redone = $3, updated_at = clock_timestamp()"
    " WHERE slot = $4 AND operator = $5 AND epoch = $6"
    " AND end_lsn = $7 AND index = $8 AND redone = $9"
    " RETURNING true"
).format(TABLE)

_LOOK: Final = sql.SQL(
    "SELECT epoch, end_lsn::text, index, redone FROM {} WHERE slot = $1 AND operator = $2"
).format(TABLE)

Cursor = psycopg.AsyncCursor[Any]


START: Final = Place(Lsn(0), -1)
"""Before every event."""


class Fenced(SourceError):
    """Another instance has taken the slot over, and this one must not write any more."""

    def __init__(self, slot: str, ours: int, theirs: int) -> None:
        super().__init__(
            f"another instance has taken over slot {slot} (epoch {theirs}; ours was {ours}):"
            f" this one writes nothing any more"
        )


class Moved(Exception):
    """The operator does not stand where we thought: go on from where it does.

    After a commit whose outcome was not known, or when the server has lost commits.
    """

    def __init__(self, place: Place, redone: str) -> None:
        super().__init__(f"the operator stands at {place.end_lsn}/{place.index}")
        self.place = place
        self.redone = redone
        """The id of the event that was tried again there with success, or nothing."""


class Claim(Protocol):
    """What an instance holds of a slot's ledger."""

    slot: str

    @property
    def epoch(self) -> int:
        """The claim's number, higher than that of every claim before it."""

    def settled(self) -> AbstractAsyncContextManager[int]:
        """Gives the epoch; no other claim of this instance is under way in the block."""


class Offset:
    """Where one operator stands, and the moving of it.

    Args:
        claim: in whose name it is moved.
        operator: the operator's name.
        place: where it stands.
    """

    def __init__(self, claim: Claim, operator: str, place: Place) -> None:
        self.operator = operator
        self.place = place
        """Where it stands, as far as we know."""
        self.redone = ""
        """The id of the event that was tried again since it has come there, or nothing."""
        self._claim = claim
        self._has_begun = False
        self._target = (place, "")

    def begin(self, place: Place, redone: str) -> None:
        """Hear what a claim has found.

        Only the first one can tell an offset where it stands: from then on the operator is to
        hear of what another instance has done, and does with the next ``move``.
        """
        if not self._has_begun:
            self.place, self.redone, self._has_begun = place, redone, True

    async def move(self, connection: Connection, new: Place, redone: str = "") -> Cursor:
        """Move it as a part of the connection's transaction; the first statement there.

        In pipeline mode this waits for nothing. Whether it moved tells ``check``, which is to be
        called with the result before the transaction is committed.

        Args:
            connection: in a transaction.
            new: where it then stands.
            redone: the id of an event that is tried again in this transaction, out of its order.
        """
        claim, old = self._claim, self.place
        self._target = (new, redone)
        cursor = _cursor(connection)
        row = (claim.slot, self.operator, claim.epoch, old.end_lsn, old.index, self.redone)
        # as text without a type, so that it is one statement to the server for all numbers
        values = [str(value) for value in (new.end_lsn, new.index, redone, *row)]
        await cursor.execute(_MOVE, values)
        return cursor

    async def check(self, connection: Connection, moving: Cursor) -> None:
        """See whether ``move`` has moved it; waits for the answer.

        Raises:
            Moved: it stood elsewhere, or what was tried again was another event or none;
                ``place`` and ``redone`` are right now.
            Fenced: another instance has taken over.
            SourceError: its row is gone.
        """
        if await moving.fetchone() is not None:
            return
        claim, cursor = self._claim, _cursor(connection)
        async with claim.settled() as ours:
            await cursor.execute(_LOOK, [claim.slot, self.operator])
            row = await cursor.fetchone()
        if row is None:
            raise SourceError(
                f"{NAME} has no row of operator {self.operator} and slot {claim.slot} any more:"
                f" start again, to go on from where the queue file says that it stands"
            )
        epoch, end_lsn, index, redone = row
        if epoch > ours:
            raise Fenced(claim.slot, ours, epoch)
        if epoch < ours:
            raise SourceError(
                f"{NAME} has gone back to epoch {epoch}, ours is {ours}: the database has been put"
                f" back to an older state; start again"
            )
        self.place, self.redone = Place(Lsn.parse(end_lsn), index), redone
        raise Moved(self.place, self.redone)

    def confirm(self) -> None:
        """Hear that the transaction of the last ``move`` has been committed."""
        self.place, self.redone = self._target


def _cursor(connection: Connection) -> Cursor:
    """A cursor for ``$1``, whatever the connection's own ones take and return."""
    return psycopg.AsyncRawCursor(connection, row_factory=tuple_row)
