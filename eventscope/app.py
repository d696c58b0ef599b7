"""What a user declares: entities, query operators, handlers and listeners."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from eventscope import concealment as concealing
from eventscope import progress as progressing
from eventscope import scopes as scoping
from eventscope.declaration import (
    HandlerOperator,
    Key,
    OnFailure,
    Operator,
    QueryOperator,
    check_end,
    check_names,
    check_on_failure,
    check_pace,
    event_types,
    known_as,
    names_of,
)
from eventscope.errors import DeclarationError as DeclarationError
from eventscope.errors import NotRunning
from eventscope.event import EVENT_TYPES, MESSAGES, ROW_EVENTS, EventType
from eventscope.ids import GivenParts, check_placeholders, parts_of, target_id
from eventscope.listener import Listener, Listening, OpenStream
from eventscope.message import Stream
from eventscope.progress import ABSENT, Absent, Connection, Progress, microseconds
from eventscope.resumable import Resume
from eventscope.scopes import DeclaredScope

Handler = TypeVar("Handler", bound=Callable[..., Any])
Listens = TypeVar("Listens", bound=Listening)


class EventScope:
    """An application: the tables it watches, the operators and listeners that follow them.

    Args:
        name: names the application to the database, and its queue file.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._entities: dict[str, tuple[DeclaredScope, ...]] = {}
        self._concealed: dict[str, concealing.Concealment] = {}
        self._operators: dict[str, Operator] = {}
        self._listeners: dict[str, Listener] = {}
        # all are set while an engine runs the application
        self.open_stream: OpenStream | None = None
        self.resume: Resume | None = None
        self.progress: Progress | None = None

    def entity(
        self,
        name: str,
        *,
        scopes: Iterable[Mapping[str, str]] = (),
        mask: Iterable[str] = (),
        drop: Iterable[str] = (),
    ) -> None:
        """Watch a table (``comments`` or ``audit.log``); its events reach the feed and listeners.

        Tables that an operator follows need not be declared again, unless for what follows.

        Args:
            name: the table.
            scopes: by what its rows can be listened to: ``{"post_id": "posts"}`` announces each
                row on ``posts/<post_id>/comments`` too. Several columns make one scope, in this
                order. Of rows that leave a scope one hears with its columns in the identity.
            mask: columns whose values nobody is to see: ``***`` stands for them in the queue
                file and everywhere behind it, of whatever type they are. NULL stays NULL.
            drop: columns that are left out of all events, as if the table did not have them.

        Raises:
            DeclarationError: naming what is wrong.
        """
        entity = known_as(name)
        found = scoping.declared(entity, [*map(dict, self._entities.get(entity, ())), *scopes])
        hidden = self._concealed.get(entity, concealing.NOTHING)
        hidden |= concealing.declared(entity, mask, drop)
        concealing.check_needed(entity, hidden, found, self.operators)
        self._entities[entity], self._concealed[entity] = found, hidden

    def concealment(self, names: Iterable[str]) -> concealing.Concealment:
        """What is hidden of a table, given its name and those of its ancestors."""
        return concealing.of(names, self._concealed, self.entities)

    def scopes(self, entity: str) -> tuple[DeclaredScope, ...]:
        """The scopes of a table; raises DeclarationError if there is no such entity."""
        name = known_as(entity)
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
        known = {known_as(entity): parts_of(name, entity, given) for entity, given in ids.items()}
        columns = target_id(name, id, known)
        check_placeholders(name, sql, len(columns))
        check_on_failure(name, on_failure)
        types = event_types(name, events, ROW_EVENTS)
        ends = names_of(delete_with)
        if ends and "delete" not in types:
            raise DeclarationError(
                f"operator {name!r}: delete_with needs the event type delete; add it to events"
            )
        for entity in ends:
            if known_as(entity) not in known:
                raise DeclarationError(
                    f"operator {name!r}: delete_with names {entity!r}, which is not in ids"
                )
        self._add(
            QueryOperator(
                name=name,
                target=target or name,
                sql=sql,
                ids=known,
                delete_with=tuple(known_as(entity) for entity in ends),
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
            timeout: seconds that one call may take. One that is awaited is cancelled then; one in
                a thread cannot be, and goes on unheard.
            on_failure: what becomes of an event that fails after all retries: the operator halts
                there, as order matters, or the event becomes a dead letter and it goes on.
            alias: the operator's former name, whose position it takes over.
            concurrency: events that may be under way at once; those of one key stay in order. An
                event that may concern more (TRUNCATE, a new key, an unknown old one) is alone.
            key: what tells keys apart, a column or a function of the event; by default the row's
                own key.
            batch: call the function with a list of up to so many events instead. The events of a
                list that fails come in lists of one.

        Raises:
            DeclarationError: naming what is wrong.
        """

        def declare(function: Handler) -> Handler:
            operator_name = name or str(getattr(function, "__name__", "handler"))
            types = event_types(operator_name, events, EVENT_TYPES)
            names = names_of(entities)
            check_on_failure(operator_name, on_failure)
            operator = HandlerOperator(
                name=operator_name,
                function=function,
                entities=names if types == MESSAGES else tuple(map(known_as, names)),
                events=types,
                timeout=timeout,
                on_failure=on_failure,
                alias=alias,
                concurrency=concurrency,
                key=key,
                batch=batch,
            )
            check_pace(operator)
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
                function, known_as(entity), id=id, scope=scope, name=name, scopes=self.scopes
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

        Works inside of ``async with Engine(app)``; or of ``async with Follower(app)``, where the
        engine is another process. The stream hears of more with ``stream.join``.

        Args:
            entity: the table; ``*`` for all of them; None for nothing yet.
            id: the key of one row, a list if it has several columns.
            scope: the values of a declared scope, by column.

        Raises:
            DeclarationError: there is no such entity or scope.
            NotRunning: no engine runs the application.
        """
        if self.open_stream is None:
            raise self._not_running("subscribe", " or, beside its process, `Follower(app)`")
        return self.open_stream(entity, id=id, scope=scope)

    async def token(self, connection: Connection) -> str:
        """What stands for all that a connection (of psycopg, async) has committed so far.

        It is text, and may go to a client and come back.

        Raises:
            NotCommitted: a transaction is open in the connection.
        """
        return await progressing.token_of(connection)

    async def wait_for(
        self, token: str, operator: str | None = None, timeout: float | None = None
    ) -> None:
        """Wait until operators have applied everything that was committed before a token.

        What their own writes lead to is not waited for, nor are dead letters.

        Args:
            token: from ``token``.
            operator: the one to wait for; by default all.
            timeout: in seconds.

        Raises:
            TimeoutError: it has taken longer; it names what is waited for, as a halted operator.
            InvalidToken: it is no token.
            DeclarationError: there is no such operator.
            NotRunning: no engine runs the application in this process, or it ends.
        """
        lsn = progressing.read_token(token)
        await self._running("wait").wait_for(lsn, operator, timeout)

    def processed(self, token: str, updated_at: datetime | int | Absent | None = ABSENT) -> bool:
        """Whether every operator has applied what was committed before a token.

        Or, of a table and a moment, whether those who follow the table have applied a row of it
        whose column ``updated_at`` is that or later. That never becomes untrue again. A row of a
        later moment that is committed earlier makes it true too early: a token is exact.

        Args:
            token: from ``token``; or the table's name.
            updated_at: of a table: a datetime (UTC if it has no zone), or microseconds since 1970;
                None, as of a row without one, is never known to be processed.

        Raises:
            InvalidToken, DeclarationError: there is no such token, or table.
            NotRunning: no engine runs the application in this process.
        """
        if isinstance(updated_at, Absent):
            lsn = progressing.read_token(token)
            return self._running("ask").processed(lsn)
        if known_as(token) not in self.entities:
            raise scoping.unknown(known_as(token), self.entities)
        at, until = microseconds(updated_at), self._running("ask").processed_until(known_as(token))
        return at is not None and until is not None and at <= until

    def _running(self, what: str) -> Progress:
        if self.progress is None:
            raise self._not_running(what)
        return self.progress

    def _not_running(self, what: str, otherwise: str = "") -> NotRunning:
        return NotRunning(
            f"application {self.name!r} is not running in this process: "
            f"{what} inside of `async with Engine(app)`{otherwise}"
        )

    def _add(self, operator: Operator) -> None:
        check_names(operator, self.operators)
        check_end(operator, self.operators)
        for entity, hidden in self._concealed.items():
            concealing.check_needed(entity, hidden, operators=[operator])
        self._operators[operator.name] = operator

    def __repr__(self) -> str:
        return f"<EventScope {self.name!r}: {len(self._operators)} operators>"
