"""Giving up history that nobody needs, in steps between which appends go on."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection
from typing import Any, Final

import aiosqlite

from eventscope import failpoints
from eventscope.queue.appender import Appender

_CHUNK: Final = 5_000
"""Events that are dropped together at most."""
_CHUNK_BYTES: Final = 8 * 1024 * 1024
"""Size of what is dropped together, unless it is a single event."""
_FORGOTTEN: Final = 24 * 3600.0
"""Seconds after which nobody waits for an answer."""
_ROW: Final = 20
"""Bytes that a row takes beside its message."""


_LOWEST: Final = "SELECT min(min(position, coalesce(rewind_to, position))) FROM operator"
"""The last event that every operator has passed, and that no replay is asked for of."""


class Retention:
    """Keeps what operators have not passed, and as much history as it is told to.

    Args:
        log: what writes.
        desk: what reads.
        events: events kept after every operator has passed them.
        size: bytes beyond which fewer are kept.
    """

    def __init__(
        self, log: Appender, desk: aiosqlite.Connection, *, events: int, size: int
    ) -> None:
        self.oldest_seq = 1
        """The first event that is still kept."""
        self._log = log
        self._desk = desk
        self._events = events
        self._size = size
        self._last_uses: dict[int, int] = {}

    async def load(self, last_seq: int) -> None:
        """Find the oldest event."""
        oldest = await self._value("SELECT min(seq) FROM event")
        self.oldest_seq = oldest if oldest is not None else last_seq + 1

    async def prune(self, last_seq: int, until: int | None = None) -> int:
        """Give up events and what is known of their transactions; returns how many events."""
        lowest = await self._value(_LOWEST)
        passed = last_seq if lowest is None else min(lowest, last_seq)
        passed = passed if until is None else min(passed, until)
        end = min(passed, last_seq - await self._history())
        dropped = 0
        while self.oldest_seq <= end:
            if dropped:
                failpoints.hit(failpoints.DURING_PURGE)
            chunk_end = await self._chunk_end(end)
            count, reached = await self._log.commit(_dropping(chunk_end, passed))
            dropped += count
            self.oldest_seq = max(self.oldest_seq, reached + 1)
            if reached < chunk_end:  # somebody has asked for a replay meanwhile
                break
        return dropped

    async def prune_relations(self, superseded: Collection[int]) -> set[int]:
        """Give up the relation versions that describe no event any more; returns which.

        Args:
            superseded: versions that no event to come can be of.
        """
        unused = {version for version in superseded if await self._last_use(version) == 0}
        for version in unused:
            await self._log.execute(("DELETE FROM relation WHERE version = ?", (version,)))
            del self._last_uses[version]
        return unused

    async def prune_mappings(self) -> None:
        """Give up mappings that belong to no operator any more."""
        while id := await self._value("SELECT min(id) FROM mapping WHERE operator IS NULL"):
            while await self._log.commit(_unmapping(id)) == _CHUNK:
                pass
            await self._log.execute(("DELETE FROM mapping WHERE id = ?", (id,)))

    async def prune_requests(self) -> None:
        """Give up requests whose askers have gone without taking them back."""
        forgotten = time.time() - _FORGOTTEN
        if await self._value("SELECT 1 FROM request WHERE asked_at < ?", forgotten):
            await self._log.execute(("DELETE FROM request WHERE asked_at < ?", (forgotten,)))

    async def _last_use(self, version: int) -> int:
        """The last event of a version, 0 if there is none; it is looked for once."""
        last = self._last_uses.get(version)
        if last is None:
            last = await self._value(
                "SELECT seq FROM event WHERE relation = ? ORDER BY seq DESC LIMIT 1", version
            )
        last = last if last is not None and last >= self.oldest_seq else 0
        self._last_uses[version] = last
        return last

    async def _chunk_end(self, end: int) -> int:
        last = await self._value(
            "SELECT max(seq) FROM (SELECT seq, sum(length(message)) OVER (ORDER BY seq) AS size"
            " FROM event WHERE seq BETWEEN ? AND ?) WHERE size <= ?",
            self.oldest_seq,
            min(end, self.oldest_seq + _CHUNK - 1),
            _CHUNK_BYTES,
        )
        return max(last or 0, self.oldest_seq)

    async def _history(self) -> int:
        """How many events to keep: half as many while they are too large."""
        pages = await self._value("PRAGMA page_count") - await self._value("PRAGMA freelist_count")
        if pages * await self._value("PRAGMA page_size") <= self._size:
            return self._events
        [(count, size)] = await self._desk.execute_fetchall(
            f"SELECT count(*), coalesce(sum(length(message) + {_ROW}), 0) FROM event"  # noqa: S608
        )
        return min(self._events, int(count) // 2) if size > self._size else self._events

    async def _value(self, statement: str, *parameters: Any) -> Any:
        rows = await self._desk.execute_fetchall(statement, parameters)
        return next((row[0] for row in rows), None)


def _dropping(end: int, passed: int) -> Callable[[sqlite3.Connection], tuple[int, int]]:
    """Drop the events up to ``end``, and all transactions before them but those still needed.

    Gives how many events those were, and the last of them: no operator that has gone back
    meanwhile is to miss any.
    """

    def drop(connection: sqlite3.Connection) -> tuple[int, int]:
        dropped = connection.execute(
            f"DELETE FROM event WHERE seq <= min(?1, coalesce(({_LOWEST}), ?1))",  # noqa: S608
            (end,),
        ).rowcount
        [(lowest,)] = connection.execute(_LOWEST)
        reached = end if lowest is None else min(end, lowest)
        # those at which operators stand tell their places, and the last one is the checkpoint
        connection.execute(
            "DELETE FROM txn WHERE last_seq <= ? AND last_seq < ?",
            (reached, passed if lowest is None else min(passed, lowest)),
        )
        return dropped, reached

    return drop


def _unmapping(id: int) -> Callable[[sqlite3.Connection], int]:
    def drop(connection: sqlite3.Connection) -> int:
        return connection.execute(
            "DELETE FROM mapped WHERE mapping = ? AND key IN"
            " (SELECT key FROM mapped WHERE mapping = ? LIMIT ?)",
            (id, id, _CHUNK),
        ).rowcount

    return drop
