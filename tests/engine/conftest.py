"""A table to write to, and applications that watch it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from eventscope import Event, EventScope
from tests.conftest import Connection
from tests.pubsub.conftest import app, run  # noqa: F401 - fixtures

Write = Callable[..., Awaitable[None]]


@pytest.fixture
async def notes(connection: Connection) -> Write:
    """Creates the table ``notes(id, text)``; called with ids it inserts them, one a transaction."""
    await connection.execute(
        "CREATE TABLE notes (id int PRIMARY KEY, text text);"
        "ALTER TABLE notes REPLICA IDENTITY FULL;"
        "CREATE TABLE copies (id int PRIMARY KEY)"
    )

    async def write(*ids: int) -> None:
        for id in ids:
            await connection.execute("INSERT INTO notes VALUES (%s, 'x')", [id])

    return write


class Watching(EventScope):
    """An application whose one handler notes every event."""

    def __init__(self, name: str = "watch") -> None:
        super().__init__("engine")
        self.events: list[Event] = []
        self.operator(entities=["notes"], name=name)(self._note)

    async def _note(self, event: Event) -> None:
        self.events.append(event)

    @property
    def ids(self) -> list[Any]:
        return [(event.new_record or {}).get("id") for event in self.events]
