"""Changes to the blog of the demo, the brutal ones too."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any, LiteralString

import psycopg

from eventscope.demo.activity import Activity

BRUTAL: tuple[LiteralString, ...] = (
    "TRUNCATE ratings",
    "TRUNCATE comments CASCADE",
    "TRUNCATE posts CASCADE",
    "TRUNCATE users CASCADE",
    "DELETE FROM comments WHERE id IN (SELECT id FROM comments ORDER BY random() LIMIT 5)",
    "UPDATE posts SET id = gen_random_uuid() WHERE id IN (SELECT id FROM posts LIMIT 1)",
    "UPDATE comments SET id = gen_random_uuid() WHERE id IN (SELECT id FROM comments LIMIT 1)",
    "UPDATE users SET id = id + 1000000 WHERE id IN (SELECT id FROM users LIMIT 1)",
    "UPDATE comments SET post_id = (SELECT min(id::text)::uuid FROM posts), parent_id = NULL"
    " WHERE EXISTS (SELECT FROM posts)",
    "WITH gone AS (DELETE FROM posts RETURNING *) SELECT count(*) FROM gone",
    "SAVEPOINT a; DELETE FROM comments; ROLLBACK TO a; UPDATE comments SET body = 'kept'",
)

ORDINARY = (
    Activity.sign_up, Activity.change_name, Activity.change_profile, Activity.leave,
    Activity.publish, Activity.edit_post, Activity.withdraw_post, Activity.comment,
    Activity.comment, Activity.comment, Activity.reply, Activity.reply, Activity.edit_comment,
    Activity.move_thread, Activity.hang_elsewhere, Activity.remove_comment, Activity.rate,
    Activity.rate, Activity.rate_again, Activity.withdraw_ratings, Activity.publish,
)  # fmt: skip


async def transact(
    connection: psycopg.AsyncConnection[Any], activity: Activity, random: Random
) -> None:
    """Run one transaction; if it loses against another writer it is given up."""
    with suppress(psycopg.errors.DeadlockDetected, psycopg.errors.IntegrityError):
        async with connection.transaction(force_rollback=random.random() < 0.1):
            for _ in range(random.randint(1, 4)):
                if random.random() < 0.08:
                    await connection.execute(random.choice(BRUTAL))
                elif random.random() < 0.05:
                    async with connection.transaction(force_rollback=True):
                        await random.choice(ORDINARY)(activity)
                else:
                    await random.choice(ORDINARY)(activity)
