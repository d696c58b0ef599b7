"""eventscope as its users run it: an engine with an application, as ``eventscope run`` has it."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

from tests.benchmarks.metering import Meter, Replay

_LOOK = 0.005
"""Seconds between two looks at the count of stored events."""


def to_queue(replay: Replay, meter: Meter) -> int:
    """Store every event durably; nobody follows."""
    from eventscope import EventScope
    from eventscope.engine import Engine

    app = EventScope("benchmark")
    app.entity(replay.table)

    async def run() -> int:
        async with Engine(app, _settings(replay)) as engine:
            while (stored := engine.snapshot().stream.events) < replay.events:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK)
            meter.stop()
        return min(stored, replay.events)

    _begin(meter)
    return asyncio.run(run())


def to_handler(replay: Replay, meter: Meter) -> int:
    """Store every event durably, and call a handler that looks at its values."""
    from eventscope import Event, EventScope
    from eventscope.engine import Engine

    app = EventScope("benchmark")
    seen = 0
    done = asyncio.Event()

    @app.operator(entities=replay.table)
    async def look(event: Event) -> None:
        nonlocal seen
        _touch(event.new_record, event.changes)
        seen += 1
        if seen == replay.events:
            meter.stop()
            done.set()

    async def run() -> None:
        async with Engine(app, _settings(replay)):
            await done.wait()

    _begin(meter)
    asyncio.run(run())
    return min(seen, replay.events)


def _touch(*_: Any) -> None:
    """What a handler does that does nothing."""


def _settings(replay: Replay) -> Any:
    from eventscope.settings import Settings

    return Settings.load(
        url=replay.url,
        slot_name=replay.slot,
        publication=replay.publication,
        queue_path=Path(replay.directory) / "queue.db",
    )


def _begin(meter: Meter) -> None:
    from eventscope.__main__ import ALLOCATIONS

    gc.set_threshold(ALLOCATIONS)
    _start_when_streaming(meter)


def _start_when_streaming(meter: Meter) -> None:
    """Start the meter when the reader logs that it streams; log nothing."""
    import structlog

    def note(_: Any, __: str, event: dict[str, Any]) -> Any:
        if event["event"] == "streaming":
            meter.start()
        raise structlog.DropEvent

    structlog.configure(processors=[note])
