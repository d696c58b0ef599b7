"""What a user declares: entities, query operators, handlers and listeners."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from eventscope import scopes as scoping
from eventscope.errors import DeclarationError as DeclarationError
from eventscope.errors import NotRunning
from eventscope.event import EVENT_TYPES, MESSAGES, ROW_EVENTS, EventType, entity_name, split_entity
from eventscope.listener import Listener, Listening, OpenStream
from eventscope.message import Stream
from eventscope.scopes import DeclaredScope

Handler = TypeVar("Handler", bound=Callable[..., Any])
Listens = TypeVar("Listens", bound=Listening)


@dataclass(frozen=True, slots=True)
class QueryOperator:
    """SQL that brings one row of its target up to date, given the row's id as ``$1``."""

    name: str
    target: str
    sql: str
    ids: Mapping[str, str]
    """Which column of a source row holds the target row's id, by entity."""
    delete_with: tuple[str, ...]
    id: str
    """The target's own id column."""
    events: tuple[EventType, ...]

    kind: Literal["query"] = "query"

    @property
    def entities(self) -> tuple[str, ...]:
        """The tables it follows."""
        return tuple(self.ids)


@dataclass(frozen=True, slots=True)
class HandlerOperator:
    """A Python function that is called with one event at a time, in order."""

    name: str
    function: Callable[..., Any]
    entities: tuple[str, ...]
    """The tables it follows, and the prefixes of the messages if it wants those."""
    events: tuple[EventType, ...]
    timeout: float
    """Seconds that one call may take."""

    kind: Literal["handler"] = "handler"

    @property
    def takes_tx(self) -> bool:
        """Whether it asks for a database transaction."""
        return "tx" in inspect.signature(self.function).parameters

    @property
    def is_async(self) -> bool:
        """Whether it is awaited; other handlers run in a thread."""
        return inspect.iscoroutinefunction(self.function)


Operator = QueryOperator | HandlerOperator


class EventScope:
    """An application: the tables it watches, the operators and listeners that follow them.

    Args:
        name: names the application to the database, and its queue file.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._entities: dict[str, tuple[DeclaredScope, ...]] = {}
        self._operators: dict[str, Operator] = {}
        self._listeners: dict[str, Listener] = {}
        self.open_stream: OpenStream | None = None
        """Set while an engine runs the application."""

    def entity(self, name: str, *, scopes: Iterable[Mapping[str, str]] = ()) -> None:
        """Watch a table (``comments`` or ``audit.log``); its events reach the feed and listeners.

        Tables that an operator follows need not be declared again, unless they have scopes.

        Args:
            name: the table.
            scopes: by what its rows can be listened to: ``{"post_id": "posts"}`` announces each
                row on ``posts/<post_id>/comments`` too. Several columns make one scope, in this
                order. To hear of rows that leave a scope, its columns must be in the replica
                identity.

        Raises:
            DeclarationError: naming what is wrong.
        """
        entity = _known_as(name)
        known = [dict(scope) for scope in self._entities.get(entity, ())]
        self._entities[entity] = scoping.declared(entity, [*known, *scopes])

    def scopes(self, entity: str) -> tuple[DeclaredScope, ...]:
        """The scopes of a table; raises DeclarationError if there is no such entity."""
        name = _known_as(entity)
        if name not in self.entities:
            raise scoping.unknown(name, self.entities)
        return self._entities.get(name, ())

    @property
    def entities(self) -> tuple[str, ...]:
        """Every table that is watched, in the order of declaration."""
        followed = [
            entity
            for operator in self.operators
            if operator.events != MESSAGES
            for entity in operator.entities
        ]
        return tuple(dict.fromkeys([*self._entities, *followed]))

    @property
    def prefixes(self) -> frozenset[str]:
        """The prefixes of the logical messages that an operator follows."""
        following = (o for o in self.operators if MESSAGES[0] in o.events)
        return frozenset(prefix for operator in following for prefix in operator.entities)

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Every operator, in the order of declaration."""
        return tuple(self._operators.values())

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Every listener, in the order of declaration."""
        return tuple(self._listeners.values())

    def query(
        self,
        name: str,
        *,
        sql: str,
        ids: Mapping[str, str],
        delete_with: str | Iterable[str] = (),
        target: str | None = None,
        id: str = "id",
        events: EventType | Iterable[EventType] = ROW_EVENTS,
    ) -> None:
        """Keep a derived table up to date by SQL.

        Args:
            name: the operator's name, and its target table unless ``target`` names another.
            sql: brings the row with id ``$1`` up to date; a MERGE or an upsert. It is run again
                whenever that row may have changed, so it must depend on the database alone.
            ids: which column of each followed table holds the target row's id.
            delete_with: tables whose row's end is also the end of the target row.
            target: the derived table.
            id: the target's id column.
            events: the event types to follow.

        Raises:
            DeclarationError: naming what is wrong.
        """
        if "$1" not in sql:
            raise DeclarationError(f"operator {name!r}: the SQL must take the target's id as $1")
        if not ids:
            raise DeclarationError(f"operator {name!r}: ids names no table to follow")
        known = {_known_as(entity): column for entity, column in ids.items()}
        ends = _names(delete_with)
        for entity in ends:
            if _known_as(entity) not in known:
                raise DeclarationError(
                    f"operator {name!r}: delete_with names {entity!r}, which is not in ids"
                )
        self._add(
            QueryOperator(
                name=name,
                target=target or name,
                sql=sql,
                ids=known,
                delete_with=tuple(_known_as(entity) for entity in ends),
                id=id,
                events=_event_types(name, events, ROW_EVENTS),
            )
        )

    def operator(
        self,
        *,
        entities: str | Iterable[str],
        events: EventType | Iterable[EventType] = ROW_EVENTS,
        name: str | None = None,
        timeout: float = 30.0,
    ) -> Callable[[Handler], Handler]:
        """Call a function with each event of the given tables, one at a time and in order.

        The function takes ``event``, and ``tx`` if it wants a transaction of its own. A plain
        ``def`` runs in a thread. Raising means failing: the same event comes again later.

        Args:
            entities: the tables to follow; for events of type ``message`` the prefixes that
                were given to ``pg_logical_emit_message``.
            events: the event types to follow; by default all that can happen to a table.
            name: the operator's name; by default the function's.
            timeout: seconds that one call may take.

        Raises:
            DeclarationError: naming what is wrong.
        """

        def declare(function: Handler) -> Handler:
            operator_name = name or str(getattr(function, "__name__", "handler"))
            types = _event_types(operator_name, events, EVENT_TYPES)
            names = _names(entities)
            operator = HandlerOperator(
                name=operator_name,
                function=function,
                entities=names if types == MESSAGES else tuple(map(_known_as, names)),
                events=types,
                timeout=timeout,
            )
            if operator.takes_tx and not operator.is_async:
                raise DeclarationError(
                    f"operator {operator_name!r}: a handler that takes tx must be async def"
                )
            if not operator.entities:
                raise DeclarationError(f"operator {operator_name!r}: entities names no table")
            self._add(operator)
            return function

        return declare

    def listener(
        self,
        entity: str,
        *,
        id: Any = None,
        scope: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> Callable[[Listens], Listens]:
        """Tell a coroutine function what happens to a table, as it happens and in commit order.

        It is called with a ``Message``. What it raises is logged, and the next message follows. If
        it is too slow it loses the oldest messages, and is told how many.

        Args:
            entity: the table; ``*`` for all of them.
            id: the key of one row, to hear of that one alone.
            scope: a scope as the entity declares it, to hear of each row within it.
            name: the listener's name; by default the function's.

        Raises:
            DeclarationError: naming what is wrong.
        """

        def declare(function: Listens) -> Listens:
            listener = Listener.declared(
                function, _known_as(entity), id=id, scope=scope, name=name, scopes=self.scopes
            )
            if listener.name in self._listeners:
                raise DeclarationError(f"listener {listener.name!r} is declared twice")
            self._listeners[listener.name] = listener
            return function

        return declare

    def subscribe(
        self,
        entity: str | None = None,
        *,
        id: Any = None,
        scope: Mapping[str, Any] | None = None,
    ) -> Stream:
        """Hear what happens to a table, from now on: ``async with app.subscribe(...) as stream``.

        Works where an engine runs the application in this process. The stream hears of more with
        ``stream.join``.

        Args:
            entity: the table; ``*`` for all of them; None for nothing yet.
            id: the key of one row, a list if it has several columns.
            scope: the values of a declared scope, by column.

        Raises:
            DeclarationError: there is no such entity or scope.
            NotRunning: no engine runs the application.
        """
        if self.open_stream is None:
            raise NotRunning(
                f"application {self.name!r} is not running in this process: "
                f"subscribe inside of `async with Engine(app)`"
            )
        return self.open_stream(entity, id=id, scope=scope)

    def _add(self, operator: Operator) -> None:
        if operator.name in self._operators:
            raise DeclarationError(f"operator {operator.name!r} is declared twice")
        self._operators[operator.name] = operator

    def __repr__(self) -> str:
        return f"<EventScope {self.name!r}: {len(self._operators)} operators>"


def _known_as(entity: str) -> str:
    return entity_name(*split_entity(entity))


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    """One name may stand for a list of one."""
    return (given,) if isinstance(given, str) else tuple(given)


def _event_types(
    operator: str, events: str | Iterable[str], possible: tuple[EventType, ...]
) -> tuple[EventType, ...]:
    given = cast("tuple[EventType, ...]", _names(events))
    for event in given:
        if event not in possible:
            raise DeclarationError(
                f"operator {operator!r}: {event!r} is no event type here; "
                f"there are {', '.join(possible)}"
            )
    return given
