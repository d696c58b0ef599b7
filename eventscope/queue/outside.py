"""What a process may do with a queue file that another one may have open: look, and ask.

It takes no lock, makes no file and brings none up to date.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import aiosqlite
import msgspec

from eventscope.event import Lsn
from eventscope.queue import address
from eventscope.queue.base import QueueError
from eventscope.queue.desk_view import DeskView
from eventscope.queue.faults import FileIdentity, file_identity, not_opened, reading, writing
from eventscope.queue.file_lock import holder
from eventscope.queue.log_view import LogView
from eventscope.queue.records import Request, limited
from eventscope.queue.schema import VERSION, known_version
from eventscope.replication.relations import Relation

_LOOK_AGAIN: Final = 0.02
_LOOK_FOR_HOLDER: Final = 0.5


class NoAnswer(QueueError):
    """Nobody has answered in time."""

    exit_code = 4


class OutsideQueue(LogView, DeskView):
    """A queue file seen from outside, as it was when ``opened`` or ``refresh`` looked.

    Reads like the queue itself, and knows which process has it open.
    """

    def __init__(
        self,
        path: Path,
        view: aiosqlite.Connection,
        *,
        identity: FileIdentity | None = None,
        is_live: bool = True,
    ) -> None:
        self.identity = identity
        """Which file it is."""
        self.is_live = is_live
        """Whether it can see what is written from now on."""
        self.end = Lsn(0)
        """The end of the last transaction that was visible."""
        self._path = path
        self._view = self._desk = view
        self._last_seq = 0
        self._oldest_seq = 1
        self._relations: dict[int, Relation] = {}
        self._version = -1

    @property
    def path(self) -> Path:
        """The queue file."""
        return self._path

    @property
    def holder(self) -> str:
        """The process that has it open now; empty if none has."""
        return holder(self._path)

    @property
    def is_current(self) -> bool:
        """Whether it can see what is written at the path: no other file, and no still picture."""
        return file_identity(self._path) == self.identity and (self.is_live or not self.holder)

    @property
    def last_seq(self) -> int:
        """The sequence number of the last event that was visible."""
        return self._last_seq

    @property
    def oldest_seq(self) -> int:
        """The first event that was still kept."""
        return self._oldest_seq

    @property
    def relations(self) -> Mapping[int, Relation]:
        """Every relation version that queued events are described by."""
        return self._relations

    async def put(self, command: str, asked_by: str) -> int:
        """Put a request; returns its id. The queue must have been opened to be written."""
        with writing(self.path):
            [(id,)] = await self._desk.execute_fetchall(
                "INSERT INTO request(asked_at, asked_by, command) VALUES (?, ?, ?) RETURNING id",
                (time.time(), limited(asked_by), command),
            )
        return int(id)

    async def take_back(self, id: int) -> None:
        """Remove a request, answered or not."""
        with writing(self.path):
            await self._desk.execute("DELETE FROM request WHERE id = ?", (id,))

    async def has_changed(self) -> bool:
        """Whether anything at all has been written since the question before this one."""
        [(version,)] = await self._seen("PRAGMA data_version", ())
        before, self._version = self._version, version
        return bool(before != version)

    @asynccontextmanager
    async def at_once(self) -> AsyncIterator[None]:
        """Look again, and read within this block what was there at that moment."""
        await self._seen("BEGIN", ())
        try:
            await self.refresh()
            yield
        finally:
            await self._seen("COMMIT", ())

    async def refresh(self) -> None:
        """Look again how far the log has come."""
        [(last, end)] = await self._seen(
            "SELECT coalesce(max(last_seq), 0), coalesce(max(end_lsn), 0) FROM txn", ()
        )
        [(oldest,)] = await self._seen("SELECT min(seq) FROM event WHERE seq <= ?", (last,))
        self._last_seq, self.end = last, Lsn(end)
        self._oldest_seq = oldest if oldest is not None else last + 1
        for version, description in await self._seen(
            "SELECT version, description FROM relation WHERE version > ?",
            (max(self._relations, default=0),),
        ):
            self._relations[version] = msgspec.json.decode(description, type=Relation)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[OutsideQueue]:
    """Look at a queue file, whether or not a process has it open.

    Raises:
        QueueError: there is none, or it is damaged, not ours, or of another version.
    """
    identity = file_identity(path)  # before, so that one that takes its place is told from it
    place = address.to_read(path, in_use=bool(holder(path)))
    async with _connected(path, place) as connection:
        is_live = not address.is_of_a_moment(place)
        queue = OutsideQueue(path, connection, identity=identity, is_live=is_live)
        await queue.refresh()
        yield queue


async def ask(path: Path, command: str, *, asked_by: str, timeout: float) -> Request:
    """Ask the process that has a queue file open, and wait for its answer.

    Args:
        path: the queue file.
        command: what to do, in JSON.
        asked_by: who asks, for the log.
        timeout: seconds to wait; a request without an answer is then taken back.

    Raises:
        QueueError: no process has the file open, or it ended before it answered.
        NoAnswer: it has not answered in time; it may be at it still.
    """
    process = holder(path)
    if not process:
        raise QueueError(
            f"no process has queue file {path} open: there is nobody to ask; start eventscope run"
        )
    async with _connected(path, address.to_write(path)) as connection:
        queue = OutsideQueue(path, connection)
        putting = asyncio.ensure_future(queue.put(command, asked_by))
        try:
            id = await asyncio.shield(putting)
            return await _answer(queue, id, process, timeout)
        finally:
            await queue.take_back(await putting)  # also if cancelled while it was being put


async def _answer(queue: OutsideQueue, id: int, process: str, timeout: float) -> Request:
    deadline = time.monotonic() + timeout
    look_for_holder = 0.0
    while True:
        now = time.monotonic()
        is_alive = now < look_for_holder or queue.holder
        if now >= look_for_holder:
            look_for_holder = now + _LOOK_FOR_HOLDER
        request = await queue.request(id)
        if request is not None and request.answer is not None:
            return request
        if not is_alive:
            raise QueueError(f"process {process} ended before it answered; start it again")
        if now >= deadline:
            raise NoAnswer(
                f"process {process} has not answered within {timeout:g} s; "
                f"it may still be at it: look before you ask again"
            )
        await asyncio.sleep(_LOOK_AGAIN)


@asynccontextmanager
async def _connected(path: Path, place: str) -> AsyncIterator[aiosqlite.Connection]:
    _check(path, place)
    connecting = aiosqlite.connect(
        place, uri=True, timeout=10.0, cached_statements=256, isolation_level=None
    )
    with reading(path):  # it may be gone since
        connection = await connecting
    try:
        yield connection
    finally:
        await connection.close()


def _check(path: Path, place: str) -> None:
    """See that there is a queue that can be read as it is; raises QueueError."""
    if not path.exists():
        raise QueueError(f"there is no queue file {path}; eventscope run makes it")
    if not os.access(path, os.R_OK):
        raise not_opened(path, "Permission denied")
    with reading(path), closing(sqlite3.connect(place, uri=True)) as connection:
        version = known_version(connection, path)
    if version < VERSION:
        raise QueueError(
            f"queue file {path} was written by an older eventscope (format {version}, this one "
            f"knows {VERSION}); start eventscope run anew to bring it up to date"
        )
