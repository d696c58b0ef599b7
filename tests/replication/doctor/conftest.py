"""Examined on both servers: each test that asks for the database runs twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from tests.conftest import Connection
from tests.servers import fresh_database


@pytest.fixture(params=["postgres", "postgres_15"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The url of a new, empty database on PostgreSQL 18 and on 15."""
    with fresh_database(request.getfixturevalue(request.param)) as url:
        yield url


@pytest.fixture
def is_18(connection: Connection) -> bool:
    """Whether generated columns can be published."""
    return connection.info.server_version >= 180000


@pytest.fixture
async def role(connection: Connection) -> AsyncIterator[str]:
    """A role that may log in and replicate, and owns nothing; gone with all it owns."""
    name = f"Plain Jane {uuid4().hex[:8]}"
    await connection.execute(f'CREATE ROLE "{name}" LOGIN REPLICATION')
    yield name
    await connection.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')
