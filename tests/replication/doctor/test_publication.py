from __future__ import annotations

import pytest

from eventscope import EventScope
from tests.replication.doctor.examining import an_app, examined, mend, mended
from tests.replication.reading import role_url

ODD = 'Odd "name"; x'


@pytest.fixture(autouse=True)
async def _tables(connection) -> None:
    await connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY, title text);"
        "CREATE TABLE comments (id int PRIMARY KEY, post_id int, body text);"
        "CREATE TABLE counts (id int PRIMARY KEY, n int);"
        "ALTER TABLE comments REPLICA IDENTITY FULL"
    )


async def test_a_publication_that_will_be_made_is_no_trouble(settings):
    found = (await examined(an_app("posts"), settings)).one("publication")
    assert (found.severity, "will be made" in found.found) == ("ok", True)


async def test_a_publication_that_the_role_may_not_make_blocks_until_somebody_has(
    database, role, make_settings
):
    settings = make_settings(url=role_url(database, role))
    finding = (await examined(an_app("posts", "comments"), settings)).one("publication")
    assert finding.severity == "blocking"
    assert "lacks CREATE on database" in finding.found
    assert "posts, comments belong to postgres" in finding.found
    await mend(finding, database)
    found = await examined(an_app("posts", "comments"), settings)
    assert found.one("publication").found == "publication events belongs to postgres"
    assert found.troubles() == []


async def test_a_role_that_owns_its_tables_may_make_it(connection, database, role, make_settings):
    await connection.execute(
        f'ALTER TABLE posts OWNER TO "{role}"; ALTER TABLE comments OWNER TO "{role}";'
        f'GRANT CREATE ON DATABASE "{connection.info.dbname}" TO "{role}"'
    )
    settings = make_settings(url=role_url(database, role))
    assert (await examined(an_app("posts", "comments"), settings)).troubles() == []


async def test_tables_that_a_start_adds_are_no_trouble(connection, settings):
    await connection.execute("CREATE PUBLICATION events FOR TABLE posts")
    found = (await examined(an_app("posts", "comments"), settings)).one("publication_tables")
    assert (found.severity, found.found) == (
        "ok",
        "publication events lacks comments; added at the start",
    )


async def test_tables_that_the_role_may_not_add_block_until_somebody_has(
    connection, database, role, make_settings
):
    await connection.execute("CREATE PUBLICATION events FOR TABLE posts")
    app, settings = an_app("posts", "comments"), make_settings(url=role_url(database, role))
    finding = (await examined(app, settings)).one("publication_tables")
    assert (finding.severity, finding.found) == ("blocking", "publication events lacks comments")
    assert "it belongs to postgres" in finding.why
    after = await mended(app, settings, "publication_tables", database)
    assert after.troubles() == []


async def test_other_tables_are_noted_until_they_are_out(connection, database, settings):
    await connection.execute("CREATE PUBLICATION events FOR TABLE posts, comments, counts")
    note = (await examined(an_app("posts"), settings)).one("publication_extra")
    assert (note.severity, note.found) == (
        "note",
        "publication events has comments, counts, which nothing here follows",
    )
    after = await mended(an_app("posts"), settings, "publication_extra", database)
    assert after.all("publication_extra") == []


async def test_partitions_and_heirs_of_what_is_followed_are_no_other_tables(connection, settings):
    await connection.execute(
        "CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (posts);"
        "CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);"
        "CREATE PUBLICATION events FOR TABLE posts, log, log_1"
    )
    assert (await examined(an_app("posts", "log"), settings)).all("publication_extra") == []


@pytest.mark.parametrize("made_for", ["ALL TABLES", "TABLES IN SCHEMA public"])
async def test_a_publication_of_everything_is_noted_and_lacks_nothing(
    made_for, connection, settings
):
    await connection.execute(f"CREATE PUBLICATION events FOR {made_for}")
    found = await examined(an_app("posts"), settings)
    assert found.one("publication_whole").severity == "note"
    assert (
        made_for.lower().replace("tables in", "all tables of")
        in found.one("publication_whole").found
    )
    assert found.all("publication_tables") == []
    assert found.troubles() == []


@pytest.mark.parametrize(
    ("publish", "severity", "missing"),
    [
        ("insert, update", "blocking", "delete, truncate"),
        ("insert, update, delete", "warning", "truncate"),
        ("update, delete, truncate", "blocking", "insert"),
    ],
)
async def test_changes_that_a_query_needs_and_does_not_get_are_found_until_they_come(
    publish, severity, missing, connection, database, settings
):
    await connection.execute(
        f"CREATE PUBLICATION events FOR TABLE posts, comments WITH (publish = '{publish}')"
    )
    app = an_app(posts="id", comments="post_id")
    finding = (await examined(app, settings)).one("publication_actions")
    assert (finding.severity, finding.found) == (
        severity,
        f"publication events leaves out {missing}",
    )
    assert finding.why == "operator counts follows that"
    assert (await mended(app, settings, "publication_actions", database)).troubles() == []


async def test_changes_that_only_a_handler_misses_are_warned_of(connection, settings):
    await connection.execute("CREATE PUBLICATION events FOR TABLE posts WITH (publish = 'insert')")
    app = an_app("posts")
    assert (await examined(app, settings)).one("publication_actions").severity == "note"

    @app.operator(entities="posts", events=["insert"])
    async def welcome(event) -> None: ...

    assert (await examined(app, settings)).one("publication_actions").severity == "note"

    @app.operator(entities="posts", events=["delete"])
    async def farewell(event) -> None: ...

    finding = (await examined(app, settings)).one("publication_actions")
    assert (finding.severity, finding.why) == ("warning", "operator farewell follows that")


async def test_rows_that_are_chosen_are_noted(connection, settings):
    await connection.execute("CREATE PUBLICATION events FOR TABLE posts WHERE (id > 7)")
    note = (await examined(an_app("posts"), settings)).one("publication_rows")
    assert (note.severity, "only where (id > 7)" in note.found) == ("note", True)


@pytest.mark.parametrize(
    ("columns", "ids", "severity"),
    [
        ("id, body, post_id", {"comments": "post_id"}, None),
        ("id, post_id", {"comments": "post_id"}, "note"),
        ("id, body", {"comments": "post_id"}, "blocking"),
        ("body", {"posts": "id"}, "warning"),
    ],
)
async def test_columns_that_are_left_out_are_found_until_they_come(
    columns, ids, severity, connection, database, settings
):
    await connection.execute(
        f"CREATE PUBLICATION events FOR TABLE posts, comments ({columns}) WHERE (id > 7)"
    )
    app = an_app("comments", **ids)
    found = (await examined(app, settings)).all("publication_columns")
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    after = await mended(app, settings, "publication_columns", database)
    assert after.all("publication_columns") == []
    assert "id > 7" in after.one("publication_rows").found


async def test_a_scope_s_column_that_is_left_out_is_warned_of_until_it_comes(
    connection, database, settings
):
    await connection.execute("CREATE PUBLICATION events FOR TABLE comments (id, body)")
    app = an_app()
    app.entity("comments", scopes=[{"post_id": "posts"}])
    finding = (await examined(app, settings)).one("publication_columns")
    assert (finding.severity, finding.why) == ("warning", "no scope by post_id hears of anything")
    after = await mended(app, settings, "publication_columns", database)
    assert after.all("publication_columns") == []


async def test_a_stored_column_is_told_if_it_is_published(is_18, connection, database, settings):
    await connection.execute(
        "ALTER TABLE posts ADD short text GENERATED ALWAYS AS (left(title, 3)) STORED;"
        "CREATE PUBLICATION events FOR TABLE posts"
    )
    app = EventScope("blog")
    app.query("counts", sql="SELECT $1", ids={"posts": "short"})
    found = (await examined(app, settings)).one("publication_columns")
    assert (found.severity, "posts.short" in found.found) == ("blocking", True)
    assert (await examined(an_app("posts"), settings)).one("publication_columns").severity == "note"
    if is_18:
        after = await mended(app, settings, "publication_columns", database)
        assert after.all("publication_columns") == []
    else:
        assert (found.sql, "PostgreSQL 18" in found.mend) == ("", True)


async def test_a_virtual_column_is_never_told(is_18, connection, settings):
    if not is_18:
        pytest.skip("virtual columns came with PostgreSQL 18")
    await connection.execute(
        "ALTER TABLE posts ADD short text GENERATED ALWAYS AS (left(title, 3)) VIRTUAL;"
        "CREATE PUBLICATION events FOR TABLE posts WITH (publish_generated_columns = stored)"
    )
    app = EventScope("blog")
    app.query("counts", sql="SELECT $1", ids={"posts": "short"})
    found = (await examined(app, settings)).one("publication_columns")
    assert (found.severity, found.sql) == ("blocking", "")
    assert "virtual columns are never told: posts.short" in found.found


LOG = (
    "CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id);"
    "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10)"
)


async def test_partitions_that_come_by_their_own_names_are_noted_until_they_do_not(
    connection, database, settings
):
    await connection.execute(f"{LOG}; CREATE PUBLICATION events FOR TABLE log")
    app = an_app("log")
    note = (await examined(app, settings)).one("publish_via_partition_root")
    assert note.severity == "note"
    after = await mended(app, settings, "publish_via_partition_root", database)
    assert after.all("publish_via_partition_root") == []


async def test_a_partition_that_comes_by_another_name_blocks_until_it_does_not(
    connection, database, settings
):
    await connection.execute(
        f"{LOG}; CREATE PUBLICATION events FOR TABLE log WITH (publish_via_partition_root = true)"
    )
    app = an_app("log_1")
    finding = (await examined(app, settings)).one("publish_via_partition_root")
    assert (finding.severity, finding.why) == ("blocking", "who follows log_1 gets nothing")
    after = await mended(app, settings, "publish_via_partition_root", database)
    assert after.troubles() == []


async def test_heirs_that_came_later_are_warned_of_until_they_are_in(
    connection, database, settings
):
    await connection.execute(
        "CREATE PUBLICATION events FOR TABLE posts;"
        "CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (posts)"
    )
    app = an_app("posts")
    warning = (await examined(app, settings)).one("publication_heirs")
    assert (warning.severity, "lacks heir" in warning.found) == ("warning", True)
    assert (await mended(app, settings, "publication_heirs", database)).troubles() == []


async def test_names_that_need_quoting_are_quoted_in_every_statement(
    connection, database, make_settings
):
    quoted = ODD.replace('"', '""')
    await connection.execute(
        f'CREATE SCHEMA "{quoted}"; CREATE TABLE "{quoted}"."{quoted}" ("{quoted}" int, a int);'
        f'CREATE TABLE "{quoted}".other (id int PRIMARY KEY);'
        f'CREATE PUBLICATION "{quoted}" FOR TABLE "{quoted}"."{quoted}" ("{quoted}"),'
        f" \"{quoted}\".other WITH (publish = 'insert')"
    )
    app, settings = an_app(f"{ODD}.{ODD}"), make_settings(publication=ODD)
    for check in (
        "publication_actions",
        "publication_columns",
        "publication_extra",
        "replica_identity",
    ):
        assert (await examined(app, settings)).all(check)
        assert (await mended(app, settings, check, database)).all(check) == []


async def test_without_an_application_a_publication_is_looked_at_as_it_is(connection, settings):
    assert (await examined(None, settings)).one("publication").severity == "note"
    await connection.execute("CREATE PUBLICATION events FOR TABLE posts WITH (publish = 'insert')")
    found = await examined(None, settings)
    assert found.one("publication_actions").severity == "note"
    assert found.all("publication_tables") == []
