"""What we ask of ourselves, beside what was measured. Nothing fails here: it is only told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.benchmarks.table import LIMIT, PEER, Medians

_QUEUE: Final = "eventscope to queue"
_HANDLER: Final = "eventscope to handler"
_RATIOS: Final = ((_QUEUE, LIMIT, 0.9), (_HANDLER, PEER, 2.0))
_CPU: Final = {("A", _QUEUE): 7, ("B", _QUEUE): 9, ("A", _HANDLER): 20, ("B", _HANDLER): 35}
_PEAK: Final = 80
"""Megabytes, for one transaction of 500,000 rows."""


def budgets(medians: Medians) -> Iterator[str]:
    """One line for each budget that could be measured."""
    for workload in medians.workloads:
        for consumer, other, least in _RATIOS:
            rate = medians.rate(consumer, other, workload)
            if workload.name in "AB" and rate is not None:
                what = f"{workload.name}: {consumer}, rate as a multiple of {other}'s"
                yield _line(what, rate, least, rate >= least, "at least")
        for consumer in (_QUEUE, _HANDLER):
            cpu, most = medians.cpu(consumer, workload), _CPU.get((workload.name, consumer))
            if cpu is not None and most is not None:
                what = f"{workload.name}: {consumer}, µs of CPU an event"
                yield _line(what, cpu, most, cpu <= most, "at most")
            peak = medians.peak(consumer, workload)
            if workload.name == "D" and peak is not None:
                what = f"D: {consumer}, MB of memory"
                yield _line(what, peak, _PEAK, peak <= _PEAK, "at most")


def _line(what: str, found: float, bound: float, kept: bool, relation: str) -> str:
    return f"{'kept  ' if kept else 'MISSED'} {what}: {found:.2f} ({relation} {bound:g})"
