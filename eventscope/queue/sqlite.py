"""The queue in a SQLite file.

Three connections: one appends, and each of its commits is fsynced (``synchronous=FULL``) because
the server forgets what it has acknowledged; it also writes what happens rarely. One keeps
positions, without an fsync each: a position lost in a power failure only means that events come
again. It commits each statement by itself, so that it never holds the write lock while the event
loop is elsewhere. The third only reads the log, and so waits for nobody.
Source: SQLite documentation, "Write-Ahead Logging" and "PRAGMA synchronous".
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import aiosqlite
import msgspec

from eventscope.event import Lsn
from eventscope.queue import marks, schema
from eventscope.queue.appender import LOCK_WAIT, Appender
from eventscope.queue.base import Checkpoint, Origin
from eventscope.queue.desk import Desk
from eventscope.queue.faults import unusable
from eventscope.queue.file_lock import FileLock
from eventscope.queue.integrity import verify
from eventscope.queue.log_head import LogHead
from eventscope.queue.log_view import TRANSACTION, LogView, transaction
from eventscope.queue.patience import Patience
from eventscope.queue.retention import Retention
from eventscope.replication.assembly import Batch
from eventscope.replication.relations import Relation


class SqliteQueue(LogHead, LogView, Desk):
    """A queue in one file, which one process at a time may open.

    Args:
        path: the file; made with mode 0600 in a folder with mode 0700.
        retention_events: events kept after every operator has passed them.
        retention_bytes: size of the file beyond which fewer are kept.
        briefly: whether it will be closed soon, so that others wait for that.
    """

    def __init__(
        self, path: Path, *, retention_events: int, retention_bytes: int, briefly: bool = False
    ) -> None:
        super().__init__(f"queue file {path}")
        self._path = path
        self._patience = Patience(path)
        self._retained = retention_events, retention_bytes
        self._lock = FileLock(path, briefly=briefly)
        self._opened = AsyncExitStack()

    @classmethod
    async def open(
        cls, path: Path, *, retention_events: int, retention_bytes: int, briefly: bool = False
    ) -> Self:
        """Open a queue file, or make one; waits for a process that has it open briefly.

        Raises:
            QueueError: the file is in use, damaged, not ours, or of a newer version.
        """
        queue = cls(
            path,
            retention_events=retention_events,
            retention_bytes=retention_bytes,
            briefly=briefly,
        )
        await queue._lock.acquire_in_time()
        try:
            await queue._open()
        except BaseException as error:
            queue._lock.release()
            if isinstance(error, sqlite3.DatabaseError):
                raise unusable(path, error) from None
            raise
        return queue

    @property
    def path(self) -> Path:
        """The queue file."""
        return self._path

    @property
    def oldest_seq(self) -> int:
        """The first event that is still kept."""
        return self._retention.oldest_seq

    async def begin(self, origin: Origin, checkpoint: Checkpoint) -> None:
        """Start the log at a checkpoint, or move it there if nothing lies between."""
        self._check(origin)
        await self._write(
            ("DELETE FROM origin", ()),
            (
                "INSERT INTO origin VALUES (?, ?, ?)",
                (origin.system_id, origin.database, origin.slot),
            ),
            ("DELETE FROM checkpoint", ()),
            (
                "INSERT INTO checkpoint VALUES (?, ?)",
                (checkpoint.timeline, checkpoint.acknowledged),
            ),
        )
        self._has_begun(origin, checkpoint)

    async def append(self, batch: Batch, relations: Mapping[int, Relation]) -> None:
        """Store a batch durably."""
        descriptions = {
            version: msgspec.json.encode(relations[version]).decode() for version in batch.relations
        }
        await self._patience.write(lambda: self._log.append(batch, descriptions))
        self._has_stored(batch, relations)

    async def acknowledge(self, lsn: Lsn) -> None:
        """Note durably what the server may forget."""
        await self._write(("UPDATE checkpoint SET acknowledged = ?", (lsn,)))
        self._has_acknowledged(lsn)

    async def discard_open(self) -> None:
        """Drop the rows of a transaction whose end never came."""
        # the file knows better than we what is stored, should an append have been cancelled
        await self._write(
            ("DELETE FROM event WHERE seq > (SELECT coalesce(max(last_seq), 0) FROM txn)", ())
        )

    async def prune(self, until: int | None = None) -> int:
        """Give up history, in small steps between which appends go on."""

        async def prune() -> tuple[int, set[int]]:
            dropped = await self._retention.prune(self.last_seq, until)
            unused = await self._retention.prune_relations(self._superseded)
            await self._retention.prune_mappings()
            await self._retention.prune_requests()
            return dropped, unused

        dropped, unused = await self._patience.write(prune)
        self._forget(unused)
        return dropped

    async def close(self) -> None:
        """Release everything; idempotent."""
        await self._opened.aclose()
        self._lock.release()

    async def _open(self) -> None:
        if not self.path.stat().st_size:
            marks.forget(self.path)
        async with AsyncExitStack() as opened:
            await asyncio.to_thread(verify, self.path)
            self._log = await Appender.open(self.path, schema.prepare)
            opened.push_async_callback(self._log.close)
            self._desk = await _connect(self.path)
            opened.push_async_callback(self._desk.close)
            self._view = await _connect(self.path)
            opened.push_async_callback(self._view.close)
            events, size = self._retained
            self._retention = Retention(self._log, self._desk, events=events, size=size)
            await self._load()
            self._opened = opened.pop_all()

    async def _load(self) -> None:
        desk = self._desk
        for system_id, database, slot in await desk.execute_fetchall("SELECT * FROM origin"):
            self._origin = Origin(system_id, database, slot)
        stored = Lsn(0)
        for row in await desk.execute_fetchall(
            f"SELECT {TRANSACTION} FROM txn ORDER BY last_seq DESC LIMIT 1"  # noqa: S608 - columns
        ):
            self._last = transaction(row)
            stored = self._last.end_lsn
        for timeline, acknowledged in await desk.execute_fetchall("SELECT * FROM checkpoint"):
            self._checkpoint = Checkpoint(timeline, stored, Lsn(acknowledged))
        for version, message, description in await desk.execute_fetchall(
            "SELECT version, message, description FROM relation ORDER BY version"
        ):
            self._know(version, message, msgspec.json.decode(description, type=Relation))
        await self.discard_open()
        await self._retention.load(self.last_seq)


async def _connect(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(
        path, timeout=LOCK_WAIT, cached_statements=256, isolation_level=None
    )
    try:
        await connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        await connection.close()
        raise
    return connection
