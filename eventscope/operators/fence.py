"""The visibility fence: nothing is recomputed before the change it follows can be seen.

A walsender may send a commit before the committing backend has made it visible to others. Who
looks at once then sees the state before the change, and nothing corrects it later.
Source: PostgreSQL documentation, "Transaction ID and Snapshot Information Functions".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, Self

from psycopg.rows import tuple_row

from eventscope.replication.connection import Connection

_PAUSES: Final = (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


class Snapshot(NamedTuple):
    """A snapshot as ``pg_current_snapshot()`` prints it, with 64-bit transaction ids."""

    xmin: int
    xmax: int
    running: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``xmin:xmax:xip,xip``."""
        xmin, xmax, running = text.split(":")
        return cls(int(xmin), int(xmax), frozenset(int(xid) for xid in running.split(",") if xid))

    def sees(self, xid: int) -> bool:
        """Whether a committed transaction, given by its 32-bit id, is visible."""
        if not _precedes(xid, self.xmax):
            return False
        return all(xid != running & 0xFFFFFFFF for running in self.running)


class Fence:
    """Waits until transactions are visible on one connection's server.

    Args:
        on_wait: called with a transaction id each time it turns out not to be visible yet, and
            with None when it is at last.
    """

    def __init__(self, on_wait: Callable[[int | None], None]) -> None:
        self._on_wait = on_wait
        self._xmin: int | None = None

    async def wait(self, connection: Connection, xid: int) -> None:
        """Return when the committed transaction ``xid`` (32 bits) is visible to new snapshots."""
        if self._xmin is not None and _precedes(xid, self._xmin):
            return
        attempt = 0
        while True:
            cursor = connection.cursor(row_factory=tuple_row)  # a handler may have set another
            await cursor.execute("SELECT pg_current_snapshot()::text")
            row = await cursor.fetchone()
            snapshot = Snapshot.parse(row[0] if row else "")
            self._xmin = snapshot.xmin
            if snapshot.sees(xid):
                if attempt:
                    self._on_wait(None)
                return
            self._on_wait(xid)
            await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1

    def forget(self) -> None:
        """Drop what is known of the server, which may be another one now."""
        self._xmin = None


def _precedes(xid: int, boundary: int) -> bool:
    """Whether a 32-bit transaction id lies before a 64-bit one, across the wrap-around."""
    return (xid - boundary) & 0xFFFFFFFF >= 0x80000000
