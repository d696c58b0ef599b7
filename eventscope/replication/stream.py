"""The COPY BOTH connection: start it, receive, acknowledge.

Source: PostgreSQL documentation, chapter "Streaming Replication Protocol".
"""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Final, Self

import psycopg
from psycopg import pq, sql
from psycopg.generators import execute

from eventscope.event import Lsn
from eventscope.replication import pgoutput
from eventscope.replication.assembly import Assembler
from eventscope.replication.pgoutput import ProtocolError

_HEADER: Final = 25  # of XLogData: kind, start, end, time of sending
_KEEPALIVE = struct.Struct(">qqB")
_STATUS = struct.Struct(">cqqqqB")

HIGH_WATER: Final = 2 * 1024 * 1024
"""Bytes waiting to be stored at which the stream stops reading."""

SILENCE: Final = 30.0
"""Seconds without a word from the server after which the connection counts as dead."""


class Stream:
    """A running replication stream whose messages go to an assembler.

    One callback of the event loop handles all that can be read at once. With ``slice`` and
    ``rest`` set it gives way for ``rest`` seconds after each ``slice`` seconds of work, so that
    a user interface in another thread gets the interpreter.
    """

    def __init__(
        self,
        connection: psycopg.AsyncConnection[object],
        assembler: Assembler,
        *,
        slice: float | None = None,
        rest: float = 0.0005,
    ) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._fd = self._pgconn.socket
        self._assembler = assembler
        self._slice = slice
        self._rest = rest
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._reading = False
        self._full = False
        self._emptied = True
        self._closed = False
        self._error: Exception | None = None
        self._heard = time.monotonic()
        connection.add_notice_handler(self._notice)
        self.server_lsn = Lsn(0)
        """Everything before this has been sent, as the last keepalive told."""
        self.reply_requested = False
        """Whether the server asked for a status update that it has not got yet."""

    @classmethod
    async def start(
        cls,
        connection: psycopg.AsyncConnection[object],
        assembler: Assembler,
        *,
        slot: str,
        publication: str,
        start: Lsn,
        slice: float | None = None,
    ) -> Self:
        """Start streaming from a slot; raises psycopg.Error if the server refuses."""
        # the grammar of replication commands knows no E'' strings, so no sql.Literal
        names = sql.Identifier(publication).as_string(connection).replace("'", "''")
        command = (
            f"START_REPLICATION SLOT {sql.Identifier(slot).as_string(connection)} LOGICAL {start}"
            f" (proto_version '1', publication_names '{names}', messages 'true')"
        )
        connection.pgconn.send_query(command.encode())
        result = (await connection.wait(execute(connection.pgconn)))[-1]
        if result.status != pq.ExecStatus.COPY_BOTH:
            raise psycopg.errors.error_from_result(result)
        stream = cls(connection, assembler, slice=slice)
        stream._read()  # libpq may hold rows already
        return stream

    async def arrived(self, timeout: float) -> None:
        """Wait until something has come, at most ``timeout`` seconds.

        Raises:
            psycopg.OperationalError: the connection is lost, or silent for too long.
            psycopg.Error: the server ended the stream; with its SQLSTATE.
            ProtocolError: a message that cannot be understood.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._arrived.wait()
        except TimeoutError:
            if time.monotonic() - self._heard > SILENCE:
                raise psycopg.OperationalError(
                    f"the server has been silent for {SILENCE:.0f} s"
                ) from None
        self._arrived.clear()
        if self._error is not None:
            raise self._error

    def resume(self) -> None:
        """Read on after the assembler has been emptied."""
        if self._full:
            self._full = False
            self._read()

    def acknowledge(self, lsn: Lsn, *, ask: bool = False) -> None:
        """Tell the server that everything before ``lsn`` is safe here; ``ask`` for an answer.

        If that fails, ``arrived`` tells why.
        """
        if self._closed or self._error is not None:
            return
        now = pgoutput.microseconds(time.time())
        try:
            self._pgconn.put_copy_data(_STATUS.pack(b"r", lsn, lsn, lsn, now, ask))
        except psycopg.Error as error:
            self._fail(error)
            return
        self.reply_requested = False
        self._flush()

    async def close(self) -> None:
        """Stop reading and close the connection."""
        if self._closed:
            return
        self._closed = True
        if self._error is None:
            self._let_go()
        await self._connection.close()

    def _flush(self) -> None:
        if self._closed:
            return
        try:
            pending = self._pgconn.flush()
        except psycopg.Error as error:
            self._fail(error)
            return
        if pending:
            self._loop.add_writer(self._fd, self._flush)
        else:
            self._loop.remove_writer(self._fd)

    def _read(self) -> None:
        """Handle everything that can be read now."""
        if self._closed or self._error is not None:
            return
        try:
            if self._emptied:  # or libpq would move all that it holds, and grow without end
                self._pgconn.consume_input()
            self._emptied = complete = self._drain()
        except Exception as error:  # a callback has no caller: whoever waits for rows gets it
            self._fail(error)
            return
        self._heard = time.monotonic()
        self._arrived.set()
        self._full = self._assembler.size >= HIGH_WATER
        if self._full or not complete:
            self._unregister()
        elif not self._reading:
            self._loop.add_reader(self._fd, self._read)
            self._reading = True
        if not self._full and not complete:
            self._loop.call_later(self._rest, self._read)

    def _drain(self) -> bool:
        """Take what libpq holds; False if it stopped early to give way or to be emptied."""
        get, feed = self._pgconn.get_copy_data, self._assembler.feed
        deadline = None if self._slice is None else time.monotonic() + self._slice
        room = HIGH_WATER - self._assembler.size
        taken = 0
        while True:
            count, data = get(1)
            if self._error is not None:
                raise self._error
            if count <= 0:
                if count < 0:
                    raise self._end_of_stream()
                return True
            message = data.tobytes()  # much faster to slice than a memoryview
            if message[0] == 0x77:  # w: XLogData
                feed(message[_HEADER:])
            elif message[0] == 0x6B:  # k: keepalive
                self._keepalive(message)
            room -= count
            if room <= 0:
                return False
            taken += 1
            if deadline is not None and taken & 63 == 0 and time.monotonic() > deadline:
                return False

    def _keepalive(self, message: bytes) -> None:
        try:
            end, _, reply = _KEEPALIVE.unpack_from(message, 1)
        except struct.error as error:
            raise ProtocolError(f"broken keepalive: {error}") from None
        self.server_lsn = max(self.server_lsn, Lsn(end))
        self.reply_requested = self.reply_requested or bool(reply)

    def _end_of_stream(self) -> psycopg.Error:
        result = self._pgconn.get_result()
        if result is None or result.status != pq.ExecStatus.FATAL_ERROR:
            return psycopg.OperationalError("the server ended the stream")
        return psycopg.errors.error_from_result(result)

    def _notice(self, notice: psycopg.errors.Diagnostic) -> None:
        """Take a missing publication for the error that it was before PostgreSQL 18.

        The server now passes over every row then, with a warning and no word to say which.
        """
        if notice.sqlstate == "55000" and notice.severity_nonlocalized == "WARNING":
            self._fail(psycopg.errors.UndefinedObject(notice.message_primary or ""))

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            self._let_go()
        self._arrived.set()

    def _let_go(self) -> None:
        self._unregister()
        self._loop.remove_writer(self._fd)

    def _unregister(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._fd)
            self._reading = False
