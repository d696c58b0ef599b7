"""A TCP port in front of a server, whose connections can be cut, reset, held, or thinned."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Literal, Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

Kind = Literal["replication", "other"]
End = Literal["fin", "rst"]

_REPLICATION = b"\0replication\0database\0"


class Proxy:
    """Passes connections on to a server's unix socket.

    Args:
        target: the url of a database there.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        """May be changed; connections made from then on lead there."""
        self.links: list[Link] = []
        """All connections so far, those that have ended included."""
        self.hides_replication = False
        """Whether new sessions are ordinary ones, as behind a pooler."""
        self.swallows: set[Kind] = set()
        """Kinds of new connections that are accepted and never heard of again."""
        self.piece = 1 << 16
        """The most bytes that are passed on at once."""
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    @property
    def url(self) -> str:
        """The database through this port."""
        host, port = self._server.sockets[0].getsockname()
        given = conninfo_to_dict(self.target) | {"host": host, "port": port}
        return make_conninfo("", **given, sslmode="disable", gssencmode="disable")

    def open(self, kind: Kind) -> list[Link]:
        """The connections of a kind that have not ended."""
        return [link for link in self.links if link.kind == kind and not link.has_ended]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readexactly(4)
            body = await reader.readexactly(struct.unpack("!i", head)[0] - 4)
            kind: Kind = "replication" if _REPLICATION in body else "other"
            if self.hides_replication:
                body = body.replace(_REPLICATION, b"\0")
            given = conninfo_to_dict(self.target)
            path = f"{given['host']}/.s.PGSQL.{given['port']}"
            link = Link(kind, self, (reader, writer), await asyncio.open_unix_connection(path))
            self.links.append(link)
            if kind in self.swallows:
                link.hold()
            await link.run(struct.pack("!i", len(body) + 4) + body)
        except (asyncio.IncompleteReadError, OSError):
            pass  # as a server that is not there
        finally:
            writer.close()


class Link:
    """One connection through a proxy."""

    def __init__(
        self,
        kind: Kind,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.kind: Kind = kind
        self.has_ended = False
        self._proxy = proxy
        self._client = client
        self._server = server
        self._flows = asyncio.Event()
        self._flows.set()
        self._budget: int | None = None
        self._end: End = "fin"

    async def run(self, startup: bytes) -> None:
        """Pass everything on until one side ends."""
        self._server[1].write(startup)
        pumps = [
            asyncio.create_task(self._pump(self._client[0], self._server[1], to_client=False)),
            asyncio.create_task(self._pump(self._server[0], self._client[1], to_client=True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.end(self._end)

    def hold(self) -> None:
        """Pass nothing on, in neither direction, and end nothing: a black hole."""
        self._flows.clear()

    def release(self) -> None:
        """Pass on what was held, and what comes."""
        self._flows.set()

    def cut_after(self, count: int, end: End = "fin") -> None:
        """End the connection when the server has sent so many bytes more."""
        self._budget, self._end = count, end

    def end(self, how: End = "fin") -> None:
        """End both sides: in order, or with a reset."""
        self.has_ended = True
        for _, writer in (self._client, self._server):
            sock = writer.get_extra_info("socket")
            if how == "rst" and sock is not None and sock.family == socket.AF_INET:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()

    async def _pump(
        self, source: asyncio.StreamReader, drain: asyncio.StreamWriter, *, to_client: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(1 << 16):
                while data:
                    await self._flows.wait()
                    size = self._proxy.piece
                    if to_client and self._budget is not None:
                        size = min(size, self._budget)
                        self._budget -= min(len(data), size)
                    drain.write(data[:size])
                    await drain.drain()
                    data = data[size:]
                    if to_client and self._budget == 0:
                        return
            await self._flows.wait()
