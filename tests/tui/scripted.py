"""An engine that says what a test tells it to: the dashboard's side of the contract, no more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from eventscope import EventScope
from eventscope.engine.commands import Command, CommandRefused
from eventscope.engine.examination import Examination
from eventscope.engine.log_ring import LogRing
from eventscope.engine.questions import Answer, Known, Question
from eventscope.engine.questions.history import EventsBefore, Page
from eventscope.engine.ring import EventRing
from eventscope.engine.snapshot import (
    BreakpointSnapshot,
    OperatorSnapshot,
    Snapshot,
    StreamSnapshot,
)
from eventscope.errors import NotRunning
from eventscope.event import ROW_EVENTS, Event, Lsn
from eventscope.queue.base import Queue, QueueError
from eventscope.settings import Settings
from tests.events import Listed

NOW = 1_782_907_600.0

STREAM = StreamSnapshot(
    state="streaming",
    detail="",
    next_retry=None,
    server="shop@localhost",
    slot="es_shop",
    received_lsn=Lsn(0x16B3748),
    stored_lsn=Lsn(0x16B3748 - 16_000),
    acknowledged_lsn=Lsn(0x16B3748 - 16_000),
    events=0,
)


def an_operator(name: str, **given: Any) -> OperatorSnapshot:
    idle = OperatorSnapshot(
        name=name,
        kind="query",
        entities=("orders",),
        state="idle",
        depth=0,
        attempts=0,
        max_attempts=5,
        next_retry=None,
        error=None,
        traceback=None,
        applied=0,
        failed=0,
        events=ROW_EVENTS,
    )
    return replace(idle, **{"paused": given.get("state") == "paused", **given})


class ScriptedEngine:
    """Holds what the dashboard sees; ``sent`` is what it asked for."""

    def __init__(
        self, *operators: OperatorSnapshot, capacity: int = 10_000, log: LogRing | None = None
    ) -> None:
        self.ring = EventRing(capacity)
        self.log = log or LogRing()
        self.error: BaseException | None = None
        self.trouble: BaseException | None = None
        """What each start ends with."""
        self.started = True
        self.waits_for = ""
        self.begun = self.hurried = 0
        self.examination = Examination({}, is_connected=False)
        self.sent: list[Command] = []
        self.refusal: str | None = None
        self.read_only = False
        self.answers: dict[type[Any], Any] = {EventsBefore: Page((), 0, 0)}
        """What is answered to a question of a type, an error, or a future that will tell."""
        self.queue: Queue | None = None
        """What answers all other questions."""
        self.asked: list[Question[Any]] = []
        self._snapshot = Snapshot("shop", NOW, NOW - 60, STREAM, operators)

    def snapshot(self) -> Snapshot:
        if not self.started:
            raise NotRunning("the engine has not been started")
        return self._snapshot

    def command(self, command: Command) -> Future[str]:
        self.sent.append(command)
        answer: Future[str] = Future()
        if self.refusal is None:
            answer.set_result(f"{type(command).__name__.lower()}: {command.operator}")
        else:
            answer.set_exception(CommandRefused(self.refusal))
        return answer

    def ask(self, question: Question[Answer]) -> Future[Answer]:
        self.asked.append(question)
        given = self.answers.get(type(question))
        answer: Future[Answer] = given if isinstance(given, Future) else Future()
        if type(question) in self.answers:
            if isinstance(given, Exception):
                answer.set_exception(given)
            elif answer is not given:
                answer.set_result(given)
        elif self.queue is None:
            answer.set_exception(RuntimeError(f"nobody has told what to answer to {question}"))
        else:
            known = Known(EventScope("shop"), Settings(), self.queue, {})
            task = asyncio.ensure_future(question.answer(known))
            task.add_done_callback(lambda done: _hand_over(done, answer))
        return answer

    def begin(self) -> None:
        self.begun += 1
        self.error = self.trouble

    def hurry(self) -> None:
        self.hurried += 1

    def start_anew(self) -> Path:
        raise QueueError("the engine could be started meanwhile: its queue file is kept")

    def diagnose(self) -> Future[Examination]:
        found: Future[Examination] = Future()
        found.set_result(self.examination)
        return found

    def emit(self, *events: Event) -> None:
        self.ring.extend(
            [Listed(event, seq) for seq, event in enumerate(events, self.ring.next + 1)]
        )

    def stream(self, **changes: Any) -> None:
        self._snapshot = replace(self._snapshot, stream=replace(self._snapshot.stream, **changes))

    def operators(self, operators: Iterable[OperatorSnapshot]) -> None:
        self._snapshot = replace(self._snapshot, operators=tuple(operators))

    def breakpoints(self, *breakpoints: BreakpointSnapshot) -> None:
        self._snapshot = replace(self._snapshot, breakpoints=breakpoints)

    def at(self, seconds: float) -> None:
        self._snapshot = replace(self._snapshot, taken_at=NOW + seconds)


def _hand_over(done: asyncio.Task[Any], answer: Future[Any]) -> None:
    error = done.exception()
    if error is None:
        answer.set_result(done.result())
    else:
        answer.set_exception(error)
