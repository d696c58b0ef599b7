"""What is said of replica identities is what the server does."""

from __future__ import annotations

import psycopg
import pytest

from eventscope.engine import Engine
from eventscope.replication import publishing
from eventscope.replication.connection import SourceError
from eventscope.settings import Settings
from tests.replication.doctor.examining import an_app, examined, mended
from tests.replication.reading import role_url

BROKEN = {
    "no key": "CREATE TABLE t (id int, a int)",
    "a key that may wait": "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, a int)",
    "nothing": "CREATE TABLE t (id int PRIMARY KEY, a int); ALTER TABLE t REPLICA IDENTITY NOTHING",
    "an index that is gone": (
        "CREATE TABLE t (id int NOT NULL, a int); CREATE UNIQUE INDEX i ON t (id);"
        "ALTER TABLE t REPLICA IDENTITY USING INDEX i; DROP INDEX i"
    ),
    "a partition without a key": (
        "CREATE TABLE t (id int, a int) PARTITION BY RANGE (id);"
        "CREATE TABLE t1 PARTITION OF t (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20)"
    ),
    "an heir without a key": (
        "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE heir () INHERITS (t)"
    ),
}
WHOLE = {
    "a key": "CREATE TABLE t (id int PRIMARY KEY, a int)",
    "all columns": "CREATE TABLE t (id int, a int); ALTER TABLE t REPLICA IDENTITY FULL",
    "an index": (
        "CREATE TABLE t (id int NOT NULL, a int); CREATE UNIQUE INDEX i ON t (id);"
        "ALTER TABLE t REPLICA IDENTITY USING INDEX i"
    ),
    "all columns, one of them stored": (
        "CREATE TABLE t (id int PRIMARY KEY, a int, s int GENERATED ALWAYS AS (a * 2) STORED);"
        "ALTER TABLE t REPLICA IDENTITY FULL"
    ),
    "a stored key": (
        "CREATE TABLE t (id int, a int, s int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY)"
    ),
    "partitions with a key": (
        "CREATE TABLE t (id int PRIMARY KEY, a int) PARTITION BY RANGE (id);"
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (20)"
    ),
}
STORED = WHOLE["all columns, one of them stored"]
VIRTUAL = STORED.replace("STORED", "VIRTUAL")
PLAIN = WHOLE["a key"]


async def make(connection, ddl: str) -> None:
    await connection.execute(f"{ddl}; INSERT INTO t (id, a) VALUES (1, 1), (11, 11)")
    if "heir" in ddl:
        await connection.execute("INSERT INTO heir VALUES (2, 2)")


async def publish(connection) -> None:
    """Publish ``t`` as a start does, without its checks."""
    creation = publishing.creation("events", ["t"], connection.info.server_version)
    await connection.execute(creation.encode())


async def is_refused(connection) -> bool:
    """Whether the server refuses to update the rows of ``t``."""
    try:
        await connection.execute("UPDATE t SET a = a + 1")
    except (psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.InvalidColumnReference):
        return True
    return False


@pytest.mark.parametrize("ddl", BROKEN.values(), ids=BROKEN)
async def test_a_table_that_publishing_breaks_blocks_until_it_is_mended(
    ddl, connection, database, settings
):
    await make(connection, ddl)
    app = an_app("t")
    assert (await examined(app, settings)).one("replica_identity").severity == "blocking"
    assert not await is_refused(connection)
    await publish(connection)
    assert await is_refused(connection)
    assert (await mended(app, settings, "replica_identity", database)).troubles() == []
    assert not await is_refused(connection)


@pytest.mark.parametrize("ddl", BROKEN.values(), ids=BROKEN)
async def test_a_start_refuses_what_publishing_would_break_or_mends_it(
    ddl, connection, make_settings
):
    await make(connection, ddl)
    with pytest.raises(SourceError, match=r"refuses every UPDATE and DELETE.*IDENTITY FULL"):
        async with Engine(an_app("t"), make_settings()):
            pass
    async with Engine(an_app("t"), make_settings(replica_identity="full")):
        assert not await is_refused(connection)


@pytest.mark.parametrize("ddl", WHOLE.values(), ids=WHOLE)
async def test_a_table_that_publishing_leaves_whole_is_no_trouble(ddl, connection, settings):
    await make(connection, ddl)
    assert (await examined(an_app("t"), settings)).all("replica_identity") == []
    await publish(connection)
    assert not await is_refused(connection)
    assert (await examined(an_app("t"), settings)).all("replica_identity") == []


async def test_a_virtual_column_in_the_identity_blocks_until_it_is_out(
    is_18, connection, database, settings
):
    if not is_18:
        pytest.skip("virtual columns came with PostgreSQL 18")
    await make(connection, VIRTUAL)
    finding = (await examined(an_app("t"), settings)).one("replica_identity")
    assert "the virtual column s" in finding.found
    await publish(connection)
    assert await is_refused(connection)
    assert (await mended(an_app("t"), settings, "replica_identity", database)).troubles() == []
    assert not await is_refused(connection)


async def test_no_virtual_column_is_taken_into_the_identity(is_18, connection, make_settings):
    if not is_18:
        pytest.skip("virtual columns came with PostgreSQL 18")
    await make(connection, VIRTUAL.replace("FULL", "DEFAULT"))
    await connection.execute("CREATE TABLE counts (id int PRIMARY KEY)")
    app, settings = an_app(t="a"), make_settings(replica_identity="full")
    finding = (await examined(app, settings)).one("old_values")
    assert finding.severity == "warning"
    assert finding.sql == ""
    assert "unique index" in finding.mend
    async with Engine(app, settings):
        assert not await is_refused(connection)


async def test_generated_columns_that_a_ready_made_publication_leaves_out_block_until_it_has_them(
    is_18, connection, database, settings
):
    await make(connection, STORED)
    await connection.execute("CREATE PUBLICATION events FOR TABLE t")
    assert await is_refused(connection) == is_18
    found = await examined(an_app("t"), settings)
    assert len(found.all("replica_identity")) == is_18
    after = await mended(an_app("t"), settings, "replica_identity", database)
    assert after.all("replica_identity") == []
    assert not await is_refused(connection)


@pytest.mark.parametrize(
    "how", ["t (a)", "t WHERE (a > 0)", "t (a) WHERE (a > 0)", "t (id) WHERE (a > 0 AND id > 0)"]
)
async def test_columns_and_rows_chosen_beside_the_identity_block_until_they_are_in_it(
    how, connection, database, settings
):
    await make(connection, PLAIN)
    await connection.execute(f"CREATE PUBLICATION events FOR TABLE {how}")
    assert await is_refused(connection)
    for _ in range(2):  # first the columns, then the rows
        found = await mended(an_app("t"), settings, "replica_identity", database)
    assert found.all("replica_identity") == []
    assert not await is_refused(connection)
    cursor = await connection.execute("SELECT rowfilter FROM pg_publication_tables")
    [[rows]] = await cursor.fetchall()
    assert (rows is not None) == ("WHERE" in how)


async def test_a_publication_of_inserts_breaks_nothing(connection, settings):
    await make(connection, BROKEN["no key"])
    await connection.execute("CREATE PUBLICATION events FOR TABLE t WITH (publish = 'insert')")
    assert (await examined(an_app("t"), settings)).all("replica_identity") == []
    assert not await is_refused(connection)


async def test_an_heir_that_is_not_published_breaks_nothing(connection, settings):
    await make(connection, BROKEN["an heir without a key"])
    await connection.execute("CREATE PUBLICATION events FOR TABLE ONLY t")
    assert (await examined(an_app("t"), settings)).all("replica_identity") == []
    assert not await is_refused(connection)


@pytest.mark.parametrize(
    "ddl",
    [
        PLAIN,
        WHOLE["partitions with a key"],
        PLAIN + "; CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (t)",
    ],
    ids=["alone", "partitioned", "inherited"],
)
async def test_a_mapping_column_outside_the_identity_is_warned_of_until_it_is_in(
    ddl, connection, database, settings
):
    await make(connection, ddl)
    await connection.execute("CREATE TABLE counts (id int PRIMARY KEY)")
    app = an_app(t="a")
    warning = (await examined(app, settings)).one("old_values")
    assert warning.severity == "warning"
    assert warning.found == "the WAL does not hold old values of t.a"
    assert "operator counts must keep what every row maps to" in warning.why
    assert (await mended(app, settings, "old_values", database)).all("old_values") == []


async def test_a_mapping_column_in_the_identity_is_no_trouble(connection, settings):
    await make(connection, PLAIN)
    await connection.execute("CREATE TABLE counts (id int PRIMARY KEY)")
    assert (await examined(an_app(t="id"), settings)).all("old_values") == []


async def test_a_scope_s_column_outside_the_identity_is_warned_of_until_it_is_in(
    connection, database, settings
):
    await make(connection, PLAIN)
    app = an_app()
    app.entity("t", scopes=[{"id": "ids", "a": "things"}])
    warning = (await examined(app, settings)).one("old_values")
    assert (warning.severity, warning.found) == (
        "warning",
        "the WAL does not hold old values of t.a",
    )
    assert warning.why == "a row that leaves its scope, or is deleted, is not announced there"
    assert (await mended(app, settings, "old_values", database)).all("old_values") == []


async def test_a_scope_s_column_is_taken_into_the_identity_where_that_is_asked_for(
    connection, make_settings
):
    await make(connection, PLAIN)
    app = an_app()
    app.entity("t", scopes=[{"a": "things"}])
    async with Engine(app, make_settings(replica_identity="full")):
        cursor = await connection.execute(
            "SELECT relreplident FROM pg_class WHERE oid = 't'::regclass"
        )
        assert await cursor.fetchone() == ("f",)


async def test_what_a_start_will_set_is_no_trouble_for_who_may(
    connection, make_settings, settings, database
):
    await make(connection, BROKEN["no key"])
    full = make_settings(replica_identity="full")
    found = (await examined(an_app("t"), full)).one("old_values")
    assert (found.severity, found.found) == ("ok", "REPLICA IDENTITY FULL will be set on t")


async def test_what_a_start_may_not_set_blocks_until_the_owner_has(
    connection, make_settings, database, role
):
    await make(connection, BROKEN["no key"])
    full = make_settings(url=role_url(database, role), replica_identity="full")
    found = (await examined(an_app("t"), full)).one("old_values")
    assert (found.severity, "belongs to postgres" in found.found) == ("blocking", True)
    assert (await mended(an_app("t"), full, "old_values", database)).all("old_values") == []


async def test_without_an_application_nothing_is_to_be_published_yet(
    connection, settings: Settings
):
    await make(connection, BROKEN["no key"])
    assert (await examined(None, settings)).one("replica_identity").severity == "warning"
