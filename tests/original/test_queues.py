"""What a queue gives and what it forgets: behaviour for behaviour what EventStreamex tests.

Mirrors test/event_streamex/queues_test.exs of EventStreamex 1.2.1, which has 6 tests, against the
queue in memory. There an item holds which processors are done with it; here each operator has a
position in one log, and an event is dropped when all have passed it.
"""

from __future__ import annotations

import pytest

from eventscope.queue.memory import MemoryQueue
from tests.queue.batches import ORIGIN, START, Writer, ids


@pytest.fixture
async def queue() -> MemoryQueue:
    queue = MemoryQueue(retention_events=0, retention_bytes=0)
    await queue.begin(ORIGIN, START)
    return queue


async def append(queue: MemoryQueue, *names: str) -> int:
    """Append events, each a transaction of its own; returns their relation version."""
    writer = Writer()
    posts = writer.table("posts")
    for name in names:
        writer.rows(posts, name).commit()
    await queue.append(*writer.take())
    return posts


async def left(queue: MemoryQueue) -> list[str]:
    """What is in the queue once it has given up what nobody needs."""
    await queue.prune()
    return ids(await queue.read(0, list(queue.relations), 10))


async def test_an_empty_queue_has_nothing_to_do(queue: MemoryQueue) -> None:
    await queue.advance("one", 0)
    assert (await left(queue), await queue.counts(0)) == ([], {})


async def test_an_event_that_was_queued_is_the_next(queue: MemoryQueue) -> None:
    await queue.advance("one", 0)
    await append(queue, "a")
    assert await left(queue) == ["a"]


async def test_three_events_are_in_order_and_the_first_is_the_next(queue: MemoryQueue) -> None:
    await queue.advance("one", 0)
    posts = await append(queue, "a", "b", "c")
    assert await left(queue) == ["a", "b", "c"]
    assert ids(await queue.read(0, [posts], 1)) == ["a"]


async def test_several_operators_have_the_same_event_before_them(queue: MemoryQueue) -> None:
    await queue.advance("one", 0)
    await queue.advance("two", 0)
    posts = await append(queue, "a")
    for name in ("one", "two"):
        assert ids(await queue.read(await queue.position(name), [posts], 1)) == ["a"]


async def test_an_event_is_dropped_when_its_only_operator_is_done(queue: MemoryQueue) -> None:
    await queue.advance("one", 0)
    await append(queue, "a", "b")
    await queue.advance("one", 1)
    assert await left(queue) == ["b"]


async def test_an_event_is_kept_until_the_last_of_its_operators_is_done(queue: MemoryQueue) -> None:
    for name in ("one", "two", "three"):
        await queue.advance(name, 0)
    await append(queue, "a")
    for name in ("one", "one", "two"):
        await queue.advance(name, 1)
        assert await left(queue) == ["a"]
    await queue.advance("three", 1)
    assert await left(queue) == []
