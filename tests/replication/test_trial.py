"""The statement that shows a first event writes one row, and changes nothing of it."""

from __future__ import annotations

import pytest

from eventscope import EventScope
from eventscope.replication.connection import Unreachable
from eventscope.replication.trial import touching_one_row

_TABLES = {
    "posts": (
        "CREATE TABLE posts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text);"
        "INSERT INTO posts (title) SELECT 'post ' || n FROM generate_series(1, 9) n"
    ),
    'blog.Odd "table"': (
        'CREATE SCHEMA blog; CREATE TABLE blog."Odd ""table""" (a int PRIMARY KEY,'
        ' twice int GENERATED ALWAYS AS (a * 2) STORED, "A column" int);'
        'INSERT INTO blog."Odd ""table""" VALUES (1), (2)'
    ),
    "parts": (
        "CREATE TABLE parts (id int, note text) PARTITION BY RANGE (id);"
        "CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE high PARTITION OF parts FOR VALUES FROM (10) TO (20);"
        "INSERT INTO parts SELECT n, 'part ' || n FROM generate_series(0, 19) n"
    ),
    "keys": "CREATE TABLE keys (id int PRIMARY KEY); INSERT INTO keys VALUES (1), (2)",
}


def following(*entities: str) -> EventScope:
    app = EventScope("trial")
    for entity in entities:
        app.entity(entity)
    return app


@pytest.mark.parametrize("entity", _TABLES)
async def test_one_row_is_written_as_it_is(entity, connection, settings):
    await connection.execute(_TABLES[entity])
    found = await touching_one_row(following(entity), settings)
    assert found is not None
    statement, table = found
    assert table == entity
    assert (await connection.execute(statement)).rowcount == 1


async def test_the_largest_of_the_followed_tables_is_taken_and_no_other(connection, settings):
    await connection.execute(
        "CREATE TABLE few (id int); INSERT INTO few VALUES (1);"
        "CREATE TABLE many (id int); INSERT INTO many SELECT generate_series(1, 5000);"
        "CREATE TABLE foreign_to_us (id int); INSERT INTO foreign_to_us SELECT * FROM many;"
        "INSERT INTO foreign_to_us SELECT * FROM many"
    )
    found = await touching_one_row(following("few", "many", "missing"), settings)
    assert found is not None
    assert found[1] == "many"


async def test_there_is_none_where_no_table_has_a_row_that_may_be_written(connection, settings):
    await connection.execute(
        "CREATE TABLE empty (id int); CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES;"
        "CREATE TABLE fixed (id int GENERATED ALWAYS AS IDENTITY);"
        "INSERT INTO fixed DEFAULT VALUES; CREATE VIEW seen AS SELECT 1 AS id"
    )
    assert await touching_one_row(following("empty", "bare", "fixed", "seen"), settings) is None
    assert await touching_one_row(EventScope("trial"), settings) is None


async def test_a_server_out_of_reach_is_named(make_settings):
    away = make_settings(url="postgresql://localhost:1/blog")
    with pytest.raises(Unreachable):
        await touching_one_row(following("posts"), away)
