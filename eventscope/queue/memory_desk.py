"""What a queue in memory keeps beside its log."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace

from eventscope.queue.event import QueuedEvent
from eventscope.queue.faults import name_is_taken
from eventscope.queue.records import (
    Backfill,
    DeadLetter,
    OperatorRecord,
    ProcessStatus,
    Request,
    Target,
    limited,
)


class MemoryDesk:
    """Keeps it as long as the process lives."""

    def __init__(self) -> None:
        self._operators: dict[str, OperatorRecord] = {}
        self._letters: dict[int, DeadLetter] = {}
        self._next_letter = 1
        self._backfills: dict[str, Backfill] = {}
        self._mapped: dict[tuple[str, str], dict[Target, Target | None]] = {}
        self._statuses: dict[str, ProcessStatus] = {}

    async def operator(self, name: str) -> OperatorRecord | None:
        """An operator's record; None if the queue has never heard of it."""
        return self._operators.get(name)

    async def operators(self) -> list[OperatorRecord]:
        """Every record, also of operators that the application no longer has, by name."""
        return [self._operators[name] for name in sorted(self._operators)]

    async def save_operator(self, record: OperatorRecord) -> None:
        """Put a record in the place of the one with its name, if there is one."""
        self._operators[record.name] = record.limited()

    async def advance(self, operator: str, seq: int) -> None:
        """Note that an operator is done with everything up to ``seq``; the rest stays."""
        record = self._operators.get(operator, OperatorRecord(operator))
        self._operators[operator] = replace(record, position=seq)

    async def rename_operator(self, old: str, new: str) -> None:
        """Give all that an operator has to another name."""
        if old not in self._operators:
            return
        if new in self._operators:
            raise name_is_taken(old, new)
        self._operators[new] = replace(self._operators.pop(old), name=new)
        if old in self._backfills:
            self._backfills[new] = replace(self._backfills.pop(old), operator=new)
        for letter in await self.letters(old):
            self._letters[letter.id] = replace(letter, operator=new)
        for owner, entity in list(self._mapped):
            if owner == old:
                self._mapped[new, entity] = self._mapped.pop((old, entity))

    async def drop_operator(self, name: str) -> None:
        """Forget an operator, its letters, its backfill and its maps."""
        self._operators.pop(name, None)
        self._backfills.pop(name, None)
        for letter in await self.letters(name):
            del self._letters[letter.id]
        for owner, entity in list(self._mapped):
            if owner == name:
                del self._mapped[owner, entity]

    async def put_letter(
        self,
        operator: str,
        target: Target | None,
        event: QueuedEvent,
        *,
        attempts: int,
        error: str,
        traceback: str,
        next_retry: float | None,
    ) -> DeadLetter:
        """Keep what an operator could not do, with the event."""
        now = time.time()
        about = _about(target, event)
        known = await self.letters(operator)
        same = (letter for letter in known if _about(letter.target, letter.event) == about)
        before = next(same, None)
        letter = DeadLetter(
            id=before.id if before is not None else self._next_letter,
            operator=operator,
            target=target,
            event=event,
            attempts=attempts,
            error=limited(error),
            traceback=limited(traceback),
            first_at=before.first_at if before is not None else now,
            last_at=now,
            next_retry=next_retry,
        )
        self._next_letter = max(self._next_letter, letter.id + 1)
        self._letters[letter.id] = letter
        return letter

    async def letters(self, operator: str | None = None) -> list[DeadLetter]:
        """The letters of an operator, or of all, oldest first."""
        letters = self._letters.values()
        return [letter for letter in letters if operator in (None, letter.operator)]

    async def letter(self, id: int) -> DeadLetter | None:
        """One letter."""
        return self._letters.get(id)

    async def retry_letter(self, id: int, at: float) -> None:
        """Have a letter be tried again at a time; one that is gone stays gone."""
        if id in self._letters:
            self._letters[id] = replace(self._letters[id], next_retry=at)

    async def drop_letter(self, id: int) -> None:
        """Forget a letter; idempotent."""
        self._letters.pop(id, None)

    async def requests(self) -> list[Request]:
        """Nothing: no other process can reach in here."""
        return []

    async def answer(self, id: int, text: str, refused: bool = False) -> None:
        """Answer nobody."""

    async def save_backfill(self, backfill: Backfill) -> None:
        """Note how far a backfill has come; an operator has one at most."""
        self._backfills[backfill.operator] = backfill

    async def backfill(self, operator: str) -> Backfill | None:
        """An operator's backfill under way."""
        return self._backfills.get(operator)

    async def drop_backfill(self, operator: str) -> None:
        """Forget a backfill; idempotent."""
        self._backfills.pop(operator, None)

    async def mapped(
        self, operator: str, entity: str, keys: Collection[Target]
    ) -> dict[Target, Target | None]:
        """What an entity's rows map to, by their keys, as far as it is known."""
        known = self._mapped.get((operator, entity), {})
        return {key: known[key] for key in keys if key in known}

    async def map(
        self,
        operator: str,
        entity: str,
        mapping: Mapping[Target, Target | None],
        removed: Collection[Target] = (),
    ) -> None:
        """Note what rows map to, and which are gone; no key may be in both."""
        known = self._mapped.setdefault((operator, entity), {})
        known.update(mapping)
        for key in removed:
            known.pop(key, None)

    async def unmap(self, operator: str, entity: str) -> None:
        """Forget what all rows of an entity map to."""
        self._mapped.pop((operator, entity), None)

    async def process_statuses(self) -> list[ProcessStatus]:
        """How far each entity is processed, the one that was last saved at the end."""
        return list(self._statuses.values())

    async def save_process_status(self, status: ProcessStatus) -> None:
        """Note how far an entity is processed."""
        self._statuses.pop(status.entity, None)
        self._statuses[status.entity] = status


def _about(target: Target | None, event: QueuedEvent) -> Target | int:
    return target if target is not None else event.seq
