"""A slot that somebody else uses, moves, drops or makes impossible: named, and never made again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import structlog
from psycopg.conninfo import make_conninfo

from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine import Engine
from eventscope.engine.reader import Reader
from eventscope.queue.sqlite import SqliteQueue
from eventscope.replication import catalog
from eventscope.replication.connection import (
    Connection,
    SourceError,
    connect_for_replication,
    conninfo,
)
from eventscope.settings import Settings
from tests.conftest import MakeSettings
from tests.engine.conftest import Watching, Write
from tests.replication.reading import make_slot
from tests.servers import running_server
from tests.waiting import until, until_async


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server that keeps little WAL for a slot."""
    settings = {"max_slot_wal_keep_size": "1MB", "max_prepared_transactions": 5}
    with running_server(settings=settings) as server:
        yield server


async def slot(connection: Connection, settings: Settings) -> catalog.Slot | None:
    return await catalog.slot(connection, settings.slot_name)


async def is_free(connection: Connection, settings: Settings) -> bool:
    found = await slot(connection, settings)
    return found is not None and found.active_pid is None


async def stored_one(notes: Write, connection: Connection, settings: Settings) -> None:
    """A run that stores an event and ends."""
    async with Engine(Watching(), settings) as engine:
        await notes(1)
        await engine.settle(60)
    await until_async(lambda: is_free(connection, settings))


async def outgrow(connection: Connection, settings: Settings) -> None:
    """Write WAL until the server gives the slot up."""

    async def lost() -> bool:
        await connection.execute("SELECT pg_logical_emit_message(false, 'x', 'x'), pg_switch_wal()")
        await connection.execute("CHECKPOINT")
        found = await slot(connection, settings)
        return found is not None and found.wal_status == "lost"

    await until_async(lost)


async def interrupt(database: str, settings: Settings, statements: str) -> None:
    """End the session that reads from the slot, and do something to the slot before the next."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        while True:
            await connection.execute(
                "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
                " WHERE slot_name = %s AND active_pid IS NOT NULL", [settings.slot_name],
            )  # fmt: skip
            try:
                await execute(connection, statements, settings)
            except psycopg.errors.ObjectInUse:
                continue
            return


async def execute(connection: Connection, statements: str, settings: Settings) -> None:
    """Execute statements, one a line, about the slot."""
    for statement in statements.splitlines():
        await connection.execute(statement.replace("$slot", f"'{settings.slot_name}'").encode())


async def what_ends(engine: Engine) -> str:
    """The error that ends a running engine, which its snapshot tells too."""
    with pytest.raises(SourceError) as raised:
        await asyncio.wait_for(engine.wait(), 60)
    shown = engine.snapshot().stream
    assert (shown.state, shown.detail) == ("stopped", str(raised.value))
    assert raised.value.exit_code == 3
    assert "\n" not in shown.detail
    return shown.detail


DROP = "SELECT pg_drop_replication_slot($slot)"
WRITE = "SELECT pg_logical_emit_message(true, 'x', 'x')"
ADVANCE = "SELECT pg_replication_slot_advance($slot, pg_current_wal_lsn())"
MAKE_ANEW = f"DO $do$ BEGIN PERFORM {DROP[7:]}; PERFORM pg_create_logical_replication_slot" + (
    "($slot, 'pgoutput'); END $do$"
)


async def test_a_slot_that_is_dropped_between_two_connections_is_not_made_again(
    notes: Write, connection: Connection, database: str, settings: Settings
) -> None:
    async with Engine(Watching(), settings) as engine:
        await notes(1)
        await engine.settle(60)
        await interrupt(database, settings, DROP)
        assert "does not exist any more" in await what_ends(engine)
    with pytest.raises(SourceError, match="move the queue file away"):
        async with Engine(Watching(), settings):
            pass
    assert await slot(connection, settings) is None


@pytest.mark.parametrize("statement", [f"{WRITE}\n{ADVANCE}", MAKE_ANEW])
async def test_a_slot_that_moves_between_two_connections_is_named(
    notes: Write, database: str, settings: Settings, statement: str
) -> None:
    async with Engine(Watching(), settings) as engine:
        await notes(1)
        await engine.settle(60)
        await interrupt(database, settings, statement)
        said = await what_ends(engine)
        assert "by somebody else" in said or (
            statement == MAKE_ANEW and "does not exist any more" in said  # seen in between
        )


async def test_a_slot_that_the_server_has_given_up_is_named_at_the_start(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await stored_one(notes, connection, settings)
    await outgrow(connection, settings)
    with pytest.raises(SourceError, match=r"is lost: .*max_slot_wal_keep_size.*queue file away"):
        async with Engine(Watching(), settings):
            pass


async def test_a_slot_that_the_server_gives_up_while_it_is_read_is_named(
    notes: Write, connection: Connection, database: str, settings: Settings
) -> None:
    """A transaction that stays open pins the WAL, although all that is committed is read."""
    async with (
        Engine(Watching(), settings) as engine,
        await psycopg.AsyncConnection.connect(database) as somebody,
    ):
        await notes(1)
        await somebody.execute("INSERT INTO notes VALUES (2)")
        await engine.settle(60)
        await outgrow(connection, settings)
        assert "is lost: the server has removed WAL" in await what_ends(engine)


async def test_a_slot_that_nobody_read_for_too_long_is_named(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await stored_one(notes, connection, settings)
    await connection.execute("ALTER SYSTEM SET idle_replication_slot_timeout = '1s'")
    await connection.execute("SELECT pg_reload_conf()")

    async def lost() -> bool:
        await connection.execute("CHECKPOINT")
        found = await slot(connection, settings)
        return found is not None and found.invalidation == "idle_timeout"

    try:
        await until_async(lost)
    finally:
        await connection.execute("ALTER SYSTEM RESET idle_replication_slot_timeout")
        await connection.execute("SELECT pg_reload_conf()")
    with pytest.raises(SourceError, match=r"is lost: nobody has read it .*idle_replication_slot"):
        async with Engine(Watching(), settings):
            pass


@asynccontextmanager
async def ready(settings: Settings) -> AsyncIterator[Reader]:
    """A reader that has looked at the slot, and not yet taken it."""
    assert settings.queue_path is not None
    queue = await SqliteQueue.open(settings.queue_path, retention_events=10, retention_bytes=10**6)
    reader = Reader(Watching(), settings, queue, lambda _: None, attended=False)
    try:
        await reader.prepare()
        yield reader
    finally:
        await reader.close()
        await queue.close()


@pytest.mark.parametrize(
    ("statement", "named_as"),
    [
        (DROP, "does not exist any more"),
        (f"{WRITE}\n{ADVANCE}", "by somebody else"),
        (MAKE_ANEW, "by somebody else"),
        ("DROP PUBLICATION events\nINSERT INTO notes VALUES (2)", "publication events does not"),
    ],
)
async def test_what_happens_between_the_look_at_a_slot_and_its_use_is_named(
    notes: Write, connection: Connection, settings: Settings, statement: str, named_as: str
) -> None:
    await stored_one(notes, connection, settings)
    async with ready(settings) as reader:
        await execute(connection, statement, settings)
        with pytest.raises(SourceError, match=named_as):
            await asyncio.wait_for(reader.run(), 60)


async def test_a_slot_that_is_given_up_between_the_look_at_it_and_its_use_is_named(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await stored_one(notes, connection, settings)
    async with ready(settings) as reader:
        await outgrow(connection, settings)
        with pytest.raises(SourceError, match="is lost: the server has removed WAL"):
            await asyncio.wait_for(reader.run(), 60)


async def test_a_slot_in_use_is_tried_again_within_five_seconds(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await stored_one(notes, connection, settings)
    app = Watching()
    async with held(settings), Engine(app, settings) as engine:
        waits: dict[float, float] = {}

        def enough() -> bool:
            now = engine.snapshot()
            if now.stream.next_retry is not None:
                waits.setdefault(now.stream.next_retry, now.stream.next_retry - now.taken_at)
            return len(waits) == 3

        await until(enough)
        assert engine.snapshot().stream.state == "standby"
        assert max(waits.values()) <= 5


@asynccontextmanager
async def held(settings: Settings) -> AsyncIterator[Connection]:
    """Somebody else's session that reads from the slot, and acknowledges nothing."""
    holder = await connect_for_replication(conninfo(settings, "stranger", "other"))
    holder.pgconn.send_query(
        f'START_REPLICATION SLOT "{settings.slot_name}" LOGICAL 0/0'
        " (proto_version '1', publication_names 'events')".encode()
    )
    holder.pgconn.flush()
    try:
        yield holder
    finally:
        await holder.close()


async def test_a_holder_of_another_role_is_named_as_far_as_it_may_be_known(
    notes: Write, connection: Connection, settings: Settings, humble: Settings
) -> None:
    await stored_one(notes, connection, settings)
    async with held(settings) as holder, Engine(Watching(), humble) as engine:
        await until(lambda: engine.snapshot().stream.state == "standby")
        assert engine.snapshot().stream.detail == (
            f"slot {settings.slot_name} is in use by pid {holder.info.backend_pid}"
            f" (eventscope other stranger)"
        )


@pytest.fixture
async def humble(
    connection: Connection, database: str, make_settings: MakeSettings
) -> AsyncIterator[Settings]:
    """The same as a role that may replicate, and nothing else."""
    role = f"humble_{uuid4().hex[:8]}"
    await connection.execute(f"CREATE ROLE {role} LOGIN REPLICATION".encode())
    yield make_settings(url=make_conninfo(database, user=role))
    await connection.execute(f"DROP ROLE {role}".encode())


@pytest.mark.parametrize("is_hidden", [False, True])
async def test_a_slot_that_waits_for_an_open_transaction_says_for_which_whoever_asks(
    notes: Write,
    connection: Connection,
    database: str,
    settings: Settings,
    humble: Settings,
    is_hidden: bool,
) -> None:
    await connection.execute("CREATE PUBLICATION events FOR TABLE notes")
    async with await psycopg.AsyncConnection.connect(database, application_name="x") as somebody:
        await somebody.execute("INSERT INTO notes VALUES (1)")
        waiting = waiting_for(humble if is_hidden else settings)
        pid = somebody.info.backend_pid
        said = "(x)" if is_hidden else "(x, since 2"
        assert f"waiting for pid {pid} {said}" in await waiting


async def test_a_slot_that_waits_for_a_prepared_transaction_names_it(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await connection.execute("BEGIN; INSERT INTO notes VALUES (1); PREPARE TRANSACTION 'order 7'")
    try:
        said = await waiting_for(settings)
    finally:
        await connection.execute("ROLLBACK PREPARED 'order 7'")
    database = connection.info.dbname
    assert f"waiting for prepared transaction 'order 7' ({database}, since 2" in said


async def waiting_for(settings: Settings) -> str:
    """What a new engine says that it waits for."""
    engine = Engine(Watching(), settings)
    starting = asyncio.create_task(engine.__aenter__())
    with structlog.testing.capture_logs() as logged:
        await until(lambda: starting.done() or "waiting for" in str(logged))
        assert not starting.done(), starting.exception()
        said = engine.snapshot().stream.detail
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    assert said in [line["event"] for line in logged]
    return said


async def test_a_temporary_slot_of_somebody_else_is_waited_for(
    notes: Write, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(durable_slot=False)
    app = Watching()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(Engine(Watching(), settings))
        await notes(1)
        await first.settle(60)
        other = make_settings(durable_slot=False, queue_path=tmp_path / "second.db")
        second = await stack.enter_async_context(Engine(app, other))
        await until(lambda: second.snapshot().stream.state == "standby")
        assert "(eventscope engine replication" in second.snapshot().stream.detail


async def test_a_slot_that_should_be_temporary_and_is_not_is_named(
    notes: Write, make_settings: MakeSettings
) -> None:
    await make_slot(make_settings())
    with pytest.raises(SourceError, match=r"exists already, and is not temporary.*slot_name"):
        async with Engine(Watching(), make_settings(durable_slot=False)):
            pass


async def test_a_temporary_slot_that_was_lost_says_what_is_not_seen(
    notes: Write, database: str, make_settings: MakeSettings
) -> None:
    settings, app = make_settings(durable_slot=False), Watching()
    with structlog.testing.capture_logs() as logged:
        async with Engine(app, settings) as engine:
            await notes(1)
            await engine.settle(60)
            await interrupt(database, settings, "INSERT INTO notes VALUES (2)")
            await until(lambda: any("is not seen" in line["event"] for line in logged))
            await notes(3)
            await engine.settle(60)
    assert app.ids in ([1, 3], [1, 2, 3])
