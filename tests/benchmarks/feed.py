"""How quick the dashboard stays under a stream of events, in a real terminal.

``python -m tests.benchmarks.feed`` prints a table: for each rate, how late the interface's loop
comes to its turn, how long a key takes to reach the screen, the CPU of the whole process, and its
memory at the beginning and at the end. ``--rate 30000 --seconds 60 --runs 20`` is DESIGN's budget;
with ``--filter status:paid`` the feed is filtered all the while.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pexpect

from eventscope.engine.ring import Entry
from eventscope.event import Event, EventType
from eventscope.tui.app import EventScopeApp
from eventscope.tui.widgets.filter_bar import FilterBar
from tests.events import an_insert, an_update
from tests.tui.scripted import ScriptedEngine, an_operator

ROOT = Path(__file__).parents[2]
RATES = (0, 1_000, 10_000, 30_000, 100_000)
COLUMNS, ROWS = 160, 50
SECONDS = 8.0
WARMING = 3.0
"""Seconds before anything is measured."""
KEYS = 20
BATCH_SECONDS = 0.002


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


class MeasuredApp(EventScopeApp):
    """Notes how late its loop is, every 5 ms."""

    def __init__(self, engine: ScriptedEngine, filter: str) -> None:
        super().__init__(engine)
        self._filter = filter
        self.lags: list[float] = []
        self.memory = 0.0
        """Megabytes, once everything has been drawn for a while."""

    def on_mount(self) -> None:
        self.run_worker(self._measure())

    async def _measure(self) -> None:
        await asyncio.sleep(WARMING / 2)
        self.screen.query_one(FilterBar).put(self._filter)
        await asyncio.sleep(WARMING / 2)
        self.memory = resident()
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            self.lags.append(time.perf_counter() - before - 0.005)


def feed_ring(engine: ScriptedEngine, rate: int, stop: threading.Event) -> None:
    """Append ``rate`` events a second in batches until stopped."""
    begun, start = time.perf_counter(), engine.ring.next
    sent = start
    while not stop.wait(BATCH_SECONDS):
        elapsed = time.perf_counter() - begun
        due = start + int(elapsed * rate)
        engine.ring.extend([Numbered(number) for number in range(sent, due)])
        sent = due
        engine.stream(events=sent - start)
        engine.at(elapsed)


def run_app(rate: int, report: Path, filter: str) -> None:
    """The measured process."""
    engine = ScriptedEngine(*(an_operator(f"operator_{n}", state="running") for n in range(5)))
    engine.ring.extend([Numbered(number) for number in range(engine.ring.capacity)])
    stop = threading.Event()
    feeder = threading.Thread(target=feed_ring, args=(engine, rate, stop))
    feeder.start()
    app = MeasuredApp(engine, filter)
    begun, cpu = time.perf_counter(), time.process_time()
    app.run()
    share = (time.process_time() - cpu) / (time.perf_counter() - begun)
    stop.set()
    feeder.join()
    lags = sorted(1000 * lag for lag in app.lags)
    found = {"p50": lags[len(lags) // 2], "p99": lags[len(lags) * 99 // 100], "max": lags[-1]}
    memory = {"memory": app.memory, "at end": resident()}
    report.write_text(json.dumps({**found, **memory, "cpu": 100 * share}))


def resident() -> float:
    """Megabytes that the process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


class Terminal:
    """Reads what the app draws as fast as it comes: a slow reader would slow the app down."""

    def __init__(self, *args: str) -> None:
        self.program = pexpect.spawn(
            sys.executable,
            ["-m", "tests.benchmarks.feed", *args],
            cwd=str(ROOT),
            dimensions=(ROWS, COLUMNS),
            env={
                **os.environ,
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "COLUMNS": str(COLUMNS),
                "LINES": str(ROWS),
            },
        )
        self.program.delaybeforesend = None

    def until(self, text: bytes, patience: float = 20.0) -> None:
        deadline, tail = time.perf_counter() + patience, b""
        while text not in tail:
            if time.perf_counter() > deadline:
                raise TimeoutError(text)
            tail = tail[-len(text) :] + self._read(patience)

    def read_for(self, seconds: float) -> None:
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self._read(left)

    def end(self) -> None:
        self.program.send("q")
        while self._read(5.0):
            pass
        self.program.close()

    def _read(self, patience: float) -> bytes:
        try:
            data: bytes = self.program.read_nonblocking(65_536, timeout=patience)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return b""
        return data


def measure(rate: int, seconds: float, filter: str) -> dict[str, Any]:
    """Run the app in a terminal for a while, press keys, and read its report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        terminal = Terminal(str(rate), str(report), filter)
        terminal.until(b"LIVE")
        terminal.read_for(1.0)
        keys = sorted(press(terminal) for _ in range(KEYS))
        terminal.read_for(seconds)
        terminal.end()
        found: dict[str, Any] = json.loads(report.read_text())
    return {**found, "key p50": statistics.median(keys), "key max": keys[-1]}


def press(terminal: Terminal) -> float:
    """Freeze and follow; returns the milliseconds until the freeze was on the screen."""
    terminal.read_for(0.15)
    begun = time.perf_counter()
    terminal.program.send(" ")
    terminal.until(b"FROZEN")
    took = 1000 * (time.perf_counter() - begun)
    terminal.program.send("G")
    terminal.until(b"LIVE")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, action="append", help="events a second")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--filter", default="", help="what the feed is filtered by")
    given = parser.parse_args()
    heads = ("events/s", "lag p50", "p99", "max ms", "key p50", "max ms", "CPU %", "MB", "at end")
    print(" ".join(f"{head:>9}" for head in heads))
    for rate in given.rate or RATES:
        for _ in range(given.runs):
            found = measure(rate, given.seconds, given.filter)
            names = ("p50", "p99", "max", "key p50", "key max", "cpu", "memory", "at end")
            cells = (f"{found[name]:9.1f}" for name in names)
            print(f"{rate:9,}", *cells, flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1].isdigit():
        run_app(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    else:
        main()
