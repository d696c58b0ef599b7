"""An application that runs beside a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql

from eventscope.engine.questions.history import EventsAfter
from eventscope.engine.thread import EngineThread
from eventscope.errors import NotRunning
from eventscope.testing.derived import difference
from eventscope.testing.operator import OperatorReport, report
from eventscope.testing.verdict import delays, failures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eventscope.app import EventScope
    from eventscope.event import Event
    from eventscope.settings import Settings

PATIENCE: Final = 30.0
"""Seconds that an application has to settle, unless the test says otherwise."""
_GRACE: Final = 5.0
"""Seconds after that in which the engine must say so."""


class Runner:
    """Runs an application in a thread, on an event loop of its own.

    Its methods block; from a coroutine whose loop an operator needs, call them by
    ``asyncio.to_thread`` or ``anyio.to_thread.run_sync``.

    Args:
        app: what to run.
        settings: where.
    """

    def __init__(self, app: EventScope, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self._thread = EngineThread(app, settings)
        self._runs = False
        self._connection: psycopg.Connection[Any] | None = None

    def start(self) -> None:
        """Start, and return when it runs. Once stopped it goes on where it was.

        Raises:
            EventScopeError: what prevents it.
        """
        self._thread.start()
        self._runs = True

    def stop(self) -> None:
        """Stop as a program does that is asked to; idempotent."""
        self._runs = False
        self._thread.stop()

    def close(self) -> None:
        """Stop, and close the connection."""
        self.stop()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def url(self) -> str:
        """The URL of the test's database."""
        assert self.settings.url is not None  # noqa: S101 - the fixture has made them
        return self.settings.url.get_secret_value()

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """A connection to the test's database, each statement a transaction of its own."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.url, autocommit=True)
        return self._connection

    def execute(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> psycopg.Cursor[Any]:
        """Run SQL, as ``connection.execute`` does."""
        return self.connection.execute(sql.SQL(statement), parameters)

    def settle(self, timeout: float = PATIENCE, *, may_fail: bool = False) -> None:
        """Wait until everything committed so far is processed, cascades and retries included.

        Args:
            timeout: in seconds.
            may_fail: whether operators may halt or leave dead letters; what has halted is not
                waited for.

        Raises:
            AssertionError: naming operators that have halted, have dead letters, or are late.
            EventScopeError: the engine has ended in a state that only a person can mend.
        """
        __tracebackhide__ = True
        settling = self._engine.settle(timeout)
        try:
            settling.result(timeout + _GRACE)
        except TimeoutError:
            told = delays(self._engine) + (failures(self._engine) if settling.done() else [])
            if not settling.done():
                told.append("its event loop does not answer: a handler or a listener blocks it")
            raise AssertionError(_listed(f"not settled after {timeout:g} s", told)) from None
        if not may_fail and (found := failures(self._engine)):
            raise AssertionError(_listed("settled, but not all was applied", found))

    def assert_derived(
        self, table: str, query: str, timeout: float = PATIENCE, *, may_fail: bool = False
    ) -> None:
        """Settle, and compare a derived table with its query, by the columns of the query.

        Args:
            table: its name, with the schema if that is not ``public``.
            query: what it should hold.
            timeout: as in ``settle``.
            may_fail: as in ``settle``.

        Raises:
            AssertionError: with the rows that are missing, and those it has too much.
        """
        __tracebackhide__ = True
        self.settle(timeout, may_fail=may_fail)
        if told := difference(self.url, table, query):
            raise AssertionError(told)

    @property
    def events(self) -> list[Event]:
        """The events that were read since the first start, in commit order."""
        events: list[Event] = []
        after, is_left = 0, True
        while is_left:
            page = self._engine.ask(EventsAfter(after)).result()
            events += (queued.event() for queued in page.events)
            after, is_left = page.reached, page.left > 0
        return events

    def operator(self, name: str) -> OperatorReport:
        """How an operator fares now; raises KeyError if there is none of that name."""
        return report(self._engine, name)

    @property
    def _engine(self) -> EngineThread:
        if not self._runs:
            raise NotRunning(f"application {self.app.name!r} has been stopped: start it again")
        return self._thread


def _listed(head: str, lines: Sequence[str]) -> str:
    return "\n".join([head, *(f"  {line}".rstrip() for line in lines)])
