"""Listeners of the same process: bounded, counted, on any thread."""

from __future__ import annotations

import asyncio
import threading

from eventscope import Message
from eventscope.pubsub.channels import Announcement, Channel, direct, unscoped
from eventscope.pubsub.local import LocalPubSub
from eventscope.pubsub.stream import Stream
from tests.events import an_insert
from tests.pubsub.hearing import take
from tests.pubsub.test_conformance import heard, said
from tests.waiting import until

COMMENTS = unscoped("comments")


def resolve(*_: object) -> Channel:
    return unscoped("posts")


async def test_a_slow_listener_loses_its_oldest_messages_and_is_told_how_many() -> None:
    pubsub = LocalPubSub()
    async with Stream(pubsub, resolve, COMMENTS, capacity=3) as slow:
        await pubsub.publish(said(COMMENTS, *range(10)))
        first, second = await take(slow, 2)
        assert ((first.event.new_record or {})["id"], first.dropped) == (7, 7)
        assert ((second.event.new_record or {})["id"], second.dropped) == (8, 0)
        await pubsub.publish(said(COMMENTS, *range(10, 14)))
        after = await take(slow, 3)
        assert [(m.event.new_record or {})["id"] for m in after] == [11, 12, 13]
        assert [message.dropped for message in after] == [2, 0, 0]


async def test_what_was_lost_before_is_counted_with_what_is_lost_now() -> None:
    pubsub = LocalPubSub()
    async with Stream(pubsub, resolve, COMMENTS, capacity=1) as slow:
        for n in range(4):
            [told] = said(COMMENTS, n)
            lossy = Message(
                told.message.kind, told.message.scope, told.message.event, "comments", dropped=10
            )
            await pubsub.publish([Announcement(COMMENTS, lossy)])
        [message] = await take(slow, 1)
        assert message.dropped == 43


async def test_one_slow_listener_costs_another_nothing() -> None:
    pubsub = LocalPubSub()
    async with (
        Stream(pubsub, resolve, COMMENTS, capacity=1),
        Stream(pubsub, resolve, COMMENTS) as fast,
    ):
        await pubsub.publish(said(COMMENTS, *range(100)))
        messages = await take(fast, 100)
    assert [message.dropped for message in messages] == [0] * 100


async def test_only_what_somebody_listens_to_is_wanted() -> None:
    pubsub = LocalPubSub()
    assert not pubsub.wants("comments")
    async with Stream(pubsub, resolve, COMMENTS, direct("comments", 1)) as stream:
        assert pubsub.wants("comments")
        assert not pubsub.wants("posts")
        await stream.join("posts")
        await stream.join("posts")
        assert pubsub.wants("posts")
        await stream.leave("posts")
        await stream.leave("posts")
        assert not pubsub.wants("posts")
        assert pubsub.wants("comments")
    assert not pubsub.wants("comments")


async def test_a_listener_waits_on_a_loop_of_its_own() -> None:
    pubsub = LocalPubSub()
    ready, ids = threading.Event(), list[int]()

    async def listen() -> None:
        async with Stream(pubsub, resolve, COMMENTS) as stream:
            ready.set()
            for _ in range(200):
                ids.extend(await heard(stream, 1))

    thread = threading.Thread(target=lambda: asyncio.run(listen(), debug=True))
    thread.start()
    await asyncio.to_thread(ready.wait)
    for n in range(100):
        await pubsub.publish(said(COMMENTS, n))
        await until(lambda: len(ids) > n)  # noqa: B023 - called at once
    await pubsub.publish(said(COMMENTS, *range(100, 200)))
    await asyncio.to_thread(thread.join, 60)
    assert ids == list(range(200))


async def test_a_listener_whose_loop_is_gone_is_no_matter() -> None:
    pubsub = LocalPubSub()

    def enter() -> Stream:
        async def entered() -> Stream:
            return await Stream(pubsub, resolve, COMMENTS).__aenter__()

        return asyncio.run(entered())

    lost = await asyncio.to_thread(enter)
    async with Stream(pubsub, resolve, COMMENTS) as stream:
        await pubsub.publish(said(COMMENTS, 1, 2))
        assert await heard(stream, 2) == [1, 2]
    lost.end()


async def test_a_stream_that_has_been_left_takes_nothing_more() -> None:
    async with Stream(LocalPubSub(), resolve, COMMENTS) as stream:
        pass
    stream.put(Message("on_insert", (), an_insert(), "comments"))  # that was on its way
    async with asyncio.timeout(60):
        assert [message async for message in stream] == []
