"""Text anywhere in an event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eventscope.event import UNCHANGED, Event
from eventscope.inspection.filter.context import Context
from eventscope.inspection.filter.patterns import Pattern
from eventscope.inspection.filter.predicate import SEARCH, Form, Predicate
from eventscope.inspection.filter.readings import SEARCHED
from eventscope.inspection.values import raw_text


@dataclass(frozen=True)
class Appears(Predicate[Event]):
    """Text anywhere in what the feed shows of an event."""

    help = (
        Form("paid", "the table's name, the key or a changed value has this text in it"),
        Form('"gift card"', "the same for text with spaces or signs"),
        Form("/pa(id|yed)/", "the same for a regular expression"),
    )
    cost = SEARCH
    sought: Pattern

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether the text is found somewhere."""
        return self.sought.found_in(subject.name) or any(
            self.sought.found_in(raw_text(value, SEARCHED))
            for value in _shown(subject)
            if value is not None and value is not UNCHANGED
        )

    def __str__(self) -> str:
        return f"{self.sought.quoted} appears"


def _shown(event: Event) -> Iterator[Any]:
    """The values that an event is about.

    Of an update: its key, what is known to have changed, and what may have. Else: the whole row.
    """
    row = event.new_record or event.old_record or {}
    if event.type != "update":
        yield from row.values()
        return
    yield from event.key.values()
    for change in (event.changes or {}).values():
        yield change.new_value
        yield change.old_value
    for column in event.unknown:
        yield row.get(column)
