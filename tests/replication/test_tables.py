from __future__ import annotations

import pytest

from eventscope.replication.tables import look_up

TABLE = (
    "CREATE TABLE posts (id int PRIMARY KEY, slug text NOT NULL, title text);"
    "CREATE UNIQUE INDEX posts_slug_key ON posts (slug) INCLUDE (title)"
)


@pytest.mark.parametrize(
    ("identity", "columns"),
    [
        ("DEFAULT", {"id"}),
        ("FULL", {"id", "slug", "title"}),
        ("NOTHING", set()),
        ("USING INDEX posts_slug_key", {"slug"}),
    ],
)
async def test_identity_columns_are_those_whose_old_value_is_told(connection, identity, columns):
    await connection.execute(f"{TABLE}; ALTER TABLE posts REPLICA IDENTITY {identity}")
    table = (await look_up(connection, ["posts"]))["posts"]
    assert table.identity == columns


async def test_tables_are_found_by_the_names_they_were_asked_for(connection):
    await connection.execute(f"{TABLE}; CREATE SCHEMA blog; CREATE TABLE blog.posts (id int)")
    found = await look_up(connection, ["blog.posts", "public.posts", "nothing", "posts", "posts"])
    assert list(found) == ["blog.posts", "public.posts", "posts"]
    assert [table.name for table in found.values()] == ["blog.posts", "posts", "posts"]
    assert await look_up(connection, []) == {}


async def test_rows_of_a_table_are_in_its_partitions_and_heirs(connection):
    await connection.execute(
        "CREATE TABLE log (id int) PARTITION BY RANGE (id);"
        "CREATE TABLE low PARTITION OF log FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);"
        "CREATE TABLE lowest PARTITION OF low FOR VALUES FROM (0) TO (5);"
        "CREATE TABLE high PARTITION OF log FOR VALUES FROM (10) TO (20);"
        "CREATE TABLE posts (id int); CREATE TABLE heir () INHERITS (posts);"
        "CREATE TABLE late () INHERITS (heir)"
    )
    found = await look_up(connection, ["log", "posts", "lowest"])
    assert [part.name for part in found["log"].parts] == ["high", "lowest"]
    assert found["log"].family == {"log", "low", "lowest", "high"}
    assert {(part.name, part.heir) for part in found["posts"].parts} == {
        ("posts", False),
        ("heir", True),
        ("late", True),
    }
    assert {name for _, name in found["lowest"].above} == {"low", "log"}


async def test_a_table_without_a_partition_yet_is_what_holds_its_rows(connection):
    await connection.execute("CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    table = (await look_up(connection, ["log"]))["log"]
    assert [part.name for part in table.parts] == ["log"]
    assert table.identity == {"id"}
