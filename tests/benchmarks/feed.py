"""How quick the dashboard stays under a stream of events, in a real terminal.

``python -m tests.benchmarks.feed`` prints a table: for each rate, how late the interface's loop
comes to its turn, how long a key takes to reach the screen, the CPU of the whole process, and its
memory at the beginning and at the end. ``--rate 30000 --seconds 60 --runs 20`` is DESIGN's budget;
with ``--filter status:paid`` the feed is filtered all the while. Events are appended to the ring,
or with ``--real`` written by another process to a database that a whole engine reads.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pexpect
import psycopg

from eventscope.tui.app import EventScopeApp
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.widgets.filter_bar import FilterBar
from tests.benchmarks.feeders import TABLE, at_work, told
from tests.servers import fresh_database, running_server

ROOT = Path(__file__).parents[2]
RATES = (0, 1_000, 10_000, 30_000, 100_000)
COLUMNS, ROWS = 160, 50
SECONDS = 8.0
WARMING = 3.0
"""Seconds before anything is measured."""
KEYS = 20


class MeasuredApp(EventScopeApp):
    """Notes how late its loop is, every 5 ms."""

    def __init__(self, engine: AttachedEngine, filter: str) -> None:
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


def run_app(engine: AttachedEngine, report: Path, filter: str) -> None:
    """The measured process."""
    app = MeasuredApp(engine, filter)
    begun, cpu = time.perf_counter(), time.process_time()
    app.run()
    share = (time.process_time() - cpu) / (time.perf_counter() - begun)
    lags = sorted(1000 * lag for lag in app.lags)
    found = {"p50": lags[len(lags) // 2], "p99": lags[len(lags) * 99 // 100], "max": lags[-1]}
    memory = {"memory": app.memory, "at end": resident()}
    seen = engine.snapshot().stream.events / (time.perf_counter() - begun)
    report.write_text(json.dumps({**found, **memory, "cpu": 100 * share, "seen": seen}))


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


def measure(rate: int, seconds: float, filter: str, *, real: bool) -> dict[str, Any]:
    """Run the app in a terminal for a while, press keys, and read its report."""
    with tempfile.TemporaryDirectory() as folder, _database(real) as url:
        report = Path(folder) / "report.json"
        terminal = Terminal(str(rate), str(report), filter, url)
        terminal.until(b"LIVE")
        with _loaded(url, rate):
            terminal.read_for(WARMING)
            keys = sorted(press(terminal, seconds / KEYS) for _ in range(KEYS))
        terminal.end()
        found: dict[str, Any] = json.loads(report.read_text())
    return {**found, "key p50": statistics.median(keys), "key max": keys[-1]}


@contextmanager
def _database(real: bool) -> Iterator[str]:
    if not real:
        yield ""
        return
    with running_server() as server, fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TABLE)
        yield url


@contextmanager
def _loaded(url: str, rate: int) -> Iterator[None]:
    if not url:
        yield
        return
    command = [sys.executable, "-m", "tests.benchmarks.feeders", url, str(rate)]
    loader = subprocess.Popen(command, cwd=ROOT)
    try:
        yield
        if loader.poll() is not None:
            raise RuntimeError("nothing was written")
    finally:
        loader.kill()
        loader.wait()


def press(terminal: Terminal, after: float) -> float:
    """Freeze and follow; returns the milliseconds until the freeze was on the screen."""
    terminal.read_for(after)
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
    parser.add_argument("--real", action="store_true", help="a whole engine reads a database")
    given = parser.parse_args()
    print(" ".join(f"{head:>9}" for head in _HEADS))
    for rate in given.rate or RATES:
        for _ in range(given.runs):
            found = measure(rate, given.seconds, given.filter, real=given.real)
            print(" ".join(f"{found[name]:9,.1f}" for name in _HEADS.values()), flush=True)


_HEADS: Final = {
    "events/s": "seen",
    "lag p50": "p50",
    "p99": "p99",
    "max ms": "max",
    "key p50": "key p50",
    "key max": "key max",
    "CPU %": "cpu",
    "MB": "memory",
    "at end": "at end",
}


def _measured(rate: str, report: str, filter: str, url: str) -> None:
    folder = Path(report).parent
    with at_work(url, folder) if url else told(int(rate)) as engine:
        run_app(engine, Path(report), filter)


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1].isdigit():
        _measured(*sys.argv[1:])
    else:
        main()
