"""The list of posts, from a real database, in a window and in a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest

from eventscope.testing import Runner
from operators_example.live_posts import LivePosts, Posts, show_other
from tests.conftest import Connection
from tests.programs import running
from tests.terminal import Terminal
from tests.waiting import until

FIRST, SECOND = UUID(int=1), UUID(int=2)


async def test_it_shows_what_becomes_of_each_post(
    runner: Runner, blog: str, connection: Connection
) -> None:
    await connection.execute(
        f"insert into posts (id, title, body) values ('{FIRST}', 'First', ''),"
        f" ('{SECOND}', E'Sec\\x1bond', '')"
    )
    await connection.execute(
        f"insert into comments (post_id, body) select '{SECOND}', '' from generate_series(1, 4)"
    )
    runner.settle(60)
    async with LivePosts(blog).run_test(size=(80, 10)) as pilot:
        shows = showing(pilot.app)
        await until(lambda: shows("1 Sec␛ond 4 ██████████████████████", "2 First 0"))
        await connection.execute(f"insert into comments (post_id, body) values ('{FIRST}', '')")
        await until(lambda: shows("1 Sec␛ond 4 ██████████████████████", "2 First +1 1 █████▌"))
        await connection.execute(
            f"delete from comments where ctid in (select ctid from comments"
            f" where post_id = '{SECOND}' limit 3)"
        )
        await until(lambda: shows("1 First", "2 Sec␛ond -3 1"))
        await connection.execute(f"update posts set title = 'Renamed' where id = '{FIRST}'")
        await until(lambda: shows("1 Renamed", "2 Sec␛ond"))
        await connection.execute(f"delete from posts where id = '{SECOND}'")
        await until(lambda: shows("1 Renamed") and not shows("1 Renamed", "2 "))
        await connection.execute("truncate post_with_comments_counts")
        await until(lambda: not shows("1 "))


def test_it_brings_a_blog_of_its_own_and_leaves_the_terminal_as_it_was() -> None:
    terminal = Terminal(80, 24, "operators_example.live_posts")
    terminal.until("The most discussed posts")
    terminal.until("+1")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 0
    terminal.assert_left_as_it_was()


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where a demo may keep its database; under root, PostgreSQL runs as somebody else."""
    with TemporaryDirectory() as parent:
        Path(parent).chmod(0o711)
        yield Path(parent) / "blog"


async def test_it_shows_the_blog_of_a_demo_that_runs_elsewhere(directory: Path) -> None:
    arguments = ["demo", "--headless", "--log-format", "json", "--directory", directory]
    async with running(*arguments, cwd=directory.parent) as demo:
        await demo.logged("streaming")
        terminal = Terminal(80, 24, "operators_example.live_posts", str(directory))
        await asyncio.to_thread(terminal.until, "+1")
        terminal.program.send("q")
        assert await asyncio.to_thread(terminal.until_it_ends) == 0
        demo.terminate()
        await demo.ended()
    with pytest.raises(SystemExit, match=f"no database runs in {directory}: start it with"):
        show_other(directory)


def showing(app: Any) -> Callable[..., bool]:
    """Tells whether the posts are shown with these beginnings of lines, whatever the spaces."""

    def shows(*beginnings: str) -> bool:
        lines = [" ".join(line.split()) for line in app.query_one(Posts).render().plain.split("\n")]
        return len(lines) >= len(beginnings) and all(map(str.startswith, lines, beginnings))

    return shows
