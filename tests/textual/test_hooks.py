"""How a view is told what happens in a real database."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs
from textual import work
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import Label

from eventscope import EventScope, Message
from eventscope.engine.thread import EngineThread
from eventscope.pubsub.stream import CAPACITY
from eventscope.textual import LiveView
from tests.pubsub.hearing import told
from tests.readme import blocks
from tests.textual.comments import Comments, Execute, Slow, shown
from tests.waiting import until


async def test_a_view_is_told_what_happens_in_commit_order_on_its_own_thread(
    engine: EngineThread, source: EventScope, execute: Execute
) -> None:
    view = Comments(source, "unscoped")
    async with shown(view):
        for first in range(0, 500, 50):
            await execute(
                f"INSERT INTO comments SELECT n, 1 FROM generate_series({first}, {first + 49}) n"
            )
        await execute("UPDATE comments SET body = 'x' WHERE id = 7")
        await execute("DELETE FROM comments WHERE id = 8")
        await execute("TRUNCATE comments")
        await until(lambda: len(view.told) == 503)
    assert view.ids[:500] == list(range(500))
    assert [kind for kind, _, _ in view.told[500:]] == ["on_update", "on_delete", "on_truncate"]
    assert view.threads == {threading.get_ident()}
    assert view.stale == 1


async def test_what_a_hook_raises_is_said_and_the_next_message_follows(
    engine: EngineThread, source: EventScope, execute: Execute
) -> None:
    class Broken(Comments):
        def on_insert(self, message: Message) -> None:
            super().on_insert(message)
            raise ValueError("[/]\x1b]0;owned\x07")

        async def on_delete(self, message: Message) -> None:  # type: ignore[override]
            super().on_delete(message)
            waited_for = asyncio.create_task(asyncio.Event().wait())
            waited_for.cancel()
            await waited_for

    view = Broken(source, "unscoped")
    with capture_logs() as logs:
        async with shown(view) as pilot:
            await execute("INSERT INTO comments VALUES (1, 1), (2, 1)")
            await execute("DELETE FROM comments")
            await until(lambda: len(view.told) == 4)
            toasts = [toast.message for toast in pilot.app._notifications]
            await pilot.pause()
    assert view.ids == [1, 2, 1, 2]
    assert [(log["view"], log["hook"]) for log in logs if log["event"] == "live view failed"] == [
        ("Broken", hook) for hook in ("on_insert", "on_insert", "on_delete", "on_delete")
    ]
    assert toasts == [
        "Broken.on_insert: ValueError: [/]␛]0;owned␇", "Broken.on_delete: CancelledError: ",
    ]  # fmt: skip


async def test_a_view_that_is_too_slow_is_told_how_much_it_has_missed(
    engine: EngineThread, source: EventScope, execute: Execute
) -> None:
    slow, other = Slow(source, "unscoped"), Comments(source, "unscoped")
    written = CAPACITY + 500
    async with shown(slow, other):
        await execute("INSERT INTO comments VALUES (0, 1)")
        await until(slow.is_at_it.is_set)
        await execute(f"INSERT INTO comments SELECT n, 1 FROM generate_series(1, {written - 1}) n")
        await until(lambda: other.ids[-1:] == [written - 1])
        slow.goes_on.set()
        await until(lambda: slow.ids[-1] == written - 1)
    assert slow.missed == written - 1 - CAPACITY
    assert slow.ids == [0, *range(slow.missed + 1, written)]
    assert slow.stale == 2
    assert other.ids == list(range(written)), "nobody else has missed anything"


async def test_keys_get_their_turn_between_messages(
    engine: EngineThread, source: EventScope, execute: Execute
) -> None:
    turns: list[int] = []

    class Busy(Slow):
        def on_update(self, message: Message) -> None:
            super().on_update(message)
            self.call_next(lambda: turns.append(len(self.told)))
            began = time.monotonic()
            while time.monotonic() - began < 0.01:
                pass

    busy, other = Busy(source, "unscoped"), Comments(source, "unscoped")
    async with shown(busy, other):
        await execute("INSERT INTO comments VALUES (1, 1)")
        await until(busy.is_at_it.is_set)
        for _ in range(10):
            await execute("UPDATE comments SET body = 'x'")
        await until(lambda: len(other.told) == 11)
        busy.goes_on.set()
        await until(lambda: len(busy.told) == 11)
    assert turns[0] < 11


async def test_a_view_s_own_exclusive_workers_do_not_end_it(
    engine: EngineThread, source: EventScope, execute: Execute
) -> None:
    class Working(Comments):
        @work(exclusive=True)
        async def look_up(self) -> None:
            pass

    view = Working(source, "unscoped")
    async with shown(view):
        await view.look_up().wait()
        await execute("INSERT INTO comments VALUES (1, 1)")
        await until(lambda: view.ids == [1])


async def test_a_screen_is_a_live_view_and_textual_s_own_messages_stay_out_of_its_hooks(
    engine: EngineThread, source: EventScope, execute: Execute
) -> None:
    class CommentScreen(LiveView, Screen[None]):
        eventscope = source
        schema = "comments"
        told: Sequence[Any] = ()

        def compose(self) -> ComposeResult:
            yield Label("Comments")

        def on_update(self, message: Message) -> None:
            self.told = [*self.told, message]

        def on_leave(self, message: Message) -> None:
            self.told = [*self.told, message]

    class Site(App[None]):
        pass

    async with Site().run_test() as pilot:
        screen = CommentScreen()
        await pilot.app.push_screen(screen)
        await until(lambda: screen.is_listening)
        await pilot.hover(Label)
        await pilot.hover(offset=(5, 5))
        screen.query_one(Label).update("What is said")
        await pilot.pause()
        assert not screen.told
        await execute("INSERT INTO comments VALUES (1, 1)")
        await execute("UPDATE comments SET body = 'x'")
        await until(lambda: screen.told)
    assert [told(message) for message in screen.told] == [("on_update", (), 1)]


async def test_the_readme_s_view_shows_what_is_written(
    engine: EngineThread,
    source: EventScope,
    execute: Execute,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "blog", SimpleNamespace(app=source))
    (code,) = blocks("### In Textual")
    show: dict[str, Any] = {"__name__": "show"}
    exec(code, show)
    async with show["Blog"]().run_test() as pilot:
        log = pilot.app.query_one(show["Comments"])
        await until(lambda: log.is_listening)
        await execute("INSERT INTO comments VALUES (1, 1, 'First!')")
        await until(lambda: "First!" in log.lines)
