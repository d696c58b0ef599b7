"""Which tables a publication may take."""

from __future__ import annotations

import pytest

from eventscope.replication.connection import SourceError
from eventscope.replication.publishable import Tables, published


def names(tables) -> list[str]:
    return [table.entity for table in tables]


async def test_everything_that_a_role_owns_and_that_is_logged_can_be_published(connection):
    await connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY);"
        "CREATE SCHEMA blog; CREATE TABLE blog.posts (id int);"
        "CREATE UNLOGGED TABLE fleeting (id int); CREATE VIEW seen AS SELECT * FROM posts;"
        "CREATE TEMPORARY TABLE passing (id int);"
        "CREATE TABLE log (id int) PARTITION BY RANGE (id);"
        "CREATE TABLE low PARTITION OF log FOR VALUES FROM (0) TO (10);"
        "CREATE SCHEMA eventscope; CREATE TABLE eventscope.offsets (id int)"
    )
    chosen, left_out = (await Tables.of(connection)).every()
    assert names(chosen) == ["posts"]
    assert names(left_out) == ["blog.posts", "log"]


async def test_a_partitioned_table_is_identified_by_all_its_partitions(connection):
    await connection.execute(
        "CREATE TABLE log (id int) PARTITION BY RANGE (id);"
        "CREATE TABLE low PARTITION OF log FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);"
        "CREATE TABLE lowest PARTITION OF low (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (5)"
    )
    assert names((await Tables.of(connection)).every().tables) == ["log"]
    await connection.execute("CREATE TABLE high PARTITION OF log FOR VALUES FROM (10) TO (20)")
    tables = await Tables.of(connection)
    assert names(tables.every().left_out) == ["log"]
    with pytest.raises(SourceError, match=r'ALTER TABLE "public"."high" REPLICA IDENTITY FULL'):
        tables.named(["log"])
    assert names(tables.named(["low"])) == ["low"]


async def test_heirs_must_be_publishable_too(connection):
    await connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY);"
        "CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (posts);"
        "CREATE TABLE late (PRIMARY KEY (id)) INHERITS (heir, posts)"
    )
    assert names((await Tables.of(connection)).named(["posts"])) == ["posts", "heir", "late"]
    await connection.execute("CREATE UNLOGGED TABLE fleeting () INHERITS (late)")
    with pytest.raises(SourceError, match="fleeting is an unlogged table"):
        (await Tables.of(connection)).named(["posts"])


async def test_a_name_may_have_its_schema(connection):
    await connection.execute('CREATE TABLE posts (id int PRIMARY KEY); CREATE TABLE "a.b" (id int)')
    tables = await Tables.of(connection)
    for given, found in (("public.posts", "posts"), ("public.a.b", "public.a.b")):
        assert tables.find(given).entity == found


@pytest.mark.parametrize(("given", "meant"), [
    ("post", "posts"), ("offset", "audit.offsets"), ("audti.offsets", "audit.offsets"),
])  # fmt: skip
async def test_a_name_that_nearly_exists_is_recognised(connection, given, meant):
    await connection.execute(
        "CREATE TABLE posts (id int); CREATE SCHEMA audit; CREATE TABLE audit.offsets (id int)"
    )
    with pytest.raises(SourceError) as raised:
        (await Tables.of(connection)).find(given)
    assert str(raised.value) == f"table {given} does not exist; did you mean {meant}?"


@pytest.mark.parametrize(("what", "there"), [
    ("FOR TABLE posts", ["posts"]),
    ("FOR ALL TABLES", ["blog.posts", "posts"]),
    ("FOR TABLES IN SCHEMA blog", ["blog.posts"]),
    ("", []),
])  # fmt: skip
async def test_a_publication_has_tables_by_name_and_by_schema(connection, what, there):
    await connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY); CREATE SCHEMA blog;"
        "CREATE TABLE blog.posts (id int); CREATE UNLOGGED TABLE fleeting (id int);"
        f"CREATE PUBLICATION mine {what}"
    )
    assert await published(connection, "mine") == there
