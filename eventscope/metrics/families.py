"""Every metric: its name, what it means, and where in a snapshot its samples are."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

import eventscope
from eventscope.engine.snapshot import OperatorSnapshot, Snapshot, StreamSnapshot, StreamState
from eventscope.operators.durations import Durations
from eventscope.operators.state import OperatorState

Sample = tuple[tuple[str, ...], float | Durations]
"""The values of the labels, and that of the metric."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric."""

    name: str
    """As it is exported; that of a histogram is followed by ``_bucket``, ``_sum``, ``_count``."""
    kind: Literal["counter", "gauge", "histogram"]
    means: str
    read: Callable[[Snapshot], Iterable[Sample]]
    labels: tuple[str, ...] = ()


def reference_table() -> str:
    """The metrics as a table in Markdown."""
    rows = (
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)}"
        f" | {one.means} |"
        for one in FAMILIES
    )
    return "\n".join(("| metric | kind | labels | |", "|---|---|---|---|", *rows))


def _of_engine(read: Callable[[Snapshot], float | None]) -> Callable[[Snapshot], Iterable[Sample]]:
    """One sample, or none of what is not known."""

    def samples(snapshot: Snapshot) -> Iterator[Sample]:
        value = read(snapshot)
        if value is not None:
            yield (), value

    return samples


def _of_stream(
    read: Callable[[StreamSnapshot], float | None],
) -> Callable[[Snapshot], Iterable[Sample]]:
    return _of_engine(lambda snapshot: read(snapshot.stream))


def _of_operators(
    read: Callable[[OperatorSnapshot], float | Durations],
) -> Callable[[Snapshot], Iterable[Sample]]:
    """A sample for each operator."""
    return lambda snapshot: [((each.name,), read(each)) for each in snapshot.operators]


def _built(_: Snapshot) -> Iterable[Sample]:
    yield (eventscope.__version__, platform.python_version()), 1


def _identity(snapshot: Snapshot) -> Iterable[Sample]:
    yield (snapshot.app, snapshot.stream.server, snapshot.stream.slot), 1


def _stream_states(snapshot: Snapshot) -> Iterator[Sample]:
    for state in get_args(StreamState):
        yield (state,), state == snapshot.stream.state


def _operator_states(snapshot: Snapshot) -> Iterator[Sample]:
    for operator in snapshot.operators:
        for state in get_args(OperatorState):
            yield (operator.name, state), state == operator.state


def _positions(snapshot: Snapshot) -> Iterator[Sample]:
    stream = snapshot.stream
    yield ("server",), stream.server_lsn
    yield ("received",), stream.received_lsn
    yield ("stored",), stream.stored_lsn
    yield ("acknowledged",), stream.acknowledged_lsn


def _ages(snapshot: Snapshot) -> Iterator[Sample]:
    now = snapshot.taken_at
    for each in snapshot.operators:
        yield (each.name,), 0.0 if each.oldest_at is None else max(0.0, now - each.oldest_at)


_OPERATOR: Final = ("operator",)

FAMILIES: Final = (
    Family(
        "eventscope_build_info", "gauge", "always 1", _built, ("version", "python"),
    ),
    Family(
        "eventscope_stream_info", "gauge", "always 1", _identity, ("app", "server", "slot"),
    ),
    Family(
        "eventscope_stream_state", "gauge", "1 for the state that the stream is in, else 0",
        _stream_states, ("state",),
    ),
    Family(
        "eventscope_events_total", "counter", "events stored in the queue since the start",
        _of_stream(lambda stream: stream.events),
    ),
    Family(
        "eventscope_lag_bytes", "gauge", "WAL that the server has written and that is not stored",
        _of_stream(lambda stream: stream.lag),
    ),
    Family(
        "eventscope_lag_seconds", "gauge",
        "everything that committed longer ago than that is stored",
        _of_engine(lambda snapshot: snapshot.lag_seconds),
    ),
    Family(
        "eventscope_retained_wal_bytes", "gauge",
        "WAL that the server keeps for the slot, looked at every ten seconds",
        _of_stream(lambda stream: stream.retained),
    ),
    Family(
        "eventscope_wal_limit_bytes", "gauge",
        "WAL that the server keeps for the slot at most; absent without `max_slot_wal_keep_size`",
        _of_stream(lambda stream: stream.wal_limit),
    ),
    Family(
        "eventscope_wal_position_bytes", "gauge",
        "`server`, `received`, `stored` and `acknowledged` positions in the WAL",
        _positions, ("position",),
    ),
    Family(
        "eventscope_listener_messages_dropped_total", "counter",
        "messages that listeners were too slow for",
        _of_engine(lambda snapshot: snapshot.lost_messages),
    ),
    Family(
        "eventscope_event_loop_held_seconds", "gauge",
        "for how long a handler has kept the event loop from turning, once that is over 2 s",
        _of_engine(lambda snapshot: snapshot.loop_held),
    ),
    Family(
        "eventscope_operator_state", "gauge", "1 for the state that the operator is in, else 0",
        _operator_states, ("operator", "state"),
    ),
    Family(
        "eventscope_operator_queue_depth", "gauge", "queued events that it will still see",
        _of_operators(lambda operator: operator.depth), _OPERATOR,
    ),
    Family(
        "eventscope_operator_queue_age_seconds", "gauge",
        "how long ago the oldest of them committed; 0 without any",
        _ages, _OPERATOR,
    ),
    Family(
        "eventscope_operator_applied_total", "counter", "events applied since the start",
        _of_operators(lambda operator: operator.applied), _OPERATOR,
    ),
    Family(
        "eventscope_operator_skipped_total", "counter",
        "events of rows that have no target, as their id is NULL",
        _of_operators(lambda operator: operator.skipped), _OPERATOR,
    ),
    Family(
        "eventscope_operator_failed_total", "counter", "failed attempts",
        _of_operators(lambda operator: operator.failed), _OPERATOR,
    ),
    Family(
        "eventscope_operator_retries_total", "counter",
        "failed attempts at an event or id that were to be followed by another",
        _of_operators(lambda operator: operator.retries), _OPERATOR,
    ),
    Family(
        "eventscope_operator_retrying", "gauge", "ids that it failed at and still tries again",
        _of_operators(lambda operator: operator.retrying), _OPERATOR,
    ),
    Family(
        "eventscope_operator_dead_letters", "gauge", "events or ids that wait for a person",
        _of_operators(lambda operator: operator.dead), _OPERATOR,
    ),
    Family(
        "eventscope_operator_attempt_seconds", "histogram",
        "how long attempts took, at one event or at a batch",
        _of_operators(lambda operator: operator.took), _OPERATOR,
    ),
    Family(
        "eventscope_operator_latency_seconds", "histogram",
        "from the commit of the last event of a batch to its effect",
        _of_operators(lambda operator: operator.waited), _OPERATOR,
    ),
)  # fmt: skip
"""In the order of the manual."""
