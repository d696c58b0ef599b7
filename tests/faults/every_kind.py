"""Operators of the kinds that the examples lack, and journals in which no event may be missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import psycopg

from eventscope import Event, EventScope, Sql
from operators_example import DERIVED, DerivedTable

FOLLOWED: Final = ("users", "user_profiles", "posts", "comments", "ratings")
"""The tables whose events the journals hold."""

JOURNALS: Final = """
create table journal (n bigserial, event text, xid bigint, type text, entity text);
create table lists (n bigserial, event text);
"""

TABLES: Final = (
    *DERIVED,
    DerivedTable(
        "post_sizes",
        "create table post_sizes (id uuid primary key, comments bigint not null)",
        "select id, (select count(*) from comments where post_id = posts.id) from posts",
    ),
    DerivedTable(
        "post_authors",
        "create table post_authors (post_id uuid, author_id bigint, comments bigint not null,"
        " primary key (post_id, author_id))",
        "select post_id, author_id, count(*) from comments where author_id is not null"
        " group by post_id, author_id",
    ),
    DerivedTable(
        "initials",
        "create table initials (id text primary key, users bigint not null)",
        "select lower(left(name, 1)), count(*) from users group by 1",
    ),
)
"""Every derived table."""


def declare(app: EventScope, witness: Path) -> None:
    """Add the operators to an application that has those of the examples.

    Args:
        app: to add to.
        witness: the file in which a handler without a transaction notes each event's id.
    """
    app.query(
        "post_sizes",
        sql="insert into post_sizes select id, (select count(*) from comments where post_id ="
        " posts.id) from posts where id = any ($1)"
        " on conflict (id) do update set comments = excluded.comments",
        ids={"comments": "post_id", "posts": "id"},
        delete_with=["posts"],
        batch=True,
    )
    app.query(
        "post_authors",
        sql="insert into post_authors select $1, $2, count(*) from comments"
        " where post_id = $1 and author_id = $2 having count(*) > 0"
        " on conflict (post_id, author_id) do update set comments = excluded.comments",
        ids={"comments": ("post_id", "author_id")},
        delete_with=["comments"],
    )
    app.query(  # what a user's initial was the WAL does not tell
        "initials",
        sql="insert into initials select $1, count(*) from users where lower(left(name, 1)) = $1"
        " having count(*) > 0 on conflict (id) do update set users = excluded.users",
        ids={"users": Sql("lower(left(name, 1))")},
        delete_with=["users"],
    )

    @app.operator(entities=FOLLOWED)
    async def journal(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        await tx.execute(
            "insert into journal (event, xid, type, entity) values (%s, %s, %s, %s)",
            [event.id, event.xid, event.type, event.name],
        )

    @app.operator(entities=FOLLOWED, batch=10)
    async def lists(events: list[Event], tx: psycopg.AsyncConnection[Any]) -> None:
        ids = [event.id for event in events]
        await tx.execute("insert into lists (event) select unnest(%s::text[])", [ids])

    @app.operator(entities=FOLLOWED, name="witness")
    async def testify(event: Event) -> None:
        """Each line is written at once, and no kill undoes it."""
        file = os.open(witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, f"{event.id}\n".encode())
        finally:
            os.close(file)
