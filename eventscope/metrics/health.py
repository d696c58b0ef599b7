"""Whether an engine is alive, and whether it is ready: what an orchestrator asks."""

from __future__ import annotations

from typing import Final, NamedTuple

from eventscope.metrics.observed import Observed, look

HELD: Final = 60.0
"""Seconds without a turn of the event loop after which an engine is not alive: by then a server
with the usual ``wal_sender_timeout`` has given its stream up, too."""

_READY: Final = frozenset(("streaming", "standby"))
"""A standby is as ready as it can be: were it not, a rolling update would wait for it for ever, as
it streams only when the instance before it has ended."""


class Verdict(NamedTuple):
    """The answer to one question."""

    holds: bool
    reason: str
    """In one line, which may hold foreign text."""


def alive(engine: Observed) -> Verdict:
    """Whether a restart would not help: it also lives while it waits for a database."""
    snapshot = look(engine)
    if snapshot is not None and snapshot.loop_held > HELD:
        return Verdict(False, f"the event loop has not turned for {snapshot.loop_held:.0f} s")
    return Verdict(True, "alive")


def ready(engine: Observed) -> Verdict:
    """Whether it reads the stream, or stands by to take it over."""
    snapshot = look(engine)
    if snapshot is None:
        return Verdict(False, f"starting: {engine.waits_for}".rstrip(": "))
    stream = snapshot.stream
    return Verdict(stream.state in _READY, f"{stream.state}: {stream.detail}".rstrip(": "))
