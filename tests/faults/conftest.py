"""A shop on a server of its own, traffic on it, and programs that watch it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import psycopg
import pytest

from eventscope.demo.embedded import EmbeddedServer
from tests.engine.conftest import notes
from tests.faults.shop import Shop
from tests.operators.shop import tables
from tests.programs import Program, running
from tests.servers import fresh_database, running_server

__all__ = ["notes"]

APPLICATION = Path(__file__).with_name("application.py")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server that may be restarted."""
    with running_server() as server:
        yield server


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(server) as url:
        yield url


@pytest.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Shop]:
    """The tables, a reference slot, and the files of a program."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(tables())
        await connection.execute("CREATE TABLE audit (n serial PRIMARY KEY, event text)")
    shop = Shop(database, tmp_path)
    await shop.watch()
    yield shop
    await shop.close()


@pytest.fixture
def program(shop: Shop, tmp_path: Path):
    """Run the application against the shop; a context manager that gives a ``Program``."""

    def start(
        *options: str,
        attribute: str = "app",
        queue: str = "queue.db",
        **environment: str,
    ) -> AbstractAsyncContextManager[Program]:
        return running(
            "run", f"{APPLICATION}:{attribute}", "--headless", "--log-format", "json",
            "--url", shop.url, "--slot-name", shop.slot, "--queue-path", tmp_path / queue,
            "--set", "operator_queue_min_restart_time=10", *options,
            cwd=tmp_path,
            environment={"WITNESS": str(shop.witness), **environment},
        )  # fmt: skip

    return start


@pytest.fixture
def caught_up(program, shop: Shop):
    """Run the application until it has processed everything, and check all that it promises."""

    async def check() -> None:
        async with program("--until", "caught-up", "--timeout", "120") as last:
            code = await last.ended(150)
            assert code == 0, last.lines
        await shop.check(shop.directory / "queue.db")

    return check
