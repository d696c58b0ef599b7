"""Reading a stream in tests."""

from __future__ import annotations

import asyncio
from typing import Any

from eventscope import Message
from eventscope.message import Stream
from tests.waiting import PATIENCE


async def take(stream: Stream, count: int) -> list[Message]:
    """The next messages; raises TimeoutError if they never come."""
    async with asyncio.timeout(PATIENCE):
        return [await anext(stream) for _ in range(count)]


def told(message: Message) -> tuple[str, Any, Any]:
    """A message as its kind, its scope and the id of its row."""
    row = message.event.new_record or message.event.old_record or {}
    return message.kind, message.scope, row.get("id")
