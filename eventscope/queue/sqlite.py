"""The queue in a SQLite file.

Three connections: one appends, and each of its commits is fsynced (``synchronous=FULL``) because
the server forgets what it has acknowledged. One keeps positions and gives up history, without an
fsync each: a position lost in a power failure only means that events come again. It commits each
statement by itself, so that it never holds the write lock while the event loop is elsewhere. The
third only reads, and so waits for nobody.
Source: SQLite documentation, "Write-Ahead Logging" and "PRAGMA synchronous".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

import aiosqlite
import msgspec

from eventscope.event import Lsn
from eventscope.queue.appender import Appender
from eventscope.queue.base import Checkpoint, Origin, QueueError
from eventscope.queue.event import QueuedEvent
from eventscope.queue.file_lock import FileLock
from eventscope.replication.assembly import Batch, Counts
from eventscope.replication.pgoutput import Subject, subject
from eventscope.replication.relations import Relation, Transaction

APPLICATION_ID: Final = 0x65767363  # "evsc"
VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE origin(system_id TEXT NOT NULL, database TEXT NOT NULL, slot TEXT NOT NULL) STRICT;
CREATE TABLE checkpoint(timeline INTEGER NOT NULL, acknowledged INTEGER NOT NULL) STRICT;
CREATE TABLE relation(
    version INTEGER PRIMARY KEY, message BLOB NOT NULL, description TEXT NOT NULL) STRICT;
CREATE TABLE txn(
    last_seq INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, end_lsn INTEGER NOT NULL,
    commit_lsn INTEGER NOT NULL, xid INTEGER NOT NULL, committed_at INTEGER NOT NULL) STRICT;
CREATE TABLE event(
    seq INTEGER PRIMARY KEY, relation INTEGER NOT NULL, message BLOB NOT NULL) STRICT;
CREATE TABLE operator(name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT;
"""

_PAGE: Final = 16_384
"""Bytes of a page: larger than usual, since rows are only ever appended."""
_TRANSACTION: Final = "first_seq, last_seq, end_lsn, commit_lsn, xid, committed_at"

_PRUNE_CHUNK: Final = 5_000


class SqliteQueue:
    """A queue in one file, which one process at a time may open.

    Args:
        path: the file; made with mode 0600 in a folder with mode 0700.
        retention_events: events kept after every operator has passed them.
        retention_bytes: size of the file beyond which fewer are kept.
    """

    def __init__(self, path: Path, *, retention_events: int, retention_bytes: int) -> None:
        self.path = path
        self._retention_events = retention_events
        self._retention_bytes = retention_bytes
        self._lock = FileLock(path)
        self._origin: Origin | None = None
        self._checkpoint: Checkpoint | None = None
        self._last: Transaction | None = None
        self._relations: dict[int, Relation] = {}
        self._latest: dict[Subject, tuple[int, bytes]] = {}
        self._opened = AsyncExitStack()

    @classmethod
    async def open(cls, path: Path, *, retention_events: int, retention_bytes: int) -> Self:
        """Open a queue file, or make one.

        Raises:
            QueueError: the file is in use, damaged, not ours, or of a newer version.
        """
        queue = cls(path, retention_events=retention_events, retention_bytes=retention_bytes)
        queue._lock.acquire()
        try:
            await queue._open()
        except BaseException as error:
            queue._lock.release()
            if isinstance(error, sqlite3.DatabaseError):
                raise unusable(path, error) from None
            raise
        return queue

    @property
    def checkpoint(self) -> Checkpoint | None:
        """How far the log has come."""
        return self._checkpoint

    @property
    def last(self) -> Transaction | None:
        """The last transaction that is durable."""
        return self._last

    @property
    def last_seq(self) -> int:
        """The sequence number of the last visible event."""
        return self._last.last_seq if self._last is not None else 0

    @property
    def relations(self) -> Mapping[int, Relation]:
        """Every relation version that queued events are described by."""
        return self._relations

    @property
    def latest_versions(self) -> Mapping[Subject, tuple[int, bytes]]:
        """The latest relation version of each subject."""
        return self._latest

    async def begin(self, origin: Origin, checkpoint: Checkpoint) -> None:
        """Start the log at a checkpoint, or move it there if nothing lies between."""
        if self._origin is not None and self._origin != origin:
            raise QueueError(
                f"queue file {self.path} holds the events of {described(self._origin)}, "
                f"not of {described(origin)}; name another with queue_path"
            )
        await self._log.execute(
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
        self._origin, self._checkpoint = origin, checkpoint

    async def append(self, batch: Batch, relations: Mapping[int, Relation]) -> None:
        """Store a batch durably."""
        descriptions = {
            version: msgspec.json.encode(relations[version]).decode() for version in batch.relations
        }
        with self._named_in_errors():
            await self._log.append(batch, descriptions)
        for version, message in batch.relations.items():
            self._know(version, message, relations[version])
        if batch.transactions:
            self._last = batch.transactions[-1]
            self._checkpoint = replace(self._begun(), stored=self._last.end_lsn)

    async def acknowledge(self, lsn: Lsn) -> None:
        """Note durably what the server may forget."""
        with self._named_in_errors():
            await self._log.execute(("UPDATE checkpoint SET acknowledged = ?", (lsn,)))
        self._checkpoint = replace(self._begun(), acknowledged=lsn)

    async def discard_open(self) -> None:
        """Drop the rows of a transaction whose end never came."""
        # the file knows better than we what is stored, should an append have been cancelled
        await self._log.execute(
            ("DELETE FROM event WHERE seq > (SELECT coalesce(max(last_seq), 0) FROM txn)", ())
        )

    async def position(self, operator: str) -> int:
        """Where an operator stands; a new one starts at the end of the log."""
        rows = list(
            await self._desk.execute_fetchall(
                "SELECT position FROM operator WHERE name = ?", (operator,)
            )
        )
        if rows:
            return int(rows[0][0])
        await self.advance(operator, self.last_seq)
        return self.last_seq

    async def advance(self, operator: str, seq: int) -> None:
        """Note that an operator is done with everything up to ``seq``."""
        with self._named_in_errors():
            await self._desk.execute(
                "INSERT INTO operator VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET position = excluded.position",
                (operator, seq),
            )

    async def counts(self, after: int) -> Counts:
        """Count the visible events after ``after`` by relation version and kind."""
        rows = await self._view.execute_fetchall(
            "SELECT relation, unicode(substr(message, 1, 1)), count(*) FROM event"
            " WHERE seq > ? AND seq <= ? GROUP BY 1, 2",
            (after, self.last_seq),
        )
        return {(relation, kind): count for relation, kind, count in rows}

    async def read(self, after: int, relations: Collection[int], limit: int) -> list[QueuedEvent]:
        """The first ``limit`` visible events after ``after`` of the given relation versions."""
        if not relations or after >= self.last_seq:
            return []
        marks = ", ".join("?" * len(relations))
        rows = list(
            await self._view.execute_fetchall(
                f"SELECT seq, relation, message FROM event"  # noqa: S608 - marks only
                f" WHERE seq > ? AND seq <= ? AND relation IN ({marks}) ORDER BY seq LIMIT ?",
                (after, self.last_seq, *relations, limit),
            )
        )
        if not rows:
            return []
        transactions = await self._view.execute_fetchall(
            f"SELECT {_TRANSACTION} FROM txn"  # noqa: S608 - columns
            " WHERE last_seq BETWEEN ? AND (SELECT min(last_seq) FROM txn WHERE last_seq >= ?)"
            " ORDER BY last_seq",
            (rows[0][0], rows[-1][0]),
        )
        return list(self._joined(rows, transactions))

    async def prune(self) -> int:
        """Give up history, in small steps between which appends go on."""
        positions = await self._desk.execute_fetchall("SELECT min(position) FROM operator")
        lowest = next(iter(positions))[0]
        passed = self.last_seq if lowest is None else int(lowest)
        end = min(passed, self.last_seq - await self._history())
        dropped = 0
        while True:
            async with self._desk.execute(
                "DELETE FROM event WHERE seq IN"
                " (SELECT seq FROM event WHERE seq <= ? ORDER BY seq LIMIT ?)",
                (end, _PRUNE_CHUNK),
            ) as cursor:
                count = cursor.rowcount
            # the last transaction stays: it is the checkpoint
            await self._desk.execute(
                "DELETE FROM txn WHERE last_seq <= ? AND last_seq < ?"
                " AND last_seq < (SELECT coalesce(min(seq), ?) FROM event)",
                (end, self.last_seq, self.last_seq),
            )
            dropped += count
            if count < _PRUNE_CHUNK:
                return dropped

    async def close(self) -> None:
        """Release everything; idempotent."""
        await self._opened.aclose()
        self._lock.release()

    async def _open(self) -> None:
        async with AsyncExitStack() as opened:
            self._log = await Appender.open(self.path, self._prepare)
            opened.push_async_callback(self._log.close)
            self._desk = await _connect(self.path)
            opened.push_async_callback(self._desk.close)
            self._view = await _connect(self.path)
            opened.push_async_callback(self._view.close)
            await self._load()
            self._opened = opened.pop_all()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables of a new file; refuse a file that is not ours."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if connection.execute("SELECT name FROM sqlite_schema LIMIT 1").fetchone() is not None:
            check_format(self.path, application, version)
        else:
            connection.executescript(
                f"PRAGMA page_size = {_PAGE}; BEGIN; {_SCHEMA}"
                f" PRAGMA application_id = {APPLICATION_ID};"
                f" PRAGMA user_version = {VERSION}; COMMIT;"
            )

    async def _load(self) -> None:
        desk = self._desk
        for system_id, database, slot in await desk.execute_fetchall("SELECT * FROM origin"):
            self._origin = Origin(system_id, database, slot)
        stored = Lsn(0)
        for row in await desk.execute_fetchall(
            f"SELECT {_TRANSACTION} FROM txn ORDER BY last_seq DESC LIMIT 1"  # noqa: S608 - columns
        ):
            self._last = _transaction(row)
            stored = self._last.end_lsn
        for timeline, acknowledged in await desk.execute_fetchall("SELECT * FROM checkpoint"):
            self._checkpoint = Checkpoint(timeline, stored, Lsn(acknowledged))
        for version, message, description in await desk.execute_fetchall(
            "SELECT version, message, description FROM relation ORDER BY version"
        ):
            self._know(version, message, msgspec.json.decode(description, type=Relation))
        await self.discard_open()

    @contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise QueueError(
                f"queue file {self.path} cannot be written: {error}; "
                f"nothing is lost: mend that, then start again"
            ) from error

    def _begun(self) -> Checkpoint:
        if self._checkpoint is None:
            raise RuntimeError("the queue has not begun")
        return self._checkpoint

    def _know(self, version: int, description: bytes, relation: Relation) -> None:
        self._relations[version] = relation
        self._latest[subject(description)] = (version, description)

    def _joined(self, rows: list[Any], transactions: Iterable[Any]) -> Iterable[QueuedEvent]:
        following = iter(transactions)
        transaction: Transaction | None = None
        for seq, relation, message in rows:
            while transaction is None or transaction.last_seq < seq:
                transaction = _transaction(next(following))
            yield QueuedEvent(seq, self._relations[relation], message, transaction)

    async def _history(self) -> int:
        """How many events to keep: half as many while the file is too large."""
        pages = await _pragma(self._desk, "page_count") - await _pragma(
            self._desk, "freelist_count"
        )
        size = pages * await _pragma(self._desk, "page_size")
        if size <= self._retention_bytes:
            return self._retention_events
        rows = await self._desk.execute_fetchall("SELECT count(*) FROM event")
        return min(self._retention_events, int(next(iter(rows))[0]) // 2)


def _transaction(row: Any) -> Transaction:
    first, last, end_lsn, commit_lsn, xid, committed_at = row
    return Transaction(first, last, Lsn(end_lsn), Lsn(commit_lsn), xid, committed_at)


def unusable(path: Path, error: sqlite3.Error) -> QueueError:
    """The error for a file that SQLite cannot read."""
    return QueueError(
        f"queue file {path} cannot be used: {error}; "
        f"it was left as it is: move it away to start with an empty queue"
    )


def check_format(path: Path, application: int, version: int) -> None:
    """Check a file's ``application_id`` and ``user_version``; raises QueueError if not ours."""
    if application != APPLICATION_ID:
        raise QueueError(f"{path} is no queue of eventscope; name another with queue_path")
    if version > VERSION:
        raise QueueError(
            f"queue file {path} was written by a newer eventscope (format {version}, "
            f"this one knows {VERSION}); update eventscope"
        )


async def _connect(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(
        path, timeout=10.0, cached_statements=256, isolation_level=None
    )
    try:
        await connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        await connection.close()
        raise
    return connection


async def _pragma(connection: aiosqlite.Connection, name: str) -> int:
    rows = await connection.execute_fetchall(f"PRAGMA {name}")
    return int(next(iter(rows))[0])


def described(origin: Origin) -> str:
    """Name a stream for people."""
    return f"database {origin.database} (system {origin.system_id}, slot {origin.slot})"
