"""Listeners as data: who is told, of what."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from eventscope.errors import DeclarationError
from eventscope.message import Message, Stream
from eventscope.scopes import DeclaredScope, find_declared

EVERY_ENTITY: Final = "*"
"""Stands for all tables of an application."""

Listening = Callable[[Message], Coroutine[Any, Any, None]]


class OpenStream(Protocol):
    """What an engine lends the application that it runs."""

    def __call__(self, entity: str | None, *, id: Any, scope: Mapping[str, Any] | None) -> Stream:
        """A stream, yet to be entered; without an entity one that hears of nothing yet."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A Python function that is told what happens to a table, to a row, or within a scope."""

    name: str
    function: Listening
    entity: str
    id: Any = None
    """The key of the one row that it hears of."""
    scope: DeclaredScope | None = None
    """The scope that it hears of, whatever its values."""

    @classmethod
    def declared(
        cls,
        function: Listening,
        entity: str,
        *,
        id: Any,
        scope: Mapping[str, str] | None,
        name: str | None,
        scopes: Callable[[str], tuple[DeclaredScope, ...]],
    ) -> Self:
        """Check a declaration.

        Args:
            function: what is called.
            entity: the table, or ``EVERY_ENTITY``.
            id: the key of one row, or None.
            scope: a scope as the entity declares it, or None.
            name: the listener's name; by default the function's.
            scopes: tells the scopes of an entity, or raises if there is no such entity.

        Raises:
            DeclarationError: naming what is wrong.
        """
        name = name or str(getattr(function, "__name__", "listener"))
        if not inspect.iscoroutinefunction(function):
            raise DeclarationError(f"listener {name!r} must be async def")
        if id is not None and scope is not None:
            raise DeclarationError(f"listener {name!r}: want id or scope, not both")
        every = entity == EVERY_ENTITY and id is None and scope is None
        known = () if every else scopes(entity)
        found = None if scope is None else find_declared(entity, known, scope)
        return cls(name, function, entity, id, found)
