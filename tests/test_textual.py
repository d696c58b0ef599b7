"""Live views in Textual, told by an engine on a thread of its own, from a real database."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs
from textual import work
from textual.app import App, ComposeResult
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Label

from eventscope import EventScope, Message
from eventscope.engine.thread import EngineThread
from eventscope.errors import DeclarationError
from eventscope.pubsub.stream import CAPACITY
from eventscope.settings import Settings
from eventscope.textual import LiveView, Params
from tests.conftest import Connection
from tests.pubsub.hearing import told
from tests.waiting import until

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
BY_POST = {"post_id": "posts"}
SCOPE = (("posts", "1"),)


@pytest.fixture
async def execute(connection: Connection) -> Callable[..., Any]:
    """Runs statements, as one commit; there are ``posts`` and ``comments``."""
    await connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY, title text);"
        "CREATE TABLE comments (id int PRIMARY KEY, post_id int, body text);"
        "ALTER TABLE comments REPLICA IDENTITY FULL"
    )
    return connection.execute


@pytest.fixture
def source() -> EventScope:
    source = EventScope("shown")
    source.entity("posts")
    source.entity("comments", scopes=[BY_POST])
    return source


@pytest.fixture
async def engine(
    source: EventScope, execute: Callable[..., Any], settings: Settings
) -> AsyncIterator[EngineThread]:
    engine = EngineThread(source, settings)
    await asyncio.to_thread(engine.start)
    yield engine
    await asyncio.to_thread(engine.stop)


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
async def shown(*views: Comments) -> AsyncIterator[Any]:
    """Views on a page, once they listen."""
    async with Page(*views).run_test() as pilot:
        await until(lambda: all(view.is_listening and view.stale for view in views))
        yield pilot


def listened_to(engine: EngineThread) -> bool:
    """Whether anybody listens to comments."""
    return engine._engine._broker.pubsub.wants("comments")


async def test_a_view_is_told_what_happens_in_commit_order_on_its_own_thread(
    engine: EngineThread, source: EventScope, execute: Any
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


async def test_a_view_listens_only_while_it_is_mounted(
    engine: EngineThread, source: EventScope
) -> None:
    view = Comments(source, "unscoped")
    async with shown(view):
        assert listened_to(engine)
        await view.remove()
        await until(lambda: not listened_to(engine))
    async with shown(Comments(source, "unscoped")):
        assert listened_to(engine)
    await until(lambda: not listened_to(engine))


async def test_params_lead_to_the_row_and_the_scope_as_far_as_they_are_known(
    engine: EngineThread, source: EventScope, execute: Any
) -> None:
    views = [
        Comments(source, "direct", BY_POST),
        Comments(source, "direct", BY_POST, id=2),
        Comments(source, "direct", BY_POST, id=None, post_id=1),
        Comments(source, "unscoped", "direct", BY_POST, id=1, post_id=1),
    ]
    async with shown(*views):
        await execute("INSERT INTO comments VALUES (1, 1), (2, 2)")
        await until(lambda: len(views[-1].told) == 4)
    inserted = [
        [],
        [("on_insert", "direct", 2)],
        [("on_insert", SCOPE, 1)],
        [("on_insert", (), 1), ("on_insert", "direct", 1), ("on_insert", SCOPE, 1),
         ("on_insert", (), 2)],
    ]  # fmt: skip
    assert [view.told for view in views] == inserted


async def test_other_params_end_what_the_former_led_to(
    engine: EngineThread, source: EventScope, execute: Any
) -> None:
    view = Comments(source, BY_POST, post_id=1)
    async with shown(view):
        await execute("INSERT INTO comments VALUES (1, 1)")
        await until(lambda: view.ids == [1])
        view.params = {"post_id": 2}
        await until(lambda: view.stale == 2)
        await execute("INSERT INTO comments VALUES (2, 1), (3, 2)")
        await until(lambda: 3 in view.ids)
        view.params = {}
        await until(lambda: not listened_to(engine))
    assert view.ids == [1, 3]


async def test_what_was_on_its_way_for_former_params_is_not_told(
    engine: EngineThread, source: EventScope, execute: Any
) -> None:
    class Leaving(Slow):
        async def on_insert(self, message: Message) -> None:  # type: ignore[override]
            await super().on_insert(message)
            if self.ids == [1, 2]:
                self.params = {"post_id": 2}

    slow, other = Leaving(source, BY_POST, post_id=1), Comments(source, BY_POST, post_id=1)
    async with shown(slow, other):
        await execute("INSERT INTO comments VALUES (1, 1), (2, 1), (3, 1)")
        await until(lambda: other.ids == [1, 2, 3])
        await until(slow.is_at_it.is_set)
        slow.goes_on.set()
        await until(lambda: slow.stale == 2)
        await execute("INSERT INTO comments VALUES (4, 2)")
        await until(lambda: 4 in slow.ids)
    assert slow.ids == [1, 2, 4]


async def test_params_can_be_computed_from_what_else_changes(
    engine: EngineThread, source: EventScope, execute: Any
) -> None:
    class OfPost(Comments):
        post: reactive[int | None] = reactive(None)

        def compute_params(self) -> Params:
            return {"post_id": self.post}

    view = OfPost(source, BY_POST)
    async with shown(view):
        assert not listened_to(engine)
        view.post = 2
        await until(lambda: view.stale == 2)
        await execute("INSERT INTO comments VALUES (1, 1), (2, 2)")
        await until(lambda: view.ids == [2])
        await execute("UPDATE comments SET body = 'x'")
        await until(lambda: len(view.told) == 2)
        assert view.stale == 2


async def test_a_row_that_leaves_the_scope_is_told_of(
    engine: EngineThread, source: EventScope, execute: Any
) -> None:
    view = Comments(source, BY_POST, post_id=1)
    async with shown(view):
        await execute("INSERT INTO comments VALUES (1, 1)")
        await execute("UPDATE comments SET post_id = 2")
        await until(lambda: len(view.told) == 2)
    assert view.told == [("on_insert", SCOPE, 1), ("on_leave", SCOPE, 1)]


async def test_what_a_hook_raises_is_said_and_the_next_message_follows(
    engine: EngineThread, source: EventScope, execute: Any
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
    engine: EngineThread, source: EventScope, execute: Any
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
    engine: EngineThread, source: EventScope, execute: Any
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


async def test_a_view_waits_for_the_engine_and_for_its_return(
    engine: EngineThread, source: EventScope, execute: Any
) -> None:
    await asyncio.to_thread(engine.stop)
    view = Comments(source, BY_POST, post_id=1)
    async with Page(view).run_test() as pilot:
        await pilot.pause()
        assert (view.is_listening, view.stale) == (False, 0)
        for n in (1, 2):
            await asyncio.to_thread(engine.start)
            await until(lambda n=n: view.is_listening and view.stale == n)  # type: ignore[misc]
            await execute(f"INSERT INTO comments VALUES ({n}, 1)")
            await until(lambda n=n: view.ids[-1:] == [n])  # type: ignore[misc]
            await asyncio.to_thread(engine.stop)
            await until(lambda: not view.is_listening)
    assert view.ids == [1, 2]


async def test_a_view_s_own_exclusive_workers_do_not_end_it(
    engine: EngineThread, source: EventScope, execute: Any
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


async def test_a_view_may_show_other_entities_too(
    engine: EngineThread, source: EventScope, execute: Any
) -> None:
    class WithPost(Comments):
        async def handle_subscriptions(self, params: Params) -> None:
            await self.subscribe_entity("posts", ["direct"], {"id": params.get("post_id")})

    view = WithPost(source, BY_POST, post_id=1)
    async with shown(view):
        await execute("INSERT INTO posts VALUES (1, 'First'), (2, 'Second')")
        await execute("INSERT INTO comments VALUES (1, 1)")
        await until(lambda: len(view.told) == 2)
        view.params = {"post_id": 2}
        await until(lambda: view.stale == 2)
        await execute("UPDATE posts SET title = 'New'")
        await until(lambda: len(view.told) == 3)
    assert view.told == [
        ("on_insert", "direct", 1), ("on_insert", SCOPE, 1), ("on_update", "direct", 2),
    ]  # fmt: skip


async def test_a_screen_is_a_live_view_and_textual_s_own_messages_stay_out_of_its_hooks(
    engine: EngineThread, source: EventScope, execute: Any
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
        assert screen.told == ()
        await execute("INSERT INTO comments VALUES (1, 1)")
        await execute("UPDATE comments SET body = 'x'")
        await until(lambda: screen.told)
    assert [told(message) for message in screen.told] == [("on_update", (), 1)]


async def test_a_view_that_cannot_listen_says_why(source: EventScope) -> None:
    with pytest.raises(DeclarationError, match="no scope by author_id"):
        async with Page(Comments(source, {"author_id": "users"})).run_test() as pilot:
            await pilot.pause()


async def test_the_readme_s_view_shows_what_is_written(
    engine: EngineThread,
    source: EventScope,
    execute: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "blog", SimpleNamespace(app=source))  # type: ignore[arg-type]
    (code,) = re.findall(r"```python\n(# show.py\n.+?)```", README, re.DOTALL)
    shown = {"__name__": "show"}
    exec(code, shown)
    async with shown["Blog"]().run_test() as pilot:  # type: ignore[operator]
        log = pilot.app.query_one(shown["Comments"])
        await until(lambda: log.is_listening)
        await execute("INSERT INTO comments VALUES (1, 1, 'First!')")
        await until(lambda: "First!" in log.lines)
