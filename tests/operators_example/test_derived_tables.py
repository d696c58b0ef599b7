"""Every derived table equals its query, whatever happened to the rows it was made from."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest

from eventscope.demo.traffic import Traffic
from operators_example import DERIVED, app

FIRST, SECOND, THIRD = (UUID(int=n) for n in (1, 2, 3))
ROOT, MIDDLE, LEAF, OTHER = (UUID(int=n) for n in (11, 12, 13, 14))

BEGINNING = f"""
insert into users (id, email, name) values (1, 'a@example.org', 'Ada'), (2, 'b@example.org', 'Bob');
insert into user_profiles (user_id, bio, settings) values (1, 'I write', '{{"theme": "dark"}}');
insert into posts (id, title, body) values
  ('{FIRST}', 'First', 'Hello'), ('{SECOND}', 'Second', 'Again'), ('{THIRD}', 'Third', '…');
insert into comments (id, post_id, parent_id, author_id, body) values
  ('{ROOT}', '{FIRST}', null, 1, 'Nice'), ('{MIDDLE}', '{FIRST}', '{ROOT}', 2, 'Indeed'),
  ('{LEAF}', '{FIRST}', '{MIDDLE}', null, 'Very'), ('{OTHER}', '{SECOND}', null, 1, 'Hm');
insert into ratings (comment_id, rating) values
  ('{ROOT}', 5), ('{ROOT}', 2), ('{MIDDLE}', 3), ('{OTHER}', 1);
"""

CHANGES = {
    "a text is edited": "update comments set body = 'Better'; update posts set title = 'New'",
    "a thread moves to another post": f"update comments set post_id = '{SECOND}' "
    f"where post_id = '{FIRST}'",
    "a reply becomes a thread of its own": f"update comments set parent_id = null "
    f"where id = '{MIDDLE}'",
    "a reply goes to another thread": f"update comments set parent_id = '{OTHER}' "
    f"where id = '{MIDDLE}'",
    "a thread is turned upside down": f"update comments set parent_id = null where id = '{LEAF}'; "
    f"update comments set parent_id = '{LEAF}' where id = '{ROOT}'; "
    f"update comments set parent_id = '{ROOT}' where id = '{MIDDLE}'",
    "a leaf is deleted": f"delete from comments where id = '{LEAF}'",
    "a whole thread is deleted": f"delete from comments where id = '{ROOT}'",
    "a post is deleted": f"delete from posts where id = '{FIRST}'",
    "a post is deleted and comes back": f"delete from posts where id = '{FIRST}'; "
    f"insert into posts (id, title, body) values ('{FIRST}', 'Back', '')",
    "a post gets another id": f"update posts set id = '{UUID(int=4)}' where id = '{FIRST}'",
    "two posts swap their ids": f"update posts set id = '{UUID(int=4)}' where id = '{FIRST}'; "
    f"update posts set id = '{FIRST}' where id = '{SECOND}'; "
    f"update posts set id = '{SECOND}' where id = '{UUID(int=4)}'",
    "a comment gets another id": f"update comments set id = '{UUID(int=15)}' where id = '{MIDDLE}'",
    "a rating changes": "update ratings set rating = 4",
    "a rating goes to another comment": f"update ratings set comment_id = '{OTHER}' "
    f"where comment_id = '{ROOT}'",
    "all ratings of a comment go": f"delete from ratings where comment_id = '{ROOT}'",
    "ratings are truncated": "truncate ratings",
    "comments are truncated": "truncate comments cascade",
    "posts are truncated, and there are new ones": "truncate posts cascade; "
    f"insert into posts (id, title, body) values ('{FIRST}', 'Fresh', ''); "
    f"insert into comments (id, post_id, body) values ('{ROOT}', '{FIRST}', 'Fresh too')",
    "a user is deleted": "delete from users where id = 1",
    "a user gets another id": "update users set id = 3 where id = 1",
    "a profile goes to another user": "update user_profiles set user_id = 2",
    "settings change": 'update user_profiles set settings = settings || \'{"theme": "light"}\'',
    "users are truncated": "truncate users cascade",
}


def test_the_tables_say_what_their_names_promise(runner):
    runner.execute(BEGINNING)
    runner.settle(timeout=60)

    def rows(query):
        return runner.execute(query).fetchall()

    assert rows("select title, comments_count from post_with_comments_counts order by 1") == [
        ("First", 3), ("Second", 1), ("Third", 0),
    ]  # fmt: skip
    assert rows("select * from comment_with_subcomments_counts order by id") == [
        (ROOT, 2), (MIDDLE, 1), (LEAF, 0), (OTHER, 0),
    ]  # fmt: skip
    assert rows("select id, ratings_count, average from comment_with_ratings order by id") == [
        (ROOT, 2, Decimal("3.50")), (MIDDLE, 1, Decimal("3.00")), (LEAF, 0, None),
        (OTHER, 1, Decimal("1.00")),
    ]  # fmt: skip
    assert rows("select title, ratings_count, average from post_with_ratings order by 1") == [
        ("First", 3, Decimal("3.33")), ("Second", 1, Decimal("1.00")), ("Third", 0, None),
    ]  # fmt: skip
    assert rows("select name, bio, settings from user_with_profiles order by id") == [
        ("Ada", "I write", {"theme": "dark"}), ("Bob", None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_they_stay_true_when(runner, assert_true, change):
    runner.execute(BEGINNING)
    assert_true(runner)

    with runner.connection.transaction():
        runner.execute(change)
    assert_true(runner)


def write(runner, statements):
    """Write while the operators read: of two that wait for each other PostgreSQL ends one."""
    while True:
        with suppress(psycopg.errors.DeadlockDetected):
            return runner.execute(statements)


def test_they_are_true_after_many_changes_at_once(runner, assert_true):
    write(runner, BEGINNING)
    for change in CHANGES.values():
        write(runner, change)
        write(runner, "truncate users, posts restart identity cascade")
        write(runner, BEGINNING)

    assert_true(runner)


@pytest.mark.parametrize("seed", [1, 2])
async def test_they_are_true_after_traffic(runner, connection, assert_true, seed):
    traffic = Traffic(connection, seed=seed)
    for steps in (1, 10, 200):
        for _ in range(steps):
            await traffic.step()
        assert_true(runner)


async def test_they_are_true_after_a_restart_in_the_middle(runner, connection, assert_true):
    traffic = Traffic(connection, seed=3)
    for _ in range(3):
        for _ in range(60):
            await traffic.step()
        runner.stop()
        for _ in range(30):
            await traffic.step()
        runner.start()
    assert_true(runner)


def test_every_operator_with_a_table_is_listed():
    targets = {operator.name for operator in app.operators if operator.name != "welcome_mail"}
    assert {table.name for table in DERIVED} == targets
    assert targets <= set(app.entities)
