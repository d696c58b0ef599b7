"""The plainest adapter that keeps the promises: it asks each listener whether he wants to hear."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from eventscope.pubsub.base import Deliver
from eventscope.pubsub.channels import EVERY, Announcement, Channel


class PlainPubSub:
    """An adapter of somebody else's, named by dotted path."""

    def __init__(self) -> None:
        self._listening: dict[tuple[Channel, Deliver], None] = {}

    def wants(self, entity: str) -> bool:
        return any(channel.entity in (entity, EVERY) for channel, _ in self._listening)

    async def publish(self, announcements: Sequence[Announcement]) -> None:
        for said, message in announcements:
            heard = [deliver for asked, deliver in self._listening if _is_heard(said, asked)]
            for deliver in dict.fromkeys(heard):
                with suppress(Exception):
                    deliver(message)

    async def subscribe(self, channel: Channel, deliver: Deliver) -> None:
        self._listening[channel, deliver] = None

    async def unsubscribe(self, channel: Channel, deliver: Deliver) -> None:
        self._listening.pop((channel, deliver), None)

    async def close(self) -> None:
        self._listening.clear()


def _is_heard(said: Channel, asked: Channel) -> bool:
    is_family = said.family == said.name or asked.family == asked.name
    return said.family == asked.family and (is_family or said.name == asked.name)
