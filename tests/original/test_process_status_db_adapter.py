"""How far entities are processed, kept: behaviour for behaviour what EventStreamex tests.

Mirrors test/event_streamex/process_status_db_adapter_test.exs of EventStreamex 1.2.1, which has
4 tests, against the queue file, opened again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from eventscope.queue.records import ProcessStatus
from tests.queue.files import running

POSTS, COMMENTS, USERS = (
    ProcessStatus(entity, 1695110220000000 + n, n)
    for n, entity in enumerate(["posts", "comments", "users"])
)

Keep = Callable[..., Awaitable[list[ProcessStatus]]]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Saves statuses, and returns those that are there after a restart."""

    async def keep(*statuses: ProcessStatus) -> list[ProcessStatus]:
        async with running(tmp_path / "queue.db") as queue:
            for status in statuses:
                await queue.save_process_status(status)
        async with running(tmp_path / "queue.db") as queue:
            return await queue.process_statuses()

    return keep


async def test_nothing_is_known_at_first(keep: Keep) -> None:
    assert await keep() == []


async def test_a_status_is_kept(keep: Keep) -> None:
    assert await keep(POSTS) == [POSTS]


async def test_three_statuses_are_in_the_order_of_their_saving(keep: Keep) -> None:
    assert await keep(USERS, POSTS, COMMENTS) == [USERS, POSTS, COMMENTS]


async def test_a_status_that_is_saved_again_is_the_last(keep: Keep) -> None:
    later = ProcessStatus("posts", 1695110300000000, 9)
    assert await keep(POSTS, COMMENTS, USERS, later) == [COMMENTS, USERS, later]
