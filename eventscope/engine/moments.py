"""Points of the stream as a person names them: an event's id, an LSN, a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from eventscope.engine.commands import CommandRefused
from eventscope.event import EventId, Lsn
from eventscope.queue.base import Queue
from eventscope.queue.records import OperatorRecord
from eventscope.replication import pgoutput

_LSN: Final = r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}"

Moment = EventId | Lsn | datetime


def parse(text: str) -> Moment:
    """Read an event id (``0/16B3748/0``), an LSN (``0/16B3748``) or a time in ISO 8601.

    A time without a zone is in this machine's.

    Raises:
        CommandRefused: it is none of these.
    """
    if re.fullmatch(rf"{_LSN}/\d+", text):
        return EventId(text)
    if re.fullmatch(_LSN, text):
        return Lsn.parse(text)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise CommandRefused(
            f"{text!r} is no point of the stream: want an event id (0/16B3748/0),"
            f" an LSN (0/16B3748) or a time (2026-11-26T14:00)"
        ) from None


def written(text: str) -> str:
    """Write a point so that it means the same in every process, whatever its time zone.

    Raises:
        CommandRefused: it is none.
    """
    moment = parse(text)
    return moment.isoformat() if isinstance(moment, datetime) else text


async def first(queue: Queue, text: str) -> int:
    """The first event from a point on, by its number in the queue.

    Raises:
        CommandRefused: the queue does not reach back that far, or it is no point at all.
    """
    moment = parse(text)
    if isinstance(moment, EventId):
        seq = await queue.seq_at(moment.end_lsn, moment.ordinal)
        found = await queue.place(seq)
        if found is None or found != (moment.end_lsn, moment.ordinal):
            raise CommandRefused(f"the queue holds no event {text}; {await _reach(queue)}")
        return seq
    seq = await _from(queue, moment)
    if seq <= queue.oldest_seq and queue.oldest_seq > 1:
        # the first that is kept may be the first of that time, or not
        raise CommandRefused(f"the queue does not reach back to {text}; {await _reach(queue)}")
    return seq


async def last(queue: Queue, text: str) -> int:
    """The last event up to a point, which belongs to it; see ``first``."""
    moment = parse(text)
    if isinstance(moment, EventId):
        return await queue.seq_at(moment.end_lsn, moment.ordinal)
    if isinstance(moment, Lsn):
        return await queue.seq_from_lsn(moment + 1) - 1
    return await queue.seq_from_time(_microseconds(moment) + 1) - 1


async def had_by(
    record: OperatorRecord, queue: Queue, start: str, end: str | None
) -> tuple[int, int]:
    """The first and the last event of those that can come again to an operator.

    Args:
        record: of the operator, as it stands now.
        queue: where they are.
        start: a point that belongs to them.
        end: the same; None is the last event that the operator has had.

    Raises:
        CommandRefused: there are none, or the queue does not reach back to them.
    """
    begin = await first(queue, start)
    until = record.position if record.resume_at is None else record.resume_at
    if end is not None:
        until = min(until, await last(queue, end))
    if begin > until:
        raise CommandRefused(
            f"nothing to replay: {record.name} has had no event from {start}"
            + (f" to {end}" if end is not None else "")
        )
    return begin, until


async def _from(queue: Queue, moment: Lsn | datetime) -> int:
    if isinstance(moment, Lsn):
        return await queue.seq_from_lsn(moment)
    return await queue.seq_from_time(_microseconds(moment))


def _microseconds(moment: datetime) -> int:
    return pgoutput.microseconds(moment.timestamp())


async def _reach(queue: Queue) -> str:
    oldest = await queue.place(queue.oldest_seq)
    if oldest is None:
        return "it is empty"
    return f"its first is {EventId.of(*oldest)}"
