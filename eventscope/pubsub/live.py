"""What a live view listens to, as its parameters come and go; without any user interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from eventscope.app import EventScope
from eventscope.errors import DeclarationError
from eventscope.message import Stream
from eventscope.scopes import DeclaredScope, find_declared

Subscription = Literal["direct", "unscoped"] | Mapping[str, str]
"""One way to listen to an entity: to the row that the parameter ``id`` names, to all of it, or to a
scope, as the entity declares it, that parameters named like its columns lead to."""

Params = Mapping[str, Any]
"""The parameters of a view: of its address, say."""

_Kind = Literal["direct", "unscoped"] | DeclaredScope
_Arguments = dict[str, Any]
"""What a stream joins an entity with."""


class LiveView:
    """Subscribes when it is mounted and when its parameters change, and no longer than it lives.

    What it listens to follows from its parameters alone: another ``id`` takes the place of the old
    one. Parameters that are missing, or None, are no reason to fail: there is nothing to listen to
    yet.

    Args:
        app: an application that an engine runs in this process.
        schema: the entity that is shown.
        subscriptions: how to listen to it.

    Raises:
        DeclarationError: there is no such entity, scope or way to listen.
    """

    def __init__(
        self,
        app: EventScope,
        schema: str,
        subscriptions: Iterable[Subscription] = ("direct", "unscoped"),
    ) -> None:
        self.schema = schema
        self.params: Params = {}
        """The parameters as last heard of."""
        self._app = app
        self._stream: Stream | None = None
        self._kinds = tuple(self._known(schema, one) for one in subscriptions)
        self._joined: dict[tuple[str, _Kind], _Arguments] = {}

    @property
    def messages(self) -> Stream:
        """What the view is told; only while it is mounted."""
        if self._stream is None:
            raise RuntimeError("the view is not mounted")
        return self._stream

    async def mount(self) -> None:
        """Subscribe to what needs no parameters.

        Raises:
            NotRunning: no engine runs the application.
        """
        if self._stream is None:
            self._stream = await self._app.subscribe().__aenter__()
            await self.handle_params({})

    async def handle_params(self, params: Params) -> None:
        """Subscribe to what the parameters lead to, and to nothing that earlier ones did."""
        self.params = dict(params)
        for kind in self._kinds:
            await self._follow(self.schema, kind, _arguments(kind, params))
        await self.handle_subscriptions(params)

    async def handle_subscriptions(self, params: Params) -> None:
        """Called when parameters have come: to be overridden by a view that shows other entities.

        It calls ``subscribe_entity`` and ``unsubscribe_entity``.
        """

    async def unmount(self) -> None:
        """Unsubscribe from everything; idempotent."""
        stream, self._stream = self._stream, None
        self._joined.clear()
        if stream is not None:
            await stream.__aexit__(None, None, None)

    async def subscribe_entity(
        self, entity: str, subscriptions: Iterable[Subscription], params: Params
    ) -> None:
        """Listen to another entity too, as far as the parameters lead to it.

        A way to listen that does not exist is passed over.

        Raises:
            DeclarationError: there is no such entity or scope.
        """
        for one in subscriptions:
            if isinstance(one, Mapping) or one in ("direct", "unscoped"):
                kind = self._known(entity, one)
                await self._follow(entity, kind, _arguments(kind, params))

    async def unsubscribe_entity(
        self, entity: str, subscriptions: Iterable[Subscription] | None = None
    ) -> None:
        """Listen to another entity no more in these ways; by default in none."""
        if subscriptions is None:
            kinds = [kind for name, kind in self._joined if name == entity]
        else:
            kinds = [self._known(entity, one) for one in subscriptions]
        for kind in kinds:
            await self._follow(entity, kind, None)

    def is_subscribed(self, entity: str, subscription: Subscription) -> bool:
        """Whether the view listens to an entity in this way."""
        return (entity, self._known(entity, subscription)) in self._joined

    async def _follow(self, entity: str, kind: _Kind, arguments: _Arguments | None) -> None:
        """Listen with these arguments, and no longer with those before."""
        before = self._joined.get((entity, kind))
        if arguments == before:
            return
        if arguments is not None:
            await self.messages.join(entity, **arguments)
            self._joined[entity, kind] = arguments
        if before is not None:
            await self.messages.leave(entity, **before)
            if arguments is None:
                del self._joined[entity, kind]

    def _known(self, entity: str, subscription: Subscription) -> _Kind:
        scopes = self._app.scopes(entity)
        if isinstance(subscription, Mapping):
            return find_declared(entity, scopes, subscription)
        if subscription not in ("direct", "unscoped"):
            raise DeclarationError(
                f"view of {entity!r}: no way to listen is called {subscription!r}; "
                f"there are direct, unscoped, and scopes as the entity declares them"
            )
        return subscription


def _arguments(kind: _Kind, params: Params) -> _Arguments | None:
    """How to join; None if parameters are missing."""
    if kind == "unscoped":
        return {}
    if kind == "direct":
        return {"id": params["id"]} if params.get("id") is not None else None
    values = {column: params.get(column) for column, _ in kind}
    return None if None in values.values() else {"scope": values}
