"""Reading what one has written oneself: tokens of commits, and how far operators have come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, Protocol

from eventscope.errors import InvalidToken, NotCommitted
from eventscope.event import Lsn

UPDATED_AT: Final = "updated_at"
"""The column by which rows are told to be processed."""


class Absent(Enum):
    """Stands for an argument that was not given, where None means something."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

_IDLE: Final = 0
"""The transaction status of a connection outside of a transaction (libpq's PQTRANS_IDLE)."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Progress(Protocol):
    """What an engine tells the application that it runs."""

    async def wait_for(self, lsn: Lsn, operator: str | None, timeout: float | None) -> None:
        """Wait until what was committed before ``lsn`` is applied."""

    def processed(self, lsn: Lsn) -> bool:
        """Whether what was committed before ``lsn`` is applied by every operator."""

    def processed_until(self, entity: str) -> int | None:
        """The latest ``updated_at`` of an entity's processed rows, in microseconds since 1970."""


class Connection(Protocol):
    """As much of a ``psycopg.AsyncConnection`` as a token needs."""

    @property
    def info(self) -> Any:
        """What libpq knows of it."""

    def cursor(self, *, row_factory: Callable[[Any], Any]) -> Any:
        """Make a cursor."""

    def transaction(self) -> Any:
        """A block that is a transaction."""


async def token_of(connection: Connection) -> str:
    """The place in the write-ahead log behind all that a connection has committed.

    Raises:
        NotCommitted: a transaction is open in it.
    """
    if connection.info.transaction_status != _IDLE:
        raise NotCommitted(
            "a token stands for what is committed, and the connection is in a transaction: "
            "commit first, then ask for the token"
        )
    # not what is flushed: with synchronous_commit = off the commit may not be yet
    async with connection.transaction(), connection.cursor(row_factory=lambda _: tuple) as cursor:
        await cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
        [position] = await cursor.fetchone()
    return str(position)


def read_token(token: str) -> Lsn:
    """The place that a token stands for; raises InvalidToken."""
    try:
        return Lsn.parse(token)
    except (TypeError, ValueError):
        raise InvalidToken(
            f"{str(token)[:40]!r} is no token; app.token(connection) gives one"
        ) from None


def microseconds(moment: object) -> int | None:
    """A moment in microseconds since 1970; None for what is none.

    Args:
        moment: a datetime, which means UTC if it has no zone, or such microseconds.
    """
    if isinstance(moment, datetime):
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    return moment if isinstance(moment, int) and not isinstance(moment, bool) else None
