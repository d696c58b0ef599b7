"""Operators as their users declare them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from eventscope.cascade import cycle
from eventscope.errors import DeclarationError
from eventscope.event import Event, EventType, entity_name, split_entity
from eventscope.ids import Parts

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
    """A Python function that is called with events, in order."""

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


def known_as(entity: str) -> str:
    """A table's name as everybody else writes it: ``public.posts`` is ``posts``."""
    return entity_name(*split_entity(entity))


def names_of(given: str | Iterable[str]) -> tuple[str, ...]:
    """Read a list of names, for which one may stand alone."""
    return (given,) if isinstance(given, str) else tuple(given)


def event_types(
    operator: str, events: str | Iterable[str], possible: tuple[EventType, ...]
) -> tuple[EventType, ...]:
    """Read the event types that an operator follows; raises DeclarationError for another."""
    given = cast("tuple[EventType, ...]", names_of(events))
    for event in given:
        if event not in possible:
            raise DeclarationError(
                f"operator {operator!r}: {event!r} is no event type here; "
                f"there are {', '.join(possible)}"
            )
    return given


def check_on_failure(operator: str, given: str) -> None:
    """See that there is such an answer to failure."""
    if given not in _ON_FAILURE:
        raise DeclarationError(
            f"operator {operator!r}: on_failure is {given!r}; it may be {' or '.join(_ON_FAILURE)}"
        )


def check_pace(operator: HandlerOperator) -> None:
    """See that a handler's ways of taking events fit together."""
    name = operator.name
    for what, given in (("concurrency", operator.concurrency), ("batch", operator.batch)):
        if given is not None and given < 1:
            raise DeclarationError(f"operator {name!r}: {what} is {given}; it must be at least 1")
    if not operator.timeout > 0:
        raise DeclarationError(
            f"operator {name!r}: timeout is {operator.timeout:g} s; it must be more than 0"
        )
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


def check_names(operator: Operator, others: Iterable[Operator]) -> None:
    """See that an operator's name and its former one are nobody else's."""
    every = [*others, operator]
    if any(operator.name == other.name for other in every[:-1]):
        raise DeclarationError(f"operator {operator.name!r} is declared twice")
    former = {each.alias: each.name for each in every if each.alias}
    for name in former.keys() & {each.name for each in every}:
        taken = f"operator {former[name]!r}: its alias {name!r} is the name of another operator"
        raise DeclarationError(f"{taken}; an alias is a former name that nobody has any more")


def check_end(operator: Operator, others: Iterable[Operator]) -> None:
    """See that no change that an operator makes would start the operator again, for ever."""
    followed: dict[str, list[str]] = {}
    for each in (operator, *others):
        if isinstance(each, QueryOperator):
            followed.setdefault(known_as(each.target), []).extend(each.entities)
    way = cycle(followed)
    if way:
        raise DeclarationError(
            f"operator {operator.name!r}: its changes would start it again, for ever:"
            f" {' -> '.join(way)}; let it follow the tables that {way[0]} is made from"
        )
