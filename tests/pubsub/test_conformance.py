"""What every pub/sub adapter promises, whatever carries its messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from eventscope import Message
from eventscope.pubsub.adapter import pubsub as build
from eventscope.pubsub.base import PubSub
from eventscope.pubsub.channels import Announcement, Channel, direct, every, scoped, unscoped
from eventscope.pubsub.stream import Stream
from eventscope.scopes import DeclaredScope
from tests.events import an_insert
from tests.pubsub.hearing import take

COMMENTS = unscoped("comments")
ROW = direct("comments", 89)
SCOPE = scoped("comments", [("posts", 123)])
BY_POST: DeclaredScope = (("post_id", "posts"),)


@pytest.fixture(params=["local", "tests.pubsub.plain:PlainPubSub"])
async def pubsub(request: pytest.FixtureRequest) -> AsyncIterator[PubSub]:
    adapter = build(request.param)
    yield adapter
    await adapter.close()


def said(channel: Channel, *numbers: int) -> list[Announcement]:
    """Messages whose rows have these ids."""
    return [
        Announcement(channel, Message("on_insert", (), an_insert(new={"id": n}), channel.entity))
        for n in numbers
    ]


async def heard(stream: Stream, count: int) -> list[int]:
    return [(message.event.new_record or {})["id"] for message in await take(stream, count)]


def stream(pubsub: PubSub, *channels: Channel) -> Stream:
    def resolve(*_: object) -> Channel:
        raise AssertionError

    return Stream(pubsub, resolve, *channels)


async def test_each_listener_of_a_channel_hears_all_of_it_in_order(pubsub: PubSub) -> None:
    async with stream(pubsub, COMMENTS) as one, stream(pubsub, COMMENTS) as other:
        await pubsub.publish(said(COMMENTS, *range(50)))
        await pubsub.publish(said(COMMENTS, *range(50, 100)))
        assert await heard(one, 100) == list(range(100))
        assert await heard(other, 100) == list(range(100))


async def test_the_messages_of_several_channels_come_in_their_order(pubsub: PubSub) -> None:
    async with stream(pubsub, COMMENTS, ROW, SCOPE) as listener:
        await pubsub.publish([*said(COMMENTS, 1), *said(ROW, 2), *said(SCOPE, 3)])
        await pubsub.publish([*said(SCOPE, 4), *said(COMMENTS, 5), *said(ROW, 6)])
        assert await heard(listener, 6) == [1, 2, 3, 4, 5, 6]


async def test_nobody_hears_of_another_channel(pubsub: PubSub) -> None:
    others = [
        unscoped("posts"),
        direct("comments", 8),
        direct("comments", "89/comments"),
        scoped("comments", [("posts", 12)]),
        scoped("comments", [("posts", "123/comments")]),
        direct("posts", "123/comments"),
    ]
    async with stream(pubsub, ROW, SCOPE) as listener:
        for channel in others:
            await pubsub.publish(said(channel, 0))
        await pubsub.publish(said(COMMENTS, 0))
        await pubsub.publish(said(SCOPE, 1))
        assert await heard(listener, 1) == [1]


async def test_who_listens_to_a_family_hears_each_of_its_channels(pubsub: PubSub) -> None:
    async with stream(pubsub, every(SCOPE)) as scopes, stream(pubsub, every(COMMENTS)) as tables:
        await pubsub.publish([*said(SCOPE, 1), *said(scoped("comments", [("posts", 4)]), 2)])
        await pubsub.publish([*said(COMMENTS, 3), *said(unscoped("posts"), 4), *said(ROW, 5)])
        await pubsub.publish([*said(every(SCOPE), 6), *said(COMMENTS, 7)])
        assert await heard(scopes, 3) == [1, 2, 6]
        assert await heard(tables, 3) == [3, 4, 7]


async def test_what_is_said_to_a_family_is_heard_once_by_each_of_its_listeners(
    pubsub: PubSub,
) -> None:
    other = scoped("comments", [("posts", 4)])
    async with stream(pubsub, SCOPE, other) as both, stream(pubsub, other, ROW) as one:
        await pubsub.publish([*said(every(SCOPE), 1), *said(other, 2)])
        assert await heard(both, 2) == [1, 2]
        assert await heard(one, 2) == [1, 2]


async def test_who_listens_to_a_channel_and_to_its_family_hears_each_message_once(
    pubsub: PubSub,
) -> None:
    async with stream(pubsub, COMMENTS, every(COMMENTS), SCOPE, every(SCOPE)) as listener:
        await pubsub.publish([*said(COMMENTS, 1), *said(SCOPE, 2), *said(every(SCOPE), 3)])
        await pubsub.publish([*said(unscoped("posts"), 4), *said(COMMENTS, 5)])
        assert await heard(listener, 5) == [1, 2, 3, 4, 5]


async def test_to_subscribe_twice_is_to_subscribe_once(pubsub: PubSub) -> None:
    async with stream(pubsub, ROW) as listener:
        await pubsub.subscribe(ROW, listener.put)
        await pubsub.publish(said(ROW, 1, 2))
        assert await heard(listener, 2) == [1, 2]
        await pubsub.unsubscribe(ROW, listener.put)
        await pubsub.publish(said(ROW, 3))
        await pubsub.subscribe(ROW, listener.put)
        await pubsub.publish(said(ROW, 4))
        assert await heard(listener, 1) == [4]


async def test_who_unsubscribes_leaves_the_others_theirs(pubsub: PubSub) -> None:
    async with stream(pubsub, COMMENTS) as stays:
        async with stream(pubsub, COMMENTS) as goes:
            await pubsub.publish(said(COMMENTS, 1))
            assert await heard(goes, 1) == [1]
        await pubsub.unsubscribe(COMMENTS, goes.put)
        await pubsub.publish(said(COMMENTS, 2))
        assert await heard(stays, 2) == [1, 2]
        async with asyncio.timeout(60):
            assert [message async for message in goes] == []


async def test_what_somebody_listens_to_is_wanted(pubsub: PubSub) -> None:
    async with stream(pubsub, ROW):
        assert pubsub.wants("comments")
    async with stream(pubsub, unscoped("*")):
        assert pubsub.wants("comments")
        assert pubsub.wants("posts")


async def test_a_listener_that_raises_is_no_matter_for_the_others(pubsub: PubSub) -> None:
    def failing(message: Message) -> None:
        raise RuntimeError("no")

    await pubsub.subscribe(COMMENTS, failing)
    async with stream(pubsub, COMMENTS) as listener:
        await pubsub.publish(said(COMMENTS, 1))
        await pubsub.publish(said(COMMENTS, 2))
        assert await heard(listener, 2) == [1, 2]


async def test_close_may_be_called_twice(pubsub: PubSub) -> None:
    await pubsub.close()
    await pubsub.close()
