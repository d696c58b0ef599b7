"""A database of its own, a queue file, and the dashboard of an application that reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from textual.pilot import Pilot

from eventscope import EventScope
from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine.thread import EngineThread
from eventscope.settings import Settings
from eventscope.tui.app import EventScopeApp
from tests.servers import fresh_database, running_server
from tests.tui.driving import screen


class Place(NamedTuple):
    """Where an application reads its events, and puts them."""

    server: EmbeddedServer
    url: str
    queue: Path

    def settings(self, **more: object) -> Settings:
        given = {"url": self.url, "slot_name": "start", "queue_path": self.queue, **more}
        return Settings.load(**given)

    @property
    def database(self) -> str:
        return self.url.rpartition("/")[2].partition("?")[0]

    def leave(self, role: str) -> None:
        """Drop a role with all that it owns."""
        self.server.drop_database(self.database)
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute(f"DROP ROLE {role}")  # type: ignore[call-overload]

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with running_server(tcp=True) as server:
        yield server


@pytest.fixture
def place(server: EmbeddedServer, tmp_path: Path) -> Iterator[Place]:
    with fresh_database(server) as url:
        place = Place(server, url, tmp_path / "queue.db")
        place.execute("CREATE TABLE notes (id int PRIMARY KEY)")
        yield place


@asynccontextmanager
async def running_dashboard(
    place: Place, app: EventScope | None = None, *, read_only: bool = False, **settings: object
) -> AsyncIterator[Pilot[None]]:
    if app is None:
        app = EventScope("start")
        app.entity("notes")
    engine = EngineThread(app, place.settings(**settings), read_only=read_only)
    try:
        async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
            yield pilot
    finally:
        await asyncio.to_thread(engine.stop)


def says(pilot: Pilot[None], words: tuple[str, ...]) -> bool:
    """Whether all of it is on the screen, wherever its lines break."""
    shown = " ".join(screen(pilot).split())
    return all(each in shown for each in words)
