"""How dead letters look: to people, and to programs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from eventscope.cli.table import print_table
from eventscope.event import EventId
from eventscope.inspection.json_line import json_line
from eventscope.inspection.text import safe_lines, safe_text
from eventscope.queue.records import DeadLetter
from eventscope.tui.cells import countdown

_HEADS: Final = ("ID", "OPERATOR", "TARGET", "EVENT", "STATE", "ATTEMPTS", "LAST", "ERROR")
_LONGEST: Final = 1_000_000
"""Characters of an event, which is shown whole."""


def print_list(letters: Iterable[DeadLetter]) -> None:
    """Print letters to stdout, one a row."""
    rows = [
        (
            str(letter.id),
            safe_text(letter.operator, 100),
            safe_text(_target(letter), 100),
            _event_id(letter) or "",
            _state(letter),
            str(letter.attempts),
            _local(letter.last_at),
            safe_text(letter.error, 300),
        )
        for letter in letters
    ]
    if rows:
        print_table(_HEADS, rows, right="ID ATTEMPTS")
    else:
        print("no dead letters")


def print_letter(letter: DeadLetter) -> None:
    """Print all of a letter to stdout; its event, if it has one, as a line of JSON."""
    lines = {
        "operator": letter.operator,
        "target": _target(letter),
        "state": _state(letter),
        "attempts": str(letter.attempts),
        "first at": _local(letter.first_at),
        "last at": _local(letter.last_at),
        "error": letter.error,
    }
    for name, text in lines.items():
        if text:
            print(f"{name:<10}{safe_text(text)}")
    event = _event(letter)
    print(f"{'event':<10}{safe_text(event, _LONGEST) if event else 'none: a backfill'}")
    for line in safe_lines(letter.traceback.rstrip()):
        print(line)


def print_list_as_json(letters: Iterable[DeadLetter]) -> None:
    """Print letters to stdout as one JSON object, without events and tracebacks."""
    print(json.dumps({"dead_letters": [_fields(letter) for letter in letters]}))


def print_json(letter: DeadLetter) -> None:
    """Print all of a letter to stdout as one JSON object."""
    fields = json.dumps({**_fields(letter), "traceback": letter.traceback})
    print(f'{fields[:-1]}, "event": {_event(letter) or "null"}}}')


def _fields(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "operator": letter.operator,
        "target": letter.target,
        "event_id": _event_id(letter),
        "attempts": letter.attempts,
        "first_at": _iso(letter.first_at),
        "last_at": _iso(letter.last_at),
        "next_retry": _iso(letter.next_retry) if letter.next_retry is not None else None,
        "error": letter.error,
    }


def _target(letter: DeadLetter) -> str:
    return ", ".join(letter.target) if letter.target is not None else ""


def _event(letter: DeadLetter) -> str | None:
    """The event as a line of JSON; None where a backfill has come upon the target."""
    return json_line(letter.event.event()) if letter.event.place.end_lsn else None


def _event_id(letter: DeadLetter) -> str | None:
    place = letter.event.place
    return str(EventId.of(*place)) if place.end_lsn else None


def _state(letter: DeadLetter) -> str:
    if letter.next_retry is None:
        return "dead"
    return f"retry {countdown(letter.next_retry, time.time())}"


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
