"""What a consumer is told and how it is measured; imports nothing that would weigh on it.

``python -m tests.benchmarks.metering MODULE:FUNCTION JSON`` is the process of one consumer.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """What one replay took, from the start of the stream to the last event."""

    seconds: float
    cpu: float
    """Seconds of user and system time of the whole process."""
    peak: float
    """Megabytes resident at most, since the process began."""
    events: int


@dataclass(frozen=True)
class Replay:
    """What a consumer must know to read a recording."""

    url: str
    slot: str
    publication: str
    table: str
    end: str
    """The LSN behind the last event; something more follows it."""
    events: int
    directory: str
    """An empty folder, for what it keeps."""


class Meter:
    """A stopwatch for wall and processor time."""

    def __init__(self) -> None:
        self._started: tuple[float, float] | None = None
        self._stopped: tuple[float, float] | None = None

    def start(self) -> None:
        """The stream has started; a second call changes nothing."""
        self._started = self._started or (time.perf_counter(), time.process_time())

    def stop(self) -> None:
        """The last event has been delivered; a second call changes nothing."""
        self._stopped = self._stopped or (time.perf_counter(), time.process_time())

    def measurement(self, events: int) -> Measurement:
        """What lay between start and stop; raises RuntimeError if either never came."""
        if self._started is None or self._stopped is None:
            raise RuntimeError("the consumer never started or never ended")
        seconds, cpu = (b - a for a, b in zip(self._started, self._stopped, strict=True))
        return Measurement(seconds, cpu, peak_memory(os.getpid()), events)


def peak_memory(pid: int) -> float:
    """The most memory that a process has had resident so far, in megabytes (Linux; else 0)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(found[0]) / 1024 if found else 0.0


def main(where: str, replay: str) -> None:
    """Run one consumer and print its measurement."""
    module, _, function = where.partition(":")
    consume = getattr(importlib.import_module(module), function)
    meter = Meter()
    events = consume(Replay(**json.loads(replay)), meter)
    print(json.dumps(asdict(meter.measurement(events))))


if __name__ == "__main__":
    main(*sys.argv[1:])
