"""The demo's database: a server of its own, the blog's tables, and people who use them."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self

import psycopg
import structlog

from eventscope.demo.embedded import EmbeddedServer, url_of_running
from eventscope.demo.schema import schema
from eventscope.demo.traffic import Traffic
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.demo")

_DATABASE: Final = "blog"


class Playground:
    """A blog on an embedded PostgreSQL, for as long as a ``with`` block.

    Args:
        tables: the DDL of the derived tables.
        directory: where to keep it; without one everything is deleted at the end.
        seed: what the traffic depends on.
        rate: transactions a second.
    """

    def __init__(
        self, tables: Sequence[str], *, directory: Path | None, seed: int, rate: float
    ) -> None:
        self._tables = tables
        self._directory = directory
        self._seed = seed
        self._rate = rate
        self._undo = ExitStack()
        self.url = ""
        """How libpq reaches the blog's database."""
        self.settings: Settings
        """For an engine on it."""

    def __enter__(self) -> Self:
        with self._undo:
            server = self._undo.enter_context(EmbeddedServer(self._directory))
            self.url = self._blog(server)
            queue = self._directory or Path(
                self._undo.enter_context(tempfile.TemporaryDirectory(prefix="eventscope-"))
            )
            self.settings = settings_for(self.url, queue)
            self._undo = self._undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    async def traffic(self, stop: asyncio.Event) -> None:
        """Let people use the blog until ``stop`` is set."""
        try:
            async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as people:
                await Traffic(people, self._seed).run(self._rate, stop)
        except psycopg.OperationalError as error:
            _log.error(f"the traffic has ended: {error}")

    @contextmanager
    def traffic_in_background(self, duration: float | None) -> Iterator[None]:
        """Let people use the blog in a thread, for ``duration`` seconds or until the end."""
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()
        thread = threading.Thread(
            target=loop.run_until_complete, args=[self.traffic(stop)], name="eventscope traffic"
        )
        if duration is not None:
            loop.call_later(duration, stop.set)
        thread.start()
        try:
            yield
        finally:
            if thread.is_alive():
                loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()

    def _blog(self, server: EmbeddedServer) -> str:
        with psycopg.connect(server.url, autocommit=True) as connection:
            cursor = connection.execute("SELECT FROM pg_database WHERE datname = %s", (_DATABASE,))
            url = None if cursor.fetchone() is None else server.url_of(_DATABASE)
        with psycopg.connect(url or server.create_database(_DATABASE)) as connection:
            cursor = connection.execute("SELECT to_regclass('posts') IS NULL")
            if cursor.fetchone() == (True,):
                for ddl in (schema(), *self._tables):
                    connection.execute(ddl.encode())
        return server.url_of(_DATABASE)


def url_beside(directory: Path) -> str:
    """How libpq reaches the blog of a demo that runs in a directory.

    Raises:
        DemoUnavailable: none does.
    """
    return url_of_running(directory, _DATABASE)


def settings_for(url: str, directory: Path) -> Settings:
    """Settings for the demo's engine, or for a process beside it.

    Args:
        url: how libpq reaches the blog.
        directory: where the queue file is.
    """
    return Settings.load(
        url=url,
        slot_name="eventscope_demo",
        publication="eventscope_demo",
        queue_path=directory / "queue.db",
    )
