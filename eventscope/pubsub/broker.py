"""What listens to an application: its declared listeners, and whoever subscribes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from threading import Lock
from typing import Any, Final
from weakref import WeakSet

import structlog

from eventscope.app import EventScope
from eventscope.errors import DeclarationError
from eventscope.event import entity_name, split_entity
from eventscope.listener import Listener
from eventscope.pubsub import channels
from eventscope.pubsub.base import PubSub
from eventscope.pubsub.call import LEAVE, Call
from eventscope.pubsub.channels import Channel
from eventscope.pubsub.losses import Losses
from eventscope.pubsub.stream import Stream
from eventscope.scopes import find

_log = structlog.get_logger("eventscope.listeners")

_GRACE: Final = 2.0
"""Seconds that a listener has for its end once it has been cancelled."""


class Broker:
    """Opens streams for an application while it runs.

    Args:
        app: what is listened to.
        pubsub: what carries the messages.
    """

    def __init__(self, app: EventScope, pubsub: PubSub) -> None:
        self.app = app
        self.pubsub = pubsub
        self.losses = Losses()
        self._changing = Lock()  # as anybody may subscribe, from any thread
        self._streams: WeakSet[Stream] = WeakSet()
        self._ended = False
        self._declared: list[tuple[Listener, Stream]] = []

    async def open(self) -> None:
        """Let declared listeners, and whoever subscribes, hear of what is published from now on."""
        for listener in self.app.listeners:
            stream = self._stream(self._channel_of(listener))
            self._declared.append((listener, await stream.__aenter__()))
        self.app.open_stream = self.subscribe

    def end(self) -> None:
        """Let every stream come to its end after what it has heard; idempotent."""
        if self.app.open_stream == self.subscribe:
            self.app.open_stream = None
        with self._changing:
            self._ended = True
            streams = list(self._streams)
        for stream in streams:
            stream.end()

    async def close(self) -> None:
        """End every stream; idempotent."""
        self.end()
        await self.pubsub.close()

    def lose(self, count: int) -> None:
        """Tell every stream that messages are lost, of which nobody knows whose they were."""
        with self._changing:
            streams = list(self._streams)
        for stream in streams:
            stream.lose(count)

    def subscribe(
        self, entity: str | None, *, id: Any = None, scope: Mapping[str, Any] | None = None
    ) -> Stream:
        """A stream, yet to be entered.

        Raises:
            DeclarationError: there is no such entity or scope.
        """
        if entity is None:
            return self._stream()
        return self._stream(self.channel(entity, id, scope))

    def channel(self, entity: str, id: Any, scope: Mapping[str, Any] | None) -> Channel:
        """The channel of an entity, of one row of it or of a scope.

        Raises:
            DeclarationError: there is no such entity or scope.
        """
        if id is not None and scope is not None:
            raise DeclarationError(f"subscription to {entity!r}: want id or scope, not both")
        if isinstance(id, Mapping) or id in ([], ()):
            raise DeclarationError(
                f"subscription to {entity!r}: id is the value of its key, or a list of the values "
                f"of several columns, not {id!r}"
            )
        if entity == channels.EVERY and id is None and scope is None:
            return channels.unscoped(entity)
        name, declared = entity_name(*split_entity(entity)), self.app.scopes(entity)
        if scope is not None:
            led = find(name, declared, scope)
            return channels.scoped(name, [(to, scope[column]) for column, to in led])
        return channels.unscoped(name) if id is None else channels.direct(name, id)

    async def run(self) -> None:
        """Call the declared listeners until cancelled, each in a task of its own."""
        calling = [
            asyncio.create_task(_call(listener, stream), name=f"listener {listener.name}")
            for listener, stream in self._declared
        ]
        try:
            for ended in asyncio.as_completed(calling):
                await ended
        finally:
            await _end(calling)

    def _stream(self, *known: Channel) -> Stream:
        stream = Stream(self.pubsub, self.channel, *known, losses=self.losses)
        with self._changing:
            self._streams.add(stream)
            ended = self._ended
        if ended:  # it was asked for as the engine ended
            stream.end()
        return stream

    def _channel_of(self, listener: Listener) -> Channel:
        if listener.scope is None:
            return self.channel(listener.entity, listener.id, None)
        return channels.every(
            channels.scoped(listener.entity, [(to, "") for _, to in listener.scope])
        )


async def _end(calling: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks, and leave the calls of those that do not heed that."""
    for message in (None, LEAVE):
        calling = [task for task in calling if not task.done()]
        for task in calling:
            task.cancel(message)
        if calling:
            await asyncio.wait(calling, timeout=_GRACE)


async def _call(listener: Listener, stream: Stream) -> None:
    async for message in stream:
        try:
            await Call(listener.function(message))
        except Exception as error:
            _report(listener, message.event.id, error)
        except SystemExit as error:  # which would end the program, and not the call
            _report(listener, message.event.id, error)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            _report(listener, message.event.id, error)


def _report(listener: Listener, event_id: str, error: BaseException) -> None:
    _log.error(
        "listener failed",
        listener=listener.name,
        event_id=event_id,
        error=f"{type(error).__name__}: {error}",
    )
