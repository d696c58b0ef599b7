"""However changes are batched, every derived table equals its query: ids of all shapes."""

from __future__ import annotations

import asyncio
from typing import LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventscope import EventScope, Sql
from eventscope.engine import Engine
from eventscope.engine.commands import Pause, Resume
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.oracle import differing

TABLES = """
CREATE TABLE posts (org int, id text, title text, PRIMARY KEY (org, id));
CREATE TABLE comments (id int PRIMARY KEY, org int, post text);
CREATE TABLE visits (id int PRIMARY KEY, org int, email text, url text);
ALTER TABLE posts REPLICA IDENTITY {0};
ALTER TABLE comments REPLICA IDENTITY {0};
ALTER TABLE visits REPLICA IDENTITY {0};
CREATE TABLE post_counts (org int, post text, title text, n bigint, PRIMARY KEY (org, post));
CREATE TABLE posts_without_comments (org int, post text, PRIMARY KEY (org, post));
CREATE TABLE emails (id text PRIMARY KEY, n bigint);
CREATE TABLE emails_by_org (org int, email text, n bigint, PRIMARY KEY (org, email));
CREATE TABLE visits_in_all (id int PRIMARY KEY, n bigint);
"""

POST_COUNTS: LiteralString = """
SELECT p.org, p.id, p.title,
  (SELECT count(*) FROM comments c WHERE (c.org, c.post) = (p.org, p.id)) AS n FROM posts p
"""
WITHOUT_COMMENTS: LiteralString = """
SELECT p.org, p.id FROM posts p
WHERE NOT EXISTS (SELECT FROM comments c WHERE (c.org, c.post) = (p.org, p.id))
"""
EMAILS: LiteralString = """
SELECT lower(email), count(*) FROM visits WHERE email IS NOT NULL GROUP BY 1
"""
BY_ORG: LiteralString = """
SELECT org, lower(email), count(*) FROM visits WHERE org IS NOT NULL AND email IS NOT NULL
GROUP BY 1, 2
"""
IN_ALL: LiteralString = "SELECT 1, count(*) FROM visits HAVING count(*) > 0"

TRUTHS = {
    "post_counts": POST_COUNTS,
    "posts_without_comments": WITHOUT_COMMENTS,
    "emails": EMAILS,
    "emails_by_org": BY_ORG,
    "visits_in_all": IN_ALL,
}


def an_app() -> EventScope:
    app = EventScope("shapes")
    app.query(
        "post_counts",
        sql=f"MERGE INTO post_counts t USING ({POST_COUNTS} WHERE p.org = $1 AND p.id = $2) s"
        " ON (t.org, t.post) = (s.org, s.id)"
        " WHEN MATCHED THEN UPDATE SET title = s.title, n = s.n"
        " WHEN NOT MATCHED THEN INSERT VALUES (s.org, s.id, s.title, s.n)",
        ids={"comments": ("org", "post"), "posts": ("org", "id")},
        id=("org", "post"),
        delete_with="posts",
    )
    app.query(  # a query that yields a row only for some ids, and says itself when one must go
        "posts_without_comments",
        sql=f"WITH s AS ({WITHOUT_COMMENTS} AND p.org = $1 AND p.id = $2), gone AS ("
        " DELETE FROM posts_without_comments t WHERE org = $1 AND post = $2"
        " AND NOT EXISTS (SELECT FROM s))"
        " INSERT INTO posts_without_comments SELECT * FROM s ON CONFLICT DO NOTHING",
        ids={"comments": ("org", "post"), "posts": ("org", "id")},
        id=("org", "post"),
    )
    app.query(
        "emails",
        sql="INSERT INTO emails SELECT lower(email), count(*) FROM visits WHERE lower(email) = $1"
        " GROUP BY 1 ON CONFLICT (id) DO UPDATE SET n = excluded.n",
        ids={"visits": Sql("lower(visits.email)")},
        delete_with="visits",
    )
    app.query(
        "emails_by_org",
        sql=f"INSERT INTO emails_by_org SELECT * FROM ({BY_ORG}) AS s (org, email, n)"
        " WHERE (org, email) IN (SELECT * FROM unnest($1::int[], $2::text[]))"
        " ON CONFLICT (org, email) DO UPDATE SET n = excluded.n",
        ids={"visits": ("org", Sql("lower(email)"))},
        id=("org", "email"),
        batch=True,
        delete_with="visits",
    )
    app.query(
        "visits_in_all",
        sql="INSERT INTO visits_in_all SELECT 1, count(*) FROM visits WHERE 1 = ANY ($1)"
        " ON CONFLICT (id) DO UPDATE SET n = excluded.n",
        ids={"visits": Sql("1")},
        batch=True,
        delete_with="visits",
    )
    return app


key = st.integers(1, 4)
org = st.sampled_from(["1", "2", "NULL"])
post = st.sampled_from(["'a'", "'b,\"{}\\'", "''", "'NULL'"])
post_or_none = post | st.just("NULL")
email = st.sampled_from(["'a@x'", "'A@X'", "'b@x'", "NULL", "'\"\\,{'"])

CHANGE = st.one_of(
    st.builds("INSERT INTO posts VALUES ({}, {}, 'x') ON CONFLICT DO NOTHING".format,
              st.integers(1, 2), post),
    st.builds("UPDATE posts SET title = title || 'x' WHERE id = {}".format, post),
    st.builds("UPDATE posts p SET id = {0} WHERE id = {1} AND NOT EXISTS"
              " (SELECT FROM posts o WHERE o.org = p.org AND o.id = {0})".format, post, post),
    st.builds("DELETE FROM posts WHERE org = {} AND id = {}".format, org, post),
    st.builds("INSERT INTO comments VALUES ({}, {}, {}) ON CONFLICT DO NOTHING".format,
              key, org, post_or_none),
    st.builds("UPDATE comments SET org = {}, post = {} WHERE id = {}".format,
              org, post_or_none, key),
    st.builds("UPDATE comments SET org = {} WHERE id <= {}".format, org, key),
    st.builds("DELETE FROM comments WHERE id = {}".format, key),
    st.builds("INSERT INTO visits VALUES ({}, {}, {}) ON CONFLICT DO NOTHING".format,
              key, org, email),
    st.builds("UPDATE visits SET email = {} WHERE id <= {}".format, email, key),
    st.builds("UPDATE visits SET org = {} WHERE id = {}".format, org, key),
    st.builds("UPDATE visits SET id = id + {} WHERE id > 4".format, st.integers(5, 9)),
    st.builds("DELETE FROM visits WHERE id >= {}".format, key),
    st.sampled_from(["TRUNCATE comments", "TRUNCATE visits", "TRUNCATE posts, comments"]),
)  # fmt: skip
TRANSACTIONS = st.lists(st.lists(CHANGE, min_size=1, max_size=4), min_size=1, max_size=12)
BATCHES = st.lists(TRANSACTIONS, min_size=1, max_size=4)


async def write(connection: Connection, transactions: list[list[str]]) -> None:
    for changes in transactions:
        async with connection.transaction():
            for change in changes:
                await connection.execute(change)  # type: ignore[call-overload]


async def check(url: str, wanted: Settings, batches: list[list[list[str]]]) -> None:
    """Write batch after batch, each while the operators are held, and compare after each."""
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as connection,
        Engine(an_app(), wanted) as engine,
    ):
        await connection.execute("TRUNCATE posts, comments, visits")
        for transactions in batches:
            for name in TRUTHS:
                await engine.command(Pause(name))
            await write(connection, transactions)
            for name in TRUTHS:
                await engine.command(Resume(name))
            await engine.settle(60)
            for name, truth in TRUTHS.items():
                assert await differing(connection, name, truth) == [], name
        failed = {o.name: o.error for o in engine.snapshot().operators if o.failed}
        assert failed == {}


@pytest.mark.parametrize("identity", ["FULL", "DEFAULT"])
def test_every_derived_table_equals_its_query_however_changes_are_batched(
    database: str, make_settings: MakeSettings, identity: str
) -> None:
    wanted = make_settings()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES.format(identity))  # type: ignore[call-overload]

    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(BATCHES)
    def holds(batches: list[list[list[str]]]) -> None:
        asyncio.run(check(database, wanted, batches))

    holds()
