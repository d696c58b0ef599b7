"""Listening that goes on where it was broken off: what is told, and what no longer can be."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

from eventscope.message import Message


@dataclass(frozen=True, slots=True)
class Subscription:
    """What to listen to: a table, one of its rows, or a scope.

    Args:
        entity: the table; ``*`` for all of them.
        id: the key of one row, a list if it has several columns.
        scope: the values of a declared scope, by column.
    """

    entity: str
    id: Any = None
    scope: Mapping[str, Any] | None = None


class Told(NamedTuple):
    """A message, and what to give in order to go on after it."""

    id: str
    """The event's id. Of several subscriptions, which may tell of one event more than once, the
    number of the message too: ``<event id>+<number>``."""
    message: Message


class Gap(NamedTuple):
    """Something is missing here, and what was shown may no longer be true."""

    reason: str
    """``retention``: what came here is no longer kept; ``slow``: it waited for too long."""
    messages: int | None = None
    """How many, if that is known."""


class Resumable(Protocol):
    """The messages of some subscriptions, in commit order: those missed, then those to come.

    Inside of its ``async with`` block ``missed`` is read to its end, then the object itself.
    """

    @property
    def reached(self) -> str | None:
        """What to give in order to go on after all that has been told until now, if it is known.

        It moves on while nothing comes, as far as all that happens is of no interest.
        """

    def missed(self) -> AsyncGenerator[Told | Gap]:
        """What is still kept of what was missed."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Told: ...


class Resume(Protocol):
    """What an engine lends the application that it runs."""

    def __call__(self, subscriptions: Sequence[Subscription], after: str | None) -> Resumable:
        """Listen from now on, or from what was told last.

        Args:
            subscriptions: what to.
            after: the id of what was told last, ``reached``, or a token of the application.

        Raises:
            DeclarationError: there is no such entity or scope.
            InvalidToken: ``after`` is none of these.
        """
