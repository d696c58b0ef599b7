"""Handlers that fail as told, or never."""

from __future__ import annotations

import time
from typing import Any

from eventscope import Event, EventScope


class Attempts:
    """A handler that fails as often as it is told to, and notes when it was called."""

    def __init__(self, app: EventScope, failures: float, name: str = "bad") -> None:
        self.failures = failures
        self.calls: list[tuple[Any, float]] = []
        app.operator(entities=["notes"], name=name)(self.handle)

    async def handle(self, event: Event) -> None:
        self.calls.append(((event.new_record or {}).get("id"), time.monotonic()))
        if len(self.calls) <= self.failures:
            raise ValueError(f"failure {len(self.calls)}")

    @property
    def ids(self) -> list[Any]:
        return [id for id, _ in self.calls]


class Seen:
    """A handler that never fails."""

    def __init__(self, app: EventScope, name: str = "good") -> None:
        self.ids: list[Any] = []
        app.operator(entities=["notes"], name=name)(self.handle)

    async def handle(self, event: Event) -> None:
        self.ids.append((event.new_record or {}).get("id"))
