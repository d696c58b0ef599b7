"""The README's way of telling of an embedded engine works as it stands there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from eventscope.engine import Engine
from eventscope.settings import Settings
from tests.engine.conftest import Watching, Write
from tests.readme import blocks


@pytest.fixture
def registered() -> Iterator[None]:
    """Whatever is registered meanwhile is taken away again."""
    before = set(REGISTRY._collector_to_names)
    yield
    for collector in set(REGISTRY._collector_to_names) - before:
        REGISTRY.unregister(collector)


@pytest.mark.usefixtures("registered")
async def test_an_embedded_engine_is_told_of_by_the_programs_own_registry(
    notes: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    blog: Any = ModuleType("blog")
    blog.app = Watching()
    monkeypatch.setitem(sys.modules, "blog", blog)
    monkeypatch.setattr(Settings, "load", lambda: settings)
    [code] = blocks("## Metrics and health")
    written: dict[str, Any] = {}
    exec(code, written)
    engine: Engine = SimpleNamespace(**written).engine
    async with engine:
        await notes(1, 2)
        await engine.settle(60)
        assert REGISTRY.get_sample_value("eventscope_events_total") == 2
