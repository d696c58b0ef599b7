"""Reading what a queue file holds beside its log, from rows to records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import aiosqlite
import msgspec

from eventscope.queue.event import QueuedEvent
from eventscope.queue.faults import reading
from eventscope.queue.log_view import TRANSACTION, transaction
from eventscope.queue.records import (
    Backfill,
    DeadLetter,
    OperatorRecord,
    ProcessStatus,
    Request,
    Target,
)
from eventscope.replication.relations import Relation

OPERATOR: Final = ", ".join(field.name for field in fields(OperatorRecord))
_REQUEST: Final = ", ".join(field.name for field in fields(Request))
BACKFILL: Final = ", ".join(field.name for field in fields(Backfill))
EVENT: Final = f"seq, relation, message, {TRANSACTION}"
LETTER: Final = (
    f"id, operator, target, attempts, error, traceback, first_at, last_at, next_retry, {EVENT}"
)

_OPERATORS: Final = f"SELECT {OPERATOR} FROM operator"  # noqa: S608 - columns
_LETTERS: Final = f"SELECT {LETTER} FROM dead_letter"  # noqa: S608 - columns
_REQUESTS: Final = f"SELECT {_REQUEST} FROM request"  # noqa: S608 - columns
_BACKFILLS: Final = f"SELECT {BACKFILL} FROM backfill"  # noqa: S608 - columns


class DeskView(ABC):
    """Reads what lies beside the log."""

    _desk: aiosqlite.Connection

    @property
    @abstractmethod
    def path(self) -> Path:
        """The queue file."""

    async def operator(self, name: str) -> OperatorRecord | None:
        """An operator's record; None if the queue has never heard of it."""
        rows = await self._kept(_OPERATORS + " WHERE name = ?", name)
        return _operator(rows[0]) if rows else None

    async def operators(self) -> list[OperatorRecord]:
        """Every record, also of operators that the application no longer has, by name."""
        rows = await self._kept(_OPERATORS + " ORDER BY name")
        return [_operator(row) for row in rows]

    async def letters(self, operator: str | None = None) -> list[DeadLetter]:
        """The letters of an operator, or of all, oldest first."""
        rows = await self._kept(
            _LETTERS + " WHERE operator = coalesce(?, operator) ORDER BY first_at, id",
            operator,
        )
        return [letter_of(row) for row in rows]

    async def letter(self, id: int) -> DeadLetter | None:
        """One letter."""
        rows = await self._kept(_LETTERS + " WHERE id = ?", id)
        return letter_of(rows[0]) if rows else None

    async def requests(self) -> list[Request]:
        """What was asked from outside and is not answered yet, oldest first."""
        rows = await self._kept(_REQUESTS + " WHERE answer IS NULL ORDER BY id")
        return [_request(row) for row in rows]

    async def request(self, id: int) -> Request | None:
        """One request, answered or not."""
        rows = await self._kept(_REQUESTS + " WHERE id = ?", id)
        return _request(rows[0]) if rows else None

    async def backfill(self, operator: str) -> Backfill | None:
        """An operator's backfill under way."""
        rows = await self._kept(_BACKFILLS + " WHERE operator = ?", operator)
        return _backfill(rows[0]) if rows else None

    async def mapped(
        self, operator: str, entity: str, keys: Collection[Target]
    ) -> dict[Target, Target | None]:
        """What an entity's rows map to, by their keys, as far as it is known."""
        wanted = msgspec.json.encode([texts(key) for key in keys]).decode()
        rows = await self._kept(
            "SELECT key, value FROM mapped WHERE mapping ="
            " (SELECT id FROM mapping WHERE operator = ? AND entity = ?)"
            " AND key IN (SELECT value FROM json_each(?))",
            operator,
            entity,
            wanted,
        )
        return {_target(key): _target_or_none(value) for key, value in rows}

    async def process_statuses(self) -> list[ProcessStatus]:
        """How far each entity is processed, the one that was last saved at the end."""
        rows = await self._kept(
            "SELECT entity, timestamp, position FROM process_status ORDER BY rowid"
        )
        return [ProcessStatus(*row) for row in rows]

    async def _kept(self, statement: str, *parameters: Any) -> list[Any]:
        with reading(self.path):
            return list(await self._desk.execute_fetchall(statement, parameters))


def _operator(row: Any) -> OperatorRecord:
    record = OperatorRecord(*row)
    return replace(record, halted=bool(record.halted))


def letter_of(row: Any) -> DeadLetter:
    """Build a letter from its columns."""
    id, operator, target, attempts, error, traceback, first_at, last_at, next_retry = row[:9]
    seq, relation, message, *fields = row[9:]
    event = QueuedEvent(seq, _relation(relation), message, transaction(fields))
    return DeadLetter(
        id,
        operator,
        _target_or_none(target),
        event,
        attempts,
        error,
        traceback,
        first_at,
        last_at,
        next_retry,
    )


def _request(row: Any) -> Request:
    request = Request(*row)
    return replace(request, refused=bool(request.refused))


def _backfill(row: Any) -> Backfill:
    backfill = Backfill(*row)
    return replace(backfill, after=_target_or_none(row[3]))


@lru_cache(maxsize=64)
def _relation(description: str) -> Relation:
    return msgspec.json.decode(description, type=Relation)


def texts(target: Target) -> str:
    """A target as it is kept."""
    return msgspec.json.encode(target).decode()


def texts_or_none(target: Target | None) -> str | None:
    """The same for what may be none."""
    return texts(target) if target is not None else None


def _target(texts: str) -> Target:
    return msgspec.json.decode(texts, type=Target)


def _target_or_none(texts: str | None) -> Target | None:
    return _target(texts) if texts is not None else None
