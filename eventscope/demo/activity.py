"""What readers and writers do on the blog: each method is the statements of one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, LiteralString
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from eventscope.demo import prose

if TYPE_CHECKING:
    from random import Random

    from psycopg import AsyncConnection

Table = Literal["users", "posts", "comments", "ratings", "user_profiles"]

_MOVE_THREAD: Final = """
with recursive thread as (
  select id from comments where id = %(comment)s
  union
  select comments.id from comments join thread on comments.parent_id = thread.id
)
update comments
set post_id = %(post)s,
    parent_id = case when id = %(comment)s then null else parent_id end,
    updated_at = now()
where id in (select id from thread)
"""

_HANG_ELSEWHERE: Final = """
with recursive thread as (
  select id from comments where id = %(comment)s
  union
  select comments.id from comments join thread on comments.parent_id = thread.id
)
update comments
set parent_id = (
      select other.id
      from comments other
      where other.post_id = comments.post_id and other.id not in (select id from thread)
      order by md5(other.id::text || %(salt)s::text)
      limit 1
    ),
    updated_at = now()
where id = %(comment)s
"""


class Activity:
    """Changes to the blog, chosen by a random generator and by nothing else.

    Where there is nothing to change (no post yet to comment on), a method changes nothing.
    """

    def __init__(self, connection: AsyncConnection[Any], random: Random) -> None:
        self._connection = connection
        self._random = random

    async def sign_up(self) -> None:
        """A new user, mostly with a profile at once."""
        user = await self._value(
            "insert into users (email, name) values (%s, %s) returning id",
            prose.email(self._random),
            prose.name(self._random),
        )
        if self._random.random() < 0.9:
            await self._do(
                "insert into user_profiles (user_id, bio, settings) values (%s, %s, %s)",
                user,
                prose.comment(self._random),
                Jsonb(prose.settings(self._random)),
            )

    async def change_name(self) -> None:
        """A user marries."""
        await self._do(
            "update users set name = %s, updated_at = now() where id = %s",
            prose.name(self._random),
            await self.pick("users"),
        )

    async def change_profile(self) -> None:
        """Another theme or notification, and at times another text."""
        profile = await self.pick("user_profiles")
        await self._do(
            "update user_profiles set updated_at = now(), "
            "settings = jsonb_set(settings, '{notifications, mail}', to_jsonb(%s)) "
            "|| jsonb_build_object('theme', %s::text) where id = %s",
            self._random.random() < 0.5,
            prose.settings(self._random)["theme"],
            profile,
        )
        if self._random.random() < 0.3:
            await self._do(
                "update user_profiles set bio = %s, updated_at = now() where id = %s",
                prose.comment(self._random),
                profile,
            )

    async def leave(self) -> None:
        """A user goes; the comments stay without their author."""
        await self._do("delete from users where id = %s", await self.pick("users"))

    async def publish(self) -> None:
        """A new post, and the first comment at once."""
        post = self._uuid()
        await self._do(
            "insert into posts (id, title, body) values (%s, %s, %s)",
            post,
            prose.title(self._random),
            prose.body(self._random),
        )
        await self._add_comment(post, parent=None)

    async def edit_post(self) -> None:
        """A better title or text."""
        post = await self.pick("posts")
        if self._random.random() < 0.5:
            await self._do(
                "update posts set title = %s, updated_at = now() where id = %s",
                prose.title(self._random),
                post,
            )
        else:
            await self._do(
                "update posts set body = left(body, 600) || E'\\n\\n' || %s, updated_at = now() "
                "where id = %s",
                prose.comment(self._random),
                post,
            )

    async def withdraw_post(self) -> None:
        """A post goes, with all that is below it."""
        await self._do("delete from posts where id = %s", await self.pick("posts"))

    async def comment(self) -> None:
        """One to three comments on a post."""
        if post := await self.pick("posts"):
            for _ in range(self._random.randint(1, 3)):
                await self._add_comment(post, parent=None)

    async def reply(self) -> None:
        """One or two answers to a comment."""
        if parent := await self.pick("comments"):
            post = await self._value("select post_id from comments where id = %s", parent)
            for _ in range(self._random.randint(1, 2)):
                await self._add_comment(post, parent)

    async def edit_comment(self) -> None:
        """Another text."""
        await self._do(
            "update comments set body = %s, updated_at = now() where id = %s",
            prose.comment(self._random),
            await self.pick("comments"),
        )

    async def move_thread(self) -> None:
        """A comment goes to another post, with all replies."""
        await self._do(
            _MOVE_THREAD,
            comment=await self.pick("comments"),
            post=await self.pick("posts"),
        )

    async def hang_elsewhere(self) -> None:
        """A comment becomes the answer to another one of its post, or to none."""
        await self._do(
            _HANG_ELSEWHERE,
            comment=await self.pick("comments"),
            salt=self._random.getrandbits(32),
        )

    async def remove_comment(self) -> None:
        """A comment goes, with all replies."""
        await self._do("delete from comments where id = %s", await self.pick("comments"))

    async def rate(self) -> None:
        """A few readers rate a comment."""
        if comment := await self.pick("comments"):
            for _ in range(self._random.randint(2, 5)):
                await self._do(
                    "insert into ratings (comment_id, rating) values (%s, %s)",
                    comment,
                    self._random.randint(1, 5),
                )

    async def rate_again(self) -> None:
        """A reader has second thoughts."""
        await self._do(
            "update ratings set rating = %s, updated_at = now() where id = %s",
            self._random.randint(1, 5),
            await self.pick("ratings"),
        )

    async def withdraw_ratings(self) -> None:
        """The ratings of a comment go."""
        await self._do("delete from ratings where comment_id = %s", await self.pick("comments"))

    async def size(self, table: Table) -> int:
        """How many rows a table has."""
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(table))
        count: int = await self._value(query)
        return count

    async def pick(self, table: Table) -> Any:
        """The id of one of a table's rows, or None if it is empty."""
        query = sql.SQL(
            "select id from {0} order by id offset floor(%s * (select count(*) from {0})) limit 1"
        ).format(sql.Identifier(table))
        return await self._value(query, self._random.random())

    async def _add_comment(self, post: UUID, parent: UUID | None) -> None:
        await self._do(
            "insert into comments (id, post_id, parent_id, author_id, body) "
            "values (%s, %s, %s, %s, %s)",
            self._uuid(),
            post,
            parent,
            await self.pick("users"),
            prose.comment(self._random),
        )

    def _uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    async def _do(self, statement: LiteralString, *values: Any, **named: Any) -> None:
        await self._connection.execute(statement, named or values)

    async def _value(self, query: LiteralString | sql.Composed, *values: Any) -> Any:
        row = await (await self._connection.execute(query, values)).fetchone()
        return row[0] if row else None
