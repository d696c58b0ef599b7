"""Who may listen to what: the application decides, and no client adds to that."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from eventscope import EventScope
from eventscope.engine import Engine
from eventscope.errors import DeclarationError
from eventscope.settings import Settings
from eventscope.web import Subscription
from tests.conftest import Connection
from tests.pubsub.conftest import Run
from tests.waiting import PATIENCE
from tests.web.client import Sent, requesting
from tests.web.conftest import live

FIRST = Subscription("comments", scope={"post_id": 1})


def of_a_post(request: Request) -> Subscription:
    """The comments of the post that the client names."""
    return Subscription("comments", scope={"post_id": request.query_params["post_id"]})


async def told_after(
    app: EventScope, run: Run, settings: Settings, permit: Any, query: str, *statements: str
) -> list[Sent]:
    """What a client is told of some statements, replayed and live; all but the last one's."""
    web, told = live(app, permit), list[Sent]()
    async with Engine(app, settings) as engine:
        async with requesting(web, f"/live?{query}") as client:
            await client.until("listening")
            for statement in statements:
                await run(statement)
            await engine.settle(PATIENCE)
            await engine._broadcast.reach(engine._queue.last_seq)
            await run("TRUNCATE comments")  # every scope hears of that
            told += await client.until("on_truncate")
        async with requesting(web, f"/live?{query}&after=0/0/0") as client:
            replayed = await client.until("on_truncate")
    assert replayed == told
    return told


async def test_a_client_that_is_not_permitted_is_refused(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async def unknown(request: Request) -> None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Basic"})

    async def nothing(request: Request) -> Sequence[Subscription]:
        return []

    async with Engine(app, settings) as engine:
        for permit, status in [(lambda _: None, 403), (nothing, 403), (unknown, 401)]:
            async with requesting(live(app, permit)) as client:
                assert client.status == status
        assert not engine._broker.pubsub.wants("comments")


async def test_who_may_listen_is_decided_in_a_thread_unless_it_is_awaited(
    app: EventScope, run: Run, settings: Settings
) -> None:
    threads: list[threading.Thread] = []

    class Decision:
        async def __call__(self, request: Request) -> list[Subscription]:
            threads.append(threading.current_thread())
            return [FIRST]

    def decide(request: Request) -> Subscription:
        threads.append(threading.current_thread())
        return FIRST

    async with Engine(app, settings):
        for permit in (Decision(), decide):
            async with requesting(live(app, permit)) as client:
                assert client.status == 200
    assert [thread is threading.current_thread() for thread in threads] == [True, False]


@pytest.mark.parametrize(
    "query",
    [
        "entity=comments",
        "scope=*",
        "post_id=2",
        "post_id=*&id=*&after=0/0",
        "subscriptions=[comments]&where=true",
    ],
)
async def test_nothing_that_a_client_asks_for_widens_what_it_may_hear(
    app: EventScope, run: Run, settings: Settings, query: str
) -> None:
    told = await told_after(
        app, run, settings, FIRST, query, "INSERT INTO comments VALUES (1, 1), (2, 2), (3, 1)"
    )
    assert [one.data["key"]["id"] for one in told] == [1, 3]


@pytest.mark.parametrize("value", ["*", "1/comments/../2", "%2A", "%", "", "1,2", "1%2F*", "[1]"])
async def test_no_value_of_a_scope_stands_for_another(
    app: EventScope, run: Run, settings: Settings, value: str
) -> None:
    assert (
        await told_after(
            app,
            run,
            settings,
            of_a_post,
            f"post_id={quote(value, safe='')}",
            "INSERT INTO comments VALUES (1, 1), (2, 2), (3, NULL)",
        )
        == []
    )


async def test_a_row_that_leaves_a_scope_is_told_of_as_it_was_and_not_as_it_is(
    app: EventScope, run: Run, settings: Settings
) -> None:
    [_, left] = await told_after(
        app,
        run,
        settings,
        FIRST,
        "",
        "INSERT INTO comments VALUES (1, 1, 'open')",
        "UPDATE comments SET post_id = 2, body = 'secret'",
    )
    assert left.name == "on_leave"
    assert (left.data["key"], left.data["scope"]) == ({"id": 1}, {"post_id": "1"})
    assert left.data["event"]["previous"] == {"id": 1, "post_id": 1, "body": "open"}
    assert left.data["event"]["new_record"] is None
    assert left.data["event"]["changes"] is None
    assert "secret" not in str(left)


async def test_a_row_that_comes_into_a_scope_is_told_of_as_it_is_and_not_as_it_was(
    app: EventScope, run: Run, settings: Settings
) -> None:
    told = await told_after(
        app,
        run,
        settings,
        FIRST,
        "",
        "INSERT INTO comments VALUES (1, 2, 'secret')",
        "UPDATE comments SET post_id = 1, body = 'open'",
        "UPDATE comments SET body = 'changed'",
    )
    came, changed = told
    assert came.name == "on_update"
    assert came.data["event"]["new_record"] == {"id": 1, "post_id": 1, "body": "open"}
    assert came.data["event"]["previous"] is None
    assert came.data["event"]["changes"] is None
    assert "secret" not in str(told)
    assert changed.data["event"]["changes"] == {
        "body": {"old_value": "open", "new_value": "changed"}
    }


async def test_a_row_that_may_have_come_from_elsewhere_is_not_told_of_as_it_was(
    app: EventScope, run: Run, connection: Connection, settings: Settings
) -> None:
    """Where the WAL does not tell the scope before, nobody knows whose the old values were."""
    await connection.execute("ALTER TABLE comments REPLICA IDENTITY DEFAULT")
    [came, changed] = await told_after(
        app,
        run,
        settings,
        FIRST,
        "",
        "INSERT INTO comments VALUES (4711, 2)",
        "UPDATE comments SET post_id = 1, id = 1",
        "UPDATE comments SET body = 'changed'",
    )
    assert came.data["event"]["new_record"]["id"] == 1
    assert came.data["event"]["changes"] is None
    assert "4711" not in str(came)
    assert changed.data["event"]["changes"] == {}


async def test_another_row_s_past_is_not_told_to_who_may_hear_of_one(
    app: EventScope, run: Run, settings: Settings
) -> None:
    told = await told_after(
        app,
        run,
        settings,
        Subscription("comments", id=1),
        "",
        "INSERT INTO comments VALUES (1, 1, 'open'), (2, 2, 'secret')",
        "UPDATE comments SET id = 3, body = 'gone' WHERE id = 1",
        "UPDATE comments SET id = 1, body = 'new' WHERE id = 2",
    )
    assert [one.name for one in told] == ["on_insert", "on_leave", "on_update"]
    assert [(one.data["key"], one.data["scope"]) for one in told] == [({"id": 1}, "direct")] * 3
    assert "secret" not in str(told)
    assert "gone" not in str(told)


async def test_a_permission_for_what_there_is_not_is_the_application_s_mistake(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, Subscription("comments", scope={"author_id": 1}))
    async with Engine(app, settings):
        with pytest.raises(DeclarationError, match="no scope by author_id"):
            async with requesting(web):
                pass
