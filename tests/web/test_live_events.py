"""Server-sent events: what a client is told while it listens."""

from __future__ import annotations

from eventscope import EventScope
from eventscope.engine import Engine
from eventscope.settings import Settings
from eventscope.web import Subscription
from tests.pubsub.conftest import Run
from tests.web.client import requesting
from tests.web.conftest import live


async def test_a_client_is_told_what_is_committed(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, Subscription("comments"))
    async with Engine(app, settings), requesting(web) as client:
        assert client.status == 200
        assert client.headers["content-type"].startswith("text/event-stream")
        assert (await client.next()).name == "listening"
        await run("INSERT INTO comments VALUES (1, 2, 'a')")
        sent = await client.next()
    print(sent)
    assert (sent.name, sent.id) == ("on_insert", sent.data["event"]["id"])
