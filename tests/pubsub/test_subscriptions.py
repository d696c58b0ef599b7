"""What subscribers hear of a real database, through a running engine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eventscope import EventScope, Message
from eventscope.app import DeclarationError
from eventscope.engine import Engine
from eventscope.engine.thread import EngineThread
from eventscope.errors import NotRunning
from eventscope.message import Stream
from eventscope.pubsub.stream import CAPACITY
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.pubsub.conftest import Run
from tests.pubsub.hearing import take, told
from tests.waiting import until

ONE = (("posts", "1"),)
TWO = (("posts", "2"),)


async def test_a_subscriber_hears_what_happens_to_a_table_in_commit_order(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings), app.subscribe("comments") as stream:
        await run(
            "INSERT INTO comments VALUES (1, 1, 'a'), (2, 1, 'b')",
            "UPDATE comments SET body = 'c' WHERE id = 1",
        )
        await run("INSERT INTO posts VALUES (1)")  # of no interest
        await run("DELETE FROM comments WHERE id = 2")
        await run("TRUNCATE comments")
        messages = await take(stream, 5)
    assert [told(message) for message in messages] == [
        ("on_insert", (), 1),
        ("on_insert", (), 2),
        ("on_update", (), 1),
        ("on_delete", (), 2),
        ("on_truncate", (), None),
    ]
    update = messages[2].event
    assert update.changes is not None
    assert (update.changes["body"].old_value, update.changes["body"].new_value) == ("a", "c")
    assert update.old_record is None
    assert [message.entity for message in messages] == ["comments"] * 5


async def test_a_subscriber_to_a_row_hears_of_that_row_alone(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings), app.subscribe("comments", id=89) as stream:
        await run("INSERT INTO comments VALUES (8, 1), (89, 1), (9, 1)")
        await run("UPDATE comments SET body = 'b'")
        await run("UPDATE comments SET id = 90 WHERE id = 89")
        await run("UPDATE comments SET id = 89 WHERE id = 8", "DELETE FROM comments WHERE id = 89")
        await run("TRUNCATE comments")
        messages = await take(stream, 6)
    assert [told(message) for message in messages] == [
        ("on_insert", "direct", 89),
        ("on_update", "direct", 89),
        ("on_leave", "direct", 90),
        ("on_update", "direct", 89),
        ("on_delete", "direct", 89),
        ("on_truncate", "direct", None),
    ]


async def test_a_row_that_leaves_a_scope_is_announced_in_the_old_one_and_in_the_new(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with (
        Engine(app, settings),
        app.subscribe("comments", scope={"post_id": 1}) as old,
        app.subscribe("comments", scope={"post_id": 2}) as new,
    ):
        await run("INSERT INTO comments VALUES (7, 1), (8, 3)")
        await run("UPDATE comments SET post_id = 2 WHERE id = 7")
        await run("DELETE FROM comments")
        await run("TRUNCATE comments")
        before, after = await take(old, 3), await take(new, 3)
    assert [told(message) for message in before] == [
        ("on_insert", ONE, 7),
        ("on_leave", ONE, 7),
        ("on_truncate", (("posts", "*"),), None),
    ]
    assert [told(message) for message in after] == [
        ("on_update", TWO, 7),
        ("on_delete", TWO, 7),
        ("on_truncate", (("posts", "*"),), None),
    ]


async def test_an_organization_s_post_s_comments_are_a_scope_of_two_columns(
    connection: Connection, run: Run, settings: Settings
) -> None:
    await connection.execute("ALTER TABLE comments ADD organization_id int")
    app = EventScope("two")
    app.entity("comments", scopes=[{"organization_id": "organizations", "post_id": "posts"}])
    async with (
        Engine(app, settings),
        app.subscribe("comments", scope={"post_id": 2, "organization_id": 1}) as stream,
    ):
        await run("INSERT INTO comments VALUES (1, 1, '', 2), (2, 2, '', 1), (3, 2, '', 2)")
        await run("UPDATE comments SET organization_id = 9 WHERE id = 2")
        messages = await take(stream, 2)
    scope = (("organizations", "1"), ("posts", "2"))
    assert [told(message) for message in messages] == [
        ("on_insert", scope, 2),
        ("on_leave", scope, 2),
    ]


async def test_nobody_hears_of_what_was_committed_before_they_listened(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings) as engine:
        await run("INSERT INTO comments VALUES (1, 1)")
        await engine.settle(60)
        async with app.subscribe("posts") as posts:
            await run("INSERT INTO comments VALUES (2, 1)", "INSERT INTO posts VALUES (1)")
            await take(posts, 1)
            await engine.settle(60)
            async with app.subscribe("comments") as stream:
                await run("INSERT INTO comments VALUES (3, 1)")
                assert told((await take(stream, 1))[0])[2] == 3


async def test_nothing_is_decoded_that_nobody_listens_to(
    app: EventScope, run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    async with Engine(app, settings) as engine:
        reading = engine._queue.read

        async def noting(after: int, relations: Any, limit: int) -> Any:
            rows = await reading(after, relations, limit)
            read.extend(row.relation.table for row in rows)
            return rows

        monkeypatch.setattr(engine._queue, "read", noting)
        await run("INSERT INTO comments VALUES (1, 1)", "INSERT INTO posts VALUES (1)")
        await engine.settle(60)
        assert read == []
        async with app.subscribe("posts") as stream:
            await run("INSERT INTO comments VALUES (2, 1)", "INSERT INTO posts VALUES (2)")
            assert told((await take(stream, 1))[0]) == ("on_insert", (), 2)
    assert read == ["posts"]


async def test_one_stream_hears_several_channels_and_can_leave_them(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings), app.subscribe("comments", id=1) as stream:
        await stream.join("posts")
        await stream.join("posts")
        await stream.join("comments", scope={"post_id": 1})
        await run("INSERT INTO comments VALUES (1, 1)", "INSERT INTO posts VALUES (1)")
        first = await take(stream, 3)
        await stream.leave("comments", scope={"post_id": 1})
        await stream.leave("posts")
        await run("INSERT INTO posts VALUES (2)", "UPDATE comments SET body = 'b'")
        [last] = await take(stream, 1)
    assert [(message.entity, *told(message)) for message in first] == [
        ("comments", "on_insert", "direct", 1),
        ("comments", "on_insert", ONE, 1),
        ("posts", "on_insert", (), 1),
    ]
    assert told(last) == ("on_update", "direct", 1)


async def test_a_stream_ends_with_the_engine_after_what_has_come(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings):
        stream = await app.subscribe("posts").__aenter__()
        other = app.subscribe("posts")  # never entered
        await run("INSERT INTO posts VALUES (1)")
        await until(lambda: stream._messages)  # type: ignore[attr-defined]
    async with asyncio.timeout(60):
        assert [told(message)[2] async for message in stream] == [1]
        assert [message async for message in other] == []
        async with other:
            assert [message async for message in other] == []


async def test_a_subscriber_may_live_on_another_loop_than_the_engine(
    app: EventScope, run: Run, settings: Settings
) -> None:
    engine = EngineThread(app, settings)
    await asyncio.to_thread(engine.start)
    try:
        async with app.subscribe("posts") as stream:
            for id in range(20):
                await run(f"INSERT INTO posts VALUES ({id})")
                assert told((await take(stream, 1))[0]) == ("on_insert", (), id)
    finally:
        await asyncio.to_thread(engine.stop)
    assert app.open_stream is None


async def test_what_cannot_be_subscribed_to_is_named_with_the_cure(
    app: EventScope, run: Run, settings: Settings
) -> None:
    with pytest.raises(NotRunning, match="application 'listened' is not running in this process"):
        app.subscribe("comments")
    async with Engine(app, settings):
        for arguments, reason in [
            (("comment",), r"no entity 'comment': did you mean 'comments'\? .*app.entity\("),
            (("users",), r"no entity 'users': declare it with app.entity\(\"users\"\)"),
        ]:
            with pytest.raises(DeclarationError, match=reason):
                app.subscribe(*arguments)
        with pytest.raises(DeclarationError, match="no scope by author_id; there is post_id"):
            app.subscribe("comments", scope={"author_id": 1})
        with pytest.raises(DeclarationError, match="'posts' has no scope by author_id: declare"):
            app.subscribe("posts", scope={"author_id": 1})
        with pytest.raises(DeclarationError, match="want id or scope, not both"):
            app.subscribe("comments", id=1, scope={"post_id": 1})
        for id in ([], (), {"id": 1}):
            with pytest.raises(DeclarationError, match="id is the value of its key, or a list"):
                app.subscribe("comments", id=id)
    with pytest.raises(NotRunning):
        app.subscribe("comments")


SLOW = 0


def _topic(number: int) -> tuple[dict[str, Any], list[int]]:
    """What a subscriber asks for, and the ids that it is to hear of."""
    match number % 4:
        case 0:
            return {}, list(range(2000))
        case 1:
            return {"id": number}, [number]
        case _:
            return {"scope": {"post_id": number}}, list(range(number, 2000, 200))


async def test_two_hundred_subscribers_each_hear_exactly_their_own_in_order(
    app: EventScope, run: Run, settings: Settings
) -> None:
    heard: dict[int, list[Message]] = {number: [] for number in range(200)}
    all_but_slow_are_done = asyncio.Event()

    async def listen(number: int, stream: Stream) -> None:
        async for message in stream:  # until the engine ends
            heard[number].append(message)
            if number == SLOW:
                await all_but_slow_are_done.wait()

    def is_done(number: int) -> bool:
        return len(heard[number]) >= len(_topic(number)[1])

    async with asyncio.TaskGroup() as tasks, Engine(app, settings):
        for number in heard:
            stream = app.subscribe("comments", **_topic(number)[0])
            tasks.create_task(listen(number, await stream.__aenter__()))
        for start in range(0, 2000, 200):
            await run(
                "INSERT INTO comments SELECT n, n % 200"
                f" FROM generate_series({start}, {start + 199}) n"
            )
        await until(lambda: all(is_done(number) for number in heard if number != SLOW))
        all_but_slow_are_done.set()
    slow = heard.pop(SLOW)
    assert [told(message)[2] for message in slow] == [0, *range(2000 - CAPACITY, 2000)]
    assert [message.dropped for message in slow[:3]] == [0, 1999 - CAPACITY, 0]
    for number, messages in heard.items():
        assert [told(message)[2] for message in messages] == _topic(number)[1]
        assert sum(message.dropped for message in messages) == 0
