"""Which operator is the furthest behind."""

from __future__ import annotations

from collections.abc import Mapping

from eventscope.operators.runner import Runner
from eventscope.queue.base import Queue


def slowest(runners: Mapping[str, Runner], queue: Queue) -> str | None:
    """The operator that the others are ahead of; None if all have applied what is stored."""
    done = {name: runner.done for name, runner in runners.items()}
    name = min(done, key=lambda name: done[name], default=None)
    return name if name is not None and done[name] < queue.last_seq else None
