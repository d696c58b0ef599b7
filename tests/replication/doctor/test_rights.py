from __future__ import annotations

import pytest

from eventscope import EventScope, Sql
from eventscope.settings import Settings
from tests.operators.shop import counting_comments, tables
from tests.replication.doctor.examining import Examined, examined, mend
from tests.replication.reading import role_url

ODD = 'Odd "name"; x'


@pytest.fixture
async def shop(connection) -> None:
    await connection.execute(tables())


@pytest.fixture
def settings(make_settings, database, role) -> Settings:
    """For a role that owns nothing."""
    return make_settings(url=role_url(database, role))


async def until_nothing_is_missing(app: EventScope, settings: Settings, url: str) -> Examined:
    """Mend what blocks in the role's group, as often as something new turns up."""
    for _ in range(5):
        found = await examined(app, settings)
        blocking = [f for f in found.examination.groups["role"] if f.severity == "blocking"]
        if not blocking:
            return found
        for finding in blocking:
            await mend(finding, url)
    raise AssertionError(blocking)


async def test_a_superuser_is_noted(shop, make_settings):
    found = await examined(counting_comments(), make_settings())
    assert found.one("superuser").severity == "note"
    assert found.one("operator_sql").severity == "ok"


async def test_what_an_operator_lacks_is_granted_by_the_statements_it_gets(
    shop, settings, database, role
):
    app = counting_comments()
    found = await examined(app, settings)
    assert found.one("superuser").severity == "ok"
    lacks = {finding.found for finding in found.examination.groups["role"]}
    assert f"role {role} lacks SELECT on comments" in lacks
    assert f"role {role} lacks SELECT on posts" in lacks
    assert f"role {role} lacks SELECT, INSERT, UPDATE, DELETE on post_with_comments_counts" in lacks
    found = await until_nothing_is_missing(app, settings, database)
    assert found.one("operator_sql").severity == "ok"
    assert found.all("target_rights") == found.all("select") == []


async def test_a_delete_that_the_sql_does_not_show_is_needed_too(
    shop, connection, settings, database, role
):
    await connection.execute(
        f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}";'
        f'GRANT INSERT, UPDATE ON post_with_comments_counts TO "{role}"'
    )
    lacking = (await examined(counting_comments(), settings)).one("target_rights")
    assert lacking.found == f"role {role} lacks DELETE on post_with_comments_counts"
    await mend(lacking, database)
    assert (await examined(counting_comments(), settings)).all("target_rights") == []
    assert (await examined(counting_comments(delete_with=[]), settings)).troubles() == [
        "publication",
        "ledger",
    ]


async def test_a_schema_that_may_not_be_used_blocks(connection, settings, database, role):
    quoted = ODD.replace('"', '""')
    await connection.execute(
        f'CREATE SCHEMA "{quoted}";'
        f'CREATE TABLE "{quoted}"."{quoted}" ("{quoted}" int PRIMARY KEY);'
        f'CREATE TABLE "{quoted}"."2 {quoted}" ("{quoted}" int PRIMARY KEY)'
    )
    app = EventScope("odd")
    app.query(
        "odd",
        target=f"{ODD}.2 {ODD}",
        id=ODD,
        ids={f"{ODD}.{ODD}": ODD},
        sql=f'INSERT INTO "{quoted}"."2 {quoted}" VALUES ($1) ON CONFLICT DO NOTHING',
    )
    found = await examined(app, settings)
    assert found.all("schema_usage")[0].found == f"role {role} may not use schema {ODD}"
    await until_nothing_is_missing(app, settings, database)


async def test_sql_that_cannot_be_run_blocks_with_what_the_server_says(
    shop, settings, make_settings
):
    app = EventScope("shop")
    app.query("post_with_comments_counts", sql="SELECT nothing WHERE $1", ids={"posts": "id"})
    wrong = (await examined(app, make_settings())).one("operator_sql")
    assert wrong.severity == "blocking"
    assert 'column "nothing" does not exist' in wrong.found


async def test_ids_by_expression_are_checked_by_the_server(shop, make_settings):
    for expression, severity in (("id + 1", "ok"), ("nothing + 1", "blocking")):
        app = EventScope("shop")
        app.query("post_with_comments_counts", sql="SELECT $1::int", ids={"posts": Sql(expression)})
        found = (await examined(app, make_settings())).one("operator_sql")
        assert found.severity == severity
    assert 'column "nothing" does not exist' in found.found


async def test_a_table_that_only_the_sql_names_is_named_by_the_server(
    shop, connection, settings, role
):
    await connection.execute(
        f"CREATE TABLE secrets (id int);"
        f'GRANT SELECT, INSERT, UPDATE ON posts, post_with_comments_counts TO "{role}"'
    )
    app = EventScope("shop")
    app.query(
        "post_with_comments_counts",
        sql="SELECT FROM secrets WHERE id = $1::int",
        ids={"posts": "id"},
    )
    denied = (await examined(app, settings)).one("operator_sql")
    assert "permission denied for table secrets" in denied.found
    assert role in denied.mend


async def test_the_sql_is_planned_and_not_run(shop, connection, make_settings):
    app = EventScope("shop")
    app.query(
        "post_with_comments_counts",
        sql="INSERT INTO posts SELECT 1, $1 WHERE nextval('comments_id_seq') > 0",
        ids={"posts": "id"},
    )
    assert (await examined(app, make_settings())).one("operator_sql").severity == "ok"
    cursor = await connection.execute("SELECT last_value, is_called FROM comments_id_seq")
    assert await cursor.fetchone() == (1, False)


async def test_row_security_that_hides_rows_from_an_operator_is_warned_of(
    shop, connection, settings, database, role
):
    await connection.execute(
        f"ALTER TABLE posts ENABLE ROW LEVEL SECURITY;"
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{role}"'
    )
    hidden = (await examined(counting_comments(), settings)).one("row_security")
    assert (hidden.severity, hidden.found) == (
        "warning",
        f"row security of posts applies to role {role}",
    )
    await mend(hidden, database)
    assert (await examined(counting_comments(), settings)).all("row_security") == []


async def test_a_table_that_nobody_reads_needs_no_right_to_be_read(shop, settings, database, role):
    app = EventScope("shop")
    app.entity("posts")
    unread = (await examined(app, settings)).one("select")
    assert (unread.severity, unread.found) == ("note", f"role {role} may not SELECT from posts")
    await mend(unread, database)
    assert (await examined(app, settings)).all("select") == []
