"""The last line of a headless run, which tells a program how it went."""

from __future__ import annotations

import json

from eventscope.engine import Snapshot


def print_summary(snapshot: Snapshot, seconds: float) -> None:
    """Print one line of JSON, in ASCII.

    Args:
        snapshot: the engine, when it had ended.
        seconds: how long it ran.
    """
    operators = snapshot.operators
    stream = snapshot.stream
    summary = {
        "events": stream.events,
        "applied": {operator.name: operator.applied for operator in operators},
        "failed": {operator.name: operator.failed for operator in operators},
        "dead": {operator.name: operator.dead for operator in operators},
        "depth": {operator.name: operator.depth for operator in operators},
        "state": {operator.name: operator.state for operator in operators},
        "lag_bytes": max(stream.received_lsn - stream.stored_lsn, 0),
        "seconds": round(seconds, 3),
    }
    print(json.dumps(summary, separators=(",", ":")), flush=True)
