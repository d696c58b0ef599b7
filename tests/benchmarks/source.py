"""How fast the source is read, beside its peers.

``python -m tests.benchmarks.source`` starts a PostgreSQL server, writes each workload into its
WAL once, and has every consumer read that WAL through a copy of one slot, in turns. It prints
the medians: seconds of wall time, microseconds of CPU an event and megabytes of peak memory of the
consumer's process, and the rate as a multiple of pg_recvlogical's and walbox's. The peers come
with ``pip install -e '.[bench]'``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psycopg

from eventscope.demo.embedded import EmbeddedServer
from tests.benchmarks.budgets import budgets
from tests.benchmarks.consumers import CONSUMERS
from tests.benchmarks.measuring import ConsumerFailed
from tests.benchmarks.metering import Measurement
from tests.benchmarks.table import Medians, figures
from tests.benchmarks.workloads import WORKLOADS, Workload, record

_SERVER: Final = {
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "16GB",
    "shared_buffers": "256MB",
}


def measure(
    server: EmbeddedServer, workloads: Sequence[Workload], consumers: Sequence[str], rounds: int
) -> Medians:
    """Replay each workload to each consumer, in turns; a consumer that fails is told of."""
    results: dict[tuple[str, str], list[Measurement]] = {}
    for workload in workloads:
        database = f"workload_{workload.name.lower()}"
        recording = record(server.create_database(database), workload)
        left = list(consumers)
        for turn in range(rounds):
            for consumer in left[:]:
                try:
                    found = CONSUMERS[consumer].measure(recording)
                    if found.events < workload.rows:
                        raise ConsumerFailed(f"{consumer} saw {found.events:,} events only")
                except ConsumerFailed as error:
                    left.remove(consumer)
                    _tell(f"{workload.name}: {error}")
                    continue
                results.setdefault((consumer, workload.name), []).append(found)
                _tell(
                    f"{workload.name} {turn + 1}/{rounds} {consumer}: {found.seconds:.2f} s, "
                    f"{1e6 * found.cpu / workload.rows:.1f} µs, {found.peak:.0f} MB"
                )
        server.drop_database(database)
    return Medians(results, workloads)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    consumers = []
    for name in options.consumers:
        if (reason := CONSUMERS[name].missing) is None:
            consumers.append(name)
        else:
            _tell(f"without {name}: {reason}")
    workloads = [w.scaled(options.scale) for w in WORKLOADS if w.name in options.workloads]
    with EmbeddedServer(settings=_SERVER, binaries=options.binaries) as server:
        with psycopg.connect(server.url) as connection:
            version = connection.info.parameter_status("server_version")
        medians = measure(server, workloads, consumers, options.rounds)
    print(
        f"PostgreSQL {version}, Python {platform.python_version()}, psycopg {psycopg.__version__},"
        f" SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, rounds: {options.rounds}\n"
    )
    for workload in workloads:
        print(f"{'- ' if options.markdown else ''}{workload.name}: {workload.description}")
    print(f"\n{figures(medians, markdown=options.markdown)}\n")
    for line in budgets(medians):
        print(f"- {line}" if options.markdown else line)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [workload.name for workload in WORKLOADS]
    parser = argparse.ArgumentParser("python -m tests.benchmarks.source", description=__doc__)
    add = parser.add_argument
    add("--workloads", nargs="+", choices=names, default=names)
    add("--consumers", nargs="+", choices=list(CONSUMERS), default=list(CONSUMERS), metavar="NAME")
    add("--rounds", type=int, default=3)
    add("--scale", type=float, default=1.0, help="a fraction of the rows, for a quick look")
    add("--binaries", type=Path, help="the folder of another server's initdb and pg_ctl")
    add("--markdown", action="store_true")
    return parser.parse_args(arguments)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
