"""Listening on from an event: first what the queue file still keeps, then what is published."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Final, Self

from eventscope.app import EventScope
from eventscope.engine.bookmark import BEGINNING, Bookmark
from eventscope.engine.broadcast import Broadcast
from eventscope.message import Message
from eventscope.pubsub.broker import Broker
from eventscope.pubsub.local import LocalPubSub
from eventscope.queue import outside
from eventscope.queue.base import Queue
from eventscope.queue.event import Place
from eventscope.queue.outside import OutsideQueue
from eventscope.resumable import Gap, Subscription, Told

_NEAR: Final = 300
"""Events behind which somebody is too far to hear what comes: its buffer would not take them."""


class Resumptions:
    """Lets listeners of an application go on where they were broken off.

    Args:
        app: what is listened to.
        path: the queue file; without one nobody can go on.
        published: tells the last event up to which all has been published, if that is known.
    """

    def __init__(
        self, app: EventScope, path: Path | None, published: Callable[[], Place | None]
    ) -> None:
        self.app = app
        self.path = path
        self.published = published

    @classmethod
    def of_engine(cls, app: EventScope, queue: Queue, broadcast: Broadcast) -> Self:
        """Those of an engine."""

        def published() -> Place | None:
            last = queue.last
            if last is None or broadcast.position < last.last_seq:
                return None
            return Place(last.end_lsn, last.last_seq - last.first_seq)

        return cls(app, queue.path, published)

    def open(self) -> None:
        """Let the application's listeners ask."""
        self.app.resume = self.resume

    def close(self) -> None:
        """Let them ask no more; idempotent."""
        if self.app.resume == self.resume:
            self.app.resume = None

    def resume(self, subscriptions: Sequence[Subscription], after: str | None) -> Resumption:
        """What was missed by somebody, and what is to come."""
        bookmark = None if after is None else Bookmark.parse(after)
        return Resumption(self, subscriptions, bookmark)


class Resumption:
    """What one listener is told.

    It reads the queue file as from outside, so that neither the reader nor an operator waits.
    """

    def __init__(
        self, of: Resumptions, subscriptions: Sequence[Subscription], after: Bookmark | None
    ) -> None:
        self._of = of
        self._after = after
        self._subscriptions = subscriptions
        self._past = Broker(of.app, LocalPubSub())
        self._channels = [self._past.channel(s.entity, s.id, s.scope) for s in subscriptions]
        self._heard: list[Message] = []
        """What the past has told, and nobody has taken yet."""
        self._live = of.app.subscribe()
        self._border: Place | None = None
        """The last event that the past may have told of."""
        self._reached: Bookmark | None = None
        self._last: Place | None = None
        """The last event that was told of."""
        self._count = 0
        """How many messages of that event have come."""

    @property
    def reached(self) -> str | None:
        """What to give in order to go on after all that has been told until now."""
        return None if self._reached is None else str(self._reached)

    async def missed(self) -> AsyncGenerator[Told | Gap]:
        """What is still kept of what was missed."""
        path = self._of.path
        if path is None or not path.exists():
            await self._listen()
            self._reached = BEGINNING
            if self._after is not None:
                yield Gap("retention")
            return
        for channel in self._channels:
            await self._past.pubsub.subscribe(channel, self._heard.append)
        async with outside.opened(path) as log:
            position = log.last_seq
            if self._after is not None:
                position = await self._after.position_in(log)
                if not await self._after.is_kept_by(log):
                    yield Gap("retention")
            past = Broadcast(self._of.app, log, self._past.pubsub, position)
            while log.last_seq - past.position > _NEAR:
                for told in await self._next(log, past):
                    yield told
            await self._listen()
            await log.refresh()
            if not log.is_current:  # what was published until now may be in none of both
                yield Gap("retention")
            until, end = log.last_seq, await log.place(log.last_seq)
            while past.position < until:
                for told in await self._next(log, past):
                    yield told
        self._border = max((place for place in (end, self._last) if place), default=None)
        self._reached = BEGINNING if self._border is None else Bookmark(self._border)

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hear of nothing more."""
        await self._live.__aexit__(None, None, None)

    def __aiter__(self) -> Self:
        """What comes now."""
        return self

    async def __anext__(self) -> Told:
        """What comes next."""
        published = self._of.published()
        # if nothing comes and the wait is given up, it is all that had been published before
        if published is None or self._live.has_lost:
            self._reached = None
        else:
            self._reached = Bookmark(published)
        while True:
            message = await anext(self._live)
            if self._border is None or _place(message) > self._border:
                self._border = None
                return self._told(message)

    async def _listen(self) -> None:
        await self._live.__aenter__()
        for one in self._subscriptions:
            await self._live.join(one.entity, id=one.id, scope=one.scope)

    async def _next(self, log: OutsideQueue, past: Broadcast) -> list[Told | Gap]:
        """The next events of the past."""
        position = past.position
        await past.publish(await past.read())
        await log.refresh()
        told: list[Told | Gap] = []
        if position < log.oldest_seq - 1:  # somebody who takes his time is overtaken by retention
            told.append(Gap("retention"))
        for message in self._heard:
            one = self._told(message)
            if not self._is_known():
                told.append(one)
        self._heard.clear()
        return told

    def _is_known(self) -> bool:
        """Whether the last message had come when it was broken off, amid those of an event."""
        if self._after is None or self._after.told is None:
            return False
        return self._last == self._after.place and self._count <= self._after.told

    def _told(self, message: Message) -> Told:
        place = _place(message)
        self._count = self._count + 1 if place == self._last else 1
        self._last = place
        self._reached = Bookmark(place, self._count if len(self._subscriptions) > 1 else None)
        return Told(str(self._reached), message)


def _place(message: Message) -> Place:
    return Place(message.event.id.end_lsn, message.event.id.ordinal)
