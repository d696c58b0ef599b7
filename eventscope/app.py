"""What a user declares: entities, query operators and handlers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, cast, get_args

from eventscope.cascade import cycle
from eventscope.errors import DeclarationError as DeclarationError
from eventscope.event import (
    EVENT_TYPES,
    MESSAGES,
    ROW_EVENTS,
    Event,
    EventType,
    entity_name,
    split_entity,
)
from eventscope.ids import GivenParts, Parts, check_placeholders, parts_of, target_id

Handler = TypeVar("Handler", bound=Callable[..., Any])

OnFailure = Literal["dead_letter", "halt"]
"""What an operator does that is out of retries: put the failure aside and go on, or wait for a
person."""
_ON_FAILURE: Final = get_args(OnFailure)

Key = str | Callable[[Event], Hashable] | None


@dataclass(frozen=True, slots=True)
class QueryOperator:
    """SQL that brings rows of its target up to date, given their ids."""

    name: str
    target: str
    sql: str
    """Takes the parts of one id as ``$1``, ``$2``; with ``batch`` an array of each."""
    ids: Mapping[str, Parts]
    """What of a source row makes up the target row's id, by entity."""
    delete_with: tuple[str, ...]
    id: tuple[str, ...]
    """The target's own id columns."""
    events: tuple[EventType, ...]
    batch: bool = False
    """Whether the SQL takes many ids at once."""
    on_failure: OnFailure = "dead_letter"
    backfill: bool = False
    """Whether it starts with every row that is there already."""
    alias: str | None = None
    """A former name, whose position it takes over."""

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
    on_failure: OnFailure = "halt"
    alias: str | None = None
    """A former name, whose position it takes over."""
    concurrency: int = 1
    """Events that it may be at, of different keys."""
    key: Key = None
    """What tells keys apart: a column, a function of the event, or the row's own key."""
    batch: int | None = None
    """Events in a list; None: it takes single ones."""

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
    """An application: the tables it watches and the operators that follow them.

    Args:
        name: names the application to the database, and its queue file.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._entities: dict[str, None] = {}
        self._operators: dict[str, Operator] = {}

    def entity(self, name: str) -> None:
        """Watch a table (``comments`` or ``audit.log``); its events reach the feed and listeners.

        Tables that an operator follows need not be declared again.
        """
        self._entities[_known_as(name)] = None

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

    def query(
        self,
        name: str,
        *,
        sql: str,
        ids: Mapping[str, GivenParts],
        delete_with: str | Iterable[str] = (),
        target: str | None = None,
        id: str | Sequence[str] | None = None,
        events: EventType | Iterable[EventType] = ROW_EVENTS,
        batch: bool = False,
        on_failure: OnFailure = "dead_letter",
        backfill: bool = False,
        alias: str | None = None,
    ) -> None:
        """Keep a derived table up to date by SQL.

        Args:
            name: the operator's name, and its target table unless ``target`` names another.
            sql: brings the row with id ``$1`` up to date; a MERGE or an upsert. It is run again
                whenever that row may have changed, so it must depend on the database alone. An id
                of two columns is ``$1`` and ``$2``.
            ids: what of each followed table's row is the target row's id: a column, a tuple of
                columns, or an expression over the row's columns as ``Sql("lower(email)")``.
            delete_with: tables whose row's end is also the end of the target row.
            target: the derived table.
            id: the target's id column, or several; by default ``id``, and for ids of several
                columns those that ``ids`` names.
            events: the event types to follow.
            batch: the SQL takes all ids at once, ``$1`` being an array (``= ANY ($1)``); for ids
                of several columns one array of each (``unnest($1::int[], $2::int[])``).
            on_failure: what becomes of an id that cannot be brought up to date after all
                retries: a dead letter, or the operator halts.
            backfill: start with every row that is there already, not with the next event.
            alias: the operator's former name, whose position it takes over.

        Raises:
            DeclarationError: naming what is wrong.
        """
        if not ids:
            raise DeclarationError(f"operator {name!r}: ids names no table to follow")
        known = {_known_as(entity): parts_of(name, entity, given) for entity, given in ids.items()}
        columns = target_id(name, id, known)
        check_placeholders(name, sql, len(columns))
        _check_on_failure(name, on_failure)
        types = _event_types(name, events, ROW_EVENTS)
        ends = _names(delete_with)
        if ends and "delete" not in types:
            raise DeclarationError(
                f"operator {name!r}: delete_with needs the event type delete; add it to events"
            )
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
                id=columns,
                events=types,
                batch=batch,
                on_failure=on_failure,
                backfill=backfill,
                alias=alias,
            )
        )

    def operator(
        self,
        *,
        entities: str | Iterable[str],
        events: EventType | Iterable[EventType] = ROW_EVENTS,
        name: str | None = None,
        timeout: float = 30.0,
        on_failure: OnFailure = "halt",
        alias: str | None = None,
        concurrency: int = 1,
        key: Key = None,
        batch: int | None = None,
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
            on_failure: what becomes of an event that fails after all retries: the operator halts
                there, as order matters, or the event becomes a dead letter and it goes on.
            alias: the operator's former name, whose position it takes over.
            concurrency: events that may be under way at once; those of one key stay in order.
            key: what tells keys apart, a column or a function of the event; by default the row's
                own key.
            batch: call the function with a list of up to so many events instead.

        Raises:
            DeclarationError: naming what is wrong.
        """

        def declare(function: Handler) -> Handler:
            operator_name = name or str(getattr(function, "__name__", "handler"))
            types = _event_types(operator_name, events, EVENT_TYPES)
            names = _names(entities)
            _check_on_failure(operator_name, on_failure)
            operator = HandlerOperator(
                name=operator_name,
                function=function,
                entities=names if types == MESSAGES else tuple(map(_known_as, names)),
                events=types,
                timeout=timeout,
                on_failure=on_failure,
                alias=alias,
                concurrency=concurrency,
                key=key,
                batch=batch,
            )
            _check_pace(operator)
            if operator.takes_tx and not operator.is_async:
                raise DeclarationError(
                    f"operator {operator_name!r}: a handler that takes tx must be async def"
                )
            if not operator.entities:
                raise DeclarationError(f"operator {operator_name!r}: entities names no table")
            self._add(operator)
            return function

        return declare

    def _add(self, operator: Operator) -> None:
        if operator.name in self._operators:
            raise DeclarationError(f"operator {operator.name!r} is declared twice")
        former = {each.alias: each.name for each in (*self.operators, operator) if each.alias}
        for name in former.keys() & {*self._operators, operator.name}:
            raise DeclarationError(
                f"operator {former[name]!r}: its alias {name!r} is the name of another operator;"
                f" an alias is a former name that nobody has any more"
            )
        _check_end(operator, self.operators)
        self._operators[operator.name] = operator

    def __repr__(self) -> str:
        return f"<EventScope {self.name!r}: {len(self._operators)} operators>"


def _known_as(entity: str) -> str:
    return entity_name(*split_entity(entity))


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    """One name may stand for a list of one."""
    return (given,) if isinstance(given, str) else tuple(given)


def _check_on_failure(operator: str, given: str) -> None:
    if given not in _ON_FAILURE:
        raise DeclarationError(
            f"operator {operator!r}: on_failure is {given!r}; it may be {' or '.join(_ON_FAILURE)}"
        )


def _check_pace(operator: HandlerOperator) -> None:
    """See that a handler's ways of taking events fit together."""
    name = operator.name
    for what, given in (("concurrency", operator.concurrency), ("batch", operator.batch)):
        if given is not None and given < 1:
            raise DeclarationError(f"operator {name!r}: {what} is {given}; it must be at least 1")
    if operator.concurrency == 1:
        if operator.key is not None:
            raise DeclarationError(
                f"operator {name!r}: key has a meaning only with concurrency above 1"
            )
        return
    if operator.batch is not None:
        raise DeclarationError(
            f"operator {name!r}: batch and concurrency do not go together; a list keeps its order"
        )
    if operator.takes_tx:
        raise DeclarationError(
            f"operator {name!r}: a handler that takes tx has one event after the other;"
            f" leave concurrency out, or give it lists with batch"
        )


def _check_end(operator: Operator, others: Iterable[Operator]) -> None:
    """See that no change that an operator makes would start the operator again, for ever."""
    followed: dict[str, list[str]] = {}
    for each in (operator, *others):
        if isinstance(each, QueryOperator):
            followed.setdefault(_known_as(each.target), []).extend(each.entities)
    way = cycle(followed)
    if way:
        raise DeclarationError(
            f"operator {operator.name!r}: its changes would start it again, for ever:"
            f" {' -> '.join(way)}; let it follow the tables that {way[0]} is made from"
        )


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
