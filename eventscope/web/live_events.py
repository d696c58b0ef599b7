"""An ASGI endpoint that tells a browser what is committed, by server-sent events.

Source: HTML Living Standard, chapter "Server-sent events".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import partial
from typing import Final

import msgspec
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from eventscope.app import EventScope
from eventscope.errors import InvalidToken, NotRunning
from eventscope.resumable import Gap, Resumable, Told
from eventscope.web.message_json import message_json
from eventscope.web.permission import Permit, permitted

LAST_EVENT_ID: Final = "last-event-id"
AFTER: Final = "after"
"""The parameter in which a page says at its first request what it shows already."""

_RETRY: Final = 1_000
"""Milliseconds after which a browser comes back."""
_STUCK: Final = 30.0
"""Seconds after which a client that takes nothing is let go."""


class LiveEvents:
    """Tells clients what happens to the tables that they may listen to.

    To be mounted as it is: ``Route("/live", LiveEvents(app, permit))``. A client hears of what
    ``permit`` returns for its request, and nothing that it sends adds to that.

    Each message is an event of its kind (``on_insert`` ...) whose data is ``message_json`` and
    whose id is the event's. After a lost connection the browser sends the last one, and is told
    first what the queue file still keeps. There are two more: ``listening``, once all of that has
    been told; and ``gap`` where something is missing, after which a page had better load anew what
    it shows. Its data has ``reason`` and ``messages``, as ``resumable.Gap``.

    Args:
        app: an application that an engine runs in this process.
        permit: what a request may listen to; by None it is refused.
        keepalive: seconds of silence after which a client is sent a comment.
        max_age: seconds after which a client has to come back, to be permitted anew; it misses
            nothing by that.
    """

    def __init__(
        self, app: EventScope, permit: Permit, *, keepalive: float = 15.0, max_age: float = 600.0
    ) -> None:
        self._app = app
        self._permit = permit
        self._keepalive = keepalive
        self._max_age = max_age
        self._json = partial(message_json, scopes=app.scopes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises:
            DeclarationError: ``permit`` returned what there is not.
        """
        request = Request(scope, receive)
        opened = await self._open(request)
        if isinstance(opened, Response):
            await opened(scope, receive, send)
            return
        async with opened, aclosing(self._told(opened)) as told:
            answer = EventSourceResponse(told, ping=0, send_timeout=_STUCK)
            with suppress(SendTimeoutError):
                await answer(scope, receive, send)

    async def _open(self, request: Request) -> Resumable | Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("want GET", 405, {"Allow": "GET, HEAD"})
        subscriptions = await permitted(self._permit, request)
        if not subscriptions:
            return PlainTextResponse("not permitted", 403)
        if self._app.resume is None:
            return PlainTextResponse("not running", 503, {"Retry-After": "1"})
        after = request.headers.get(LAST_EVENT_ID) or request.query_params.get(AFTER)
        try:
            return self._app.resume(subscriptions, after or None)
        except InvalidToken as error:
            return PlainTextResponse(str(error), 400)
        except NotRunning:
            return PlainTextResponse("not running", 503, {"Retry-After": "1"})

    async def _told(self, stream: Resumable) -> AsyncGenerator[ServerSentEvent]:
        deadline = time.monotonic() + self._max_age
        async with aclosing(stream.missed()) as missed:
            async for one in missed:
                yield _gap(one) if isinstance(one, Gap) else self._event(one)
                if isinstance(one, Told) and time.monotonic() > deadline:
                    return
        yield ServerSentEvent("{}", event="listening", id=stream.reached, retry=_RETRY)
        while (left := deadline - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(self._keepalive, left)):
                    told = await anext(stream)
            except TimeoutError:
                yield ServerSentEvent(comment="", id=stream.reached)
            except StopAsyncIteration:
                return
            else:
                if told.message.dropped:
                    yield _gap(Gap("slow", told.message.dropped))
                yield self._event(told)

    def _event(self, told: Told) -> ServerSentEvent:
        return ServerSentEvent(self._json(told.message), event=told.message.kind, id=told.id)


def _gap(gap: Gap) -> ServerSentEvent:
    return ServerSentEvent(msgspec.json.encode(gap._asdict()).decode(), event="gap")
