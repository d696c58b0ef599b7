"""What became of an event at each operator, told from a snapshot alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eventscope.engine.ring import Entry
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.inspection.filter import Delivery, DeliveryState


def deliveries(entry: Entry, operators: Iterable[OperatorSnapshot]) -> Iterator[Delivery]:
    """What became of an event at each operator that it concerns."""
    for operator in operators:
        if concerns(entry, operator):
            yield delivery(entry.seq, operator)


def concerns(entry: Entry, operator: OperatorSnapshot) -> bool:
    """Whether an event is for an operator."""
    return entry.type in operator.events and any(name in operator.entities for name in entry.names)


def delivery(seq: int, operator: OperatorSnapshot) -> Delivery:
    """What became of an event at an operator that it concerns."""
    state = delivery_state(seq, operator)
    is_tried = seq == operator.failing
    return Delivery(
        operator.name,
        state,
        attempts=operator.attempts if is_tried else 0,
        error=operator.error if is_tried or seq in operator.letters else None,
    )


def delivery_state(seq: int, operator: OperatorSnapshot) -> DeliveryState:
    """The same, in one word."""
    if seq in operator.letters:
        return "failed" if operator.letters[seq] else "retrying"
    if operator.is_past(seq):
        return "done"
    if seq == operator.failing:
        return "failed" if operator.state == "halted" else "retrying"
    return "held" if operator.paused or seq == operator.held else "queued"


def troubled(operators: Iterable[OperatorSnapshot]) -> set[int]:
    """The events that an operator has failed at or still retries, by their numbers."""
    seqs: set[int] = set()
    for operator in operators:
        seqs.update(operator.letters)
        if operator.failing is not None and not operator.is_past(operator.failing):
            seqs.add(operator.failing)
    seqs.discard(0)  # what a backfill failed at is no event
    return seqs
