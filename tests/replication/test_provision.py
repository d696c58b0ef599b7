from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest

from eventscope import EventScope
from eventscope.engine import Engine
from eventscope.event import Change, Lsn
from eventscope.queue.base import QueueError
from eventscope.replication import catalog, ledger, provision
from eventscope.replication.catalog import Slot
from eventscope.replication.connection import SourceError, connect
from eventscope.replication.tables import look_up
from eventscope.settings import Settings
from tests.replication.reading import make_slot, role_url
from tests.servers import fresh_database, running_server
from tests.waiting import until, until_async

ODD = 'Odd "name"; x'


def an_app(*entities: str, **ids: str) -> EventScope:
    app = EventScope("blog")
    for entity in entities:
        app.entity(entity)
    if ids:
        app.query("counts", sql="SELECT $1", ids=ids)
    return app


@pytest.fixture
async def tables(connection) -> None:
    await connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY, title text);"
        "CREATE TABLE comments (id int PRIMARY KEY, post_id int, body text);"
        "CREATE TABLE counts (id int PRIMARY KEY, n int)"
    )


async def published(connection, name: str = "events") -> list[str]:
    cursor = await connection.execute(
        "SELECT tablename FROM pg_publication_tables WHERE pubname = %s ORDER BY 1", [name]
    )
    return [table for (table,) in await cursor.fetchall()]


def test_a_server_without_logical_wal_is_told_the_statement_that_mends_it(tmp_path):
    with running_server(settings={"wal_level": "replica"}) as server:
        app, settings = an_app("posts"), Settings(url=server.url, queue_path=tmp_path / "q.db")

        async def run() -> None:
            async with Engine(app, settings):
                pass

        with pytest.raises(SourceError, match="ALTER SYSTEM SET wal_level = 'logical'") as raised:
            asyncio.run(run())
    assert "replica" in str(raised.value)
    assert raised.value.exit_code == 3


async def test_the_tables_of_an_application_are_there(tables, connection):
    await provision.check_tables(connection, an_app("posts", comments="post_id", posts="id"))


async def test_a_missing_table_is_named_with_the_one_that_was_meant(tables, connection):
    with pytest.raises(SourceError, match=r"table coments does not exist.*did you mean comments"):
        await provision.check_tables(connection, an_app("coments"))


async def test_a_missing_table_like_no_other_is_named_alone(tables, connection):
    with pytest.raises(SourceError, match="table zzz does not exist") as raised:
        await provision.check_tables(connection, an_app("zzz"))
    assert "did you mean" not in str(raised.value)


async def test_a_missing_target_is_named_with_its_operator(tables, connection):
    await connection.execute("DROP TABLE counts")
    with pytest.raises(
        SourceError, match=r"table counts does not exist.*target of operator counts"
    ):
        await provision.check_tables(connection, an_app(posts="id"))


async def test_a_missing_column_is_named_with_those_there_are(tables, connection):
    with pytest.raises(SourceError, match=r"comments has no column post.*it has id, post_id, body"):
        await provision.check_tables(connection, an_app(comments="post"))


async def test_a_target_without_its_id_column_is_named(tables, connection):
    await connection.execute("ALTER TABLE counts RENAME id TO key")
    with pytest.raises(SourceError, match="table counts has no column id"):
        await provision.check_tables(connection, an_app(posts="id"))


async def test_a_view_is_no_table(tables, connection):
    await connection.execute("CREATE VIEW latest AS SELECT * FROM posts")
    with pytest.raises(SourceError, match="latest is a view"):
        await provision.check_tables(connection, an_app("latest"))


async def test_a_publication_is_made_with_exactly_these_tables(tables, connection):
    await provision.ensure_publication(connection, "events", ["posts", "comments"])
    assert await published(connection) == ["comments", "posts"]
    cursor = await connection.execute("SELECT puballtables, pubviaroot FROM pg_publication")
    assert await cursor.fetchall() == [(False, True)]


async def test_missing_tables_are_added_and_others_are_left(tables, connection):
    await connection.execute("CREATE PUBLICATION events FOR TABLE counts, posts")
    await provision.ensure_publication(connection, "events", ["posts", "comments"])
    assert await published(connection) == ["comments", "counts", "posts"]


@pytest.mark.parametrize("made_for", ["ALL TABLES", "TABLES IN SCHEMA public"])
async def test_a_ready_made_publication_is_left_as_it_is(tables, connection, made_for):
    await connection.execute(f"CREATE PUBLICATION events FOR {made_for}")
    cursor = await connection.execute("SELECT xmin::text FROM pg_publication")
    before = await cursor.fetchone()
    await provision.ensure_publication(connection, "events", ["posts", "comments"])
    cursor = await connection.execute("SELECT xmin::text FROM pg_publication")
    assert await cursor.fetchone() == before


async def test_a_publication_of_somebody_else_says_what_its_owner_must_run(
    tables, connection, database
):
    async with a_role(connection, "LOGIN REPLICATION") as role:
        other = await connect(role_url(database, role))
        with pytest.raises(
            SourceError, match='have its owner run: CREATE PUBLICATION "events" FOR TABLE'
        ):
            await provision.ensure_publication(other, "events", ["posts"])
        await other.close()


async def test_the_ledger_is_made_where_operators_need_one(tables, connection, settings):
    await provision.prepare(connection, an_app("posts"), settings)
    assert (await ledger.look_up(connection)).schema_owner is None
    for _ in range(2):
        await provision.prepare(connection, an_app(posts="id"), settings)
        assert (await ledger.look_up(connection)).owned


async def test_a_role_that_may_not_make_the_ledger_is_told_the_ways_out(
    tables, connection, database, make_settings
):
    async with a_role(connection, "LOGIN REPLICATION") as role:
        await connection.execute(
            f'GRANT SELECT ON posts, counts TO "{role}"; CREATE PUBLICATION events FOR TABLE posts'
        )
        app, url = an_app(posts="id"), role_url(database, role)
        other = await connect(url)
        with pytest.raises(SourceError) as raised:
            await provision.prepare(other, app, make_settings(url=url))
        assert re.search(
            f'role {role} may not make schema eventscope .*run CREATE SCHEMA "eventscope"'
            f' AUTHORIZATION "{role}" CREATE TABLE .* set exactly_once = false',
            str(raised.value),
        )
        await provision.prepare(other, app, make_settings(url=url, exactly_once=False))
        await other.close()
        await connection.execute(f'DROP OWNED BY "{role}"')


async def test_instances_that_start_at_once_make_what_is_missing_once(
    tables, connection, database, settings
):
    connections = [await connect(database) for _ in range(6)]
    app = an_app("posts", posts="id", comments="id")
    await asyncio.gather(*(provision.prepare(c, app, settings) for c in connections))
    assert (await ledger.look_up(connection)).owned
    assert await published(connection) == ["comments", "posts"]
    for other in connections:
        await other.close()


async def test_a_publication_of_everything_tells_nobody_of_the_ledger(tables, connection, settings):
    await connection.execute("CREATE PUBLICATION events FOR ALL TABLES")
    async with Engine(an_app("comments", posts="id"), settings, attended=True) as engine:
        await connection.execute(
            "INSERT INTO eventscope.offsets VALUES ('s', 'o', '1', 1, '0/0', 0, 1, now());"
            "UPDATE eventscope.offsets SET index = 1"
        )
        await connection.execute("INSERT INTO posts VALUES (1, 'x')")
        await engine.settle(20)
        assert [engine.ring.get(n).name for n in range(engine.ring.next)] == ["posts"]


async def test_the_ledger_cannot_be_followed(tables, connection, settings):
    await provision.prepare(connection, an_app(posts="id"), settings)
    with pytest.raises(SourceError, match=r"eventscope.offsets is a table of eventscope itself"):
        await provision.prepare(connection, an_app("eventscope.offsets"), settings)


async def test_names_that_need_quoting_are_quoted(connection, make_settings):
    quoted = ODD.replace('"', '""')
    await connection.execute(f'CREATE SCHEMA "{quoted}"')
    await connection.execute(f'CREATE TABLE "{quoted}"."{quoted}" ("{quoted}" int, a int)')
    entity = f"{ODD}.{ODD}"
    settings = make_settings(publication=ODD, replica_identity="full")
    await provision.prepare(connection, an_app(entity), settings)
    assert await published(connection, ODD) == [ODD]
    table = (await look_up(connection, [entity]))[entity]
    assert (table.name, table.columns, table.identity) == (entity, (ODD, "a"), {ODD, "a"})


async def test_a_partitioned_table_is_one_table(connection, settings):
    await connection.execute(
        "CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10)"
    )
    app = an_app("log")
    async with Engine(app, settings, attended=True) as engine:
        await connection.execute("INSERT INTO log VALUES (1)")
        await engine.settle(20)
        assert engine.ring.next == 1
        assert engine.ring.get(0).name == "log"


async def test_a_mapping_column_outside_the_identity_is_a_drawback_unless_it_is_mended(
    tables, connection, make_settings
):
    app = an_app(comments="post_id", posts="id")
    [drawback] = await provision.prepare(connection, app, make_settings())
    assert drawback.line == (
        "the WAL does not hold old values of comments.post_id: operator counts must keep what"
        " every row maps to, or recompute its whole table;"
        ' run ALTER TABLE "public"."comments" REPLICA IDENTITY FULL;'
        " or set replica_identity = 'full'"
    )
    assert await provision.prepare(connection, app, make_settings(replica_identity="full")) == ()
    assert await provision.prepare(connection, app, make_settings()) == ()


async def test_a_column_that_a_publication_hides_from_an_operator_stops_the_start(
    tables, connection, settings
):
    await connection.execute("CREATE PUBLICATION events FOR TABLE comments (id)")
    with pytest.raises(SourceError, match=r"events leaves out comments.post_id, comments.body.*"):
        await provision.prepare(connection, an_app(comments="post_id"), settings)


async def test_generated_columns_are_published_where_they_can_be(connection, settings):
    await connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY, a int, s int GENERATED ALWAYS AS (a * 2) STORED);"
        "ALTER TABLE posts REPLICA IDENTITY FULL"
    )
    async with Engine(an_app("posts"), settings, attended=True) as engine:
        await connection.execute("INSERT INTO posts VALUES (1, 2); UPDATE posts SET a = 3")
        await engine.settle(20)
        event = engine.ring.get(1)
    assert event.new_record == {"id": 1, "a": 3, "s": 6}
    assert event.changes["s"] == Change(4, 6)


def a_slot(**given) -> Slot:
    slot = Slot("postgres_slot", "pgoutput", "blog", None, Lsn(100), "reserved")
    return replace(slot, **given)


def check(slot: Slot, acknowledged: int | None = 100) -> None:
    lsn = None if acknowledged is None else Lsn(acknowledged)
    provision.check_slot(slot, Settings(), "blog", lsn)


def test_a_slot_that_goes_on_where_we_stopped_is_trusted():
    check(a_slot())
    check(a_slot(), acknowledged=200)


def test_a_ready_made_slot_is_trusted_by_a_new_queue():
    check(a_slot(), acknowledged=None)


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        (a_slot(plugin="wal2json"), "belongs to wal2json, not to pgoutput.*slot_name"),
        (a_slot(plugin=None), "belongs to physical replication"),
        (a_slot(database="shop"), "belongs to database shop, not to blog.*slot_name"),
        (a_slot(wal_status="lost"), "is lost.*pg_drop_replication_slot.*move the queue file"),
        (a_slot(confirmed_flush=Lsn(101)), "advanced to 0/65 by somebody else.*0/64.*is lost"),
    ],
)
def test_a_slot_that_cannot_be_trusted_names_the_finding(slot, message):
    with pytest.raises(SourceError, match=message):
        check(slot)


async def test_a_ready_made_slot_and_publication_are_read_from_where_they_stand(
    tables, connection, settings
):
    await connection.execute("CREATE PUBLICATION events FOR TABLE posts")
    await make_slot(settings)
    await connection.execute("INSERT INTO posts VALUES (1)")
    async with Engine(an_app("posts"), settings, attended=True) as engine:
        await engine.settle(20)
        assert engine.snapshot().stream.events == 1


async def test_a_slot_of_another_plugin_stops_the_start(tables, connection, settings):
    await connection.execute(
        "SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", [settings.slot_name]
    )
    with pytest.raises(SourceError, match="belongs to test_decoding"):
        async with Engine(an_app("posts"), settings):
            pass


async def test_a_slot_that_is_gone_stops_the_start(tables, connection, settings):
    async with Engine(an_app("posts"), settings) as engine:
        await until_streaming(engine)
    await drop_slot(connection, settings)
    with pytest.raises(SourceError, match=r"does not exist any more.*is lost.*queue file away"):
        async with Engine(an_app("posts"), settings):
            pass


async def test_a_slot_that_somebody_advanced_stops_the_start(tables, connection, settings):
    async with Engine(an_app("posts"), settings) as engine:
        await until_streaming(engine)
    await connection.execute("INSERT INTO posts VALUES (1)")
    await idle(connection, settings)
    await connection.execute(
        "SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", [settings.slot_name]
    )
    with pytest.raises(SourceError, match=r"was advanced to .* by somebody else"):
        async with Engine(an_app("posts"), settings):
            pass


async def test_a_queue_of_another_database_is_refused(tables, settings, postgres, make_settings):
    async with Engine(an_app("posts"), settings) as engine:
        await until_streaming(engine)
    with fresh_database(postgres) as other:
        async with await connect(other) as connection:
            await connection.execute("CREATE TABLE posts (id int PRIMARY KEY)")
        with pytest.raises(QueueError, match=r"holds the events of database .* not of database"):
            async with Engine(an_app("posts"), make_settings(url=other, slot_name="other")):
                pass


async def test_a_role_that_may_not_replicate_is_told_the_statement_that_mends_it(
    tables, connection, database, make_settings
):
    await connection.execute("CREATE PUBLICATION events FOR TABLE posts")
    async with a_role(connection, "LOGIN") as role:
        with pytest.raises(SourceError, match=f'run ALTER ROLE "{role}" REPLICATION'):
            async with Engine(an_app("posts"), make_settings(url=role_url(database, role))):
                pass


async def test_a_temporary_slot_starts_at_now(tables, connection, make_settings):
    settings = make_settings(durable_slot=False)
    for started in range(3):
        await connection.execute("INSERT INTO posts VALUES (%s)", [2 * started])
        async with Engine(an_app("posts"), settings, attended=True) as engine:
            await connection.execute("INSERT INTO posts VALUES (%s)", [2 * started + 1])
            await engine.settle(20)
            assert engine.failure is None
            assert engine.snapshot().stream.events == 1
        await gone(connection, settings)


def test_a_server_without_a_free_slot_says_what_to_raise():
    with running_server(settings={"max_replication_slots": 1}) as server:

        async def run() -> None:
            await make_slot(Settings(url=server.url, slot_name="first"))
            await make_slot(Settings(url=server.url, slot_name="second"))

        with pytest.raises(SourceError, match="max_replication_slots"):
            asyncio.run(run())


async def test_the_holder_of_a_slot_is_named(tables, connection, settings):
    async with Engine(an_app("posts"), settings) as engine:
        await until_streaming(engine)
        holder = await catalog.slot_holder(connection, settings.slot_name)
    assert re.fullmatch(
        r"pid \d+ \(eventscope blog replication, local socket, since [-\d]+ [:\d]+\+00\)", holder
    )


@asynccontextmanager
async def a_role(connection, options: str) -> AsyncIterator[str]:
    """A role that owns nothing."""
    name = f"Plain Jane {uuid4().hex[:8]}"
    await connection.execute(f'CREATE ROLE "{name}" {options}')
    try:
        yield name
    finally:
        await connection.execute(f'DROP ROLE "{name}"')


async def until_streaming(engine: Engine) -> None:
    await until(lambda: engine.snapshot().stream.state == "streaming")


async def drop_slot(connection, settings) -> None:
    await idle(connection, settings)
    await connection.execute("SELECT pg_drop_replication_slot(%s)", [settings.slot_name])


async def idle(connection, settings) -> None:
    """Wait until nobody reads the slot."""

    async def free() -> bool:
        return (await catalog.slot(connection, settings.slot_name)).active_pid is None

    await until_async(free)


async def gone(connection, settings) -> None:
    """Wait until the slot is gone."""

    async def missing() -> bool:
        return await catalog.slot(connection, settings.slot_name) is None

    await until_async(missing)
