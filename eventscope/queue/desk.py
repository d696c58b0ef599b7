"""Keeping in a queue file what lies beside its log."""

from __future__ import annotations

import math
import sqlite3
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple, fields
from typing import Any, Final, TypeVar

import msgspec

from eventscope.queue.appender import Appender
from eventscope.queue.base import QueueError
from eventscope.queue.desk_view import (
    BACKFILL,
    EVENT,
    LETTER,
    OPERATOR,
    DeskView,
    letter_of,
    texts,
    texts_or_none,
)
from eventscope.queue.event import QueuedEvent
from eventscope.queue.faults import name_is_taken
from eventscope.queue.patience import Patience
from eventscope.queue.records import (
    Backfill,
    DeadLetter,
    OperatorRecord,
    ProcessStatus,
    Target,
    limited,
    storable,
)
from eventscope.replication.relations import Relation

Result = TypeVar("Result")

_REPLACED: Final = ("attempts", "error", "traceback", "last_at", "next_retry", *EVENT.split(", "))
_PUT_LETTER: Final = (
    f"INSERT INTO dead_letter({LETTER}) VALUES (NULL{', ?' * LETTER.count(',')})"  # noqa: S608
    f" ON CONFLICT (operator, coalesce(target, seq)) DO UPDATE SET"
    f" {', '.join(f'{column} = excluded.{column}' for column in _REPLACED)}"
    f" RETURNING {LETTER}"
)


class Desk(DeskView):
    """Keeps what lies beside the log: positions cheaply, all else as durably as the log."""

    _log: Appender
    _patience: Patience

    @property
    def trouble(self) -> str:
        """Why a write waits, and what helps; empty if none does."""
        return self._patience.trouble

    def be_patient(self, seconds: float = math.inf) -> None:
        """Have writes wait while the disk is full or the file is locked, and fail after that."""
        self._patience.seconds = seconds

    @property
    @abstractmethod
    def last_seq(self) -> int:
        """The sequence number of the last visible event."""

    async def position(self, operator: str) -> int:
        """Where an operator stands; a new one starts at the end of the log."""
        rows = await self._kept("SELECT position FROM operator WHERE name = ?", operator)
        if rows:
            return int(rows[0][0])
        start = self.last_seq
        await self.advance(operator, start)
        return start

    async def advance(self, operator: str, seq: int) -> None:
        """Note that an operator is done with everything up to ``seq``; the rest stays."""
        await self._note(
            "INSERT INTO operator(name, position) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET position = excluded.position",
            (operator, seq),
        )

    async def save_operator(self, record: OperatorRecord) -> None:
        """Put a record in the place of the one with its name, if there is one."""
        await self._keep(_replace("operator", OPERATOR), astuple(record.limited()))

    async def rename_operator(self, old: str, new: str) -> None:
        """Give all that an operator has to another name."""

        def rename(connection: sqlite3.Connection) -> None:
            renaming = "UPDATE operator SET name = ? WHERE name = ?"
            if not connection.execute(renaming, (new, old)).rowcount:
                return
            for table in ("dead_letter", "backfill", "mapping"):
                connection.execute(
                    f"UPDATE {table} SET operator = ? WHERE operator = ?",  # noqa: S608 - ours
                    (new, old),
                )

        try:
            await self._keep_by(rename)
        except QueueError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                raise name_is_taken(old, new) from None
            raise

    async def drop_operator(self, name: str) -> None:
        """Forget an operator, its letters, its backfill and its maps."""

        def drop(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM operator WHERE name = ?", (name,))
            connection.execute("DELETE FROM dead_letter WHERE operator = ?", (name,))
            connection.execute("DELETE FROM backfill WHERE operator = ?", (name,))
            connection.execute("UPDATE mapping SET operator = NULL WHERE operator = ?", (name,))

        await self._keep_by(drop)

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
        values = (
            operator,
            texts_or_none(target),
            attempts,
            limited(error),
            limited(traceback),
            now,
            now,
            next_retry,
            event.seq,
            _described(event.relation),
            event.message,
            *event.transaction,
        )
        [row] = await self._keep(_PUT_LETTER, values)
        return letter_of(row)

    async def retry_letter(self, id: int, at: float) -> None:
        """Have a letter be tried again at a time; one that is gone stays gone."""
        await self._keep("UPDATE dead_letter SET next_retry = ? WHERE id = ?", (at, id))

    async def drop_letter(self, id: int) -> None:
        """Forget a letter; idempotent."""
        await self._keep("DELETE FROM dead_letter WHERE id = ?", (id,))

    async def answer(self, id: int, text: str, refused: bool = False) -> None:
        """Answer a request; whoever asked may have gone meanwhile."""
        await self._keep(
            "UPDATE request SET answer = ?, refused = ? WHERE id = ?", (storable(text), refused, id)
        )

    async def save_backfill(self, backfill: Backfill) -> None:
        """Note how far a backfill has come; an operator has one at most."""
        values = {field.name: getattr(backfill, field.name) for field in fields(Backfill)}
        values["after"] = texts_or_none(backfill.after)
        await self._keep(_replace("backfill", BACKFILL), tuple(values.values()))

    async def drop_backfill(self, operator: str) -> None:
        """Forget a backfill; idempotent."""
        await self._keep("DELETE FROM backfill WHERE operator = ?", (operator,))

    async def map(
        self,
        operator: str,
        entity: str,
        mapping: Mapping[Target, Target | None],
        removed: Collection[Target] = (),
    ) -> None:
        """Note what rows map to, and which are gone; no key may be in both."""

        def note(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO mapping(operator, entity) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (operator, entity),
            )
            [id] = connection.execute(
                "SELECT id FROM mapping WHERE operator = ? AND entity = ?", (operator, entity)
            ).fetchone()
            connection.executemany(
                "INSERT OR REPLACE INTO mapped VALUES (?, ?, ?)",
                [(id, texts(key), texts_or_none(value)) for key, value in mapping.items()],
            )
            connection.executemany(
                "DELETE FROM mapped WHERE mapping = ? AND key = ?",
                [(id, texts(key)) for key in removed],
            )

        await self._keep_by(note)

    async def unmap(self, operator: str, entity: str) -> None:
        """Forget what all rows of an entity map to; ``prune`` takes them away bit by bit."""
        await self._keep(
            "UPDATE mapping SET operator = NULL WHERE operator = ? AND entity = ?",
            (operator, entity),
        )

    async def save_process_status(self, status: ProcessStatus) -> None:
        """Note how far an entity is processed; as durable as a position."""
        await self._note(_replace("process_status", "entity, timestamp, position"), astuple(status))

    async def _keep(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        return await self._write((statement, parameters))

    async def _write(self, *statements: tuple[str, Sequence[Any]]) -> list[Any]:
        return await self._patience.write(lambda: self._log.execute(*statements))

    async def _keep_by(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        return await self._patience.write(lambda: self._log.commit(work))

    async def _note(self, statement: str, parameters: Sequence[Any]) -> None:
        """Write what may be lost in a power failure."""
        await self._patience.write(lambda: self._desk.execute(statement, parameters))


def _replace(table: str, columns: str) -> str:
    marks = ", ".join("?" * len(columns.split(", ")))
    return f"INSERT OR REPLACE INTO {table}({columns}) VALUES ({marks})"  # noqa: S608 - ours


def _described(relation: Relation) -> str:
    return msgspec.json.encode(relation).decode()
