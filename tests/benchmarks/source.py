"""How fast the source is read, beside its peers.

``python -m tests.benchmarks.source`` starts a PostgreSQL server, writes each workload into its
WAL once, and has every consumer read that WAL through a copy of one slot, in turns. It prints
the medians: seconds of wall time from the start of the stream to the last event, microseconds of
CPU an event and megabytes of peak memory of the consumer's process, and the rate as a multiple of
pg_recvlogical's and walbox's. The peers come with ``pip install -e '.[dev,bench]'``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import psycopg

from eventscope.demo.embedded import EmbeddedServer
from tests.benchmarks.budgets import budgets
from tests.benchmarks.consumers import CONSUMERS
from tests.benchmarks.measuring import ConsumerFailed
from tests.benchmarks.metering import Measurement
from tests.benchmarks.table import Medians, figures, ratios
from tests.benchmarks.workloads import WORKLOADS, Workload, record

_SERVER: Final = {
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "16GB",
    "shared_buffers": "256MB",
}


def measure(
    create: Callable[[str], str],
    workloads: Sequence[Workload],
    consumers: Sequence[str],
    rounds: int,
) -> Medians:
    """Replay each workload to each consumer, in turns; a consumer that fails is told of.

    Args:
        create: makes an empty database and returns its url.
        workloads: what is written, each into a database of its own.
        consumers: names of ``CONSUMERS``.
        rounds: how often each consumer reads each workload, after one replay that only warms up.
    """
    results: dict[tuple[str, str], list[Measurement]] = {}
    for workload in workloads:
        recording = record(create(f"workload_{workload.name.lower()}"), workload)
        left = list(consumers)
        for turn in range(rounds + 1):
            for consumer in left[:] if turn else left[:1]:
                try:
                    found = CONSUMERS[consumer].measure(recording)
                    if found.events < workload.rows:
                        raise ConsumerFailed(f"{consumer} saw {found.events:,} events only")
                except ConsumerFailed as error:
                    left.remove(consumer)
                    _tell(f"{workload.name}: {error}")
                    continue
                if turn:
                    results.setdefault((consumer, workload.name), []).append(found)
                    _tell(
                        f"{workload.name} {turn}/{rounds} {consumer}: {found.seconds:.2f} s, "
                        f"{1e6 * found.cpu / workload.rows:.1f} µs, {found.peak:.0f} MB"
                    )
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
    with EmbeddedServer(settings=_SERVER, tcp=True, binaries=options.binaries) as server:
        with psycopg.connect(server.url) as connection:
            version = connection.info.parameter_status("server_version")

        def create(name: str) -> str:
            url = server.create_database(name)
            return url if options.socket else _over_tcp(server, name)

        medians = measure(create, workloads, consumers, options.rounds)
    print(
        f"PostgreSQL {version} over {'a unix socket' if options.socket else 'TCP'},"
        f" Python {platform.python_version()}, psycopg {psycopg.__version__},"
        f" SQLite {sqlite3.sqlite_version}; {os.cpu_count()} cores; rounds: {options.rounds}\n"
    )
    for workload in workloads:
        print(f"{'- ' if options.markdown else ''}{workload.name}: {workload.description}")
    print(f"\n{figures(medians, markdown=options.markdown)}")
    print(f"\n{ratios(medians, markdown=options.markdown)}\n")
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
    add("--socket", action="store_true", help="a unix socket in place of TCP on the loopback")
    add("--markdown", action="store_true")
    return parser.parse_args(arguments)


def _over_tcp(server: EmbeddedServer, database: str) -> str:
    return f"postgresql://postgres:{server.password}@127.0.0.1:{server.port}/{database}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
