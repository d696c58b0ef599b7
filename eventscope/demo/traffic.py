"""A blog's daily life, the same for the same seed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from eventscope.demo.activity import Activity, Table

if TYPE_CHECKING:
    from psycopg import AsyncConnection

RATE: Final = 70.0
"""Transactions a second that make a lively demo: about 200 row changes."""

Action = Callable[[Activity], Awaitable[None]]


class _Habit(NamedTuple):
    """How often people do something, per hundred transactions."""

    weight: int
    action: Action


class _Bound(NamedTuple):
    """A table's size, and what people do instead of adding more."""

    table: Table
    rows: int
    removal: Action


_HABITS: Final = (
    _Habit(22, Activity.rate),
    _Habit(18, Activity.comment),
    _Habit(17, Activity.reply),
    _Habit(8, Activity.edit_comment),
    _Habit(8, Activity.edit_post),
    _Habit(7, Activity.change_profile),
    _Habit(5, Activity.publish),
    _Habit(4, Activity.sign_up),
    _Habit(3, Activity.rate_again),
    _Habit(2, Activity.change_name),
    _Habit(2, Activity.hang_elsewhere),
    _Habit(1, Activity.move_thread),
    _Habit(1, Activity.remove_comment),
    _Habit(1, Activity.withdraw_post),
    _Habit(1, Activity.leave),
)

_BOUNDS: Final[Mapping[Action, _Bound]] = {
    Activity.sign_up: _Bound("users", 300, Activity.leave),
    Activity.publish: _Bound("posts", 150, Activity.withdraw_post),
    Activity.comment: _Bound("comments", 1_500, Activity.remove_comment),
    Activity.reply: _Bound("comments", 1_500, Activity.remove_comment),
    Activity.rate: _Bound("ratings", 3_000, Activity.withdraw_ratings),
}

_CHANGES_OF_MIND: Final = 0.02
"""The share of transactions that are rolled back."""


class Traffic:
    """Transactions on the blog's tables, one after the other.

    Which ones depends on the seed and on what the tables hold at the first step; times come from
    the server's clock.

    Args:
        connection: used by nobody else meanwhile.
        seed: any number.
    """

    def __init__(self, connection: AsyncConnection[Any], seed: int = 1) -> None:
        self._connection = connection
        self._seed = seed
        self._random: Random | None = None

    async def step(self) -> None:
        """Run one transaction of one to six statements; now and then it is rolled back."""
        random = self._random = self._random or await self._seeded()
        undone = random.random() < _CHANGES_OF_MIND
        async with self._connection.transaction(force_rollback=undone):
            activity = Activity(self._connection, random)
            action = await self._next(activity, random)
            await action(activity)

    async def run(self, rate: float, stop: asyncio.Event) -> None:
        """Run about ``rate`` transactions a second until ``stop`` is set."""
        pauses = Random(self._seed)  # noqa: S311 - no secret
        due = monotonic()
        while not stop.is_set():
            await self.step()
            due = max(due + pauses.expovariate(rate), monotonic() - 1)
            try:
                async with asyncio.timeout(due - monotonic()):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _next(self, activity: Activity, random: Random) -> Action:
        if not await activity.pick("users"):
            return Activity.sign_up
        if not await activity.pick("posts"):
            return Activity.publish
        [habit] = random.choices(_HABITS, [habit.weight for habit in _HABITS])
        bound = _BOUNDS.get(habit.action)
        if bound and await activity.size(bound.table) >= bound.rows:
            return bound.removal
        return habit.action

    async def _seeded(self) -> Random:
        # The same ids would come again in a database that already holds the first run's rows.
        async with self._connection.transaction():
            cursor = await self._connection.execute("select coalesce(max(id), 0) from users")
            [(highest,)] = await cursor.fetchall()
        return Random(f"{self._seed}/{highest}")  # noqa: S311 - no secret
