"""ASGI middleware by which clients read what they have written themselves.

Source: RFC 8470, section 5.2 (425 Too Early); README of EventStreamex.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from eventscope.app import EventScope
from eventscope.errors import DeclarationError, InvalidToken, NotRunning

TOKEN: Final = "eventscope-token"  # noqa: S105 - the name of a header
ENTITY_TIMESTAMP: Final = "x-event-streamex-entity-timestamp"
"""The header of EventStreamex: ``posts/<microseconds of updated_at>``."""

_FORM: Final = re.compile(r"(.+)/([0-9]{1,19})")


class TooEarlyMiddleware:
    """Answers 425 to requests that come before what their sender has written is processed.

    Such a request has the header ``Eventscope-Token`` (``app.token``) or that of EventStreamex.
    With ``Retry-After`` it is told when to ask again. A header that means nothing is answered with
    400, and with 503 while no engine runs the application; other requests pass.

    Args:
        asgi: what answers other requests.
        app: an application that an engine runs in this process.
        patience: seconds to wait for what is not processed yet, before it is said to be too early.
        retry_after: seconds after which to ask again.
    """

    def __init__(
        self, asgi: ASGIApp, app: EventScope, *, patience: float = 0.0, retry_after: int = 1
    ) -> None:
        self._asgi = asgi
        self._app = app
        self._patience = patience
        self._retry = {"Retry-After": str(retry_after)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it pass."""
        answer = await self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        await (answer or self._asgi)(scope, receive, send)

    async def _refusal(self, headers: Headers) -> Response | None:
        token, entity = headers.get(TOKEN), headers.get(ENTITY_TIMESTAMP)
        try:
            if token is not None and not await self._is_processed(token):
                return PlainTextResponse(f"{token[:40]} is not processed yet", 425, self._retry)
            if entity is not None and not self._app.processed(*_entity(entity)):
                return PlainTextResponse(f"{entity[:80]} is not processed yet", 425, self._retry)
        except InvalidToken as error:
            return PlainTextResponse(str(error), 400)
        except DeclarationError:  # which names what there is, to whoever asks
            return PlainTextResponse(f"{str(entity)[:80]} names no entity", 400)
        except NotRunning:
            return PlainTextResponse("not running", 503, self._retry)
        return None

    async def _is_processed(self, token: str) -> bool:
        if self._patience <= 0:
            return self._app.processed(token)
        try:
            await self._app.wait_for(token, timeout=self._patience)
        except TimeoutError:
            return False
        return True


def _entity(header: str) -> tuple[str, int]:
    parts = _FORM.fullmatch(header)
    if parts is None:
        raise InvalidToken(f"{header[:40]!r} is no entity and time, as posts/1700000000000000")
    return parts[1], int(parts[2])
