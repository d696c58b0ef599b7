"""A stream: the messages of the channels that one listener follows."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Self

from eventscope.message import Message
from eventscope.pubsub.base import PubSub
from eventscope.pubsub.channels import Channel
from eventscope.pubsub.losses import Losses

CAPACITY: Final = 1_000
"""Messages that wait for a slow listener before the oldest are dropped."""

Resolve = Callable[[str, Any, Mapping[str, Any] | None], Channel]
"""The channel of an entity, with an id, a scope or neither; raises DeclarationError."""


class Stream:
    """Buffers messages for one listener, on whose event loop it is entered and read.

    Args:
        pubsub: where the messages come from.
        resolve: names channels.
        channels: what to hear of from the start.
        capacity: messages to keep.
        losses: counts those that are lost.
    """

    def __init__(
        self,
        pubsub: PubSub,
        resolve: Resolve,
        *channels: Channel,
        capacity: int = CAPACITY,
        losses: Losses | None = None,
    ) -> None:
        self._pubsub = pubsub
        self._resolve = resolve
        self._channels: dict[Channel, None] = dict.fromkeys(channels)
        self._capacity = capacity
        self._losses = losses if losses is not None else Losses()
        self._messages: deque[Message] = deque()
        self._dropped = 0
        """Messages that were lost before those that wait."""
        self._lost = 0
        """Messages that were lost after them."""
        self._changing = threading.Lock()
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Begin to hear of the channels."""
        self._loop = asyncio.get_running_loop()
        for channel in self._channels:
            await self._pubsub.subscribe(channel, self.put)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hear of nothing more."""
        for channel in list(self._channels):
            await self._unfollow(channel)
        self.end()
        self._messages.clear()

    @property
    def has_lost(self) -> bool:
        """Whether messages were lost after the last that has come; the next one tells of it."""
        return self._lost > 0

    async def join(
        self, entity: str, *, id: Any = None, scope: Mapping[str, Any] | None = None
    ) -> None:
        """Hear of a channel too, from now on."""
        channel = self._resolve(entity, id, scope)
        self._channels[channel] = None
        await self._pubsub.subscribe(channel, self.put)

    async def leave(
        self, entity: str, *, id: Any = None, scope: Mapping[str, Any] | None = None
    ) -> None:
        """Hear no more of a channel."""
        await self._unfollow(self._resolve(entity, id, scope))

    def put(self, message: Message) -> None:
        """Take a message, in place of the oldest one if there is no room; from any thread."""
        with self._changing:
            if self._ended:
                return
            messages = self._messages
            if self._lost:
                message = message._replace(dropped=message.dropped + self._lost)
                self._lost = 0
            if len(messages) >= self._capacity:
                self._dropped += 1 + messages.popleft().dropped
                self._losses.add(1)
            messages.append(message)
            if len(messages) > 1:
                return
        self._wake()

    def lose(self, count: int) -> None:
        """Hear that messages are lost after those that have come; from any thread."""
        with self._changing:
            self._lost += count
        self._losses.add(count)

    def end(self) -> None:
        """Let the listener come to an end after what has arrived; from any thread."""
        with self._changing:
            self._ended = True
        self._wake()

    def __aiter__(self) -> Self:
        """The messages, as they come."""
        return self

    async def __anext__(self) -> Message:
        """The next message."""
        while True:
            with self._changing:
                if self._messages:
                    message = self._messages.popleft()
                    lost, self._dropped = self._dropped, 0
                    return message._replace(dropped=lost + message.dropped) if lost else message
                self._arrived.clear()
            if self._ended:
                raise StopAsyncIteration
            await self._arrived.wait()

    async def _unfollow(self, channel: Channel) -> None:
        self._channels.pop(channel, None)
        await self._pubsub.unsubscribe(channel, self.put)

    def _wake(self) -> None:
        if self._loop is None or self._loop is _this_loop():
            self._arrived.set()
            return
        with suppress(RuntimeError):  # the listener's loop has been closed
            self._loop.call_soon_threadsafe(self._arrived.set)


def _this_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
