"""The feed with its heads, what it is restricted to, and what is said where there is no event."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Static

from eventscope.engine.questions.first_event import TrialStatement
from eventscope.engine.questions.history import PAGE, EventsBefore
from eventscope.engine.snapshot import Snapshot
from eventscope.inspection.text import safe_text
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.cells import fit
from eventscope.tui.filtering.history import FilterHistory
from eventscope.tui.filtering.saved import SavedFilters
from eventscope.tui.toast import toast, trouble_told
from eventscope.tui.widgets.card import Card
from eventscope.tui.widgets.column_heads import ColumnHeads
from eventscope.tui.widgets.delivery_cells import DeliveryCells
from eventscope.tui.widgets.feed import Feed
from eventscope.tui.widgets.feed_columns import feed_heads
from eventscope.tui.widgets.filter_keys import FilterKeys
from eventscope.tui.widgets.notice import stream_trouble

_NOTHING_YET: Final = (
    "Nothing has changed yet.",
    "Rows that are written show up here at once.",
    "y copies a statement for psql that shows a first event.",
)


class FeedPane(FilterKeys):
    """Events as they happen, and as they happened."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "y",
            "copy_trial",
            show=False,
            id="feed.trial",
            tooltip="While nothing has changed: copy a statement that shows an event",
        ),
    ]

    heads = query_one(ColumnHeads)
    card = query_one("#feed-card", Card)
    restriction = query_one("#feed-restriction", Static)

    def __init__(self, engine: AttachedEngine, history: FilterHistory, saved: SavedFilters) -> None:
        super().__init__(engine, history, saved, id="feed-pane")
        self._ops = ""
        self._note = ""
        self._title = ""
        self._reading = False

    def compose(self) -> ComposeResult:
        """Place the feed."""
        yield Static(id="feed-restriction")
        with Vertical(id="feed-body"):
            yield ColumnHeads(self._heads_line, id="feed-heads")
            yield Feed(self.engine.ring, self.marks)
            yield Card(id="feed-card")
        yield self.new_bar()

    def on_mount(self) -> None:
        """Begin with what the queue already holds, unless the ring has enough."""
        self.feed.pump()
        if len(self.feed.window) < PAGE:
            self._read_what_was()

    def pump(self) -> None:
        """Take in what is new; called once a frame."""
        self.feed.pump()
        if self.show_filtered():
            self.card.say(*self.nothing_matches)
        if self.card.display != self.feed.is_empty:
            self.card.display = self.feed.is_empty
            self.refresh_bindings()

    @property
    def _knows_no_event(self) -> bool:
        return self.feed.is_empty and not self.feed.events.total

    def show(self, snapshot: Snapshot) -> None:
        """Show what became of the events, or why there is none yet."""
        super().show(snapshot)
        deliveries = DeliveryCells(snapshot.operators)
        self.feed.show_deliveries(deliveries)
        self._show_heads(deliveries.heads)
        if not self._knows_no_event:
            return
        heading, lines = stream_trouble(snapshot.stream, snapshot.taken_at)
        if heading:
            self.card.say(heading, lines)
        else:
            server = safe_text(snapshot.stream.server, 80)
            self.card.say(f"Listening to {server}", _NOTHING_YET)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is no need to try anything once there are events."""
        if action == "copy_trial":
            return self._knows_no_event
        return super().check_action(action, parameters)

    @work(exit_on_error=False)
    async def action_copy_trial(self) -> None:
        """Copy a statement that writes a row as it is: whether to run it is up to the person."""
        with trouble_told(self):
            found = await self.ask(TrialStatement())
            if found is None:
                toast(self, "No table that is followed has a row yet: insert one.")
                return
            statement, table = found
            self.app.copy_to_clipboard(statement)
            said = f"Copied: it writes one row of {table} as it is, which psql may run."
            toast(self, said, is_problem=False)

    @on(Feed.Moved)
    def _show_restriction(self) -> None:
        title = self.feed.listed.title
        if title == self._title:
            return  # to lay the footer out at each step of the cursor is dear
        self._title = title
        self.restriction.set_class(bool(title), "-shown")
        way_out = " · esc back"
        room = self.size.width - len(way_out) - 2
        self.restriction.update(
            Content.assemble(
                " ",
                (fit(title, room).rstrip(), "bold $primary"),
                (way_out, "$foreground-muted"),
            ),
            layout=False,
        )
        self.refresh_bindings()

    @on(Feed.Missing)
    def _read_on(self) -> None:
        if not self._reading and self.engine.error is None:
            self._reading = True
            self._read_missing()

    @work(exit_on_error=False)
    async def _read_missing(self) -> None:
        try:
            with trouble_told(self):
                while missing := self.feed.missing():
                    listed, question, older = missing
                    page = await self.ask(question)
                    self.feed.add_page(listed, page, older=older)
        finally:
            self._reading = False

    @work(exit_on_error=False)
    async def _read_what_was(self) -> None:
        with trouble_told(self):
            window = self.feed.window
            first = window.seq_at(0) if len(window) else None
            page = await self.ask(EventsBefore(first))
            if not window.frozen:
                self.feed.add_page(self.feed.events, page, older=True)

    def _show_heads(self, ops: str) -> None:
        window = self.feed.window
        note = "" if self.feed.restricted else _older(window.dropped, is_full=window.is_full)
        if (ops, note) != (self._ops, self._note):
            self._ops, self._note = ops, note
            self.heads.refresh()

    def _heads_line(self, width: int) -> str:
        width -= self.feed.styles.scrollbar_size_vertical
        return feed_heads(width, self._ops, self._note)


def _older(count: int, *, is_full: bool) -> str:
    """That there are events before the first that is listed."""
    if is_full:
        return f"↑ {count:,} not listed"
    return f"↑ {count:,} older" if count else ""
