"""What carries messages from the engine to listeners, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from eventscope.message import Message
from eventscope.pubsub.channels import Announcement, Channel

Deliver = Callable[[Message], None]
"""Takes a message and returns at once; may be called from another thread."""


class PubSub(Protocol):
    """An adapter: what the setting ``pubsub`` names.

    Each listener hears the messages of a channel in the order of their publication, and those of
    several channels too. What is said to a family of channels is heard on each of them, and who
    listens to a family hears all of them (see ``Channel``); each message once, also if he listens
    to one of them besides.
    """

    def wants(self, entity: str) -> bool:
        """Whether anybody may be listening to this table; what nobody wants is not published."""

    async def publish(self, announcements: Sequence[Announcement]) -> None:
        """Hand messages over, in order. Waits for no listener, and outlives one that raises."""

    async def subscribe(self, channel: Channel, deliver: Deliver) -> None:
        """Deliver what is published from now on; once, however often it is asked for."""

    async def unsubscribe(self, channel: Channel, deliver: Deliver) -> None:
        """Deliver no more; idempotent."""

    async def close(self) -> None:
        """Release everything; idempotent."""
