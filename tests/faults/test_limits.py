"""What a role may not do, and what a server has no room for: named with what mends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine import Engine, reader
from eventscope.replication.connection import SourceError
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Watching, Write
from tests.servers import running_server
from tests.waiting import until, until_async

MORE_SENDERS = "end another reader, or raise max_wal_senders and restart the server"
MORE_CONNECTIONS = "end other sessions, or raise max_connections and restart the server"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server with little room, where roles need passwords."""
    limits = {"max_wal_senders": 1, "max_connections": 12}
    with running_server(settings=limits, tcp=True) as server:
        yield server


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts to reconnect come fast, however many have failed."""
    monkeypatch.setattr(reader, "_LONGEST_WAIT", 0.1)


class Role:
    """A role with a password, and how it connects."""

    def __init__(self, superuser: Connection, server: EmbeddedServer) -> None:
        self.name = f"Humble {uuid4().hex[:8]}"
        self._superuser = superuser
        given: dict[str, Any] = conninfo_to_dict(superuser.info.dsn)
        given |= {"host": "127.0.0.1", "port": server.port}
        self.url = make_conninfo("", **given | {"user": self.name, "password": "first"})

    async def alter(self, options: str) -> None:
        await self._superuser.execute(f'ALTER ROLE "{self.name}" {options}'.encode())

    async def sessions_end(self, application: str = "") -> None:
        """End its sessions."""
        await self._superuser.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE usename = %s AND starts_with(application_name, %s)",
            [self.name, application],
        )


@pytest.fixture
async def role(connection: Connection, server: EmbeddedServer) -> AsyncIterator[Role]:
    """A role that may replicate, owns nothing, and may read no table."""
    role = Role(connection, server)
    await connection.execute(
        f"CREATE ROLE \"{role.name}\" LOGIN REPLICATION PASSWORD 'first'".encode()
    )
    yield role
    await connection.execute(f'DROP OWNED BY "{role.name}"; DROP ROLE "{role.name}"'.encode())


@pytest.fixture
def settings(role: Role, make_settings: MakeSettings) -> Settings:
    return make_settings(url=role.url)


async def published(connection: Connection) -> None:
    await connection.execute("CREATE PUBLICATION events FOR TABLE notes")


async def detail(engine: Engine, words: str) -> str:
    """Wait until the stream waits for something."""
    await until(lambda: words in engine.snapshot().stream.detail)
    assert engine.snapshot().stream.state == "reconnecting"
    return engine.snapshot().stream.detail


async def test_a_role_that_may_only_replicate_reads_a_ready_made_publication(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await published(connection)
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1)
        await until(lambda: app.ids == [1])
        assert engine.snapshot().stream.state == "streaming"
        await engine.settle(60)
    [event] = app.events
    assert event.source.columns == {"id": "int4", "text": "text"}
    assert event.key_columns == ("id",)


async def test_a_role_without_the_right_to_make_a_publication_says_who_must_run_what(
    notes: Write, connection: Connection, settings: Settings, role: Role
) -> None:
    run = r'have its owner run: CREATE PUBLICATION "events" FOR TABLE "public"\."notes"'
    with pytest.raises(SourceError, match=f"permission denied for database .*{run}"):
        async with Engine(Watching(), settings):
            pass
    database = connection.info.dbname
    await connection.execute(f'GRANT CREATE ON DATABASE {database} TO "{role.name}"'.encode())
    with pytest.raises(SourceError, match=f"must be owner of table notes; {run}"):
        async with Engine(Watching(), settings):
            pass


async def test_a_table_that_a_publication_of_somebody_else_lacks_says_who_must_run_what(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await connection.execute("CREATE PUBLICATION events")
    run = r'have its owner run: ALTER PUBLICATION "events" ADD TABLE "public"\."notes"'
    with pytest.raises(SourceError, match=f"must be owner of publication events; {run}"):
        async with Engine(Watching(), settings):
            pass


async def test_a_role_that_loses_the_right_to_replicate_is_named_at_the_next_connection(
    notes: Write, connection: Connection, settings: Settings, role: Role
) -> None:
    await published(connection)
    app = Watching()
    async with Engine(app, settings) as engine:
        await role.alter("NOREPLICATION")
        await notes(1)
        await until(lambda: app.ids == [1])
        await role.sessions_end()
        with pytest.raises(SourceError, match=f'run ALTER ROLE "{role.name}" REPLICATION'):
            await asyncio.wait_for(engine.wait(), 60)
        assert engine.snapshot().stream.state == "stopped"


async def test_a_password_that_was_changed_is_named_until_it_fits_again(
    notes: Write, connection: Connection, settings: Settings, role: Role
) -> None:
    await published(connection)
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        await role.alter("PASSWORD 'second'")
        await role.sessions_end()
        said = await detail(engine, "password authentication failed")
        assert said.endswith("; correct url or password")
        assert "first" not in said
        await notes(2)
        await role.alter("PASSWORD 'first'")
        await engine.settle(60)
    assert app.ids == [1, 2]


async def test_a_server_without_room_for_another_reader_is_named_at_the_start(
    notes: Write, connection: Connection, settings: Settings, database: str
) -> None:
    await published(connection)
    async with await psycopg.AsyncConnection.connect(database, replication="database"):
        with pytest.raises(SourceError, match=rf"exceeds .*max_wal_senders.*; {MORE_SENDERS}$"):
            async with Engine(Watching(), settings):
                pass


async def test_a_reader_whose_room_was_taken_comes_back_when_there_is_some(
    notes: Write, connection: Connection, settings: Settings, role: Role, database: str
) -> None:
    await published(connection)
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        async with await _taken(database, role):
            await notes(2)
            assert (await detail(engine, "max_wal_senders")).endswith(MORE_SENDERS)
        await until(lambda: app.ids == [1, 2])


async def _taken(database: str, role: Role) -> psycopg.AsyncConnection[Any]:
    """The one replication connection that there is."""
    while True:
        await role.sessions_end()
        try:
            return await psycopg.AsyncConnection.connect(database, replication="database")
        except psycopg.OperationalError:
            continue


async def test_a_server_that_is_full_is_named_at_the_start(
    notes: Write, connection: Connection, settings: Settings, role: Role
) -> None:
    await published(connection)
    async with AsyncExitStack() as crowd:
        await fill(crowd, role)
        with pytest.raises(SourceError, match=rf"connection slots.*; {MORE_CONNECTIONS}$"):
            async with Engine(Watching(), settings):
                pass


async def test_a_server_that_is_full_is_named_and_tried_again_while_running(
    notes: Write, connection: Connection, settings: Settings, role: Role
) -> None:
    await published(connection)
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        async with AsyncExitStack() as crowd:

            async def has_no_room() -> bool:
                await role.sessions_end("eventscope")
                await fill(crowd, role)
                return "connection slots" in engine.snapshot().stream.detail

            await until_async(has_no_room)
            await notes(2)
            assert (await detail(engine, "connection slots")).endswith(MORE_CONNECTIONS)
        await until(lambda: app.ids == [1, 2])


async def fill(crowd: AsyncExitStack, role: Role) -> None:
    """Connect until the server has no room."""
    with suppress(psycopg.OperationalError):
        while True:
            session = await psycopg.AsyncConnection.connect(role.url)
            await crowd.enter_async_context(session)
