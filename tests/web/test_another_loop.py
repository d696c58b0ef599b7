"""An engine on a loop of its own, as beside a dashboard, and a web application on another."""

from __future__ import annotations

import asyncio

from eventscope import EventScope
from eventscope.engine.thread import EngineThread
from eventscope.settings import Settings
from eventscope.web import Subscription
from tests.pubsub.conftest import Run
from tests.web.client import requesting
from tests.web.conftest import live


async def test_a_client_is_told_what_an_engine_in_another_thread_reads(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, Subscription("comments"), keepalive=0.01)
    engine = EngineThread(app, settings)
    await asyncio.to_thread(engine.start)
    try:
        async with requesting(web) as client:
            await client.until("listening")
            await run("INSERT INTO comments VALUES (1, 1)")
            await client.until("on_insert")
            last = client.last_id
        await run("INSERT INTO comments VALUES (2, 1)")
        async with requesting(web, headers={"Last-Event-ID": last or ""}) as client:
            while (sent := await client.next()).name != "on_insert":
                pass
            assert sent.data["key"] == {"id": 2}
    finally:
        await asyncio.to_thread(engine.stop)
