"""What became of an event at each operator, in a line or two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from textual.content import Content

from eventscope.engine.deliveries import concerns, delivery
from eventscope.engine.questions.attempts import OperatorAttempts
from eventscope.engine.ring import Entry
from eventscope.engine.snapshot import OperatorSnapshot, Snapshot
from eventscope.inspection.filter import Delivery, DeliveryState
from eventscope.inspection.text import safe_text
from eventscope.tui.cells import countdown
from eventscope.tui.symbols import DELIVERY_LOOKS, TONE_COLOURS
from eventscope.tui.widgets.reading import QUIET

_MOST_NAMED: Final = 8
"""Operators that are named in the line; of more there are sums."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an event, as far as the dashboard knows at a moment."""

    deliveries: tuple[tuple[Delivery, OperatorSnapshot], ...] = ()
    now: float = 0.0
    """Seconds since the epoch."""
    attempts: Mapping[str, OperatorAttempts] | None = None
    """By operator; None while nobody has answered yet."""

    @classmethod
    def of(cls, entry: Entry, snapshot: Snapshot) -> Fate:
        """As a snapshot tells it."""
        concerned = [one for one in snapshot.operators if concerns(entry, one)]
        return cls(tuple((delivery(entry.seq, one), one) for one in concerned), snapshot.taken_at)

    @property
    def is_sealed(self) -> bool:
        """Whether nothing more will happen by itself."""
        return all(one.state in ("done", "failed") for one, _ in self.deliveries)


def delivery_lines(fate: Fate, width: int) -> Iterator[Content]:
    """One delivery for each operator: ``✓ search_index  ▲ send_email 2/5 in 27s``."""
    line = Content("")
    for said in _deliveries(fate):
        if line and line.cell_length + 2 + said.cell_length > width:
            yield line
            line = Content("")
        line = Content.assemble(line, "  " if line else "", said.truncate(width, ellipsis=True))
    if line:
        yield line


def _deliveries(fate: Fate) -> Iterator[Content]:
    if len(fate.deliveries) <= _MOST_NAMED:
        yield from (_delivery(*each, fate.now) for each in fate.deliveries)
        return
    counts = Counter(one.state for one, _ in fate.deliveries)
    for state in DELIVERY_LOOKS:
        if counts[state]:
            yield Content.styled(f"{counts[state]}{symbol_of(state)}", colour_of(state))


def symbol_of(state: DeliveryState) -> str:
    """The sign of what became of an event."""
    return DELIVERY_LOOKS[state].symbol


def colour_of(state: DeliveryState) -> str:
    """Its colour."""
    return TONE_COLOURS[DELIVERY_LOOKS[state].tone]


def _delivery(one: Delivery, operator: OperatorSnapshot, now: float) -> Content:
    progress = ""
    if one.state == "retrying":
        progress = f" {one.attempts}/{operator.max_attempts}" if one.attempts else ""
        progress += f" {countdown(operator.next_retry, now)}" if operator.next_retry else ""
    return Content.assemble(
        (symbol_of(one.state), colour_of(one.state)),
        f" {safe_text(one.operator, 60)}",
        (progress, QUIET),
    )
