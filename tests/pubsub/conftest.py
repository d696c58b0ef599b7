"""A blog whose comments are announced by their post, in a real database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from eventscope import EventScope
from tests.conftest import Connection

Run = Callable[..., Awaitable[None]]


@pytest.fixture
def app() -> EventScope:
    app = EventScope("listened")
    app.entity("posts")
    app.entity("comments", scopes=[{"post_id": "posts"}])
    return app


@pytest.fixture
async def run(connection: Connection) -> Run:
    """Creates ``posts`` and ``comments``; called with statements it runs them, as one commit."""
    await connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY, title text);"
        "CREATE TABLE comments (id int PRIMARY KEY, post_id int, body text);"
        "ALTER TABLE comments REPLICA IDENTITY FULL"
    )

    async def run(*statements: str) -> None:
        async with connection.transaction():
            for statement in statements:
                await connection.execute(statement)

    return run
