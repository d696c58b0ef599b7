"""Medians of the rounds, as tables: aligned text, or Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from tests.benchmarks.consumers import CONSUMERS
from tests.benchmarks.metering import Measurement
from tests.benchmarks.workloads import Workload

Results = Mapping[tuple[str, str], Sequence[Measurement]]
"""Measurements by consumer and workload."""

LIMIT: Final = "pg_recvlogical"
PEER: Final = "walbox"


class Medians:
    """The rounds in one figure each."""

    def __init__(self, results: Results, workloads: Sequence[Workload]) -> None:
        self._results = results
        self.workloads = workloads
        measured = {consumer for consumer, _ in results}
        self.consumers = [name for name in CONSUMERS if name in measured]

    def seconds(self, consumer: str, workload: Workload) -> float | None:
        """Wall time from the start of the stream to the last event."""
        return self._median(consumer, workload, "seconds")

    def cpu(self, consumer: str, workload: Workload) -> float | None:
        """Microseconds of processor time an event."""
        cpu = self._median(consumer, workload, "cpu")
        return None if cpu is None else 1e6 * cpu / workload.rows

    def peak(self, consumer: str, workload: Workload) -> float | None:
        """Megabytes resident at most."""
        return self._median(consumer, workload, "peak")

    def rate(self, consumer: str, other: str, workload: Workload) -> float | None:
        """The consumer's rate as a multiple of another's."""
        own, base = self.seconds(consumer, workload), self.seconds(other, workload)
        return None if own is None or base is None else base / own

    def _median(self, consumer: str, workload: Workload, what: str) -> float | None:
        rounds = self._results.get((consumer, workload.name))
        return statistics.median(getattr(found, what) for found in rounds) if rounds else None


def figures(medians: Medians, *, markdown: bool = False) -> str:
    """Seconds, and microseconds of CPU an event; for the one big transaction megabytes."""
    heads = ["consumer", "what it delivers"]
    heads += [f"{w.name} s / {'MB' if w.is_whole else 'µs'}" for w in medians.workloads]
    lines = [heads]
    for consumer in medians.consumers:
        cells = [consumer, CONSUMERS[consumer].delivers]
        for workload in medians.workloads:
            seconds = _figure(medians.seconds(consumer, workload), ".2f")
            if workload.is_whole:
                other = _figure(medians.peak(consumer, workload), ".0f")
            else:
                other = _figure(medians.cpu(consumer, workload), ".1f")
            cells.append(f"{seconds} / {other}")
        lines.append(cells)
    return _laid_out(lines, markdown)


def ratios(medians: Medians, *, markdown: bool = False) -> str:
    """Rates as multiples of the limit's and of the peer's."""
    lines = [["rate as a multiple of", f"{LIMIT}'s / {PEER}'s"]]
    lines[0] += [workload.name for workload in medians.workloads]
    for consumer in medians.consumers:
        cells = [consumer, ""]
        for workload in medians.workloads:
            of_limit = _figure(medians.rate(consumer, LIMIT, workload), ".2f")
            cells.append(f"{of_limit} / {_figure(medians.rate(consumer, PEER, workload), '.2f')}")
        lines.append(cells)
    return _laid_out(lines, markdown)


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _laid_out(lines: Sequence[Sequence[str]], markdown: bool) -> str:
    return _markdown(lines) if markdown else _text(lines)


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    heads, *rest = lines
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ["---"] * len(heads), *rest])


def _text(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
