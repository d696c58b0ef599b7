"""A client of server-sent events, without a network: it speaks ASGI with an application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message

from tests.waiting import PATIENCE


class Sent(NamedTuple):
    """One server-sent event; a comment has no name."""

    name: str
    id: str | None
    data: Any


class Client:
    """What a client has received; it may stop to read, and go on."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = ""
        """All that has been received, as it came."""
        self.last_id: str | None = None
        self.reads = asyncio.Event()
        self.reads.set()
        self._received: asyncio.Queue[Sent | None] = asyncio.Queue()
        self._started = asyncio.Event()
        self._gone = asyncio.Event()
        self._requested = False

    async def started(self) -> None:
        """Wait for the head of the answer."""
        async with asyncio.timeout(PATIENCE):
            await self._started.wait()

    async def next(self) -> Sent:
        """The next event, or comment."""
        async with asyncio.timeout(PATIENCE):
            sent = await self._received.get()
        assert sent is not None, "the answer has ended"
        self.last_id = sent.id or self.last_id
        return sent

    async def take(self, count: int) -> list[Sent]:
        """The next events."""
        return [await self.next() for _ in range(count)]

    async def until(self, name: str) -> list[Sent]:
        """The events before one of a name, which is taken too."""
        taken = [await self.next()]
        while taken[-1].name != name:
            taken.append(await self.next())
        return taken[:-1]

    async def ended(self) -> None:
        """Wait for the end of the answer, before which nothing else comes."""
        async with asyncio.timeout(PATIENCE):
            assert await self._received.get() is None

    def leave(self) -> None:
        """Close the connection."""
        self._gone.set()

    async def receive(self) -> Message:
        """What the server receives."""
        if not self._requested:
            self._requested = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """What the server sends."""
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            self._started.set()
            return
        self.body += message["body"].decode()
        for block in message["body"].decode().split("\r\n\r\n")[:-1]:
            self._received.put_nowait(_parsed(block))
        if not message.get("more_body"):
            self._received.put_nowait(None)


@asynccontextmanager
async def requesting(
    web: ASGIApp, path: str = "/live", headers: Mapping[str, str] | None = None, method: str = "GET"
) -> AsyncIterator[Client]:
    """Ask for something, and hear the answer until the block is left."""
    target, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        "server": ("test", 80),
        "client": ("test", 1),
        "state": {},
    }
    client = Client()
    answering = asyncio.ensure_future(web(scope, client.receive, client.send))
    try:
        started = asyncio.ensure_future(client.started())
        await asyncio.wait([answering, started], return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if answering.done():
            await answering
        yield client
    finally:
        client.leave()
        client.reads.set()
        async with asyncio.timeout(PATIENCE):
            await answering


def _parsed(block: str) -> Sent:
    fields = dict[str, str]()
    for line in block.split("\r\n"):
        name, _, value = line.partition(": ")
        fields[name] = value
    data = json.loads(fields["data"]) if "data" in fields else None
    return Sent(fields.get("event", ""), fields.get("id"), data)
