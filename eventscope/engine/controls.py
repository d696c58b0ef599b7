"""Doing what a person asks for: to operators that run, and to the records of those that do not.

What is asked is a change of what survives a restart, so it can be done with or without a process
that runs the operators.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from eventscope.declaration import Operator
from eventscope.engine import moments
from eventscope.engine.commands import (
    CancelBackfill,
    Command,
    CommandRefused,
    Debug,
    DiscardLetters,
    Forget,
    Pause,
    Replay,
    Resume,
    Retry,
    RetryLetters,
    Skip,
    StartBackfill,
)
from eventscope.engine.debugging import Debugging
from eventscope.event import EventId
from eventscope.operators.breakpoints import Breakpoints
from eventscope.operators.runner import Runner
from eventscope.queue.base import Queue
from eventscope.queue.records import Backfill, DeadLetter, OperatorRecord

_log = structlog.get_logger("eventscope.engine")


class Controls:
    """Changes records, and lets runners know.

    Args:
        queue: where the records are.
        runners: of the operators that run here, by name.
        declared: the application's operators, as far as it is known.
        forget: drops all that is kept of an operator; None where the database cannot be reached.
        breakpoints: where operators run.
    """

    def __init__(
        self,
        queue: Queue,
        runners: Mapping[str, Runner],
        declared: Iterable[Operator],
        forget: Callable[[str], Awaitable[None]] | None,
        breakpoints: Breakpoints | None = None,
    ) -> None:
        self._queue = queue
        self._runners = runners
        self._declared = {operator.name: operator for operator in declared}
        self._forget_operator = forget
        self._debugging = Debugging(breakpoints, runners)

    async def do(self, command: Command, by: str) -> str:
        """Do it and log it; returns what was done, in one line.

        Raises:
            CommandRefused: it is not possible now; the message says why.
        """
        done = await self._do(command, by)
        kind = type(command).__name__
        _log.info(done, command=kind, operator=command.operator, by=by)
        return done

    async def _do(self, command: Command, by: str) -> str:
        if isinstance(command, Debug):
            return self._debugging.do(command)
        name = command.operator
        record = await self._record(name)
        match command:
            case Pause():
                return await self._pause(record, by)
            case Resume():
                return await self._resume(record)
            case Retry():
                return await self._retry(record)
            case Skip():
                return await self._skip(record, command.event)
            case Replay():
                return await self._replay(record, command)
            case StartBackfill():
                return await self._backfill(record, command.rate, by)
            case CancelBackfill():
                return await self._cancel_backfill(record)
            case RetryLetters():
                return await self._retry_letters(record, command.letter)
            case DiscardLetters():
                return await self._discard_letters(record, command.letter)
            case Forget():
                return await self._forget(record)

    async def _pause(self, record: OperatorRecord, by: str) -> str:
        if record.paused:
            return f"{record.name} is paused already"
        await self._change(record, paused=f"by {by}")
        return f"{record.name} is paused"

    async def _resume(self, record: OperatorRecord) -> str:
        if not record.paused:
            return f"{record.name} is not paused"
        await self._change(record, paused="", crashed_at=None, crashes=0)
        return f"{record.name} goes on"

    async def _retry(self, record: OperatorRecord) -> str:
        runner = self._runners.get(record.name)
        if runner is not None:
            if runner.state not in ("backing-off", "halted", "waiting"):
                raise await self._nothing_to_retry(record, f"is {runner.state}")
            runner.retry()
        else:
            letters = await self._queue.letters(record.name)
            retrying = [letter for letter in letters if letter.next_retry is not None]
            if record.failed_seq is None and not retrying:
                raise await self._nothing_to_retry(record, "has not failed")
            if record.failed_seq is not None:
                await self._change(record, halted=False, attempts=0, next_retry=None)
            await self._try_again(record, retrying)
        return f"{record.name} tries again"

    async def _skip(self, record: OperatorRecord, meant: str | None) -> str:
        seq = record.failed_seq
        if seq is None:
            raise CommandRefused(f"nothing to skip: {record.name} has not failed at its next event")
        place = await self._queue.place(seq)
        event = EventId.of(*place) if place is not None else None
        if meant is not None and meant != event:
            raise CommandRefused(f"{record.name} fails at event {event} now, not at {meant}")
        await self._change(record, skip=seq)
        return f"{record.name} passes over {f'event {event}' if event else 'its next event'}"

    async def _replay(self, record: OperatorRecord, command: Replay) -> str:
        first, last = await moments.had_by(record, self._queue, command.start, command.end)
        await self._change(record, rewind_to=first - 1, replay_to=last)
        if self._queue.oldest_seq > first:  # it was given up after we had found it
            await self._change(record, rewind_to=record.rewind_to, replay_to=record.replay_to)
            raise CommandRefused(f"the queue does not reach back to {command.start} any more")
        return f"{record.name} replays from {command.start}" + (
            f" to {command.end}" if command.end is not None else ""
        )

    async def _backfill(self, record: OperatorRecord, rate: float | None, by: str) -> str:
        declared = self._declared.get(record.name)
        if declared is not None and declared.kind != "query":
            raise CommandRefused(f"{record.name} is a handler: only a query's target can be filled")
        runner = self._runners.get(record.name)
        under_way = await self._backfill_of(record)
        backfill = (
            replace(under_way, rate=rate) if under_way else Backfill(record.name, by, rate=rate)
        )
        if runner is not None:
            await runner.change_backfill(backfill)
        else:
            await self._queue.save_backfill(backfill)
        return f"{record.name} {'goes on with its' if under_way else 'begins a'} backfill"

    async def _cancel_backfill(self, record: OperatorRecord) -> str:
        if await self._backfill_of(record) is None:
            return f"{record.name} has no backfill under way"
        runner = self._runners.get(record.name)
        if runner is not None:
            await runner.change_backfill(None)
        else:
            await self._queue.drop_backfill(record.name)
        return f"{record.name} ends its backfill"

    async def _nothing_to_retry(self, record: OperatorRecord, why: str) -> CommandRefused:
        letters = await self._queue.letters(record.name)
        cure = f", and has {_counted(letters)}: see eventscope dead-letters" if letters else ""
        return CommandRefused(f"nothing to retry: {record.name} {why}{cure}")

    async def _retry_letters(self, record: OperatorRecord, id: int | None) -> str:
        letters = await self._letters(record, id)
        await self._try_again(record, letters)
        if not letters:
            return f"{record.name} has no dead letters"
        return f"{record.name} tries {_counted(letters)} again"

    async def _discard_letters(self, record: OperatorRecord, id: int | None) -> str:
        letters = await self._letters(record, id)
        for letter in letters:
            await self._queue.drop_letter(letter.id)
        await self._reload_letters(record)
        return f"{record.name} {f'loses {_counted(letters)}' if letters else 'has no dead letters'}"

    async def _forget(self, record: OperatorRecord) -> str:
        if record.name in self._declared:
            raise CommandRefused(f"{record.name} is declared by the application: it is no orphan")
        if self._forget_operator is None:
            raise CommandRefused(
                f"{record.name} is noted in the database, too: ask again while eventscope runs"
            )
        await self._forget_operator(record.name)
        return f"{record.name} is forgotten"

    async def _backfill_of(self, record: OperatorRecord) -> Backfill | None:
        runner = self._runners.get(record.name)
        if runner is not None:
            return runner.backfill
        return await self._queue.backfill(record.name)

    async def _record(self, name: str) -> OperatorRecord:
        runner = self._runners.get(name)
        record = runner.standing.current if runner is not None else await self._queue.operator(name)
        if record is None:
            known = sorted({*self._runners, *(one.name for one in await self._queue.operators())})
            raise CommandRefused(
                f"there is no operator {name}; there are {', '.join(known) or 'none'}"
            )
        return record

    async def _change(self, record: OperatorRecord, **changes: Any) -> None:
        runner = self._runners.get(record.name)
        if runner is not None:
            await runner.change(**changes)
        else:
            await self._queue.save_operator(replace(record, **changes))

    async def _letters(self, record: OperatorRecord, id: int | None) -> list[DeadLetter]:
        letters = await self._queue.letters(record.name)
        if id is None:
            return letters
        chosen = [letter for letter in letters if letter.id == id]
        if not chosen:
            raise CommandRefused(f"{record.name} has no dead letter {id}")
        return chosen

    async def _try_again(self, record: OperatorRecord, letters: list[DeadLetter]) -> None:
        for letter in letters:
            await self._queue.retry_letter(letter.id, 0.0)
        await self._reload_letters(record)

    async def _reload_letters(self, record: OperatorRecord) -> None:
        runner = self._runners.get(record.name)
        if runner is not None:
            await runner.look_for_letters()


def _counted(letters: list[DeadLetter]) -> str:
    return f"{len(letters):,} dead letter{'' if len(letters) == 1 else 's'}"
