"""What listeners hear of a real database, through a running engine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from eventscope import EventScope, Message
from eventscope.app import DeclarationError
from eventscope.engine import Engine
from eventscope.engine.thread import EngineThread
from eventscope.errors import NotRunning
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


async def test_listeners_are_called_in_order_each_with_what_it_asked_for(
    app: EventScope, run: Run, settings: Settings
) -> None:
    heard: dict[str, list[Any]] = {"all": [], "scope": [], "row": [], "everything": []}

    def listen(name: str, *args: Any, **kwargs: Any) -> None:
        async def note(message: Message) -> None:
            await asyncio.sleep(0)
            heard[name].append(told(message))

        app.listener(*args, name=name, **kwargs)(note)

    listen("all", "comments")
    listen("scope", "comments", scope={"post_id": "posts"})
    listen("row", "comments", id=2)
    listen("everything", "*")
    async with Engine(app, settings):
        await run("INSERT INTO comments VALUES (1, 1), (2, 2)", "INSERT INTO posts VALUES (5)")
        await run("UPDATE comments SET post_id = 2 WHERE id = 1", "TRUNCATE comments")
        await until(lambda: len(heard["everything"]) == 5 and len(heard["scope"]) == 5)
    assert heard["all"] == [
        ("on_insert", (), 1), ("on_insert", (), 2), ("on_update", (), 1), ("on_truncate", (), None),
    ]  # fmt: skip
    assert heard["scope"] == [
        ("on_insert", ONE, 1),
        ("on_insert", TWO, 2),
        ("on_leave", ONE, 1),
        ("on_update", TWO, 1),
        ("on_truncate", (("posts", "*"),), None),
    ]
    assert heard["row"] == [("on_insert", "direct", 2), ("on_truncate", "direct", None)]
    assert [id for _, _, id in heard["everything"]] == [1, 2, 5, 1, None]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), asyncio.CancelledError()])
async def test_a_listener_that_raises_hears_the_next_message_and_harms_nobody(
    app: EventScope, run: Run, settings: Settings, error: BaseException
) -> None:
    heard: list[Any] = []

    @app.listener("comments")
    async def failing(message: Message) -> None:
        heard.append(told(message))
        raise error

    with structlog.testing.capture_logs() as logged:
        async with Engine(app, settings) as engine, app.subscribe("comments") as stream:
            await run("INSERT INTO comments VALUES (1, 1), (2, 1)")
            messages = await take(stream, 2)
            await until(lambda: len(heard) == 2)
            assert engine.failure is None
    failed = [line for line in logged if line["event"] == "listener failed"]
    assert [(line["listener"], line["event_id"]) for line in failed] == [
        ("failing", message.event.id) for message in messages
    ]


async def test_a_listener_that_hangs_holds_up_neither_the_reader_nor_another_listener(
    app: EventScope, run: Run, settings: Settings
) -> None:
    heard: list[int] = []
    hanging = asyncio.Event()
    go_on = asyncio.Event()
    late: list[Message] = []

    @app.listener("comments")
    async def slow(message: Message) -> None:
        hanging.set()
        await go_on.wait()
        late.append(message)

    @app.listener("comments")
    async def fast(message: Message) -> None:
        heard.append((message.event.new_record or {})["id"])

    count = CAPACITY + 500
    async with Engine(app, settings) as engine:
        await run("INSERT INTO comments VALUES (0, 1)")
        await hanging.wait()
        await run(f"INSERT INTO comments SELECT n, 1 FROM generate_series(1, {count}) n")
        await until(lambda: len(heard) == count + 1)
        assert engine.snapshot().stream.events == count + 1
        go_on.set()
        await until(lambda: len(late) == CAPACITY + 1)
    assert heard == list(range(count + 1))
    assert [late[0].dropped, late[1].dropped, late[2].dropped] == [0, 500, 0]
    ids = [(message.event.new_record or {})["id"] for message in late]
    assert ids == [0, *range(501, count + 1)]


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


async def test_a_transaction_larger_than_all_buffers_reaches_a_listener_that_keeps_up(
    app: EventScope, run: Run, settings: Settings
) -> None:
    heard: list[Message] = []

    @app.listener("comments")
    async def note(message: Message) -> None:
        heard.append(message)

    async with Engine(app, settings):
        await run(
            "INSERT INTO comments SELECT n, n, repeat('x', 200) FROM generate_series(1, 5000) n"
        )
        await until(lambda: len(heard) == 5_000)
    assert [(m.event.new_record or {})["id"] for m in heard] == list(range(1, 5_001))
    assert sum(message.dropped for message in heard) == 0


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


async def test_a_table_without_a_primary_key_is_heard_of(
    connection: Connection, run: Run, settings: Settings
) -> None:
    await connection.execute(
        "CREATE TABLE log (line text); CREATE TABLE views (id int, line text);"
        "ALTER TABLE log REPLICA IDENTITY FULL; ALTER TABLE views REPLICA IDENTITY FULL"
    )
    app = EventScope("keyless")
    app.entity("log", scopes=[{"line": "lines"}])
    app.entity("views")
    async with (
        Engine(app, settings),
        app.subscribe("log") as all_of_it,
        app.subscribe("log", scope={"line": "a"}) as within,
        app.subscribe("log", id="a") as direct,
        app.subscribe("views", id=3) as view,
    ):
        await run("INSERT INTO log VALUES ('a'), ('b')", "INSERT INTO views VALUES (3, 'x')")
        await run("UPDATE log SET line = 'c' WHERE line = 'a'")
        assert [m.kind for m in await take(all_of_it, 3)] == ["on_insert", "on_insert", "on_update"]
        assert [m.kind for m in await take(within, 2)] == ["on_insert", "on_leave"]
        assert told((await take(view, 1))[0]) == ("on_insert", "direct", 3)
        await direct.join("views", id=3)
        await run("DELETE FROM views")
        assert told((await take(direct, 1))[0]) == ("on_delete", "direct", 3)


async def test_a_key_of_two_columns_is_given_as_a_list(
    connection: Connection, run: Run, settings: Settings
) -> None:
    await connection.execute(
        "CREATE TABLE tags (post_id int, tag text, PRIMARY KEY (post_id, tag))"
    )
    app = EventScope("tags")
    app.entity("tags")
    async with Engine(app, settings), app.subscribe("tags", id=(1, "a,b")) as stream:
        await run("INSERT INTO tags VALUES (1, 'a'), (1, 'a,b')", "DELETE FROM tags")
        assert [message.kind for message in await take(stream, 2)] == ["on_insert", "on_delete"]


async def test_a_row_of_a_partition_or_an_heir_is_announced_as_the_whole_s(
    connection: Connection, run: Run, settings: Settings
) -> None:
    await connection.execute(
        "CREATE TABLE visits (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE things (id int PRIMARY KEY);"
        "CREATE TABLE cars (PRIMARY KEY (id)) INHERITS (things)"
    )
    app = EventScope("partitions")
    app.entity("visits")
    app.entity("things")
    async with Engine(app, settings), app.subscribe("visits", id=1) as stream:
        await stream.join("things", id=2)
        await run("INSERT INTO visits VALUES (1)", "INSERT INTO cars VALUES (2)")
        visit, car = await take(stream, 2)
    assert (visit.entity, *told(visit)) == ("visits", "on_insert", "direct", 1)
    assert (car.entity, *told(car)) == ("things", "on_insert", "direct", 2)
    assert car.event.name == "cars"


async def test_two_tables_of_one_name_never_mix(
    connection: Connection, run: Run, settings: Settings
) -> None:
    await connection.execute("CREATE SCHEMA audit; CREATE TABLE audit.posts (id int PRIMARY KEY)")
    app = EventScope("schemas")
    app.entity("posts")
    app.entity("audit.posts")
    async with (
        Engine(app, settings),
        app.subscribe("public.posts") as public,
        app.subscribe("audit.posts", id=1) as audit,
    ):
        await run("INSERT INTO audit.posts VALUES (1)", "INSERT INTO posts VALUES (2)")
        assert told((await take(public, 1))[0]) == ("on_insert", (), 2)
        assert told((await take(audit, 1))[0]) == ("on_insert", "direct", 1)


async def test_a_logical_message_of_a_table_s_name_is_no_row(
    connection: Connection, run: Run, settings: Settings
) -> None:
    app = EventScope("prefix")
    app.entity("posts")

    @app.operator(entities="posts", events="message")
    async def messages(event: Any) -> None: ...

    with structlog.testing.capture_logs() as logged:
        async with Engine(app, settings), app.subscribe("posts") as stream:
            await run(
                "SELECT pg_logical_emit_message(true, 'posts', 'x')",
                "INSERT INTO posts VALUES (1)",
            )
            assert told((await take(stream, 1))[0]) == ("on_insert", (), 1)
    assert [line for line in logged if line["log_level"] == "error"] == []


async def test_an_event_that_cannot_be_decoded_costs_nobody_the_next(
    app: EventScope, run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import eventscope.engine.broadcast as broadcast

    announcing = broadcast.announcements

    def failing(event: Any, *args: Any) -> Any:
        if (event.new_record or {})["id"] == 2:
            raise ValueError("cannot be read")
        return announcing(event, *args)

    monkeypatch.setattr(broadcast, "announcements", failing)
    async with Engine(app, settings) as engine, app.subscribe("posts") as stream:
        await run("INSERT INTO posts VALUES (1), (2), (3)")
        assert [told(message)[2] for message in await take(stream, 2)] == [1, 3]
        assert engine.failure is None


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
    with pytest.raises(NotRunning):
        app.subscribe("comments")
