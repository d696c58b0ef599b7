"""CPU until the dashboard is drawn for the first time, and of ``eventscope --help``.

``python -m tests.benchmarks.start`` prints the median and the worst of several runs, each a process
of its own (the dashboard's in a terminal), beside DESIGN's budgets.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pexpect

from eventscope.tui.app import EventScopeApp

RUNS = 7
# an installed program has its bytecode compiled; the first run here compiles it
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
ROOT = Path(__file__).parents[2]


class Stopwatch(EventScopeApp):
    """Writes its CPU seconds down once the screen is drawn, and ends."""

    def __init__(self, report: Path) -> None:
        from tests.tui.shop import a_shop

        super().__init__(a_shop())
        self._report = report

    def on_ready(self) -> None:
        self.call_after_refresh(self._stop)

    def _stop(self) -> None:
        self._report.write_text(str(time.process_time()))
        self.exit()


def first_paint() -> float:
    """CPU seconds from the start of Python to the first picture."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "seconds"
        program = pexpect.spawn(
            sys.executable,
            ["-m", "tests.benchmarks.start", str(report)],
            cwd=str(ROOT),
            dimensions=(50, 160),
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )
        program.expect(pexpect.EOF, timeout=60)
        return float(report.read_text())


def help_text() -> float:
    """CPU seconds of ``eventscope --help``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "eventscope", "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    print(f"{'':24} {'median':>8} {'worst':>8} {'budget':>8}  (seconds of CPU)")
    for what, measure, budget in (
        ("first paint", first_paint, 0.6),
        ("eventscope --help", help_text, 0.15),
    ):
        found = [measure() for _ in range(RUNS)]
        print(f"{what:24} {statistics.median(found):8.3f} {max(found):8.3f} {budget:8.2f}")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        Stopwatch(Path(sys.argv[1])).run()
    else:
        main()
