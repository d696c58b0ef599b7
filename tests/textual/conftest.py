"""An application that a view shows, and the engine that runs it on a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from eventscope import EventScope
from eventscope.engine.thread import EngineThread
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.textual.comments import BY_POST, Execute


@pytest.fixture
async def execute(connection: Connection) -> Execute:
    """Runs statements, as one commit; there are ``posts`` and ``comments``."""
    await connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY, title text);"
        "CREATE TABLE comments (id int PRIMARY KEY, post_id int, body text);"
        "ALTER TABLE comments REPLICA IDENTITY FULL"
    )
    return connection.execute


@pytest.fixture
def source() -> EventScope:
    source = EventScope("shown")
    source.entity("posts")
    source.entity("comments", scopes=[BY_POST])
    return source


@pytest.fixture
async def engine(
    source: EventScope, execute: Execute, settings: Settings
) -> AsyncIterator[EngineThread]:
    engine = EngineThread(source, settings)
    await asyncio.to_thread(engine.start)
    yield engine
    await asyncio.to_thread(engine.stop)
