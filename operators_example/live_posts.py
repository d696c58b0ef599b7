"""The most discussed posts, live: a Textual program that shows a derived table as it changes.

``python -m operators_example.live_posts`` brings a blog of its own, as ``eventscope demo`` does. Or
it listens to the engine of another process: ``python -m operators_example.live_posts blog`` beside
``eventscope demo --directory blog``.
"""

import asyncio
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import sql
from rich.text import Text
from textual.app import App, ComposeResult
from textual.color import Color
from textual.widgets import Footer, Header, Static

from eventscope import Message
from eventscope.demo.embedded import DemoUnavailable
from eventscope.demo.playground import Playground, settings_for, url_beside
from eventscope.demo.traffic import RATE
from eventscope.engine import Engine, Follower
from eventscope.inspection.text import safe_text
from eventscope.textual import LiveView
from operators_example import DERIVED, app
from operators_example.post_with_comments_counts import TABLE

GLOW = 2.0
"""Seconds that a count is lit after it has changed."""

BLOCKS = " ▏▎▍▌▋▊▉"
"""Parts of a cell, in eighths."""


@dataclass
class Post:
    """A post as it is shown."""

    title: str
    count: int
    change: int = 0
    """What was added to the count last."""
    changed_at: float = 0.0
    """When, by ``time.monotonic``."""


class Posts(LiveView, Static):
    """As many posts as there is room for. A count that changes glows for a moment."""

    eventscope = app
    schema = TABLE
    subscriptions = ("unscoped",)

    def __init__(self, url: str) -> None:
        super().__init__()
        self.auto_refresh = 1 / 15
        self._url = url
        self._posts: dict[UUID, Post] = {}

    async def on_stale(self) -> None:
        """Read the table as it is now; what is committed later is told."""
        query = sql.SQL("select id, title, comments_count from {}").format(sql.Identifier(TABLE))
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            rows = await (await connection.execute(query)).fetchall()
        self._posts = {id: Post(title, count) for id, title, count in rows}

    def on_insert(self, message: Message) -> None:
        """Show a new post, or what has become of one."""
        row = message.event.new_record or {}
        post = self._posts.setdefault(row["id"], Post("", 0))
        if change := row["comments_count"] - post.count:
            post.change, post.changed_at = change, time.monotonic()
        post.title, post.count = row["title"], row["comments_count"]

    on_update = on_insert

    def on_delete(self, message: Message) -> None:
        """Show it no more."""
        self._posts.pop(message.event.key["id"], None)

    def on_truncate(self, message: Message) -> None:
        """Show none."""
        self._posts = {}

    def render(self) -> Text:
        """The posts with most comments first."""
        ranked = sorted(self._posts.values(), key=lambda post: (-post.count, post.title))
        first = ranked[: self.size.height]
        return Text("\n").join(
            self._line(place, post, first[0].count) for place, post in enumerate(first, start=1)
        )

    def _line(self, place: int, post: Post, highest: int) -> Text:
        title = Text(safe_text(post.title))
        title.truncate(self.size.width // 2, overflow="ellipsis", pad=True)
        room = 8 * max(0, self.size.width - self.size.width // 2 - 18)  # in eighths of a cell
        cells, eighths = divmod(room * post.count // max(highest, 1), 8)
        glow = max(0.0, 1 - (time.monotonic() - post.changed_at) / GLOW)
        colour = self._colour("success" if post.change > 0 else "error", glow)
        return Text.assemble(
            (f"{place:>3}  ", "dim"),
            title,
            (f"{post.change:+5}" if glow else "     ", colour),
            (f"{post.count:>5} ", f"bold {colour}"),
            ("█" * cells + BLOCKS[eighths].strip(), self._colour("primary")),
        )

    def _colour(self, name: str, share: float = 1.0) -> str:
        """A colour of the theme, mixed into that of text."""
        colours = self.app.theme_variables
        return Color.parse(colours["foreground"]).blend(Color.parse(colours[name]), share).hex6

    def watch_is_listening(self, is_listening: bool) -> None:
        """Say it where there is nothing to be heard."""
        self.app.sub_title = "" if is_listening else "waiting for the engine"


class LivePosts(App[None]):
    """The posts and nothing else."""

    TITLE = "The most discussed posts"
    CSS = "Posts { height: 1fr; }"
    BINDINGS = [("q", "quit", "Quit")]  # noqa: RUF012 - as Textual has it

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def compose(self) -> ComposeResult:
        """The posts beneath a title."""
        yield Header()
        yield Posts(self._url)
        yield Footer()


async def show(engine: Engine | Follower, url: str) -> None:
    """Run the engine, or what listens to that of another process, and the program."""
    program = LivePosts(url)
    for end in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(end, program.exit)
    async with engine:
        await program.run_async()


def show_own() -> None:
    """Show a blog of our own, with people who use it."""
    tables = [table.ddl for table in DERIVED]
    with (
        Playground(tables, directory=None, seed=1, rate=RATE) as playground,
        playground.traffic_in_background(None),
    ):
        asyncio.run(show(Engine(app, playground.settings), playground.url))


def show_other(directory: Path) -> None:
    """Show the blog of a demo that runs in a directory."""
    try:
        url = url_beside(directory)
    except DemoUnavailable as error:
        sys.exit(f"live_posts: {error}")
    asyncio.run(show(Follower(app, settings_for(url, directory)), url))


if __name__ == "__main__":
    if directories := sys.argv[1:]:
        show_other(Path(directories[0]))
    else:
        show_own()
