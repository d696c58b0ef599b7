"""Reading one's own writes over HTTP: 425 until they are processed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.settings import Settings
from eventscope.web import TooEarlyMiddleware
from tests.conftest import Connection
from tests.pubsub.conftest import Run
from tests.waiting import PATIENCE, until
from tests.web.client import Client, requesting


class Gated(EventScope):
    """An application whose operator passes nothing until it may."""

    def __init__(self) -> None:
        super().__init__("early")
        self.gate = asyncio.Event()
        self.operator(entities="comments", name="gated")(self._wait)

    async def _wait(self, event: Event) -> None:
        await self.gate.wait()


@pytest.fixture
def gated() -> Gated:
    return Gated()


def web(app: EventScope, **options: float) -> ASGIApp:
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse("seen")

    return Starlette(
        routes=[Route("/", page)],
        middleware=[Middleware(TooEarlyMiddleware, app, **options)],
    )


async def get(asgi: ASGIApp, **headers: str) -> Client:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with requesting(asgi, "/", named) as client:
        return client


async def test_a_request_whose_token_is_not_processed_is_too_early(
    gated: Gated, run: Run, connection: Connection, settings: Settings
) -> None:
    async with Engine(gated, settings):
        await run("INSERT INTO comments VALUES (1, 1)")
        token = await gated.token(connection)
        early = await get(web(gated, retry_after=3), eventscope_token=token)
        assert (early.status, early.headers["retry-after"]) == (425, "3")
        assert (await get(web(gated))).status == 200  # which has no token
        gated.gate.set()
        await gated.wait_for(token, timeout=PATIENCE)
        assert (await get(web(gated), eventscope_token=token)).status == 200


async def test_with_patience_a_request_waits_for_what_its_sender_has_written(
    gated: Gated, run: Run, connection: Connection, settings: Settings
) -> None:
    async with Engine(gated, settings):
        await run("INSERT INTO comments VALUES (1, 1)")
        token = await gated.token(connection)
        assert (await get(web(gated, patience=0.02), eventscope_token=token)).status == 425
        waiting = asyncio.create_task(get(web(gated, patience=PATIENCE), eventscope_token=token))
        await asyncio.sleep(0)
        gated.gate.set()
        assert (await waiting).status == 200


async def test_the_header_of_the_original_is_understood(
    gated: Gated, run: Run, connection: Connection, settings: Settings
) -> None:
    await connection.execute("ALTER TABLE comments ADD updated_at timestamptz")
    now = datetime.now(UTC)
    micros = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    async def status(header: str) -> int:
        return (await get(web(gated), x_event_streamex_entity_timestamp=header)).status

    async with Engine(gated, settings):
        async with connection.transaction():
            await connection.execute("INSERT INTO comments VALUES (1, 1, '', %s)", [now])
        assert await status(f"comments/{micros}") == 425
        gated.gate.set()
        await gated.wait_for(await gated.token(connection), timeout=PATIENCE)
        await until(lambda: gated.processed("comments", micros))
        assert await status(f"comments/{micros}") == 200
        assert await status(f"comments/{micros + 1}") == 425
        for wrong in (
            "comments",
            "/1",
            "comments/now",
            "comments/-1",
            "users/1",
            f"comments/{'9' * 5000}",
        ):
            assert await status(wrong) == 400


async def test_a_token_that_is_none_is_the_client_s_mistake(
    gated: Gated, run: Run, settings: Settings
) -> None:
    async with Engine(gated, settings):
        for wrong in ("", "yesterday", "0/1/2", "*"):
            assert (await get(web(gated), eventscope_token=wrong)).status == 400
        assert (await get(web(gated), eventscope_token="FFFFFFFF/FFFFFFFF")).status == 425


async def test_nobody_is_told_what_entities_there_are(
    gated: Gated, run: Run, settings: Settings
) -> None:
    async with (
        Engine(gated, settings),
        requesting(web(gated), "/", {"X-Event-StreamEx-Entity-Timestamp": "comment/1"}) as client,
    ):
        assert client.status == 400
        assert "comments" not in client.body


async def test_without_an_engine_only_requests_with_a_token_have_to_wait(gated: Gated) -> None:
    early = await get(web(gated), eventscope_token="0/1")
    assert (early.status, early.headers["retry-after"]) == (503, "1")
    assert (await get(web(gated))).status == 200
