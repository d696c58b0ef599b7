from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from eventscope.demo.truth import differences
from eventscope.engine import Engine
from eventscope.settings import Settings
from operators_example import DERIVED, app
from tests.servers import create_blog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TRUTHS = {table.name: table.truth for table in DERIVED}


@pytest.fixture
def settings(database, tmp_path) -> Settings:
    create_blog(database)
    return Settings(
        url=database,
        queue_path=tmp_path / "queue.db",
        slot_name=psycopg.conninfo.conninfo_to_dict(database)["dbname"],
        publication="blog",
        operator_queue_min_restart_time=1,
    )


@pytest.fixture
async def connection(settings) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(
        settings.url.get_secret_value(), autocommit=True
    ) as connection:
        yield connection


@pytest.fixture
async def engine(settings) -> AsyncIterator[Engine]:
    async with Engine(app, settings) as engine:
        yield engine


@pytest.fixture
def assert_true(connection):
    """Waits for an engine and compares all derived tables with their queries."""

    async def check(engine: Engine) -> None:
        await engine.settle(timeout=60)
        assert [str(difference) for difference in await differences(connection, TRUTHS)] == []

    return check
