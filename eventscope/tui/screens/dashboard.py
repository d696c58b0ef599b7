"""The dashboard: feed, operators and event side by side or one above the other; health; log."""

from __future__ import annotations

from asyncio import wrap_future
from pathlib import PurePath
from typing import ClassVar, Final, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.getters import query_one
from textual.widgets import Footer

from eventscope.engine.questions.history import event_not_kept
from eventscope.engine.questions.named_event import SeqOf
from eventscope.engine.ring import Entry
from eventscope.engine.snapshot import OperatorSnapshot, Snapshot
from eventscope.event import EventId
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.filtering.history import FilterHistory
from eventscope.tui.filtering.saved import SavedFilters
from eventscope.tui.operator_watch import OperatorWatches
from eventscope.tui.responsiveness import frames_per_second
from eventscope.tui.screens.event_keys import EventKeys
from eventscope.tui.screens.help import HelpScreen, bound_keys
from eventscope.tui.toast import toast, trouble_told
from eventscope.tui.widgets.event_pane import EventPane
from eventscope.tui.widgets.feed import Feed
from eventscope.tui.widgets.feed_pane import FeedPane
from eventscope.tui.widgets.health_pane import HealthPane
from eventscope.tui.widgets.log_list import LogList
from eventscope.tui.widgets.log_pane import LogPane
from eventscope.tui.widgets.notice import Notice, failure_text, stream_trouble, wal_warning
from eventscope.tui.widgets.operators_pane import OperatorsPane
from eventscope.tui.widgets.pane import Pane
from eventscope.tui.widgets.status_bar import StatusBar
from eventscope.tui.widgets.too_small import TooSmall

_STATE_INTERVAL: Final = 0.25

_WITHOUT_OPERATORS: Final = ("-health", "-log", "-zoom-feed-pane")
"""What the screen is called while nothing on it is about operators, as an event is, too."""

View = Literal["feed", "operators", "event", "health", "log"]


class Dashboard(EventKeys):
    """Pulls the engine's state and the recent events at an interval, and sends it commands."""

    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = [
        f"../styles/{name}.tcss" for name in ("panes", "layout", "operator")
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "space", "toggle_freeze", "Freeze", id="freeze", tooltip="Freeze the feed, or follow"
        ),
        Binding("1", "view('feed')", show=False, id="view.feed", tooltip="To the feed"),
        Binding(
            "2", "view('operators')", show=False, id="view.operators", tooltip="To the operators"
        ),
        Binding("3", "view('event')", show=False, id="view.event", tooltip="To the event"),
        Binding("4", "view('health')", show=False, id="view.health", tooltip="To the health view"),
        Binding("5", "view('log')", show=False, id="view.log", tooltip="To the log"),
        Binding("slash", "filter", "Filter", id="filter", tooltip="Filter the feed"),
        Binding("tab", "app.focus_next", show=False, id="pane.next", tooltip="To the next pane"),
        Binding("z", "zoom", show=False, id="zoom", tooltip="Give a pane the whole screen, or not"),
        Binding("escape", "view('feed')", show=False, id="back", tooltip="Back to the feed"),
        Binding("question_mark", "help", "Help", id="help", tooltip="These keys"),
    ]

    status = query_one(StatusBar)
    notice = query_one(Notice)
    operators = query_one(OperatorsPane)
    health = query_one(HealthPane)
    log_pane = query_one(LogPane)

    def __init__(
        self,
        engine: AttachedEngine,
        history: FilterHistory,
        saved: SavedFilters,
        filter: str = "",
    ) -> None:
        super().__init__(engine, OperatorWatches())
        self._history = history
        self._saved = saved
        self._filter = filter
        self._shown: Entry | None = None

    @property
    def filter_text(self) -> str:
        """What the feed is filtered by, as it was written."""
        filter = self.feed.events.filter
        return "" if filter is None else filter.text

    @property
    def operator(self) -> OperatorSnapshot | None:
        """The operator at the cursor of its table."""
        return self.operators.selected

    @property
    def shows_operators(self) -> bool:
        """Whether it can be seen what they are about: not where nothing is about operators."""
        return not any(map(self.has_class, _WITHOUT_OPERATORS))

    @property
    def is_about_operators(self) -> bool:
        """Whether the operators have the focus."""
        return self.operators.has_focus_within

    @property
    def chosen_event(self) -> EventId | None:
        """The event at the feed's cursor while the feed is held still."""
        entry = self.feed.selected() if self.feed.frozen else None
        return entry.event().id if entry is not None else None

    def compose(self) -> ComposeResult:
        """Lay out the panes."""
        yield StatusBar(read_only=self.engine.read_only)
        yield Notice()
        with Container(id="panes"):
            yield FeedPane(self.engine, self._history, self._saved)
            with Vertical(id="side"):
                yield OperatorsPane(self.engine, self.watches)
                yield EventPane(self.engine)
        yield HealthPane(self.engine)
        yield LogPane(self.engine)
        yield TooSmall()
        yield Footer(show_command_palette=False, compact=True)

    @property
    def breakpoint_suggestion(self) -> str:
        """What the feed is filtered by, else the selected event's table and type."""
        filter = self.feed.events.filter
        if filter is not None and filter.lasting:
            return filter.text
        entry = self.feed.selected()
        return "" if entry is None else f"table:{entry.names[0]} op:{entry.type}"

    def on_mount(self) -> None:
        """Begin to look at the engine."""
        self.feed.focus()
        if self._filter:
            self.feed_pane.bar.put(self._filter)
        self.draw_state()
        self.draw_frame()
        self.set_interval(1 / frames_per_second(), self.draw_frame)
        self.set_interval(_STATE_INTERVAL, self.draw_state)

    def draw_frame(self) -> None:
        """Show what came since the last frame: once a frame, whatever the number of events.

        The event at the cursor too, so that a key that has moved it need not wait for its drawing.
        """
        self.feed_pane.pump()
        self.status.show_frozen(self.feed.unseen if self.feed.frozen else None)
        if self.feed.frozen:
            self._draw_event()

    def draw_state(self) -> None:
        """Show the engine's state; the event too, which nobody can read 15 times a second."""
        snapshot, error = self.engine.snapshot(), self.engine.error
        self.status.show(snapshot, failed=error is not None)
        self.set_class(not snapshot.operators, "-no-operators")
        self.watches.look(snapshot)
        self.operators.show(snapshot)  # also while it is hidden, as keys act upon its selection
        self.feed_pane.show(snapshot)
        self.health.look(snapshot)  # also while it is hidden, as its plots go back for minutes
        for pane in (self.event_pane, self.health, self.log_pane):
            if pane.is_shown:
                pane.show(snapshot)
        self._say_trouble(snapshot, error)
        self._draw_event()
        self.grey(snapshot)

    def _say_trouble(self, snapshot: Snapshot, error: BaseException | None) -> None:
        heading, lines = stream_trouble(snapshot.stream, snapshot.taken_at)
        is_blocked = snapshot.stream.state == "blocked"
        if error is not None:
            self.notice.say(failure_text(error), is_failure=True)
        elif heading and (self.feed.events.total or is_blocked):
            self.notice.say(
                f"{heading}: {' '.join(lines)}" if lines else heading, is_failure=is_blocked
            )
        else:
            self.notice.say(wal_warning(snapshot.stream))

    def _draw_event(self, *, opening: bool = False) -> None:
        selected = self.feed.selected()
        if (opening or self.event_pane.is_shown) and self._shown is not selected:
            self._shown = selected
            self.event_pane.show_event(selected)

    @on(Feed.Moved)
    def _follow_cursor(self) -> None:
        self.status.show_frozen(self.feed.unseen if self.feed.frozen else None)

    @on(Feed.Opened)
    def _open_event(self) -> None:
        self.action_view("event")

    @on(LogList.OperatorWanted)
    def _show_operator(self, wanted: LogList.OperatorWanted) -> None:
        if self.operators.table.select(wanted.name):
            self.action_view("operators")
        else:
            toast(self, f"There is no operator {wanted.name}.")

    @on(LogList.EventWanted)
    def _show_told_event(self, wanted: LogList.EventWanted) -> None:
        self._find_event(wanted.id)

    @work(exit_on_error=False)
    async def _find_event(self, id: EventId) -> None:
        with trouble_told(self):
            seq = await wrap_future(self.engine.ask(SeqOf(id)))
            if seq is None:
                raise event_not_kept()
            self.action_view("feed")
            self.feed_pane.open_at(seq)

    def action_view(self, view: View) -> None:
        """Go to a view: on a narrow terminal the event takes the whole screen."""
        if view == "event":
            if self.feed.is_empty:
                toast(self, "There is no event yet.")
                return
            self.feed.freeze()
        self._show_view(view)
        goal = self._pane(view)
        goal.focus_first()  # at once, also if it has no place yet: the next key is meant for it
        if not goal.is_shown:
            self.call_after_refresh(self.draw_state)

    def _show_view(self, view: View) -> None:
        for one in ("event", "health", "log"):
            self.set_class(view == one, f"-{one}")
        for pane in (self.feed_pane, self.operators, self.event_pane):
            self.remove_class(f"-zoom-{pane.id}")
        if view == "event":
            self._draw_event(opening=True)

    def _pane(self, view: View) -> Pane:
        panes: dict[View, Pane] = {
            "feed": self.feed_pane,
            "operators": self.operators,
            "event": self.event_pane,
            "health": self.health,
            "log": self.log_pane,
        }
        return panes[view]

    def action_zoom(self) -> None:
        """Give the focused pane the whole screen, or give the others theirs back."""
        for pane in (self.feed_pane, self.operators, self.event_pane):
            is_focused = self.focused is not None and pane in self.focused.ancestors_with_self
            self.set_class(
                is_focused and not self.has_class(f"-zoom-{pane.id}"), f"-zoom-{pane.id}"
            )

    def action_next_event(self, rows: int) -> None:
        """Read the next or the previous event."""
        self.feed.action_move(rows)
        self._draw_event(opening=True)

    def action_filter(self) -> None:
        """Write a filter for the feed."""
        self._show_view("feed")
        self.feed_pane.open_filter()

    def action_toggle_freeze(self) -> None:
        """Hold the feed still, or follow again."""
        if self.feed.is_empty:
            toast(self, "There is nothing to freeze yet.")
        elif self.feed.frozen:
            self.feed.follow()
        else:
            self.feed.freeze()

    def action_help(self) -> None:
        """Show the keys."""
        self.app.push_screen(HelpScreen(bound_keys(self)))
