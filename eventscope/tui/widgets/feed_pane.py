"""The feed with its heads, and what is said where there is no event."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.getters import query_one

from eventscope.engine.snapshot import Snapshot
from eventscope.inspection.text import safe_text
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.widgets.card import Card
from eventscope.tui.widgets.column_heads import ColumnHeads
from eventscope.tui.widgets.feed import Feed
from eventscope.tui.widgets.feed_columns import feed_heads
from eventscope.tui.widgets.notice import stream_trouble
from eventscope.tui.widgets.pane import Pane


class FeedPane(Pane):
    """Events as they happen."""

    feed = query_one(Feed)
    card = query_one("#feed-card", Card)

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__(engine, id="feed-pane")

    def compose(self) -> ComposeResult:
        """Place the feed."""
        yield ColumnHeads(feed_heads, id="feed-heads")
        yield Feed(self.engine.ring)
        yield Card(id="feed-card")

    def pump(self) -> None:
        """Take in what is new; called once a frame."""
        self.feed.pump()
        self.card.display = self.feed.is_empty

    def show(self, snapshot: Snapshot) -> None:
        """Say why there is no event yet."""
        if not self.feed.is_empty:
            return
        heading, lines = stream_trouble(snapshot.stream, snapshot.taken_at)
        if heading:
            self.card.say(heading, lines)
        else:
            server = safe_text(snapshot.stream.server, 80)
            nothing = ["Nothing has changed yet.", "Rows that are written show up here at once."]
            self.card.say(f"Listening to {server}", nothing)
