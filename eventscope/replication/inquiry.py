"""The connection on which the server is asked about its catalogs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from eventscope.replication.connection import (
    Connection,
    Unreachable,
    connect,
    conninfo,
    hang_up,
    one_line,
)
from eventscope.replication.doctor.server import recovery
from eventscope.settings import Settings

ANSWER_WITHIN: Final = 30.0
"""Seconds that the server has to answer."""


class Inquiry:
    """One connection, opened when there is a question, and again when it was lost.

    Args:
        settings: where to connect.
        app_name: shown by the server as a part of the session's name.
    """

    def __init__(self, settings: Settings, app_name: str) -> None:
        self._settings = settings
        self._app_name = app_name
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._turn = asyncio.Lock()

    async def opened(self) -> Connection:
        """The connection, for statements that may take their time.

        Raises:
            Unreachable: it could not be opened, or leads to a standby.
        """
        async with self._opening:
            if self._connection is None or self._connection.closed:
                self._connection = None
                where = conninfo(self._settings, "catalog", self._app_name)
                self._connection = await _connect_to_primary(where)
            return self._connection

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Connection]:
        """The connection for one asker at a time, and questions that are answered at once.

        Raises:
            Unreachable: it could not be opened, was lost, or gave no answer in time.
        """
        async with self._turn:
            connection = await self.opened()
            loop = asyncio.get_running_loop()
            patience = loop.call_later(ANSWER_WITHIN, hang_up, connection)
            try:
                yield connection
            except psycopg.OperationalError as error:
                text = one_line(error)
                if loop.time() >= patience.when():
                    text = f"the server has not answered for {ANSWER_WITHIN:.0f} s"
                raise Unreachable(text) from error
            finally:
                patience.cancel()

    def hang_up(self) -> None:
        """Let nobody wait for an answer any longer."""
        if self._connection is not None and self._turn.locked():
            hang_up(self._connection)

    async def close(self) -> None:
        """Close the connection; it is opened again when there is a question.

        Whoever waits for an answer must have left before: the number of the socket may be
        another's at once, and the loop knows sockets by their numbers.
        """
        self.hang_up()
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()


async def _connect_to_primary(conninfo: str) -> Connection:
    connection = await connect(conninfo)
    if connection.pgconn.parameter_status(b"in_hot_standby") == b"on":
        await connection.close()
        raise Unreachable(recovery(True).line)
    return connection
