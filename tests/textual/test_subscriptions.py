"""What a view listens to, and when, from a real database."""

from __future__ import annotations

import asyncio

import pytest
from textual.reactive import reactive

from eventscope import EventScope, Message
from eventscope.engine import Engine, Follower
from eventscope.engine.thread import EngineThread
from eventscope.errors import DeclarationError
from eventscope.settings import Settings
from eventscope.textual import Params
from tests.textual.comments import (
    BY_POST,
    FIRST_POST,
    Comments,
    Execute,
    Page,
    Slow,
    listened_to,
    shown,
)
from tests.waiting import until


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
    engine: EngineThread, source: EventScope, execute: Execute
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
        [("on_insert", FIRST_POST, 1)],
        [("on_insert", (), 1), ("on_insert", "direct", 1), ("on_insert", FIRST_POST, 1),
         ("on_insert", (), 2)],
    ]  # fmt: skip
    assert [view.told for view in views] == inserted


async def test_other_params_end_what_the_former_led_to(
    engine: EngineThread, source: EventScope, execute: Execute
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
    engine: EngineThread, source: EventScope, execute: Execute
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
    engine: EngineThread, source: EventScope, execute: Execute
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
    engine: EngineThread, source: EventScope, execute: Execute
) -> None:
    view = Comments(source, BY_POST, post_id=1)
    async with shown(view):
        await execute("INSERT INTO comments VALUES (1, 1)")
        await execute("UPDATE comments SET post_id = 2")
        await until(lambda: len(view.told) == 2)
    assert view.told == [("on_insert", FIRST_POST, 1), ("on_leave", FIRST_POST, 1)]


async def test_a_view_waits_for_the_engine_and_for_its_return(
    engine: EngineThread, source: EventScope, execute: Execute
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


async def test_a_view_listens_to_the_engine_of_another_process(
    settings: Settings, execute: Execute, source: EventScope
) -> None:
    elsewhere = EventScope("shown")
    elsewhere.entity("comments")
    view = Comments(source, "unscoped", BY_POST, post_id=1)
    async with Engine(elsewhere, settings), Follower(source, settings), shown(view):
        await execute("INSERT INTO comments VALUES (1, 1)")
        await until(lambda: len(view.told) == 2)
        view.params = {"post_id": 2}
        await until(lambda: view.stale == 2)
        await execute("INSERT INTO comments VALUES (2, 1), (3, 2)")
        await until(lambda: len(view.told) == 5)
    assert [scope for _, scope, _ in view.told] == [(), FIRST_POST, (), (), (("posts", "2"),)]


async def test_a_view_may_show_other_entities_too(
    engine: EngineThread, source: EventScope, execute: Execute
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
        ("on_insert", "direct", 1), ("on_insert", FIRST_POST, 1), ("on_update", "direct", 2),
    ]  # fmt: skip


async def test_a_view_that_cannot_listen_says_why(source: EventScope) -> None:
    with pytest.raises(DeclarationError, match="no scope by author_id"):
        async with Page(Comments(source, {"author_id": "users"})).run_test() as pilot:
            await pilot.pause()
