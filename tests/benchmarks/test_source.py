"""The benchmark itself works: a few events, no times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from eventscope.demo.embedded import EmbeddedServer
from tests.benchmarks import source
from tests.benchmarks.budgets import budgets
from tests.benchmarks.consumers import CONSUMERS
from tests.benchmarks.table import figures, ratios
from tests.benchmarks.workloads import WORKLOADS
from tests.servers import fresh_database

Create = Callable[[str], str]
OURS = ("eventscope to queue", "eventscope to handler")


@pytest.fixture
def create(postgres: EmbeddedServer) -> Iterator[Create]:
    with ExitStack() as databases:
        yield lambda _: databases.enter_context(fresh_database(postgres))


def test_every_workload_reaches_us_and_pg_recvlogical(create: Create, capsys) -> None:
    if reason := CONSUMERS["pg_recvlogical"].missing:
        pytest.skip(f"pg_recvlogical: {reason}")
    workloads = [workload.scaled(0.001) for workload in WORKLOADS]
    medians = source.measure(create, workloads, ["pg_recvlogical", *OURS], 1)
    assert "only" not in capsys.readouterr().err, "each has seen every event"
    for consumer in ("pg_recvlogical", *OURS):
        for workload in workloads:
            assert medians.seconds(consumer, workload), (consumer, workload.name)
    assert figures(medians).count("\n") == 3
    assert ratios(medians, markdown=True).count("|") == 5 * 7
    assert len(list(budgets(medians))) == 8


def test_a_consumer_that_fails_is_told_of_and_left_out(create: Create, capsys, monkeypatch) -> None:
    monkeypatch.setattr("tests.benchmarks.measuring.PATIENCE", 0.001)
    [workload] = [workload.scaled(0.001) for workload in WORKLOADS if workload.name == "C"]
    medians = source.measure(create, [workload], ["eventscope to queue"], 1)
    assert "no end after" in capsys.readouterr().err
    assert medians.consumers == []
