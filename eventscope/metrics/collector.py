"""An engine's snapshot as Prometheus wants it, taken when it asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from eventscope.metrics.families import FAMILIES, Family, Sample
from eventscope.metrics.observed import Observed, look
from eventscope.operators.durations import BOUNDS, Durations


class EngineCollector(Collector):
    """Tells a registry of an engine; nothing is counted twice, and nothing for each event.

    Args:
        engine: an ``Engine``, or one in a thread. While it is not up there is nothing to tell.
    """

    def __init__(self, engine: Observed) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """Every metric as it is now; from any thread."""
        snapshot = look(self._engine)
        if snapshot is not None:
            for family in FAMILIES:
                yield _metric(family, family.read(snapshot))

    def describe(self) -> Iterator[Metric]:
        """Every metric without a value."""
        return (_metric(family, ()) for family in FAMILIES)


def _metric(family: Family, samples: Iterable[Sample]) -> Metric:
    if family.kind == "histogram":
        return _histogram(family, samples)
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.means, labels=family.labels)
    for labels, value in samples:
        if not isinstance(value, Durations):
            metric.add_metric([_encodable(text) for text in labels], value)
    return metric


def _histogram(family: Family, samples: Iterable[Sample]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.means, labels=family.labels)
    for labels, value in samples:
        if isinstance(value, Durations):
            counted = zip((*map(str, BOUNDS), "+Inf"), accumulate(value.counts), strict=True)
            metric.add_metric([_encodable(text) for text in labels], list(counted), value.seconds)
    return metric


def _encodable(text: str) -> str:
    """What is no Unicode has no place in the format; it escapes all else itself."""
    return text.encode("utf-8", "replace").decode()
