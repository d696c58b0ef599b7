"""One consumer reads one recording, in a process of its own that is measured."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import metering
from tests.benchmarks.metering import Measurement, Replay, peak_memory
from tests.benchmarks.workloads import PUBLICATION, TABLE, Recording

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 600.0
"""Seconds after which a consumer is given up."""
_SAMPLE: Final = 0.02
"""Seconds between two looks at a foreign program's memory."""


class ConsumerFailed(Exception):
    """A consumer that did not come to its end."""


def run_function(consume: Callable[..., int], recording: Recording) -> Measurement:
    """Run a function of ours, which works its own meter."""
    where = f"{consume.__module__}:{consume.__name__}"
    with recording.replay() as slot, tempfile.TemporaryDirectory() as directory:
        replay = Replay(
            url=recording.url,
            slot=slot,
            publication=PUBLICATION,
            table=TABLE,
            end=recording.end,
            events=recording.workload.rows,
            directory=directory,
        )
        try:
            done = subprocess.run(
                [sys.executable, "-m", metering.__name__, where, json.dumps(asdict(replay))],
                cwd=directory,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise ConsumerFailed(f"{where}: {error.stderr.strip()[-2000:]}") from None
        except subprocess.TimeoutExpired:
            raise ConsumerFailed(f"{where}: no end after {PATIENCE:.0f} s") from None
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def run_program(command: list[str], started: str, events: int) -> Measurement:
    """Run a foreign program, which says ``started`` when its stream has started."""
    peak, said = 0.0, b""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stderr is not None
        begun: float | None = None
        deadline = time.perf_counter() + PATIENCE
        while True:  # until it closes its end of the pipe by ending
            if select.select([process.stderr], [], [], _SAMPLE)[0]:
                if not (more := os.read(process.stderr.fileno(), 65_536)):
                    break
                said += more
                if begun is None and started.encode() in said:
                    begun = time.perf_counter()
            peak = max(peak, peak_memory(process.pid))
            if time.perf_counter() > deadline:
                process.kill()
        ended = time.perf_counter()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or begun is None:
        raise ConsumerFailed(f"{command[0]}: {said.decode('utf-8', 'replace').strip()}")
    return Measurement(ended - begun, usage.ru_utime + usage.ru_stime, peak, events)


def environment() -> dict[str, str]:
    """Ours, without anybody's settings."""
    foreign = ("EVENTSCOPE_", "PG", "DATABASE_URL")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
    return kept | {"PYTHONPATH": str(ROOT)}
