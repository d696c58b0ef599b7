"""What a listener is told: an event, seen from one of the channels that it was announced on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol, Self

from eventscope.event import Event

Kind = Literal["on_insert", "on_update", "on_delete", "on_truncate", "on_leave"]
"""What happened. ``on_leave``: an update moved the row out of this scope, or to another key."""

Scope = Literal["direct"] | tuple[tuple[str, str], ...]
"""Where: ``direct``, the row that was asked for by its key; a scope, as ``(("posts", "123"),)``,
with ``*`` for every value when a TRUNCATE has emptied all of them; or ``()``, anywhere."""

ANYWHERE: Final[Scope] = ()


class Message(NamedTuple):
    """An event on one channel."""

    kind: Kind
    scope: Scope
    event: Event
    entity: str
    """The table as it was subscribed to; for a row of a partition that may be the whole."""
    dropped: int = 0
    """Messages that were lost right before this one, since their listener was too slow. For one
    that follows an engine of another process, and was behind what its queue keeps: events."""


class Stream(Protocol):
    """The messages of one or several channels, in commit order; it ends with the engine.

    Its ``async with`` block opens and closes it.
    """

    @property
    def has_lost(self) -> bool:
        """Whether messages were lost after the last that has come; the next one tells of it."""

    async def join(
        self, entity: str, *, id: Any = None, scope: Mapping[str, Any] | None = None
    ) -> None:
        """Hear of a channel too, from now on; idempotent.

        Raises:
            DeclarationError: there is no such entity or scope.
        """

    async def leave(
        self, entity: str, *, id: Any = None, scope: Mapping[str, Any] | None = None
    ) -> None:
        """Hear no more of a channel; idempotent. What has come already stays."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Message: ...
