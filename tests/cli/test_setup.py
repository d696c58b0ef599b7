"""``eventscope setup`` and ``teardown``: what they make, leave and print."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from eventscope.replication.connection import connect_for_replication
from tests.cli.conftest import Invoke, Result
from tests.programs import running
from tests.replication.reading import role_url
from tests.servers import fresh_database
from tests.terminal import Terminal

WriteApp = Callable[..., Path]
Command = Callable[..., Result]

COUNT = (
    "app.query('counts', ids={'comments': 'post_id', 'posts': 'id'}, delete_with='posts', sql='''"
    "insert into counts select $1::int, count(*) from comments where post_id = $1::int "
    "on conflict (id) do update set n = excluded.n''')"
)
TABLES = """
create table posts (id int primary key);
create table comments (id int primary key, post_id int);
create table counts (id int primary key, n bigint);
"""


@pytest.fixture(params=["postgres", "postgres_15"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The url of a database with the tables, on PostgreSQL 18 and on 15."""
    with fresh_database(request.getfixturevalue(request.param)) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TABLES)
        yield url


@pytest.fixture
def slot() -> str:
    return f"test_{uuid4().hex[:16]}"


@pytest.fixture
def command(invoke: Invoke, write_app: WriteApp, database: str, slot: str) -> Command:
    """Run a command for an application that counts comments."""
    write_app("posts", COUNT)

    def run(name: str, *arguments: str, url: str = database) -> Result:
        return invoke(name, "blog.py", "--url", url, "--slot-name", slot, *arguments)

    return run


@pytest.fixture
def owner(database: str) -> Iterator[str]:
    """The url of a role that owns the tables and may replicate, and no more."""
    name = f"Plain Jane {uuid4().hex[:8]}"
    there = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            f'create role "{name}" login replication; grant create on database {there} to "{name}";'
            f'alter table posts owner to "{name}"; alter table comments owner to "{name}";'
            f'alter table counts owner to "{name}"'
        )
        yield role_url(database, name)
        connection.execute(f'reassign owned by "{name}" to postgres; drop owned by "{name}"')
        connection.execute(f'drop role "{name}"')


def asked(url: str, query: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(query)]


def slots(url: str) -> list[str]:
    return asked(
        url, "select slot_name from pg_replication_slots where database = current_database()"
    )


def published(url: str) -> list[str]:
    return asked(url, "select tablename from pg_publication_tables order by 1")


def identity(url: str, table: str) -> str:
    return asked(url, f"select relreplident from pg_class where oid = '{table}'::regclass")[0]


def write(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("insert into posts values (1); insert into comments values (1, 1)")


def test_a_role_that_owns_its_tables_sets_up_runs_and_tears_down(
    command: Command, owner: str, slot: str
) -> None:
    made = command("setup", "--replica-identity", "full", url=owner)
    assert (made.returncode, made.stdout.splitlines()) == (
        0,
        [
            "made table eventscope.offsets",
            "set REPLICA IDENTITY FULL on comments",
            "made publication events of posts, comments",
            f"made slot {slot}",
        ],
    )
    write(owner)
    ran = command("run", "--until", "caught-up", "--timeout", "60", url=owner)
    assert ran.returncode == 0, ran.stderr
    assert asked(owner, "select n from counts") == [1]
    gone = command("teardown", "--yes", url=owner)
    assert (gone.returncode, gone.stdout.splitlines()) == (
        0,
        [
            f"dropped slot {slot}",
            "dropped publication events",
            "dropped table eventscope.offsets",
            "left REPLICA IDENTITY FULL on comments: nobody knows who set it",
        ],
    )
    assert "queue file" in gone.stderr
    assert (slots(owner), published(owner)) == ([], [])


def test_what_is_there_stays_as_it_is_and_is_told(
    command: Command, database: str, slot: str
) -> None:
    first = command("setup", "--replica-identity", "full")
    assert first.returncode == 0
    again = command("setup", "--replica-identity", "full")
    assert (again.returncode, again.stdout.splitlines()) == (
        0,
        [
            "table eventscope.offsets is there",
            "publication events is there",
            f"slot {slot} is there",
        ],
    )
    assert command("teardown", "--yes").returncode == 0
    gone = command("teardown", "--yes")
    assert (gone.returncode, gone.stdout.splitlines()[:2]) == (
        0,
        [f"there is no slot {slot}", "there is no publication events"],
    )


def test_identities_are_kept_unless_they_are_asked_for(command: Command, database: str) -> None:
    result = command("setup")
    assert result.returncode == 0
    assert "the WAL does not hold old values of comments.post_id" in result.stderr
    assert identity(database, "comments") == "d"
    assert command("setup", "--set", "replica_identity=full").returncode == 0
    assert (identity(database, "comments"), identity(database, "posts")) == ("f", "d")


def test_a_dry_run_changes_nothing_and_prints_what_somebody_else_can_run(
    command: Command, database: str, owner: str, slot: str
) -> None:
    dry = command("setup", "--replica-identity", "full", "--dry-run", url=owner)
    assert dry.returncode == 0
    assert (slots(database), published(database)) == ([], [])
    statements = dry.stdout.splitlines()
    assert statements[0].startswith('CREATE SCHEMA "eventscope" AUTHORIZATION "Plain Jane ')
    assert statements[1] == 'ALTER TABLE "public"."comments" REPLICA IDENTITY FULL;'
    assert statements[2].startswith('CREATE PUBLICATION "events" FOR TABLE "public"."posts", ')
    assert statements[3] == f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput');"
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    nothing = command("setup", "--replica-identity", "full", "--dry-run")
    assert (nothing.stdout, "nothing to be done" in nothing.stderr) == ("", True)
    assert command("run", "--until", "caught-up", "--timeout", "60").returncode == 0

    dry = command("teardown", "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()) == (
        0,
        [
            f"SELECT pg_drop_replication_slot('{slot}');",
            'DROP PUBLICATION "events";',
            'DROP TABLE "eventscope"."offsets"; DROP SCHEMA "eventscope";',
        ],
    )
    assert slots(database) == [slot]


def test_a_ledger_that_a_role_may_not_make_is_made_by_somebody_else(
    command: Command, database: str, owner: str
) -> None:
    role = conninfo_to_dict(owner)["user"]
    there = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f'revoke create on database {there} from "{role}"')
        connection.execute("create publication events for table posts, comments")
    denied = command("setup", url=owner)
    assert denied.returncode == 3
    assert f"role {role} may not make schema eventscope" in denied.stderr
    assert "set exactly_once = false" in denied.stderr
    dry = command("setup", "--dry-run", url=owner)
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in dry.stdout.splitlines():
            connection.execute(statement.encode())
    made = command("setup", url=owner)
    assert made.stdout.splitlines()[0] == "table eventscope.offsets is there"
    without = command("setup", "--set", "exactly_once=false", url=owner)
    assert "eventscope.offsets" not in without.stdout


def test_a_ledger_that_other_slots_use_stays(command: Command, database: str, slot: str) -> None:
    assert command("setup").returncode == 0
    with psycopg.connect(database, autocommit=True) as connection:
        for name in (slot, "another"):
            row = (name, "counts", "1", 1, "0/0", 0, 1)
            insert = "insert into eventscope.offsets values (%s, %s, %s, %s, %s, %s, %s, now())"
            connection.execute(insert, row)
    gone = command("teardown", "--yes")
    assert gone.stdout.splitlines()[2:] == [
        f"deleted the rows of {slot} from eventscope.offsets",
        "left table eventscope.offsets, which has rows of another",
    ]
    assert asked(database, "select slot from eventscope.offsets") == ["another"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("delete from eventscope.offsets; create table eventscope.mine ()")
    gone = command("teardown", "--yes")
    assert gone.stdout.splitlines()[2:] == ["dropped table eventscope.offsets"]
    assert asked(database, "select tablename from pg_tables where schemaname = 'eventscope'") == [
        "mine"
    ]


def test_a_ready_made_publication_of_somebody_else_is_used_and_left(
    command: Command, database: str, owner: str, slot: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create publication events for table posts")
    lacking = command("setup", url=owner)
    assert lacking.returncode == 3
    assert 'have its owner run: ALTER PUBLICATION "events" ADD TABLE "public"."comments";' in (
        lacking.stderr
    )
    assert slots(database) == []
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter publication events add table comments")
    made = command("setup", url=owner)
    assert made.stdout.splitlines() == [
        "table eventscope.offsets is there",
        "publication events is there",
        f"made slot {slot}",
    ]
    write(owner)
    assert command("run", "--until", "caught-up", url=owner).returncode == 0
    gone = command("teardown", "--yes", url=owner)
    assert gone.stdout.splitlines() == [
        f"dropped slot {slot}",
        "left publication events, which belongs to postgres",
        "dropped table eventscope.offsets",
    ]
    assert published(database) == ["comments", "posts"]


def test_a_role_that_may_not_replicate_is_told_the_statement_that_mends_it(
    command: Command, database: str, owner: str
) -> None:
    role = conninfo_to_dict(owner)["user"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f'alter role "{role}" noreplication')
    mend = f'ALTER ROLE "{role}" REPLICATION;'
    for options in ([], ["--set", "durable_slot=false"]):
        result = command("setup", *options, url=owner)
        assert (result.returncode, result.stdout) == (3, ""), "nothing has been made"
        assert f"role {role} may not replicate; run {mend}" in result.stderr
    assert published(database) == []
    dry = command("setup", "--dry-run", url=owner)
    assert dry.stdout.splitlines()[0] == mend
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in dry.stdout.splitlines():
            connection.execute(statement.encode())
    assert command("run", "--until", "caught-up", url=owner).returncode == 0


def test_a_role_that_may_not_replicate_is_told_so_where_the_slot_is_there(
    command: Command, database: str, owner: str
) -> None:
    role = conninfo_to_dict(owner)["user"]
    assert command("setup", url=owner).returncode == 0
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f'alter role "{role}" noreplication')
    result = command("setup", url=owner)
    assert (result.returncode, "may not replicate" in result.stderr) == (3, True)


def test_what_a_start_refuses_a_setup_refuses(command: Command, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table posts drop constraint posts_pkey")
    for options in ([], ["--dry-run"]):
        result = command("setup", *options)
        assert result.returncode == 3
        assert "table posts has no primary key" in result.stderr
        assert result.stdout == ""


def test_a_slot_that_is_in_use_is_not_dropped_and_its_holder_named(
    command: Command, database: str, slot: str
) -> None:
    assert command("setup").returncode == 0

    async def held() -> Result:
        where = f"{database}&application_name=the%20holder"
        async with await connect_for_replication(where) as stream:
            await stream.execute(f"CREATE_REPLICATION_SLOT {slot}_2 TEMPORARY LOGICAL pgoutput")
            return await asyncio.to_thread(command, "teardown", "--yes", "--slot-name", f"{slot}_2")

    result = asyncio.run(held())
    assert result.returncode == 3
    assert "is in use by pid" in result.stderr
    assert "the holder" in result.stderr
    assert published(database) == ["comments", "posts"]


@pytest.mark.parametrize("made_for", ["table posts, comments, counts", "all tables"])
def test_a_publication_of_other_tables_is_not_dropped_without_being_asked(
    made_for: str, command: Command, database: str, slot: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create publication events for {made_for}")
    assert command("setup").returncode == 0
    refused = command("teardown", "--yes")
    assert refused.returncode == 3
    assert "counts" in refused.stderr or "all tables" in refused.stderr
    assert slots(database) == [slot]
    assert command("teardown", "--yes", "--force").returncode == 0
    assert (slots(database), published(database)) == ([], [])


@pytest.mark.parametrize("plugin", ["test_decoding", None])
def test_a_slot_of_something_else_is_not_dropped(
    plugin: str | None, command: Command, database: str, slot: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        if plugin is None:
            connection.execute("select pg_create_physical_replication_slot(%s)", [slot])
        else:
            connection.execute("select pg_create_logical_replication_slot(%s, %s)", [slot, plugin])
        for name in ("setup", "teardown"):
            result = command(name, *(["--yes"] if name == "teardown" else []))
            assert result.returncode == 3
            assert "not to pgoutput" in result.stderr
        connection.execute("select pg_drop_replication_slot(%s)", [slot])


def test_nobody_is_there_to_confirm_a_teardown(command: Command, database: str, slot: str) -> None:
    assert command("setup").returncode == 0
    result = command("teardown")
    assert (result.returncode, "--yes" in result.stderr) == (2, True)
    assert slots(database) == [slot]


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_person_confirms_a_teardown(
    answer: str, command: Command, database: str, slot: str, tmp_path: Path
) -> None:
    assert command("setup").returncode == 0
    app = str(tmp_path / "blog.py")
    terminal = Terminal(
        120, 30, "eventscope", "teardown", app, "--url", database, "--slot-name", slot
    )
    terminal.until("[y/N]")
    assert f"pg_drop_replication_slot('{slot}')".encode() in terminal.raw
    terminal.program.sendline(answer)
    assert terminal.until_it_ends() == (0 if answer == "y" else 130)
    assert (b"not confirmed: nothing was done" in terminal.raw) == (answer == "n")
    assert slots(database) == ([] if answer == "y" else [slot])


def test_a_temporary_slot_is_not_made_ahead(command: Command, database: str, slot: str) -> None:
    result = command("setup", "--set", "durable_slot=false")
    assert result.returncode == 0
    assert f"slot {slot} is temporary: each run makes its own" in result.stdout
    assert slots(database) == []


async def test_a_setup_says_whom_it_waits_for(
    write_app: WriteApp, database: str, slot: str, tmp_path: Path
) -> None:
    write_app("posts")
    arguments = ("setup", "blog.py", "--url", database, "--slot-name", slot)
    async with await psycopg.AsyncConnection.connect(database) as other:
        await other.execute("insert into posts values (7)")
        async with running(*arguments, cwd=tmp_path) as setup:
            pid = other.info.backend_pid
            await setup.line(lambda line: f"waiting for pid {pid} (" in str(line.get("text")))
            await other.rollback()
            assert await setup.ended() == 0
    assert slots(database) == [slot]


def test_an_application_without_tables_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "blog.py").write_text("from eventscope import EventScope\napp = EventScope('b')\n")
    result = invoke("setup", "blog")
    assert (result.returncode, "follows no table" in result.stderr) == (2, True)


def test_a_database_that_is_not_there_is_exit_code_3(invoke: Invoke, write_app: WriteApp) -> None:
    write_app()
    for name in ("setup", "teardown"):
        result = invoke(name, "blog", "--url", "postgresql://localhost:1/blog")
        assert (result.returncode, "refused" in result.stderr) == (3, True)
