"""What answers at the address is not what was read before: nothing is skipped in silence.

A crash is harmless, and shows only in a slot that has gone back. After a restore or a failover
the same positions in the WAL may hold other transactions.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine import Engine, reader
from eventscope.event import Lsn
from eventscope.queue.base import QueueError
from eventscope.replication import catalog
from eventscope.replication.connection import SourceError, Unreachable
from eventscope.settings import Settings
from tests.conftest import MakeSettings
from tests.engine.conftest import Watching
from tests.faults.shop import Shop
from tests.proxy import Proxy
from tests.servers import fresh_database
from tests.waiting import until, until_async


class History:
    """A server, its copy, and the one address at which either of them answers."""

    def __init__(self, original: EmbeddedServer, url: str, directory: Path) -> None:
        self.original = original
        self.proxy = Proxy(url)
        self.database = str(conninfo_to_dict(url)["dbname"])
        self._directory = directory

    def copy(self) -> None:
        """Copy all files of the server, which is stopped meanwhile."""
        source, target = self._directory / "original", self._directory / "copy"
        self.original.stop()
        shutil.copytree(source, target)
        for path in [target, *target.rglob("*")]:
            owner = (source / path.relative_to(target)).stat()
            os.chown(path, owner.st_uid, owner.st_gid)
        self.original.start()

    def forget(self) -> None:
        """Delete the copy."""
        shutil.rmtree(self._directory / "copy", ignore_errors=True)

    @contextmanager
    def restored(self, mode: str | None = None) -> Iterator[str]:
        """Let the copy answer: as it is, as a standby, or after a recovery; gives its url."""
        directory = self._directory / "copy"
        if mode is not None:
            (directory / "pgdata" / f"{mode}.signal").touch()
        with EmbeddedServer(directory, settings={"restore_command": "false"}) as copy:
            self.proxy.target = url = copy.url_of(self.database)
            yield url

    async def execute(self, statement: str) -> None:
        """Execute a statement on the server that answers."""
        async with await psycopg.AsyncConnection.connect(
            self.proxy.target, autocommit=True
        ) as connection:
            await connection.execute(statement.encode())

    async def write(self, first: int, last: int) -> None:
        """Insert notes, each in a transaction of its own."""
        for id in range(first, last + 1):
            await self.execute(f"INSERT INTO notes VALUES ({id}, repeat('x', 1000))")

    async def slot(self, settings: Settings) -> Lsn:
        """Where the slot stands, which nobody uses."""
        async with await psycopg.AsyncConnection.connect(self.proxy.target) as connection:

            async def is_free() -> bool:
                found = await catalog.slot(connection, settings.slot_name)
                return found is not None and found.active_pid is None

            await until_async(is_free)
            found = await catalog.slot(connection, settings.slot_name)
        assert found is not None
        assert found.confirmed_flush is not None
        return found.confirmed_flush

    async def written(self) -> Lsn:
        """Where the WAL ends of the server that answers."""
        async with await psycopg.AsyncConnection.connect(self.proxy.target) as connection:
            cursor = await connection.execute("SELECT pg_current_wal_flush_lsn()::text")
            row = await cursor.fetchone()
        assert row is not None
        return Lsn.parse(row[0])


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A directory that every user may enter, unlike pytest's own under root."""
    path = Path(tempfile.mkdtemp(prefix="eventscope-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def original(directory: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(directory / "original", settings={"checkpoint_timeout": "1h"}) as server:
        yield server


@pytest.fixture
async def history(original: EmbeddedServer, directory: Path) -> AsyncIterator[History]:
    with fresh_database(original) as url:
        history = History(original, url, directory)
        await history.execute("CREATE TABLE notes (id int PRIMARY KEY, text text)")
        await history.execute("CREATE TABLE other (text text)")
        async with history.proxy:
            yield history
        history.forget()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts to reconnect come fast, however many have failed."""
    monkeypatch.setattr(reader, "_LONGEST_WAIT", 0.1)


@pytest.fixture
def database(history: History) -> str:
    return history.proxy.url


async def run(history: History, settings: Settings, first: int, last: int) -> None:
    """A run that stores some notes and ends."""
    app = Watching()
    async with Engine(app, settings) as engine:
        await history.write(first, last)
        await engine.settle(60)
    assert app.ids == list(range(first, last + 1))


def stored(settings: Settings) -> int:
    """How many events lie in the queue, each with an id of its own."""
    assert settings.queue_path is not None
    events = Shop.stored(settings.queue_path)
    assert len({event.id for event in events}) == len(events)
    return len(events)


async def test_a_crash_takes_the_slot_back_and_nothing_is_stored_twice(
    history: History, settings: Settings
) -> None:
    await run(history, settings, 1, 20)
    before = await history.slot(settings)
    history.original.restart("immediate")
    assert await history.slot(settings) < before
    await run(history, settings, 21, 40)
    assert stored(settings) == 40


async def test_a_crash_after_a_message_on_its_own_is_passed_over_too(
    history: History, settings: Settings
) -> None:
    async with Engine(Watching(), settings) as engine:
        await history.write(1, 5)
        await history.execute("SELECT pg_logical_emit_message(false, 'x', 'y'), pg_switch_wal()")
        await until(lambda: engine.snapshot().stream.events == 6)
        await engine.settle(60)
    before = await history.slot(settings)
    history.original.restart("immediate")
    assert await history.slot(settings) < before
    await run(history, settings, 6, 8)
    assert stored(settings) == 9


async def test_a_crash_in_the_middle_of_the_stream_is_passed_over(
    history: History, settings: Settings
) -> None:
    """kill -9 of one session makes the server end all of them and recover."""
    app = Watching()
    async with Engine(app, settings) as engine:
        for round in range(2):
            first = round * 20 + 1
            await history.write(first, first + 19)
            await engine.settle(60)
            async with await psycopg.AsyncConnection.connect(history.proxy.target) as victim:
                os.kill(victim.info.backend_pid, signal.SIGKILL)
            await until(lambda: engine.snapshot().stream.state == "reconnecting")
            await until(lambda: engine.snapshot().stream.state == "streaming")
        await history.write(41, 41)
        await engine.settle(60)
    assert app.ids == list(range(1, 42))
    assert stored(settings) == 41


async def test_an_older_copy_of_the_server_is_refused(history: History, settings: Settings) -> None:
    await run(history, settings, 1, 3)
    history.copy()
    await run(history, settings, 4, 20)
    too_old = pytest.raises(SourceError, match=r"WAL ends at .* restored from an older copy")
    with history.restored(), too_old:
        await run(history, settings, 21, 21)
    assert stored(settings) == 20


@pytest.mark.parametrize("table", ["notes", "other"])
async def test_an_older_copy_is_recognised_though_it_has_come_further_by_itself(
    history: History, settings: Settings, table: str
) -> None:
    """Its WAL has other transactions where ours were, of tables that we follow or not."""
    await run(history, settings, 1, 3)
    history.copy()
    await run(history, settings, 4, 20)
    ours = await history.written()
    with history.restored() as url:
        place = await history.slot(settings)
        await history.execute(
            f"INSERT INTO {table}"
            + (" SELECT n, 'x'" if table == "notes" else " SELECT repeat('x', 1000)")
            + " FROM generate_series(1001, 1010) n"
        )
        while await history.written() <= ours:
            await history.execute("INSERT INTO other SELECT repeat('x', 1000)")
        async with Engine(Watching(), settings) as engine:
            with pytest.raises(SourceError, match=r"does not know transaction \d+") as raised:
                await asyncio.wait_for(engine.wait(), 60)
            assert engine.snapshot().stream.detail == str(raised.value)
        assert await history.slot(settings) == place, "it was told nothing"
        assert url
    assert stored(settings) == 20


async def test_an_older_copy_from_which_nothing_is_missing_will_do(
    history: History, settings: Settings
) -> None:
    await run(history, settings, 1, 3)
    history.copy()
    with history.restored():
        await run(history, settings, 4, 6)
    assert stored(settings) == 6


async def test_a_server_on_another_timeline_is_refused_while_running(
    history: History, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await history.write(1, 3)
        await engine.settle(60)
        await asyncio.to_thread(history.copy)
        with history.restored("recovery"):
            for link in history.proxy.open("replication"):
                link.end()
            with pytest.raises(SourceError, match="on timeline 2, this queue was written on 1"):
                await asyncio.wait_for(engine.wait(), 60)
    assert app.ids == [1, 2, 3]


async def test_a_standby_is_refused_at_the_start_and_waited_for_later(
    history: History, settings: Settings, make_settings: MakeSettings, tmp_path: Path
) -> None:
    said = "the server is a standby: .* connect to the primary"
    app, another = Watching(), make_settings(queue_path=tmp_path / "another.db")
    original = history.proxy.target
    async with Engine(app, settings) as engine:
        await history.write(1, 3)
        await engine.settle(60)
        await asyncio.to_thread(history.copy)
        with history.restored("standby"):
            for link in history.proxy.open("replication"):
                link.end()
            await until(lambda: re.match(said, engine.snapshot().stream.detail))
            assert engine.snapshot().stream.state == "reconnecting"
            with pytest.raises(Unreachable, match=said):
                await run(history, another, 1, 1)
        history.proxy.target = original
        await history.write(4, 4)
        await engine.settle(60)
    assert app.ids == [1, 2, 3, 4]


async def test_another_cluster_at_the_same_address_is_refused(
    history: History, settings: Settings, postgres: EmbeddedServer
) -> None:
    app = Watching()
    history_url = history.proxy.target
    async with Engine(app, settings) as engine:
        await history.write(1, 3)
        await engine.settle(60)
        history.proxy.target = postgres.create_database(history.database)
        try:
            await history.execute("CREATE TABLE notes (id int PRIMARY KEY, text text)")
            for link in history.proxy.open("replication"):
                link.end()
            with pytest.raises(QueueError, match=r"holds the events of .*\(system \d+"):
                await asyncio.wait_for(engine.wait(), 60)
        finally:
            postgres.drop_database(history.database)
            history.proxy.target = history_url
    assert app.ids == [1, 2, 3]
