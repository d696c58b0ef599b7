"""A derived table equals its query, whatever happens to the rows it is made from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from eventscope import EventScope
from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine import Engine
from tests.conftest import Connection, MakeSettings
from tests.operators.oracle import differing
from tests.operators.shop import README_SQL, TRUTH, counting_comments, tables
from tests.servers import fresh_database
from tests.waiting import operator

TABLE = "post_with_comments_counts"

ROWS = """
INSERT INTO posts VALUES ({a}, 'A'), ({b}, 'B'), ({c}, 'C');
INSERT INTO comments (id, post_id) VALUES (1, {a}), (2, {a}), (3, {b}), (4, NULL);
"""

IDS = {
    "bigint": ("1", "9223372036854775807", "-3", "44"),
    "uuid": (
        "'00000000-0000-0000-0000-000000000001'",
        "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'",
    ),
    "text": ("'it''s; $1 \"%s\" \\'", "''", "'Ünï 💥\n\t'", "'NULL'"),
    "numeric": ("1.50", "12345678901234567890.123456789", "'NaN'", "0"),
    "timestamptz": ("'infinity'", "'0044-03-15 12:00+00 BC'", "'2026-07-01 12:00:00.1+02'",
                    "now()"),
    "char(5)": ("'a'", "'b'", "'ccccc'", "'dd'"),
    "bytea": (r"'\x00ff'", r"'\x'", r"'\x5c'", r"'\x27'"),
}  # fmt: skip

CHANGES = {
    "a comment moves": "UPDATE comments SET post_id = {b} WHERE id = 1",
    "all comments move": "UPDATE comments SET post_id = {c}",
    "a comment moves to no post": "UPDATE comments SET post_id = NULL WHERE id = 1",
    "a comment comes from no post": "UPDATE comments SET post_id = {c} WHERE id = 4",
    "a comment stays without a post": "UPDATE comments SET body = 'x' WHERE id = 4",
    "a comment without a post is deleted": "DELETE FROM comments WHERE id = 4",
    "a comment gets another key": "UPDATE comments SET id = 99 WHERE id = 1",
    "a comment is deleted": "DELETE FROM comments WHERE id = 3",
    "a title changes": "UPDATE posts SET title = NULL",
    "a post gets another id": "UPDATE posts SET id = {d} WHERE id = {a}",
    "two posts swap their ids": "SET CONSTRAINTS ALL DEFERRED;"
    "UPDATE posts SET id = {d} WHERE id = {a}; UPDATE posts SET id = {a} WHERE id = {b};"
    "UPDATE posts SET id = {b} WHERE id = {d}",
    "a post is deleted with its comments": "DELETE FROM posts WHERE id = {a}",
    "a post is deleted and comes back": "DELETE FROM posts WHERE id = {a};"
    "INSERT INTO posts VALUES ({a}, 'again')",
    "a post comes and goes": "INSERT INTO posts VALUES ({d}, 'D');DELETE FROM posts WHERE id = {d}",
    "every post goes": "DELETE FROM posts",
    "comments are truncated": "TRUNCATE comments",
    "posts are truncated": "TRUNCATE posts CASCADE",
    "all is truncated and filled anew": "TRUNCATE posts, comments;"
    "INSERT INTO posts VALUES ({d}, 'D'), ({a}, 'new');"
    "INSERT INTO comments (id, post_id) VALUES (1, {d}), (2, {d})",
    "comments are truncated after new ones": "INSERT INTO comments VALUES (50, {c});"
    "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE comments; INSERT INTO comments VALUES (51, {b})",
}


def of(id_type: str, sql: str) -> str:
    return sql.format(**dict(zip("abcd", IDS[id_type], strict=True)))


@asynccontextmanager
async def kept(engine: Engine, connection: Connection, id_type: str) -> AsyncIterator[None]:
    """Fill the tables, let a test change them, and compare afterwards."""
    await connection.execute(of(id_type, ROWS))
    await engine.settle(60)
    assert await differing(connection, TABLE, TRUTH) == []
    yield
    await engine.settle(60)
    assert await differing(connection, TABLE, TRUTH) == []
    state = operator(engine, TABLE)
    assert (state.state, state.failed, state.depth) == ("idle", 0, 0)


@pytest.mark.parametrize("identity", ["full", "default"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_the_table_equals_its_query_when(
    change: str, identity: str, connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables(identity=identity))
    async with (
        Engine(counting_comments(), make_settings()) as engine,
        kept(engine, connection, "bigint"),
        connection.transaction(),
    ):
        await connection.execute(of("bigint", change))


@pytest.mark.parametrize("identity", ["full", "default"])
@pytest.mark.parametrize("id_type", IDS)
async def test_an_id_may_be_of_any_type(
    id_type: str, identity: str, connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables(id_type, identity=identity))
    async with Engine(counting_comments(), make_settings()) as engine:
        for change in (
            "a comment moves", "a post gets another id", "comments are truncated",
            "a post is deleted with its comments", "all is truncated and filled anew",
        ):  # fmt: skip
            await connection.execute("TRUNCATE posts CASCADE")
            async with kept(engine, connection, id_type), connection.transaction():
                await connection.execute(of(id_type, CHANGES[change]))


async def test_a_moved_comment_brings_both_posts_up_to_date_at_once(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    async with Engine(counting_comments(), make_settings()) as engine:
        await connection.execute(of("bigint", ROWS))
        await engine.settle(60)
        before = operator(engine, TABLE).applied
        await connection.execute("UPDATE comments SET post_id = -3 WHERE id = 3")
        await engine.settle(60)
        rows = await connection.execute(f"SELECT title, comments_count FROM {TABLE} ORDER BY 1")
        assert await rows.fetchall() == [("A", 2), ("B", 0), ("C", 1)]
        assert operator(engine, TABLE).applied == before + 1


async def test_without_delete_with_no_row_of_the_target_is_deleted(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    async with Engine(counting_comments(delete_with=()), make_settings()) as engine:
        for change in (
            of("bigint", ROWS),
            "DELETE FROM posts WHERE id = 1",
            "TRUNCATE posts CASCADE",
        ):
            await connection.execute(change)
            await engine.settle(60)
        rows = await connection.execute(f"SELECT title FROM {TABLE} ORDER BY 1")
        assert await rows.fetchall() == [("A",), ("B",), ("C",)]


async def test_a_row_stays_while_another_row_of_the_entity_maps_to_it(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute("""
        CREATE TABLE sales (id int PRIMARY KEY, shop text, amount int);
        ALTER TABLE sales REPLICA IDENTITY FULL;
        CREATE TABLE shops (id text PRIMARY KEY, total bigint)
    """)
    app = EventScope("shops")
    app.query(
        "shops",
        sql="INSERT INTO shops SELECT shop, sum(amount) FROM sales WHERE shop = $1 GROUP BY shop"
        " ON CONFLICT (id) DO UPDATE SET total = excluded.total",
        ids={"sales": "shop"},
        delete_with=["sales"],
    )
    async with Engine(app, make_settings()) as engine:
        for change in (
            "INSERT INTO sales VALUES (1, 'x', 10), (2, 'x', 20), (3, 'y', 5), (4, NULL, 7)",
            "DELETE FROM sales WHERE id = 1",
            "UPDATE sales SET shop = 'z' WHERE id = 2",
            "UPDATE sales SET shop = NULL WHERE id = 3",
            "DELETE FROM sales",
        ):
            await connection.execute(change)
            await engine.settle(60)
            truth = "SELECT shop, sum(amount) FROM sales WHERE shop IS NOT NULL GROUP BY shop"
            assert await differing(connection, "shops", truth) == [], change


async def test_rows_without_a_target_are_counted(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    async with Engine(counting_comments(), make_settings()) as engine:
        await connection.execute("INSERT INTO comments (post_id) VALUES (NULL), (NULL)")
        await connection.execute("DELETE FROM comments WHERE id = 1")
        await engine.settle(60)
        [counts] = engine.snapshot().operators
        assert (counts.applied, counts.skipped, counts.dead) == (3, 3, 0)


async def test_an_upsert_that_rightly_does_nothing_deletes_nothing(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    app = EventScope("shop")
    app.query(
        TABLE,
        sql=f"INSERT INTO {TABLE} SELECT id, title, 0 FROM posts WHERE id = $1"
        " ON CONFLICT (id) DO NOTHING",
        ids={"posts": "id"},
        delete_with=["posts"],
    )
    async with Engine(app, make_settings()) as engine:
        await connection.execute("INSERT INTO posts VALUES (1, 'first')")
        await engine.settle(60)
        await connection.execute("UPDATE posts SET title = 'second'")
        await engine.settle(60)
        async with connection.transaction():
            await connection.execute("DELETE FROM posts")
            await connection.execute("INSERT INTO posts VALUES (1, 'third')")
        await engine.settle(60)
        rows = await connection.execute(f"SELECT id, title FROM {TABLE}")
        assert await rows.fetchall() == [(1, "first")]


async def test_tables_of_one_name_in_two_schemas_do_not_mix(
    connection: Connection, make_settings: MakeSettings
) -> None:
    for schema in ("public", "other"):
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        await connection.execute(f"SET search_path = {schema}")
        await connection.execute(tables())
    await connection.execute("RESET search_path")
    app = counting_comments()
    qualified = README_SQL
    for table in ("comments", "posts", TABLE):
        for keyword in ("JOIN", "FROM", "INTO"):
            qualified = qualified.replace(f"{keyword} {table}", f"{keyword} other.{table}")
    app.query(
        "others",
        target=f"other.{TABLE}",
        sql=qualified,
        ids={"other.comments": "post_id", "other.posts": "id"},
        delete_with=["other.posts"],
    )
    async with Engine(app, make_settings()) as engine:
        await connection.execute("INSERT INTO posts VALUES (1, 'here'), (2, 'here')")
        await connection.execute("INSERT INTO other.posts VALUES (2, 'there'), (3, 'there')")
        await connection.execute("INSERT INTO other.comments (post_id) VALUES (2), (2), (3)")
        await connection.execute("INSERT INTO comments (post_id) VALUES (1)")
        await connection.execute("INSERT INTO other.posts VALUES (1, 'there')")
        await engine.settle(60)
        await connection.execute("DELETE FROM posts WHERE id = 2")
        await connection.execute("DELETE FROM other.posts WHERE id = 1")
        await engine.settle(60)
        rows = await connection.execute(f"TABLE {TABLE}")
        assert await rows.fetchall() == [(1, "here", 1)]
        rows = await connection.execute(f"SELECT * FROM other.{TABLE} ORDER BY id")
        assert await rows.fetchall() == [(2, "there", 2), (3, "there", 1)]
        assert [o.applied for o in engine.snapshot().operators] == [4, 7]


async def test_names_may_need_quotes(connection: Connection, make_settings: MakeSettings) -> None:
    await connection.execute("""
        CREATE SCHEMA "My Schema";
        CREATE TABLE "My Schema"."Or""ders; --" (
          "Order" int PRIMARY KEY, "to Customer's" text);
        CREATE TABLE "Per ""Customer"" s" ("the ID" text PRIMARY KEY, "n" bigint)
    """)
    app = EventScope("quotes 'and' \"more\"")
    app.query(
        'an "odd" name',
        target='Per "Customer" s',
        id="the ID",
        sql='INSERT INTO "Per ""Customer"" s" SELECT "to Customer\'s", count(*)'
        ' FROM "My Schema"."Or""ders; --" WHERE "to Customer\'s" = $1 GROUP BY 1'
        ' ON CONFLICT ("the ID") DO UPDATE SET n = excluded.n',
        ids={'My Schema.Or"ders; --': "to Customer's"},
        delete_with=['My Schema.Or"ders; --'],
    )
    async with Engine(app, make_settings(publication='my "pub"; --')) as engine:
        table = '"My Schema"."Or""ders; --"'
        await connection.execute(
            f"INSERT INTO {table} VALUES (1, 'a'), (2, 'a'), (3, 'b'), (4, 'c')"
        )
        await connection.execute(f'DELETE FROM {table} WHERE "Order" IN (1, 3)')
        await connection.execute(f'UPDATE {table} SET "to Customer\'s" = \'d\' WHERE "Order" = 4')
        await engine.settle(60)
        truth = f'SELECT "to Customer\'s", count(*) FROM {table} GROUP BY 1'
        assert await differing(connection, '"Per ""Customer"" s"', truth) == []
        assert engine.snapshot().operators[0].failed == 0


async def identity_of(connection: Connection, table: str) -> Any:
    cursor = await connection.execute(
        "SELECT relreplident::text FROM pg_class WHERE oid = %s::regclass", [table]
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def test_replica_identity_full_is_set_where_old_values_are_needed_and_asked_for(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables(identity="default"))
    async with Engine(counting_comments(), make_settings()):
        assert await identity_of(connection, "comments") == "d"
    async with Engine(counting_comments(), make_settings(replica_identity="full")) as engine:
        assert await identity_of(connection, "comments") == "f"
        assert await identity_of(connection, "posts") == "d", "its key tells all that is needed"
        async with kept(engine, connection, "bigint"), connection.transaction():
            await connection.execute(of("bigint", CHANGES["a comment moves"]))


async def test_a_large_id_that_an_update_leaves_alone_is_known(
    connection: Connection, make_settings: MakeSettings
) -> None:
    """An id stored out of line, of which the WAL says only that it is the same."""
    await connection.execute("""
        CREATE TABLE pages (id int PRIMARY KEY, url text, hits int);
        ALTER TABLE pages ALTER url SET STORAGE EXTERNAL;
        CREATE TABLE urls (id text, hits bigint)
    """)
    app = EventScope("pages")
    app.query(
        "urls",
        sql="""
        MERGE INTO urls USING (SELECT url, sum(hits) hits FROM pages WHERE url = $1 GROUP BY 1) s
        ON s.url = urls.id
        WHEN MATCHED THEN UPDATE SET hits = s.hits
        WHEN NOT MATCHED THEN INSERT VALUES (s.url, s.hits)
        """,
        ids={"pages": "url"},
        delete_with=["pages"],
    )
    async with Engine(app, make_settings()) as engine:
        for identity in ("FULL", "DEFAULT"):
            await connection.execute(
                f"TRUNCATE pages; ALTER TABLE pages REPLICA IDENTITY {identity}"
            )
            await connection.execute(
                "INSERT INTO pages"
                " SELECT n, repeat(md5(n::text), 400), 1 FROM generate_series(1, 3) n"
            )
            await connection.execute("UPDATE pages SET hits = 7 WHERE id = 1")
            await connection.execute("DELETE FROM pages WHERE id = 2")
            await engine.settle(60)
            truth = "SELECT url, sum(hits) FROM pages GROUP BY url"
            assert await differing(connection, "urls", truth) == [], identity


@pytest.mark.parametrize("replica_identity", ["keep", "full"])
@pytest.mark.parametrize("root", ["FULL", "DEFAULT"])
async def test_a_source_may_be_partitioned(
    connection: Connection, make_settings: MakeSettings, root: str, replica_identity: str
) -> None:
    """What the WAL tells of an old row depends on the partition's identity, not the root's."""
    await connection.execute(f"""
        CREATE TABLE posts (id bigint PRIMARY KEY, title text);
        CREATE TABLE comments (id int, post_id bigint, region text, PRIMARY KEY (id, region))
          PARTITION BY LIST (region);
        CREATE TABLE comments_a PARTITION OF comments FOR VALUES IN ('a');
        CREATE TABLE comments_b PARTITION OF comments FOR VALUES IN ('b');
        ALTER TABLE comments REPLICA IDENTITY {root};
        CREATE TABLE {TABLE} (id bigint PRIMARY KEY, title text, comments_count bigint);
    """)
    settings = make_settings(replica_identity=replica_identity)
    async with Engine(counting_comments(), settings) as engine:
        for change in (
            "INSERT INTO posts VALUES (1, 'A'), (2, 'B'), (3, 'C')",
            "INSERT INTO comments VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'a'), (4, NULL, 'b')",
            "UPDATE comments SET post_id = 2 WHERE id = 1",
            "UPDATE comments SET region = 'b', post_id = 3 WHERE id = 3",
            "DELETE FROM comments WHERE id = 2",
            "UPDATE comments SET post_id = 1",
            "TRUNCATE comments",
        ):
            await connection.execute(change)
            await engine.settle(60)
            assert await differing(connection, TABLE, TRUTH) == [], change


async def test_what_is_rolled_back_leaves_no_trace(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(tables())
    async with (
        Engine(counting_comments(), make_settings()) as engine,
        kept(engine, connection, "bigint"),
        connection.transaction(),
    ):
        async with connection.transaction(force_rollback=True):
            await connection.execute("DELETE FROM posts")
        await connection.execute("UPDATE comments SET post_id = -3 WHERE id = 1")
        async with connection.transaction(force_rollback=True):
            await connection.execute("UPDATE comments SET post_id = 1")


async def test_postgresql_15_will_do(
    postgres_15: EmbeddedServer, make_settings: MakeSettings
) -> None:
    with fresh_database(postgres_15) as url:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(tables("uuid", identity="default"))
            async with Engine(counting_comments(), make_settings(url=url)) as engine:
                for change in CHANGES.values():
                    await connection.execute("TRUNCATE posts CASCADE")
                    async with kept(engine, connection, "uuid"), connection.transaction():
                        await connection.execute(of("uuid", change))
