"""Servers, databases and settings that every test can ask for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import psycopg
import pytest

from eventscope.demo.embedded import EmbeddedServer
from eventscope.settings import ENV_PREFIX, Settings
from eventscope.testing import Server
from tests.servers import create_blog, running_server

# how long an example takes says more of the machine than of the code
hypothesis.settings.register_profile("eventscope", deadline=None)
hypothesis.settings.load_profile("eventscope")

SYSTEM_BINARIES = Path("/usr/lib/postgresql/15/bin")
"""The machine's own PostgreSQL, where there is one."""

Connection = psycopg.AsyncConnection[Any]
MakeSettings = Callable[..., Settings]


@pytest.fixture(autouse=True)
def _no_foreign_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own configuration out of every test."""
    for name in os.environ:
        if name.startswith((ENV_PREFIX, "PG", "DATABASE_URL")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """PostgreSQL 18, one server for each test process."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def eventscope_server(postgres: EmbeddedServer) -> Iterator[Server]:
    """What the plugin's fixtures take: one server for each test process is enough."""
    with closing(Server(postgres.url)) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_15() -> Iterator[EmbeddedServer]:
    """The machine's own PostgreSQL 15."""
    if not (SYSTEM_BINARIES / "initdb").exists():
        pytest.skip("there is no PostgreSQL 15 on this machine")
    with running_server(binaries=SYSTEM_BINARIES) as server:
        yield server


@pytest.fixture
def database(eventscope_database: str) -> str:
    """The url of a new database, empty where no ``eventscope_schema`` says otherwise."""
    return eventscope_database


@pytest.fixture
def blog(database: str) -> str:
    """The url of a database with the demo's tables, all empty."""
    create_blog(database)
    return database


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """A connection to the test's database, each statement a transaction of its own."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def make_settings(database: str, tmp_path: Path) -> MakeSettings:
    """Settings for the test's database, with a slot and a queue file of their own."""
    slot = f"test_{uuid4().hex[:16]}"

    def make(**more: Any) -> Settings:
        return Settings.load(
            **{
                "url": database,
                "slot_name": slot,
                "queue_path": tmp_path / "queue.db",
                "operator_queue_min_restart_time": 10,
                **more,
            }
        )

    return make


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    """Settings for the test's database, which retry fast."""
    return make_settings()


def pytest_xdist_auto_num_workers() -> int:
    """Two workers a core, as most tests wait for a server or a program most of their time."""
    return 2 * (os.cpu_count() or 1)
