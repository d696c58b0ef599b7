"""Listeners of the same process."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

import structlog

from eventscope.pubsub.base import Deliver
from eventscope.pubsub.channels import EVERY, Announcement, Channel

_log = structlog.get_logger("eventscope.pubsub")

_NOBODY: Final[tuple[Deliver, ...]] = ()


class LocalPubSub:
    """Hands each message to its listeners at once. They may live on any thread."""

    def __init__(self) -> None:
        self._families: dict[str, dict[str, tuple[Deliver, ...]]] = {}
        """Who listens, by family and name."""
        self._entities: Counter[str] = Counter()
        self._changing = threading.Lock()

    def wants(self, entity: str) -> bool:
        """Whether anybody listens to this table."""
        return self._entities[entity] > 0 or self._entities[EVERY] > 0

    async def publish(self, announcements: Sequence[Announcement]) -> None:
        """Deliver, in order."""
        for channel, message in announcements:
            for deliver in self._listeners(channel):
                try:
                    deliver(message)
                except Exception as error:
                    _log.error("a listener failed", channel=channel.name, error=repr(error))

    async def subscribe(self, channel: Channel, deliver: Deliver) -> None:
        """Deliver what is published from now on."""
        with self._changing:
            family = self._families.setdefault(channel.family, {})
            listeners = family.get(channel.name, _NOBODY)
            if deliver not in listeners:
                family[channel.name] = (*listeners, deliver)
                self._entities[channel.entity] += 1

    async def unsubscribe(self, channel: Channel, deliver: Deliver) -> None:
        """Deliver no more."""
        with self._changing:
            family = self._families.get(channel.family, {})
            listeners = family.get(channel.name, _NOBODY)
            if deliver not in listeners:
                return
            self._entities[channel.entity] -= 1
            rest = tuple(other for other in listeners if other != deliver)
            if rest:
                family[channel.name] = rest
            else:
                del family[channel.name]

    async def close(self) -> None:
        """Forget every listener."""
        with self._changing:
            self._families = {}
            self._entities = Counter()

    def _listeners(self, channel: Channel) -> Iterable[Deliver]:
        family = self._families.get(channel.family)
        if not family:
            return _NOBODY
        if channel.name == channel.family:
            with self._changing:
                return dict.fromkeys(chain.from_iterable(family.values()))
        here = family.get(channel.name, _NOBODY)
        everywhere = family.get(channel.family, _NOBODY)
        return dict.fromkeys((*here, *everywhere)) if here and everywhere else here or everywhere
