"""Listening without a queue: what is shown, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from types import SimpleNamespace
from uuid import uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from eventscope.engine import listening, spool, tail
from eventscope.engine.tail import Tail
from eventscope.engine.tail_source import Selection
from eventscope.replication import stream, temporary_publication
from eventscope.replication.connection import SourceError
from tests.engine.tailing import Tailing, heard_for, publications, slots, tailing
from tests.replication.reading import reading, role_url
from tests.servers import fresh_database
from tests.waiting import until, until_async


@pytest.fixture(params=["postgres", "postgres_15"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of each version, for every test here."""
    with fresh_database(request.getfixturevalue(request.param)) as url:
        yield url


@pytest.fixture
async def notes(connection) -> None:
    await connection.execute(
        "CREATE TABLE notes (id int PRIMARY KEY, body text);CREATE TABLE other (id int PRIMARY KEY)"
    )


@pytest.fixture
async def owner(connection, database) -> AsyncIterator[str]:
    """A role that is no superuser, and may make publications and tables here."""
    role = f"owner {uuid4().hex[:8]}"
    await connection.execute(f'CREATE ROLE "{role}" LOGIN REPLICATION')
    await connection.execute(
        f"GRANT CREATE ON DATABASE {psycopg.conninfo.conninfo_to_dict(database)['dbname']}"
        f' TO "{role}"; GRANT CREATE ON SCHEMA public TO "{role}"'
    )
    yield role
    await connection.execute(f'DROP OWNED BY "{role}" CASCADE; DROP ROLE "{role}"')


async def test_what_is_committed_from_now_on_is_shown(notes, connection, settings):
    await connection.execute("INSERT INTO notes VALUES (1)")
    async with tailing(settings) as running:
        await connection.execute("INSERT INTO notes VALUES (2)")
        await connection.execute("DELETE FROM notes WHERE id = 1")
        await running.shown(2)
    assert running.told == [("insert", "notes", 2), ("delete", "notes", 1)]


async def test_an_event_has_the_id_that_every_reader_gives_it(notes, connection, settings):
    async with reading(settings, ["notes"]) as read, tailing(settings, "notes") as running:
        await connection.execute("INSERT INTO notes SELECT generate_series(1, 3)")
        await connection.execute("INSERT INTO notes VALUES (4)")
        wanted = await read.catch_up()
        shown = await running.shown(4)
    assert [event.id for event in shown] == [event.id for event in wanted]
    assert [event.xid for event in shown] == [event.xid for event in wanted]
    assert [event.timestamp for event in shown] == [event.timestamp for event in wanted]


async def test_only_the_named_tables_are_listened_to(notes, connection, settings):
    async with tailing(settings, "notes", messages=False) as running:
        await connection.execute("INSERT INTO other VALUES (1)")
        await connection.execute("SELECT pg_logical_emit_message(true, 'deploy', 'v1')")
        await connection.execute("INSERT INTO notes VALUES (1)")
        await running.shown(1)
    assert running.told == [("insert", "notes", 1)]


async def test_logical_messages_are_shown_but_our_own(notes, connection, settings):
    async with tailing(settings) as running:
        await connection.execute("SELECT pg_logical_emit_message(true, 'eventscope', '')")
        await connection.execute("SELECT pg_logical_emit_message(true, 'deploy', 'v1')")
        (event,) = await running.shown(1)
    assert (event.type, event.name) == ("message", "deploy")


async def test_a_transaction_is_shown_when_it_has_committed(
    notes, connection, settings, database, monkeypatch
):
    monkeypatch.setattr(spool, "IN_MEMORY", 10_000)
    monkeypatch.setattr(stream, "HIGH_WATER", 50_000)
    monkeypatch.setattr(tail, "_BURST_EVENTS", 100)
    async with (
        reading(settings, ["notes", "other"]) as read,
        tailing(settings, "notes", "other") as running,
    ):
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO notes SELECT n, repeat('x', 200) FROM generate_series(1, 2000) n"
            )
            await connection.execute("INSERT INTO other VALUES (1)")
            await connection.execute("UPDATE notes SET body = '' WHERE id = 7")
        await connection.execute("INSERT INTO notes VALUES (0)")
        wanted = await read.catch_up()
        shown = await running.shown(2003)
    assert [event.id for event in shown] == [event.id for event in wanted]
    assert [event.new_record for event in shown] == [event.new_record for event in wanted]


async def test_the_filter_and_the_limit_count_what_is_shown(notes, connection, settings):
    async with tailing(
        settings, where=lambda event: event.new_record["id"] % 2 == 0, limit=3
    ) as running:
        await connection.execute("INSERT INTO notes SELECT generate_series(1, 100)")
        await asyncio.wait_for(running.task, 30)
    assert [id for _, _, id in running.told] == [2, 4, 6]


async def test_it_ends_when_nothing_comes_and_all_is_shown(notes, connection, settings):
    async with tailing(settings, until_idle=0) as running:
        await asyncio.wait_for(running.task, 30)
    async with tailing(settings, until_idle=0.3) as running:
        running.may_show.clear()
        await connection.execute("INSERT INTO notes SELECT generate_series(1, 3000)")
        running.may_show.set()
        await asyncio.wait_for(running.task, 30)
    assert len(running.events) == 3000


async def test_an_event_puts_the_end_of_idleness_off(notes, connection, settings, monkeypatch):
    now = 0.0
    monkeypatch.setattr(listening, "PULSE", 0.01)
    monkeypatch.setattr(tail, "time", SimpleNamespace(monotonic=lambda: now))
    async with tailing(settings, until_idle=60) as running:
        looks, look = [], running.tail._idle

        async def noted(listening):
            looks.append(now)
            return await look(listening)

        async def looked_again():
            before = len(looks)
            await until(lambda: len(looks) > before + 3 or running.task.done())

        monkeypatch.setattr(running.tail, "_idle", noted)
        for id in range(3):
            await connection.execute("INSERT INTO notes VALUES (%s)", [id])
            await running.shown(id + 1)
            now += 50
            await looked_again()
            assert not running.task.done()
        now += 11
        await asyncio.wait_for(running.task, 30)
    assert len(running.events) == 3


async def test_what_was_committed_before_the_end_of_idleness_is_shown(
    notes, connection, settings, monkeypatch
):
    """The last commit has not arrived yet when the time is over: it is waited for."""
    async with Tail(settings, until_idle=0) as entered, held_up(connection) as go_on:
        await connection.execute("INSERT INTO notes VALUES (1)")
        acknowledge = entered._listening.acknowledge
        looks = count(1)

        def look(**given):
            if next(looks) == 5:
                go_on()
            return acknowledge(**given)

        monkeypatch.setattr(entered._listening, "acknowledge", look)
        running = Tailing(entered)
        await asyncio.wait_for(running.task, 30)
    assert running.told == [("insert", "notes", 1)]


async def test_nothing_is_left_behind(notes, connection, settings):
    async with tailing(settings):
        assert len(await publications(connection)) == 1
        assert len(await slots(connection)) == 1
    assert await publications(connection) == []
    await until_async(lambda: _no_slot(connection))


async def test_nothing_is_left_behind_after_an_error(notes, connection, settings):
    def fail(_):
        raise RuntimeError("no")

    async with tailing(settings, where=fail) as running:
        await connection.execute("INSERT INTO notes VALUES (1)")
        with pytest.raises(RuntimeError):
            await running.task
    assert await publications(connection) == []
    await until_async(lambda: _no_slot(connection))


async def test_nothing_is_left_behind_when_it_is_ended_before_it_listens(
    notes, connection, settings, database
):
    """A slot can be made only when every older transaction has ended; this one does not."""
    async with await psycopg.AsyncConnection.connect(database) as writer:
        await writer.execute("SELECT txid_current()")
        entering = asyncio.create_task(Tail(settings).__aenter__())

        async def waiting() -> bool:
            return bool(await slots(connection))

        await until_async(waiting)
        assert len(await publications(connection)) == 1
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        await writer.rollback()
    assert await publications(connection) == []
    await until_async(lambda: _no_slot(connection))


async def test_it_says_for_whom_it_waits(notes, connection, settings, database):
    async with await psycopg.AsyncConnection.connect(database) as blocker:
        await blocker.execute("ALTER TABLE notes SET (fillfactor = 90)")
        with capture_logs() as logs:
            entering = asyncio.create_task(Tail(settings).__aenter__())
            await until(lambda: logs)
            async with asyncio.timeout(10):
                dropped = await temporary_publication.drop_leftovers(connection)
            await blocker.rollback()
            entered = await asyncio.wait_for(entering, 30)
            await entered.__aexit__(None, None, None)
        assert dropped == [], "it is not left over, it is being made"
        pid = blocker.info.backend_pid
    assert f"waiting for pid {pid} (unnamed, since " in logs[0]["event"]


async def test_nothing_is_left_behind_when_it_is_ended_before_it_has_published(
    notes, connection, settings, database
):
    async with await psycopg.AsyncConnection.connect(database) as blocker:
        await blocker.execute("LOCK TABLE notes IN SHARE UPDATE EXCLUSIVE MODE")
        with capture_logs() as logs:
            entering = asyncio.create_task(Tail(settings).__aenter__())
            await until(lambda: logs)
            entering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await entering
        await blocker.rollback()
    assert await publications(connection) == []
    assert len(logs) == 1


async def test_what_cannot_be_dropped_is_named(notes, connection, settings, database, monkeypatch):
    async with tailing(settings) as running:
        (name,) = await publications(connection)

        async def unreachable():
            raise SourceError("gone")

        monkeypatch.setattr(running.tail._source, "_connected", unreachable)
        with capture_logs() as logs:
            await running.tail.__aexit__(None, None, None)
    assert any(f"DROP PUBLICATION {name}" in line["event"] for line in logs)
    await connection.execute(f"DROP PUBLICATION {name}")


async def test_a_lost_connection_is_made_again_and_said(notes, connection, settings):
    with capture_logs() as logs:
        async with tailing(settings) as running:
            await connection.execute("INSERT INTO notes VALUES (1)")
            await running.shown(1)
            await _terminate(connection, "replication")
            await until(lambda: any("listening again" in line["event"] for line in logs))
            await connection.execute("INSERT INTO notes VALUES (2)")
            await running.shown(2)
            assert len(await publications(connection)) == 1
    lost, again = [line["event"] for line in logs]
    assert lost.startswith("connection lost (")
    assert "missed" in lost
    assert "missed" in again
    assert running.told == [("insert", "notes", 1), ("insert", "notes", 2)]
    assert await publications(connection) == []


async def test_the_slot_before_may_still_be_there(notes, connection, settings):
    """The server has not noticed the loss yet, as when a network is cut."""
    with capture_logs() as logs:
        async with tailing(settings) as running, held_up(connection):
            running.tail._listening._stream._pgconn.finish()
            running.tail._listening.acknowledge()
            await until(lambda: any("listening again" in line["event"] for line in logs))
            assert len(await slots(connection)) == 2
            await connection.execute("INSERT INTO notes VALUES (1)")
            await running.shown(1)


async def test_what_came_before_the_loss_is_shown(notes, connection, settings, database):
    async with tailing(settings) as running:
        await connection.execute("INSERT INTO notes VALUES (0)")
        await running.shown(1)
        # both, before the loop looks again
        with psycopg.connect(database, autocommit=True) as at_once:
            at_once.execute("INSERT INTO notes VALUES (1)")
            while not at_once.execute(
                "SELECT 1 FROM pg_stat_replication WHERE sent_lsn >= pg_current_wal_flush_lsn()"
                " AND application_name = 'eventscope tail replication'"
            ).fetchone():
                pass
            at_once.execute(TERMINATE, ["eventscope tail replication"])
        await running.shown(2)


async def test_the_other_connection_may_die_without_loss(notes, connection, settings):
    with capture_logs() as logs:
        async with tailing(settings, until_idle=0.2) as running:
            await _terminate(connection, "catalog")
            await connection.execute("INSERT INTO notes VALUES (1)")
            await running.shown(1)
            await _terminate(connection, "catalog")
            await asyncio.wait_for(running.task, 30)
    assert running.told == [("insert", "notes", 1)]
    assert logs == []
    assert await publications(connection) == []


async def test_a_publication_that_somebody_dropped_is_made_again(notes, connection, settings):
    with capture_logs() as logs:
        async with tailing(settings) as running:
            (name,) = await publications(connection)
            await connection.execute(f"DROP PUBLICATION {name}")
            await connection.execute("INSERT INTO notes VALUES (1)")
            await until(lambda: any("listening again" in line["event"] for line in logs))
            await connection.execute("INSERT INTO notes VALUES (2)")
            await running.shown(1)
    assert running.told == [("insert", "notes", 2)]


async def test_a_slow_reader_is_waited_for(notes, connection, make_settings, database, monkeypatch):
    """He holds the server's stream up, not the server's patience, and not our memory."""
    monkeypatch.setattr(listening, "PULSE", 0.2)
    monkeypatch.setattr(stream, "HIGH_WATER", 200_000)
    settings = make_settings(url=f"{database}&options=-c%20wal_sender_timeout%3D2s")
    rows = 20_000
    with capture_logs() as logs:
        async with tailing(settings) as running:
            running.may_show.clear()
            for _ in range(2):
                await connection.execute(
                    "INSERT INTO notes SELECT n, repeat('x', 1000)"
                    f" FROM generate_series((SELECT count(*) FROM notes), {rows} - 1"
                    " + (SELECT count(*) FROM notes)) n"
                )
            await until_async(lambda: heard_for(connection, seconds=5))
            assert running.tail._listening._assembler.size < 2 * stream.HIGH_WATER
            running.may_show.set()
            await running.shown(2 * rows)
    assert logs == []


async def test_the_server_keeps_no_wal(notes, connection, settings, monkeypatch):
    monkeypatch.setattr(listening, "PULSE", 0.05)
    async with tailing(settings, "notes"):
        await connection.execute("INSERT INTO other VALUES (1)")
        cursor = await connection.execute("SELECT pg_current_wal_flush_lsn()::text")
        (position,) = await cursor.fetchone()

        async def forgotten() -> bool:
            cursor = await connection.execute(
                "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots"
                " WHERE database = current_database()",
                (position,),
            )
            return await cursor.fetchone() == (True,)

        await until_async(forgotten)


async def test_the_application_can_write_to_all_its_tables(connection, settings):
    """A published table without a replica identity refuses updates and deletes."""
    await connection.execute(
        "CREATE TABLE fine (id int PRIMARY KEY);"
        "CREATE TABLE plain (id int);"
        "CREATE TABLE later (id int PRIMARY KEY DEFERRABLE);"
        "CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;"
        "CREATE TABLE generated (id int, g int GENERATED ALWAYS AS (id * 2) STORED);"
        "ALTER TABLE generated REPLICA IDENTITY FULL;"
        "CREATE TABLE heir () INHERITS (fine)"
    )
    everything = ["fine", "plain", "later", "nothing", "generated", "heir"]
    for table in everything:
        await connection.execute(f"INSERT INTO {table} VALUES (1)")
    with capture_logs() as logs:
        async with tailing(settings) as running:
            for table in everything:
                await connection.execute(f"UPDATE ONLY {table} SET id = 2")
            await running.shown(2)
    assert [name for _, name, _ in running.told] == ["fine", "generated"]
    (left_out,) = logs
    assert left_out["event"].startswith("not listening to heir, later, nothing, plain: ")


async def test_a_virtual_column_under_full_identity_is_left_out(connection, settings):
    if connection.info.server_version < 180_000:
        pytest.skip("there are no virtual columns")
    await connection.execute(
        "CREATE TABLE fine (id int PRIMARY KEY);"
        "CREATE TABLE virtual (id int, g int GENERATED ALWAYS AS (id * 2) VIRTUAL);"
        "ALTER TABLE virtual REPLICA IDENTITY FULL; INSERT INTO virtual VALUES (1)"
    )
    async with tailing(settings) as running:
        await connection.execute("UPDATE virtual SET id = 2")
        assert list(running.tail.tables) == ["fine"]


async def test_an_owner_listens_to_what_is_his(notes, owner, connection, make_settings, database):
    url = role_url(database, owner)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as his:
        await his.execute(
            "CREATE TABLE mine (id int PRIMARY KEY); CREATE UNLOGGED TABLE passing (id int);"
            "CREATE VIEW seen AS SELECT * FROM mine; CREATE SCHEMA eventscope;"
            "CREATE TABLE eventscope.offsets (id int PRIMARY KEY);"
        )
        async with tailing(make_settings(url=url)) as running:
            await connection.execute("INSERT INTO notes VALUES (1)")
            await his.execute("INSERT INTO mine VALUES (1)")
            await running.shown(1)
            assert list(running.tail.tables) == ["mine"]
    assert running.told == [("insert", "mine", 1)]
    assert await publications(connection) == []


@pytest.mark.parametrize(
    "name", ["My Table", 'a "quoted" one', "x" * 63, "emoji 🐘", "%s", "{0}", "it's", "a.b", "é"]
)
@pytest.mark.parametrize("schema", ["public", 'Odd "schema", %s {0} \'s'])
async def test_names_that_need_quoting(name, schema, connection, settings):
    table = psycopg.sql.Identifier(schema, name)
    await connection.execute(
        psycopg.sql.SQL(
            "CREATE SCHEMA IF NOT EXISTS {}; CREATE TABLE {} (id int PRIMARY KEY)"
        ).format(psycopg.sql.Identifier(schema), table)
    )
    insert = psycopg.sql.SQL("INSERT INTO {} VALUES (1)").format(table)
    async with tailing(settings) as all_of_them:
        (entity,) = all_of_them.tail.tables
        async with tailing(settings, entity) as named:
            await connection.execute(insert)
            await all_of_them.shown(1)
            await named.shown(1)
    assert all_of_them.told == named.told == [("insert", entity, 1)]


PARTITIONED = """
    CREATE TABLE log (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);
    CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (at);
    CREATE TABLE log_2a PARTITION OF log_2 FOR VALUES FROM (10) TO (15);
"""


async def test_a_partition_comes_with_its_root(connection, settings):
    await connection.execute(PARTITIONED)
    async with tailing(settings) as running, tailing(settings, "log_2") as part:
        await connection.execute("INSERT INTO log VALUES (1, 1), (2, 12)")
        await running.shown(2)
        await part.shown(1)
        assert list(running.tail.tables) == ["log"]
    assert running.told == [("insert", "log", 1), ("insert", "log", 2)]
    assert part.told == [("insert", "log_2", 2)]


async def test_a_partition_of_somebody_else_s_table_comes_by_itself(
    connection, owner, make_settings, database
):
    await connection.execute(f'{PARTITIONED}; ALTER TABLE log_2a OWNER TO "{owner}"')
    async with tailing(make_settings(url=role_url(database, owner))) as running:
        await connection.execute("INSERT INTO log VALUES (1, 1), (2, 12)")
        await running.shown(1)
    assert running.told == [("insert", "log_2a", 2)]


async def test_a_table_comes_with_what_inherits_from_it(connection, settings):
    await connection.execute(
        "CREATE TABLE log (id int PRIMARY KEY); CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (log)"
    )
    async with tailing(settings, "log") as running:
        await connection.execute("INSERT INTO heir VALUES (1)")
        await running.shown(1)
    assert running.told == [("insert", "heir", 1)]


async def test_an_existing_publication_is_used_and_kept(notes, connection, settings):
    await connection.execute("CREATE PUBLICATION mine FOR TABLE notes, other")
    async with (
        tailing(settings, publication="mine") as both,
        tailing(settings, "other", publication="mine") as one,
    ):
        await connection.execute("INSERT INTO notes VALUES (1)")
        await connection.execute("INSERT INTO other VALUES (2)")
        await both.shown(2)
        await one.shown(1)
    assert one.told == [("insert", "other", 2)]
    assert await publications(connection) == ["mine"]


async def test_a_publication_that_is_gone_ends_it(notes, connection, settings):
    await connection.execute("CREATE PUBLICATION mine FOR TABLE notes")
    async with tailing(settings, publication="mine") as running:
        await connection.execute("DROP PUBLICATION mine")
        await connection.execute("INSERT INTO notes VALUES (1)")
        with pytest.raises(SourceError, match="the publication is gone"):
            await asyncio.wait_for(running.task, 30)


@pytest.mark.parametrize(("selection", "message"), [
    (Selection(("note",)), "table note does not exist; did you mean notes?"),
    (Selection(("seen",)), "seen is a view: its changes cannot be published"),
    (Selection(("loose",)), 'ALTER TABLE "public"."loose" REPLICA IDENTITY FULL'),
    (Selection((), "mine"), "publication mine does not exist; there are his"),
    (Selection(("other",), "his"), "publication his does not have table other"),
])  # fmt: skip
async def test_what_cannot_be_listened_to_is_said(notes, connection, settings, selection, message):
    await connection.execute(
        "CREATE VIEW seen AS SELECT 1; CREATE TABLE loose (id int);"
        "CREATE PUBLICATION his FOR TABLE notes"
    )
    with pytest.raises(SourceError) as raised:
        await Tail(settings, selection).__aenter__()
    assert message in str(raised.value)
    assert await publications(connection) == ["his"]
    assert await slots(connection) == []


async def test_who_owns_nothing_is_told_so(notes, connection, owner, make_settings, database):
    settings = make_settings(url=role_url(database, owner))
    with pytest.raises(SourceError, match="owns no table"):
        await Tail(settings).__aenter__()
    with pytest.raises(SourceError, match="table notes belongs to postgres"):
        await Tail(settings, Selection(("notes",))).__aenter__()


async def test_who_may_not_publish_is_told_the_statement_that_mends_it(
    connection, owner, make_settings, database
):
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    await connection.execute(
        f'CREATE TABLE mine (id int PRIMARY KEY); ALTER TABLE mine OWNER TO "{owner}";'
        f'REVOKE CREATE ON DATABASE {name} FROM "{owner}"'
    )
    with pytest.raises(SourceError) as raised:
        await Tail(make_settings(url=role_url(database, owner))).__aenter__()
    assert f'GRANT CREATE ON DATABASE "{name}" TO "{owner}"' in str(raised.value)


async def test_a_lost_connection_that_cannot_be_made_again_ends_it_with_the_reason(
    notes, connection, settings
):
    async with tailing(settings, "notes") as running:
        await connection.execute("DROP TABLE notes")
        await _terminate(connection, "replication")
        with pytest.raises(SourceError, match="table notes does not exist"):
            await asyncio.wait_for(running.task, 30)


TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = %s AND datname = current_database()"
)


@asynccontextmanager
async def held_up(connection) -> AsyncIterator[Callable[[], None]]:
    """Stop the server's side of the one stream there is; gives what lets it go on."""
    cursor = await connection.execute(
        "SELECT active_pid FROM pg_replication_slots WHERE database = current_database()"
    )
    [(pid,)] = await cursor.fetchall()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield lambda: os.kill(pid, signal.SIGCONT)
    finally:
        os.kill(pid, signal.SIGCONT)


async def _terminate(connection, purpose: str) -> None:
    cursor = await connection.execute(TERMINATE, [f"eventscope tail {purpose}"])
    assert await cursor.fetchall() == [(True,)]


async def _no_slot(connection) -> bool:
    return not await slots(connection)
