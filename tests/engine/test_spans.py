"""Spans of transactions and batches, as an OpenTelemetry exporter gets them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.settings import Settings, SettingsError
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Watching, Write
from tests.waiting import until_state


@pytest.fixture(scope="module")
def provider() -> Iterator[TracerProvider]:
    """The one that a process can have."""
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    yield provider
    provider.shutdown()


@pytest.fixture
def exported(provider: TracerProvider) -> InMemorySpanExporter:
    """What is exported from now on."""
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


def named(exported: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exported.get_finished_spans() if span.name == name]


async def test_a_batch_is_linked_with_its_transactions_and_surrounds_the_handler(
    notes: Write, connection: Connection, make_settings: MakeSettings,
    exported: InMemorySpanExporter,
) -> None:  # fmt: skip
    app = EventScope("traced")

    @app.operator(entities=["notes"])
    async def handle(event: Event) -> None:
        with trace.get_tracer("user").start_as_current_span("handle inner"):
            pass

    @app.operator(entities=["notes"])
    def in_thread(event: Event) -> None:
        with trace.get_tracer("user").start_as_current_span("in_thread inner"):
            pass

    app.query("q", target="copies", sql="SELECT $1::int", ids={"notes": "id"})
    with trace.get_tracer("user").start_as_current_span("outer"):
        async with Engine(app, make_settings(traces=True)) as engine:
            await notes(1, 2)
            await connection.execute("INSERT INTO notes VALUES (3, 'x'), (4, 'x')")
            await engine.settle(60)

    stored = named(exported, "transaction")
    assert [span.attributes["eventscope.events"] for span in stored] == [1, 1, 2]
    contexts = {span.context.span_id for span in stored}
    for span in stored:
        assert span.parent is None
        assert span.start_time < span.end_time
        assert span.attributes["eventscope.xid"] > 0
    for name in ("handle", "in_thread", "q"):
        batches = named(exported, f"operator {name}")
        assert sum(span.attributes["eventscope.events"] for span in batches) == 4
        assert {link.context.span_id for span in batches for link in span.links} == contexts
        assert all(span.parent is None for span in batches)
        assert all(span.status.status_code is StatusCode.UNSET for span in batches)
    for name in ("handle", "in_thread"):
        batch_ids = {span.context.span_id for span in named(exported, f"operator {name}")}
        inner = named(exported, f"{name} inner")
        assert len(inner) == 4
        assert {span.parent.span_id for span in inner} <= batch_ids


async def test_a_failure_is_told_without_secrets(
    notes: Write, make_settings: MakeSettings, exported: InMemorySpanExporter
) -> None:
    app = EventScope("failing")

    @app.operator(entities=["notes"])
    async def broken(event: Event) -> None:
        raise ValueError("password=hunter22canary")

    settings = make_settings(traces=True, operator_queue_max_retries=0)
    async with Engine(app, settings) as engine:
        await notes(1)
        await until_state(engine, "broken", "halted")
    [span] = named(exported, "operator broken")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ValueError: password=***"
    assert span.events == ()
    assert span.attributes["eventscope.events"] == 0


async def test_there_are_none_unless_they_are_asked_for(
    notes: Write, settings: Settings, exported: InMemorySpanExporter
) -> None:
    async with Engine(Watching(), settings) as engine:
        await notes(1)
        await engine.settle(60)
    assert exported.get_finished_spans() == ()


def test_without_opentelemetry_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "eventscope.engine.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(SettingsError, match=r"pip install 'eventscope\[otel\]'"):
        Engine(Watching(), Settings(traces=True))
