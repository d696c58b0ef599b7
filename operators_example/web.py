"""The blog's counts and newest comments in a browser, live.

Start it with ``EVENTSCOPE_URL=postgresql://... uvicorn operators_example.web:web``; it needs
``pip install 'eventscope[web]' uvicorn``. The engine runs in the same process, in the lifespan of
the web application.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from eventscope.engine import Engine
from eventscope.web import LiveEvents, Subscription
from operators_example import app
from operators_example.post_with_comments_counts import TABLE

POSTS = "select id::text, title, comments_count from post_with_comments_counts order by title"
COMMENTS = "select id::text, body from comments order by inserted_at desc, id limit 20"


def everybody(request: Request) -> list[Subscription]:
    """Permit all: this blog has no secrets."""
    return [Subscription(TABLE), Subscription("comments")]


async def page(request: Request) -> FileResponse:
    """The page."""
    return FileResponse(Path(__file__).with_name("web.html"))


async def rows(request: Request) -> JSONResponse:
    """What the page shows at first, and the token after which it is to be told the rest."""
    async with await AsyncConnection.connect(
        os.environ["EVENTSCOPE_URL"], autocommit=True, row_factory=dict_row
    ) as connection:
        token = await app.token(connection)
        await app.wait_for(token, operator=TABLE, timeout=10)  # then no row from before is missing
        return JSONResponse(
            {
                "after": token,
                "posts": await (await connection.execute(POSTS)).fetchall(),
                "comments": await (await connection.execute(COMMENTS)).fetchall(),
            }
        )


@asynccontextmanager
async def lifespan(web: Starlette) -> AsyncIterator[None]:
    """Run the engine for as long as the web application runs."""
    async with Engine(app):
        yield


web = Starlette(
    routes=[Route("/", page), Route("/rows", rows), Route("/live", LiveEvents(app, everybody))],
    lifespan=lifespan,
)
