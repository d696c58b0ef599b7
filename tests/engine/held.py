"""An adapter whose listeners hear of nothing for a while."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from eventscope.pubsub.local import LocalPubSub


class Held(LocalPubSub):
    """An adapter that takes nothing until it is let go."""

    go_on: ClassVar[asyncio.Event]
    held: ClassVar[asyncio.Event]

    async def publish(self, announcements: Any) -> None:
        Held.held.set()
        await Held.go_on.wait()
        await super().publish(announcements)
