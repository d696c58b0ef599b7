"""Declared listeners, through a running engine and a real database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from eventscope import EventScope, Message
from eventscope.engine import Engine
from eventscope.pubsub.stream import CAPACITY
from eventscope.settings import Settings
from tests.pubsub.conftest import Run
from tests.pubsub.hearing import take, told
from tests.waiting import until

ONE = (("posts", "1"),)
TWO = (("posts", "2"),)


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
