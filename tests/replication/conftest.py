"""What several tests of the stream's values need."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from eventscope.replication.connection import Connection, connect, conninfo
from eventscope.settings import Settings
from tests.replication.examples import Example
from tests.replication.examples.compounds import DOCUMENTS, RANGES
from tests.replication.examples.scalars import MOMENTS, NUMBERS, SINCE_17, TEXTS


@pytest.fixture
async def session(settings: Settings) -> AsyncIterator[Connection]:
    """A session with the settings of the stream's."""
    async with await connect(conninfo(settings, "test", "test")) as session:
        yield session


@pytest.fixture
async def built_in(session: Connection) -> list[Example]:
    """Examples of every built-in type of this server."""
    examples = [*NUMBERS, *MOMENTS, *TEXTS, *DOCUMENTS, *RANGES]
    if session.info.server_version >= 170_000:
        examples += SINCE_17
    try:
        await session.execute("SELECT '<a/>'::xml")
    except psycopg.errors.FeatureNotSupported:
        return [example for example in examples if example.type != "xml"]
    return examples
