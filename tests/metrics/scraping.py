"""Reading what is exported, as Prometheus does."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from eventscope.metrics import EngineCollector
from eventscope.metrics.observed import Observed

Samples = dict[tuple[str, str], float]
"""Values by name and, apart from that of the operator, labels."""


def exposition(engine: Observed) -> str:
    """What an engine tells a registry."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(engine))
    return generate_latest(registry).decode()


def samples(text: str, operator: str | None = None) -> Samples:
    """The samples in a text: those of one operator, or those that are about none."""
    return {
        (each.name, ",".join(value for label, value in each.labels.items() if label != "operator")):
            each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
        if each.labels.get("operator") == operator
    }  # fmt: skip
