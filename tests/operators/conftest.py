"""A table whose rows handlers are told of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.conftest import Connection

Write = Callable[..., Awaitable[None]]


@pytest.fixture
async def notes(connection: Connection) -> Write:
    """Creates the table ``notes(id, text)``; called with ids it inserts them, one a transaction."""
    await connection.execute(
        "CREATE TABLE notes (id int PRIMARY KEY, text text);"
        "ALTER TABLE notes REPLICA IDENTITY FULL;"
        "CREATE TABLE others (id int PRIMARY KEY);"
        "CREATE TABLE seen (n int GENERATED ALWAYS AS IDENTITY, id int, event text)"
    )

    async def write(*ids: int) -> None:
        for id in ids:
            await connection.execute("INSERT INTO notes VALUES (%s, 'x')", [id])

    return write
