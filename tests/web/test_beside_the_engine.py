"""Web processes beside that of the engine, which follow its queue file."""

from __future__ import annotations

from eventscope import EventScope
from eventscope.engine import Engine, Follower
from eventscope.settings import Settings
from eventscope.web import Subscription
from tests.pubsub.conftest import Run
from tests.waiting import PATIENCE
from tests.web.client import Client, Sent, requesting
from tests.web.conftest import live

COMMENTS = Subscription("comments")


def same(app: EventScope) -> EventScope:
    """The application as another process declares it."""
    other = EventScope(app.name)
    for entity in app.entities:
        other.entity(entity, scopes=[dict(scope) for scope in app.scopes(entity)])
    return other


async def messages(client: Client, count: int) -> list[Sent]:
    """The next messages, whatever else is said between them."""
    found = list[Sent]()
    while len(found) < count:
        sent = await client.next()
        assert sent.name != "gap"
        if sent.name.startswith("on_"):
            found.append(sent)
    return found


async def test_a_client_goes_on_in_any_process_from_what_it_was_told_in_another(
    app: EventScope, run: Run, settings: Settings
) -> None:
    other = same(app)
    here, there = live(app, COMMENTS), live(other, COMMENTS, keepalive=0.01)
    last, heard = "", list[int]()
    async with Engine(app, settings) as engine, Follower(other, settings):
        for n, web in enumerate([here, there] * 4):
            async with requesting(web, headers={"Last-Event-ID": last}) as client:
                await run(f"INSERT INTO comments VALUES ({3 * n}, 1), ({3 * n + 1}, 1)")
                heard += [
                    one.data["key"]["id"] for one in await messages(client, 2 if not n else 3)
                ]
                last = client.last_id or ""
            await run(f"INSERT INTO comments VALUES ({3 * n + 2}, 1)")
            await engine.settle(PATIENCE)
    assert heard == [*range(23)]


async def test_a_silent_client_of_a_follower_can_go_on_from_where_that_is(
    app: EventScope, run: Run, settings: Settings
) -> None:
    other = same(app)
    web = live(other, Subscription("posts"), keepalive=0.01)
    async with Follower(other, settings), requesting(web) as client:
        await client.until("listening")
        assert client.last_id == "0/0/0"  # as there is no queue file yet
        async with Engine(app, settings):
            await run("INSERT INTO comments VALUES (1, 1)")
            while client.last_id in ("0/0/0", "0/0"):
                await client.next()
            last = client.last_id or ""
            await run("INSERT INTO posts VALUES (1)")
            [told] = await messages(client, 1)
            async with requesting(web, headers={"Last-Event-ID": last}) as again:
                assert await messages(again, 1) == [told]
