"""What the measured dashboard shows: an engine that is told of events, or a real one at work."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from eventscope import EventScope
from eventscope.engine.ring import Entry
from eventscope.engine.thread import EngineThread
from eventscope.event import Event, EventType
from eventscope.settings import Settings
from eventscope.tui.attached import AttachedEngine
from tests.events import an_insert, an_update
from tests.tui.scripted import ScriptedEngine, an_operator

TABLE: Final = """
CREATE TABLE orders (id bigint PRIMARY KEY, status text, total numeric, at timestamptz, note text)
"""
_BATCH_SECONDS = 0.002
_TRANSACTION_SECONDS = 0.01
_KEPT = 300_000
"""Rows that the loaded table holds at most."""


class Numbered(Entry):
    """A row that becomes an event when it is drawn, as the engine's do."""

    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def seq(self) -> int:
        return self._number

    @property
    def names(self) -> tuple[str, ...]:
        return ("orders",) if self._number % 3 else ("order_items",)

    @property
    def type(self) -> EventType:
        return "update" if self._number % 3 else "insert"

    def event(self) -> Event:
        row = {"id": self._number, "status": "new", "total": self._number / 100, "note": None}
        if self._number % 3:
            return an_update("orders", row, {"status": "paid"})
        return an_insert("order_items", row)


@contextmanager
def told(rate: int) -> Iterator[AttachedEngine]:
    """An engine whose ring gets so many events a second."""
    engine = ScriptedEngine(*(an_operator(f"operator_{n}", state="running") for n in range(5)))
    engine.ring.extend([Numbered(number) for number in range(engine.ring.capacity)])
    stop = threading.Event()
    feeder = threading.Thread(target=_tell, args=(engine, rate, stop))
    feeder.start()
    try:
        yield engine
    finally:
        stop.set()
        feeder.join()


def _tell(engine: ScriptedEngine, rate: int, stop: threading.Event) -> None:
    """Append events in batches until stopped."""
    begun, start = time.perf_counter(), engine.ring.next
    sent = start
    while not stop.wait(_BATCH_SECONDS):
        elapsed = time.perf_counter() - begun
        due = start + int(elapsed * rate)
        engine.ring.extend([Numbered(number) for number in range(sent, due)])
        sent = due
        engine.stream(events=sent - start)
        engine.at(elapsed)


@contextmanager
def at_work(url: str, folder: Path) -> Iterator[AttachedEngine]:
    """An engine that reads a database and stores it; its operator is never called."""
    app = EventScope("feed")
    app.entity("orders")

    @app.operator(entities=["orders"], events=["delete"])
    async def look(event: Event) -> None:
        pass

    engine = EngineThread(app, Settings.load(url=url, queue_path=folder / "feed.db"))
    try:
        yield engine
    finally:
        engine.stop()


async def load(url: str, rate: int) -> None:
    """Write so many rows a second until cancelled, a transaction every few milliseconds."""
    connection: psycopg.AsyncConnection[Any]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SET synchronous_commit = off")
        begun, sent = time.perf_counter(), 0
        while True:
            await asyncio.sleep(_TRANSACTION_SECONDS)
            due = int((time.perf_counter() - begun) * rate)
            await connection.execute(
                "INSERT INTO orders SELECT n %% %(kept)s::int, 'new', n / 100.0, now(), NULL"
                " FROM generate_series(%(first)s::int, %(last)s) n"
                " ON CONFLICT (id) DO UPDATE SET status = 'paid', at = now()",
                {"kept": _KEPT, "first": sent, "last": due - 1},
            )
            sent = due


if __name__ == "__main__":
    asyncio.run(load(sys.argv[1], int(sys.argv[2])))
