"""The connection that makes things durable in a queue file, in a thread of its own.

Jobs are done in the order in which they were given, so that an append waits for one other job at
most and not, as between connections, until SQLite looks again. A batch is one job, however many
statements it takes: between two jobs lies a turn of the event loop, which may be busy receiving.
Rows go in many at a time, since SQLite gives up the interpreter for each statement and must wait
to get it back.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from eventscope import failpoints
from eventscope.queue.faults import FileIdentity, file_identity, gone
from eventscope.replication.assembly import Batch, Row

Result = TypeVar("Result")

LOCK_WAIT: Final = 2.0
"""Seconds that a statement waits for somebody else's lock."""
_ROWS: Final = 100
"""Rows in one statement: more make it no faster."""
_INSERT: Final = "INSERT INTO event VALUES (?, ?, ?)"
_INSERT_MANY: Final = _INSERT + ", (?, ?, ?)" * (_ROWS - 1)


class Appender:
    """One connection and its thread; each method is durable when it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eventscope queue")
        self._connection: sqlite3.Connection
        self._file: FileIdentity | None

    @classmethod
    async def open(cls, path: Path, prepare: Callable[[sqlite3.Connection, Path], None]) -> Self:
        """Open a file that ``prepare`` accepts, in write-ahead mode."""
        appender = cls(path)

        def connect() -> None:
            appender._connection = connection = sqlite3.connect(path, timeout=LOCK_WAIT)
            try:
                prepare(connection, path)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                appender._file = file_identity(path)
            except BaseException:
                connection.close()
                raise

        try:
            await appender._run(connect)
        except BaseException:
            appender._thread.shutdown()
            raise
        return appender

    async def append(self, batch: Batch, descriptions: Mapping[int, str]) -> None:
        """Store all of a batch, or raise sqlite3.Error and store nothing."""

        def append(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT INTO relation VALUES (?, ?, ?)",
                [(version, raw, descriptions[version]) for version, raw in batch.relations.items()],
            )
            self._insert(batch.rows)
            failpoints.hit(failpoints.MID_APPEND)
            connection.executemany(
                "INSERT INTO txn(first_seq, last_seq, end_lsn, commit_lsn, xid, committed_at,"
                " hops) VALUES (?, ?, ?, ?, ?, ?, ?)",
                batch.transactions,
            )

        await self.commit(append)

    async def execute(self, *statements: tuple[str, Sequence[Any]]) -> list[Any]:
        """Run statements as one transaction; returns the rows of the last one."""

        def execute(connection: sqlite3.Connection) -> list[Any]:
            rows: list[Any] = []
            for statement, parameters in statements:
                rows = connection.execute(statement, parameters).fetchall()
            return rows

        return await self.commit(execute)

    async def commit(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do some work as one transaction; its first statement must be one that writes.

        Raises:
            QueueError: the file is no longer where it was, so that nobody would find the work.
        """

        def commit() -> Result:
            with self._connection:
                result = work(self._connection)
            if file_identity(self._path) != self._file:
                raise gone(self._path)
            return result

        return await self._run(commit)

    async def close(self) -> None:
        """Close the connection and end the thread."""
        await self._run(self._connection.close)
        self._thread.shutdown()

    def _insert(self, rows: Sequence[Row]) -> None:
        whole = len(rows) - len(rows) % _ROWS
        for start in range(0, whole, _ROWS):
            values = tuple(chain.from_iterable(rows[start : start + _ROWS]))
            self._connection.execute(_INSERT_MANY, values)
        self._connection.executemany(_INSERT, rows[whole:])

    async def _run(self, job: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)
