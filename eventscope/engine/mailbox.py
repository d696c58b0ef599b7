"""Requests from other processes: taken from the queue, done, answered there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from eventscope.engine.commands import Command, CommandRefused, Report
from eventscope.errors import EventScopeError
from eventscope.queue.base import Queue
from eventscope.queue.records import Request, limited

_log = structlog.get_logger("eventscope.engine")

_INTERVAL: Final = 0.1
"""Seconds between two looks."""
_STALE: Final = 60.0
"""Seconds after which nobody waits for a request any more, who has not taken it back as he died."""

Do = Callable[[Command, str], Awaitable[str]]
"""Does a command for somebody; returns what was done."""

Tell = Callable[[], Awaitable[str]]
"""Tells how everything is, in JSON."""

_decode = msgspec.json.Decoder(Command | Report).decode


def encode(asked: Command | Report) -> str:
    """Write what is asked as a request says it."""
    return msgspec.json.encode(asked).decode()


class Mailbox:
    """Does what is asked through the queue.

    Args:
        queue: where the requests are.
        do: does commands.
        tell: answers who asks for a report.
    """

    def __init__(self, queue: Queue, do: Do, tell: Tell) -> None:
        self._queue = queue
        self._do = do
        self._tell = tell

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            for request in await self._queue.requests():
                await self._serve(request)
            await asyncio.sleep(_INTERVAL)

    async def _serve(self, request: Request) -> None:
        refused = True
        try:
            asked = _decode(request.command)
            if time.time() - request.asked_at > _STALE:
                raise CommandRefused("it was asked too long ago: look, and ask again")
            if isinstance(asked, Report):
                answer = await self._tell()
            else:
                answer = await self._do(asked, request.asked_by)
            refused = False
        except CommandRefused as refusal:
            answer = str(refusal)
        except msgspec.MsgspecError as error:
            answer = f"this eventscope does not know the command: {error}"
        except EventScopeError as error:
            answer = str(error)
        except Exception as error:  # whoever asks must not end what runs here
            answer = f"{type(error).__name__}: {error}"
            _log.error("a request failed", command=request.command, error=answer)
        await self._queue.answer(request.id, limited(answer) if refused else answer, refused)
