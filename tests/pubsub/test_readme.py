"""What the README shows of listening and of reading one's own writes, run as it stands there."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from eventscope.engine import Engine
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.operators.shop import counting_comments, tables
from tests.programs import REPOSITORY
from tests.pubsub.conftest import Run
from tests.readme import blocks
from tests.waiting import PATIENCE

BLOG = """
from eventscope import EventScope

app = EventScope("blog")
app.entity("comments", scopes=[{"post_id": "posts"}])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the README's programs."""
    listen, follow = blocks("### In asyncio")
    (tmp_path / "blog.py").write_text(BLOG)
    (tmp_path / "listen.py").write_text(listen)
    (tmp_path / "follow.py").write_text(follow)
    return tmp_path


@pytest.fixture
def environment(database: str) -> dict[str, str]:
    slot = f"readme_{uuid4().hex[:16]}"
    more = {"PYTHONPATH": str(REPOSITORY), "EVENTSCOPE_URL": database}
    return {**os.environ, **more, "EVENTSCOPE_SLOT_NAME": slot}


@asynccontextmanager
async def started(
    name: str, folder: Path, environment: dict[str, str]
) -> AsyncIterator[asyncio.StreamReader]:
    """A program, and what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, name, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield process.stdout
    finally:
        process.terminate()
        await process.wait()


async def until_line(output: asyncio.StreamReader, ending: str) -> str:
    """Wait for a line; fails if the program ends without."""
    async with asyncio.timeout(PATIENCE):
        while line := (await output.readline()).decode().rstrip():
            if line.endswith(ending):
                return line
    raise AssertionError(f"ended without {ending!r}")


async def hear(output: asyncio.StreamReader, run: Run) -> str:
    """Insert until something is heard: nobody hears of what was there before."""
    hearing = asyncio.create_task(until_line(output, "}"))
    id = 0
    while not hearing.done():
        id += 1
        await run(f"INSERT INTO comments VALUES ({id}, 9), ({-id}, 123)")
        await asyncio.wait([hearing], timeout=0.05)
    return await hearing


async def test_who_subscribes_to_a_post_s_comments_is_told_of_them(
    folder: Path, environment: dict[str, str], run: Run
) -> None:
    async with started("listen.py", folder, environment) as output:
        line = await hear(output, run)
    assert line.startswith("on_insert {'id': -")
    assert "'post_id': 123" in line


async def test_a_process_beside_the_engine_s_is_told_too(
    folder: Path, environment: dict[str, str], run: Run
) -> None:
    async with (
        started("follow.py", folder, environment) as output,
        started("listen.py", folder, environment),  # anything that runs the engine
    ):
        line = await hear(output, run)
    assert line.startswith("on_insert {'id': ")


async def test_a_comment_s_author_sees_it_counted(
    connection: Connection, database: str, settings: Settings
) -> None:
    await connection.execute(tables())
    await connection.execute("INSERT INTO posts VALUES (1, 'a')")
    app = counting_comments()
    [block] = blocks("## Read your own writes")
    defined: dict[str, Any] = {"app": app}
    exec(block, defined)
    async with (
        Engine(app, settings),
        await psycopg.AsyncConnection.connect(database) as writer,
    ):
        for n in range(1, 11):
            token = await defined["add_comment"](writer, 1, "b")
            counted = await connection.execute(
                "SELECT comments_count FROM post_with_comments_counts"
            )
            assert await counted.fetchall() == [(n,)]
            assert app.processed(token)
