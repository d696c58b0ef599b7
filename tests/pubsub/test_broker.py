"""Who subscribes while others do, or as the engine ends."""

from __future__ import annotations

import asyncio
from threading import Thread

from eventscope import EventScope
from eventscope.pubsub.broker import Broker
from eventscope.pubsub.local import LocalPubSub


async def test_a_stream_that_is_asked_for_as_the_engine_ends_comes_to_its_end(
    app: EventScope,
) -> None:
    broker = Broker(app, LocalPubSub())
    await broker.open()
    late = broker.subscribe("comments")
    broker.end()
    later = broker.subscribe("comments")
    async with asyncio.timeout(10), late, later:
        assert [message async for message in late] == []
        assert [message async for message in later] == []
    await broker.close()


async def test_any_thread_may_subscribe_while_all_are_told_of_a_loss(app: EventScope) -> None:
    broker = Broker(app, LocalPubSub())
    kept = []

    def subscribe() -> None:
        kept.extend(broker.subscribe("comments") for _ in range(20_000))

    threads = [Thread(target=subscribe) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        broker.lose(1)
    assert len(kept) == 40_000
    await broker.close()
