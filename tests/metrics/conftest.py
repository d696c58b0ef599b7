"""A table to write to, and engines that are only pretended to be in some state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eventscope.engine.snapshot import Snapshot, StreamState
from tests.engine.conftest import notes  # noqa: F401 - a fixture
from tests.tui.scripted import NOW, STREAM


class Pretended:
    """What an endpoint asks of an engine."""

    def __init__(self) -> None:
        self.started = True
        self.waits_for = ""
        self.now = Snapshot("shop", NOW, NOW - 60, STREAM)

    def snapshot(self) -> Snapshot:
        return self.now

    def enter(self, state: StreamState, detail: str = "") -> None:
        """Have the stream be in a state."""
        self.set(stream=replace(STREAM, state=state, detail=detail))

    def set(self, **changes: Any) -> None:
        """Have something else be shown."""
        self.now = replace(self.now, **changes)


@pytest.fixture
def pretended() -> Pretended:
    """An engine that streams."""
    return Pretended()
