from __future__ import annotations

import pytest

from eventscope import EventScope
from tests.replication.doctor.examining import an_app, examined, mended
from tests.replication.reading import role_url

TABLES = """
CREATE TABLE posts (id int PRIMARY KEY, title text);
CREATE TABLE comments (id int PRIMARY KEY, post_id int, body text);
CREATE TABLE counts (id int PRIMARY KEY, n int);
"""


@pytest.fixture(autouse=True)
async def _tables(connection) -> None:
    await connection.execute(TABLES)


async def test_tables_that_can_be_followed_are_named(settings):
    found = (await examined(an_app("posts", "comments"), settings)).one("table")
    assert (found.severity, found.found) == ("ok", "there are posts, comments")


@pytest.mark.parametrize(
    ("app", "found", "why", "mend"),
    [
        (an_app("coments"), "table coments", "the application follows it", "mean comments?"),
        (an_app(coments="post_id"), "table coments", "operator counts follows it", "comments?"),
        (an_app("zzz"), "table zzz", "the application follows it", "correct its name"),
    ],
)
async def test_a_missing_table_is_named_with_who_wants_it_and_what_was_meant(
    app, found, why, mend, settings
):
    missing = next(f for f in (await examined(app, settings)).all("table") if f.severity != "ok")
    assert (missing.severity, missing.found) == ("blocking", f"{found} does not exist")
    assert missing.why == why
    assert mend in missing.mend


async def test_a_missing_target_is_named_with_its_operator(connection, settings):
    await connection.execute("DROP TABLE counts")
    _, missing = (await examined(an_app(posts="id"), settings)).all("table")
    assert missing.found == "table counts does not exist"
    assert missing.why == "it is the target of operator counts"


async def test_a_missing_column_is_named_with_those_there_are(connection, settings):
    column = (await examined(an_app(comments="post"), settings)).one("column")
    assert (column.severity, column.found) == ("blocking", "table comments has no column post")
    assert "in ids of operator counts" in column.why
    assert column.mend == "it has id, post_id, body"
    await connection.execute("ALTER TABLE counts RENAME id TO key")
    column = (await examined(an_app(posts="id"), settings)).one("column")
    assert column.found == "table counts has no column id"


async def test_a_scope_s_missing_column_is_named_with_those_there_are(settings):
    app = an_app("posts")
    app.entity("comments", scopes=[{"post": "posts"}])
    column = (await examined(app, settings)).one("column")
    assert (column.severity, column.found) == ("blocking", "table comments has no column post")
    assert column.why == "it is named in scopes of entity comments"
    assert column.mend == "it has id, post_id, body"


async def test_a_name_with_its_schema_is_the_same_table(settings):
    app = EventScope("blog")
    app.query("counts", target="public.counts", sql="SELECT $1", ids={"public.posts": "id"})
    assert (await examined(app, settings)).troubles() == []


async def test_an_unlogged_table_blocks_until_it_is_logged(connection, database, settings):
    await connection.execute("ALTER TABLE posts SET UNLOGGED")
    app = an_app("posts")
    unlogged = (await examined(app, settings)).one("unlogged")
    assert (unlogged.severity, unlogged.found) == ("blocking", "table posts is unlogged")
    assert (await mended(app, settings, "unlogged", database)).troubles() == []


async def test_an_unlogged_partition_blocks_until_it_is_logged(connection, database, settings):
    await connection.execute(
        "CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE UNLOGGED TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10)"
    )
    app = an_app("log")
    assert "log_1" in (await examined(app, settings)).one("unlogged").found
    assert (await mended(app, settings, "unlogged", database)).troubles() == []


@pytest.mark.parametrize(
    ("made", "what"),
    [
        ("VIEW odd AS SELECT * FROM posts", "odd is a view"),
        ("MATERIALIZED VIEW odd AS SELECT * FROM posts", "odd is a materialized view"),
        ("SEQUENCE odd", "odd is a sequence"),
        (
            "FOREIGN DATA WRAPPER none; CREATE SERVER away FOREIGN DATA WRAPPER none;"
            "CREATE FOREIGN TABLE odd (id int) SERVER away",
            "odd is a foreign table",
        ),
    ],
)
async def test_what_is_no_table_blocks(made, what, connection, settings):
    await connection.execute(f"CREATE {made}")
    kind = (await examined(an_app("odd"), settings)).one("table_kind")
    assert (kind.severity, kind.found) == ("blocking", what)


async def test_a_partition_on_another_server_blocks(connection, settings):
    await connection.execute(
        "CREATE TABLE log (id int) PARTITION BY RANGE (id);"
        "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER away FOREIGN DATA WRAPPER none;"
        "CREATE FOREIGN TABLE far PARTITION OF log FOR VALUES FROM (0) TO (10) SERVER away"
    )
    kind = (await examined(an_app("log"), settings)).one("table_kind")
    assert kind.found == "far, a partition of log, is a foreign table"


async def test_a_temporary_table_blocks(connection, settings):
    cursor = await connection.execute("CREATE TEMPORARY TABLE passing (id int PRIMARY KEY);")
    cursor = await connection.execute(
        "SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()"
    )
    [[schema]] = await cursor.fetchall()
    kind = (await examined(an_app(f"{schema}.passing"), settings)).one("table_kind")
    assert kind.found.endswith("passing is temporary")


async def test_a_target_may_be_a_view_and_not_an_index(connection, settings):
    await connection.execute(
        "ALTER TABLE counts RENAME TO hidden; CREATE VIEW counts AS SELECT * FROM hidden"
    )
    assert (await examined(an_app(posts="id"), settings)).troubles() == []
    app = EventScope("blog")
    app.query("counts", target="posts_pkey", sql="SELECT $1", ids={"posts": "id"})
    kind = (await examined(app, settings)).one("table_kind")
    assert kind.found == "posts_pkey, the target of operator counts, is an index"


async def test_without_an_application_every_table_of_the_role_is_looked_at(
    connection, database, role, make_settings
):
    await connection.execute(
        f"CREATE UNLOGGED TABLE fleeting (id int); CREATE SCHEMA eventscope;"
        f"CREATE TABLE eventscope.offsets (id int);"
        f"CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        f"CREATE TABLE low PARTITION OF log FOR VALUES FROM (0) TO (10);"
        f'ALTER TABLE posts OWNER TO "{role}"; ALTER TABLE fleeting OWNER TO "{role}";'
        f'ALTER TABLE log OWNER TO "{role}"; ALTER TABLE low OWNER TO "{role}"'
    )
    found = await examined(None, make_settings(url=role_url(database, role)))
    assert found.one("table").found == "there are log, posts"
    assert found.troubles() == []


async def test_a_role_that_owns_no_table_is_told_so(database, role, make_settings):
    found = await examined(None, make_settings(url=role_url(database, role)))
    finding = found.one("table")
    assert finding.severity == "note"
    assert finding.found.startswith(f"role {role} owns no table of database test_")
    assert "connect as their owner" in finding.mend
