"""The operators of an application, each with its runner, and what makes their effects."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import psycopg
import structlog

from eventscope.app import EventScope
from eventscope.declaration import Operator, QueryOperator, known_as
from eventscope.engine.commands import CommandRefused
from eventscope.operators.backfill import Backfilling
from eventscope.operators.backoff import Backoff
from eventscope.operators.breakpoints import Breakpoints
from eventscope.operators.effect import Apply, Effect
from eventscope.operators.failure import Reports
from eventscope.operators.failures import error_logger
from eventscope.operators.handler import HandlerEffect, TransactionEffect
from eventscope.operators.lanes import LanesEffect
from eventscope.operators.ledger import Ledger
from eventscope.operators.letters import Letters
from eventscope.operators.lists import ListEffect
from eventscope.operators.query_effect import QueryEffect
from eventscope.operators.redaction import Redaction
from eventscope.operators.runner import Runner
from eventscope.operators.session import Session
from eventscope.operators.whereabouts import WHEREABOUTS, Whereabouts, located
from eventscope.queue.base import Queue
from eventscope.queue.event import Place
from eventscope.queue.marks import Marks
from eventscope.queue.records import Backfill, OperatorRecord
from eventscope.replication.assembly import Counts
from eventscope.replication.connection import (
    SourceError,
    SystemIdentity,
    conninfo,
)
from eventscope.replication.ledger import ledgered
from eventscope.settings import Settings

if TYPE_CHECKING:
    from eventscope.engine.spans import Spans

_log = structlog.get_logger("eventscope.engine")

_CRASHES: Final = 3
"""Ends of the process at one event after which its operator is paused."""


class Workforce:
    """Runs every operator of an application.

    Args:
        app: whose operators.
        settings: where they work, and how they wait.
        queue: where their events are.
        attended: whether what they print and log is to be known as theirs.
        spans: are made of their batches; None for none.
    """

    def __init__(
        self,
        app: EventScope,
        settings: Settings,
        queue: Queue,
        *,
        attended: bool = False,
        spans: Spans | None = None,
    ) -> None:
        self.runners: dict[str, Runner] = {}
        self.orphans: tuple[str, ...] = ()
        """The operators that the queue knows and the application does not."""
        self.breakpoints = Breakpoints()
        self._app = app
        self._settings = settings
        self._queue = queue
        self._attended = attended
        self._spans = spans
        self._marks: Marks | None = None
        self._ledgered = ledgered(app) if settings.exactly_once else ()
        self._ledger = Ledger(settings, app.name) if self._ledgered else None
        self._claimed = asyncio.Event()

    async def start(self) -> None:
        """Have every operator stand where it stood."""
        redacted = Redaction(self._settings)
        logger = error_logger(self._settings.error_logger_adapter, redacted)
        if self._queue.path is not None:
            self._marks = Marks.open(self._queue.path, [each.name for each in self._app.operators])
        for operator in self._app.operators:
            backoff = Backoff.of(self._settings)
            reports = Reports(operator.name, logger, backoff, redacted)
            letters = Letters(operator.name, self._queue, backoff, reports)
            runner = Runner(operator, self._queue, backoff, reports, letters, self.breakpoints)
            effect, backfilling = self._effect(operator, runner, reports)
            record = await self._record(operator)
            if backfilling is None and await self._queue.backfill(operator.name) is not None:
                _log.warning("a handler has no target to fill", operator=operator.name)
                await self._queue.drop_backfill(operator.name)
            apply: Apply = effect.apply
            if self._spans is not None:
                apply = self._spans.around(operator.name, apply, reports)
            await runner.start(record, effect, backfilling, apply)
            self.runners[operator.name] = runner
        await self._look_for_orphans()

    async def claim(self, identity: SystemIdentity, passed: bool) -> None:
        """Make the ledger ours, now that the slot is; at first, stand where it says.

        Args:
            identity: of the server, and where the slot stands.
            passed: whether another instance has applied everything before that.

        Raises:
            Unreachable: the database is away.
            SourceError: the ledger cannot be used.
        """
        if self._ledger is not None:
            runners = [self.runners[name] for name in self._ledgered]
            stands = {runner.operator.name: await runner.standing.place() for runner in runners}
            await self._ledger.claim(identity, stands, self._renamed())
            if not self._claimed.is_set():
                for runner in runners:
                    offset = self._ledger.offset(runner.operator.name)
                    await runner.attempts.take_up(offset.place, offset.redone)
        if not self._claimed.is_set():
            await self._leave_ledger()
            if passed:
                for name in self.runners.keys() - {*self._ledgered}:
                    await self.runners[name].attempts.take_up(Place(identity.position, 0), "")
        self._claimed.set()

    async def run(self, name: str) -> None:
        """Run one operator until stopped; it begins with the claim if others may have gone on."""
        if self._attended:
            WHEREABOUTS.set(Whereabouts(name))
        if name in self._ledgered or self._settings.holds_back:
            await self._claimed.wait()
        await self.runners[name].run()

    def announce(self, counts: Counts) -> None:
        """Tell all of new visible events."""
        for runner in self.runners.values():
            runner.announce(counts)

    async def save(self) -> None:
        """Make the positions of those durable who have nothing to do."""
        for runner in self.runners.values():
            if runner.settled:
                await runner.save()

    async def forget(self, name: str) -> None:
        """Drop what is kept of an operator that the application no longer has.

        Raises:
            CommandRefused: the slot is not ours yet, and so neither is the ledger.
            SourceError: the ledger cannot be reached.
        """
        if not self._claimed.is_set():
            raise CommandRefused(f"{name} is noted in the database, too: ask again when it streams")
        # it may have been in the ledger, even if no operator of today is
        ledger = self._ledger or Ledger(self._settings, self._app.name)
        await ledger.drop(name)
        await self._queue.drop_operator(name)
        await self._look_for_orphans()

    @property
    def done(self) -> int:
        """The last event that all are done with."""
        return min((runner.done for runner in self.runners.values()), default=self._queue.last_seq)

    @property
    def applied(self) -> int:
        """Events applied since the start."""
        return sum(runner.standing.applied for runner in self.runners.values())

    @property
    def settled(self) -> bool:
        """Whether nobody could do anything now."""
        return all(runner.settled or runner.is_stuck for runner in self.runners.values())

    def stop(self) -> None:
        """Have all end after what they are at."""
        for runner in self.runners.values():
            runner.stop()
        self._claimed.set()

    async def close(self) -> None:
        """Release everything."""
        for runner in self.runners.values():
            await runner.close()
        if self._marks is not None:
            self._marks.close()

    async def _leave_ledger(self) -> None:
        """See that nobody who does without the ledger is believed to stand where it says.

        It may have been otherwise, and be so again, while the queue knows better.
        """
        without = [name for name in self.runners if name not in self._ledgered]
        if without:
            ledger = self._ledger or Ledger(self._settings, self._app.name)
            try:
                await ledger.drop(*without)
            except SourceError as error:  # no right to it, or a standby: nobody has been in it
                _log.debug(str(error))

    async def _look_for_orphans(self) -> None:
        known = (record.name for record in await self._queue.operators())
        self.orphans = tuple(name for name in known if name not in self.runners)

    def _effect(
        self, operator: Operator, runner: Runner, reports: Reports
    ) -> tuple[Effect, Backfilling | None]:
        mark = self._marks[operator.name].set if self._marks is not None else _unmarked
        if isinstance(operator, QueryOperator):
            session = self._session(operator, runner, cursor_factory=psycopg.AsyncRawCursor)
            effect = QueryEffect(
                operator,
                session,
                runner.letters,
                reports,
                self._queue,
                shares_target=self._shares_target(operator),
                applied_until=lambda: runner.standing.record.resume_at or 0,
            )
            reading = Session(
                self._conninfo(operator), runner.waits_for, cursor_factory=psycopg.AsyncRawCursor
            )
            return effect, Backfilling(operator, self._queue, reading, effect)
        if self._attended:
            operator = located(operator)
        if operator.batch:
            own = self._session(operator, runner) if operator.takes_tx else None
            return ListEffect(operator, own, mark), None
        if operator.takes_tx:
            return TransactionEffect(operator, self._session(operator, runner), mark), None
        if operator.concurrency > 1:
            return LanesEffect(operator, mark, lambda: runner.called_away), None
        return HandlerEffect(operator, mark), None

    def _shares_target(self, operator: QueryOperator) -> bool:
        target = known_as(operator.target)
        return any(
            isinstance(other, QueryOperator) and known_as(other.target) == target
            for other in self._app.operators
            if other is not operator
        )

    def _session(self, operator: Operator, runner: Runner, **options: Any) -> Session:
        name = operator.name
        offset = self._ledger.offset(name) if self._ledger is not None else None
        is_followed = (
            not isinstance(operator, QueryOperator) or operator.target in self._app.entities
        )
        return Session(
            self._conninfo(operator), runner.waits_for, offset, is_followed=is_followed, **options
        )

    def _conninfo(self, operator: Operator) -> str:
        return conninfo(self._settings, operator.name, self._app.name)

    async def _record(self, operator: Operator) -> OperatorRecord:
        """What the queue knows of an operator; a new one starts at now."""
        name, queue = operator.name, self._queue
        record = await queue.operator(name)
        if record is None and operator.alias and await queue.operator(operator.alias):
            await queue.rename_operator(operator.alias, name)
            record = await queue.operator(name)
        if record is None:
            record = OperatorRecord(name, position=queue.last_seq)
            await queue.save_operator(record)
            if isinstance(operator, QueryOperator) and operator.backfill:
                await queue.save_backfill(Backfill(name, "backfill=True"))
        counted = self._with_crash(record)
        if self._marks is not None and counted is not record:
            await queue.save_operator(counted)
            self._marks[name].clear()
        return counted

    def _with_crash(self, record: OperatorRecord) -> OperatorRecord:
        """Count the end of the last process against the event that the operator was at."""
        at = self._marks.left.get(record.name) if self._marks is not None else None
        if not at:
            return record
        crashes = record.crashes + 1 if record.crashed_at == at else 1
        counted = replace(record, crashed_at=at, crashes=crashes)
        _log.warning(
            "the process ended while the operator was at an event",
            operator=record.name,
            seq=at,
            times=crashes,
        )
        if crashes < _CRASHES or record.paused:
            return counted
        return replace(
            counted, paused=f"as the process ended {crashes} times at the same event of it"
        )

    def _renamed(self) -> Iterator[tuple[str, str]]:
        for operator in self._app.operators:
            if operator.alias:
                yield operator.alias, operator.name


def _unmarked(seq: int) -> None:
    """What ends with the process needs no mark."""
