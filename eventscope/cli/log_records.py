"""What happens to a log line beside a dashboard: whose it is, without secrets, and kept to show."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from eventscope.engine.log_ring import LEVELS, Level, LogRecord, LogRing
from eventscope.event import EventId
from eventscope.operators.whereabouts import WHEREABOUTS

_LONGEST: Final = 4_000
"""Characters of a text that are kept."""
_NO_DETAILS: Final = frozenset({"event", "level", "operator", "event_id"})

Processor = Callable[[Any, str, Any], Any]


def shown(ring: LogRing, redacted: Callable[[str], str]) -> tuple[Processor, ...]:
    """The processors for a log that a dashboard shows.

    Args:
        ring: where the dashboard finds it.
        redacted: keeps secrets out of it.
    """
    return _located, _redacting(redacted), _recording(ring)


def _located(_: Any, __: str, event: Any) -> Any:
    """Add which operator has said it, and at which event, where that is known."""
    here = WHEREABOUTS.get()
    if here is not None:
        event.setdefault("operator", here.operator)
        if here.event_id is not None:
            event.setdefault("event_id", here.event_id)
    return event


def _redacting(redacted: Callable[[str], str]) -> Processor:
    """Keep secrets out of every text."""

    def redact(_: Any, __: str, event: Any) -> Any:
        return {
            key: redacted(value) if type(value) is str else value for key, value in event.items()
        }

    return redact


def _recording(ring: LogRing) -> Processor:
    """Keep what is logged."""

    def record(_: Any, __: str, event: Any) -> Any:
        ring.add(_record(event))
        return event

    return record


def _record(event: Any) -> LogRecord:
    operator, event_id = event.get("operator"), event.get("event_id")
    return LogRecord(
        at=time.time(),
        level="print" if "printed" in event else _level(event["level"]),
        message=_text(event["event"]),
        operator=None if operator is None else _text(operator),
        event_id=event_id if isinstance(event_id, EventId) else None,
        details=tuple(
            (_text(key), _text(value)) for key, value in event.items() if key not in _NO_DETAILS
        ),
    )


def _level(name: str) -> Level:
    """The nearest level that there is."""
    known: dict[str, Level] = {level: level for level in LEVELS}
    return known.get(name, "error" if name in ("critical", "exception") else "info")


def _text(value: object) -> str:
    return str(value)[:_LONGEST]
