"""Views of comments, which remember what they were told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Label

from eventscope import EventScope, Message
from eventscope.engine.thread import EngineThread
from eventscope.textual import LiveView
from tests.pubsub.hearing import told
from tests.waiting import until

Execute = Callable[..., Awaitable[Any]]
BY_POST: Final = {"post_id": "posts"}
FIRST_POST: Final = (("posts", "1"),)


class Comments(LiveView, Label):
    """Remembers what it was told."""

    schema = "comments"

    def __init__(self, source: EventScope, *subscriptions: Any, **params: Any) -> None:
        super().__init__()
        self.eventscope = source
        self.subscriptions = subscriptions
        if params:
            self.params = params
        self.told: list[Any] = []
        self.stale = 0
        self.threads: set[int] = set()

    @property
    def ids(self) -> list[int]:
        return [id for _, _, id in self.told]

    def on_stale(self) -> None:
        self.stale += 1

    def on_insert(self, message: Message) -> None:
        self.hear("on_insert", message)

    def on_update(self, message: Message) -> None:
        self.hear("on_update", message)

    def on_delete(self, message: Message) -> None:
        self.hear("on_delete", message)

    def on_truncate(self, message: Message) -> None:
        self.hear("on_truncate", message)

    def on_leave(self, message: Message) -> None:
        self.hear("on_leave", message)

    def hear(self, hook: str, message: Message) -> None:
        self.threads.add(threading.get_ident())
        kind, scope, id = told(message)
        assert hook == kind
        self.told.append((kind, scope, id))


class Slow(Comments):
    """Takes its time with the first row that it is told of."""

    def __init__(self, *given: Any, **params: Any) -> None:
        super().__init__(*given, **params)
        self.is_at_it = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.missed = 0

    async def on_insert(self, message: Message) -> None:  # type: ignore[override]
        self.hear("on_insert", message)
        self.is_at_it.set()
        await self.goes_on.wait()

    def on_lagged(self, missed: int) -> None:
        self.missed += missed


class Page(App[None]):
    def __init__(self, *views: Comments) -> None:
        super().__init__()
        self.views = views

    def compose(self) -> ComposeResult:
        yield from self.views


@asynccontextmanager
async def shown(*views: Comments) -> AsyncIterator[Pilot[None]]:
    """Views on a page, once they listen."""
    async with Page(*views).run_test() as pilot:
        await until(lambda: all(view.is_listening and view.stale for view in views))
        yield pilot


def listened_to(engine: EngineThread) -> bool:
    """Whether anybody listens to comments."""
    running = engine._engine
    return running is not None and running._broker.pubsub.wants("comments")
