"""The dashboard: feed, operators and event, side by side or one above the other."""

from __future__ import annotations

from asyncio import wrap_future
from typing import ClassVar, Final, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.getters import query_one
from textual.screen import Screen
from textual.widgets import Footer

from eventscope.engine.commands import Command, CommandRefused, Pause, Resume, Retry, RetryLetters
from eventscope.engine.snapshot import OperatorSnapshot, Snapshot
from eventscope.inspection.text import safe_text
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.responsiveness import frames_per_second
from eventscope.tui.screens.failure import FailureScreen
from eventscope.tui.screens.help import HelpScreen, bound_keys
from eventscope.tui.widgets.card import Card
from eventscope.tui.widgets.column_heads import ColumnHeads
from eventscope.tui.widgets.event_panel import EventPanel
from eventscope.tui.widgets.feed import Feed
from eventscope.tui.widgets.feed_columns import feed_heads
from eventscope.tui.widgets.notice import Notice, failure_text, stream_trouble
from eventscope.tui.widgets.operator_columns import operator_heads
from eventscope.tui.widgets.operator_table import OperatorTable
from eventscope.tui.widgets.status_bar import StatusBar
from eventscope.tui.widgets.too_small import TooSmall

_STATE_INTERVAL: Final = 0.25
_OPERATOR_EXAMPLE: Final = (
    "The feed works without. An operator follows tables with",
    "a function, or keeps a derived table up to date with SQL:",
    "",
    '@app.operator(entities=["orders"], events=["insert"])',
    "async def welcome(event: Event) -> None:",
    '    print(event.new_record["id"])',
)


class Dashboard(Screen[None]):
    """Pulls the engine's state and the recent events at an interval, and sends it commands."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "space", "toggle_freeze", "Freeze", id="freeze", tooltip="Freeze the feed, or follow"
        ),
        Binding("p", "pause", "Pause", id="pause", tooltip="Pause or resume the selected operator"),
        Binding("r", "retry", "Retry", id="retry", tooltip="Let the selected operator retry now"),
        Binding(
            "e", "show_failure", "Error", id="error", tooltip="The selected operator's last error"
        ),
        Binding(
            "R",
            "retry_letters",
            show=False,
            id="retry-letters",
            tooltip="Try the selected operator's dead letters again",
        ),
        Binding("1", "show_feed", show=False, id="pane.feed", tooltip="To the feed"),
        Binding("2", "show_operators", show=False, id="pane.operators", tooltip="To the operators"),
        Binding("3", "open", show=False, id="pane.event", tooltip="To the event"),
        Binding("tab", "app.focus_next", show=False, id="pane.next", tooltip="To the next pane"),
        Binding("escape", "show_feed", show=False, id="back", tooltip="Back to the feed"),
        Binding("question_mark", "help", "Help", id="help", tooltip="These keys"),
    ]

    status = query_one(StatusBar)
    notice = query_one(Notice)
    feed = query_one(Feed)
    operators = query_one(OperatorTable)
    event_panel = query_one(EventPanel)
    feed_card = query_one("#feed-card", Card)
    operators_card = query_one("#operators-card", Card)

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__()
        self._engine = engine
        self._shown: int | None = None

    def compose(self) -> ComposeResult:
        """Lay out the panes."""
        yield StatusBar()
        yield Notice()
        with Container(id="panes"):
            with Vertical(id="feed-pane"):
                yield ColumnHeads(feed_heads, id="feed-heads")
                yield Feed(self._engine.ring)
                yield Card(id="feed-card")
            with Vertical(id="side"):
                with Vertical(id="operators-pane") as pane:
                    pane.border_title = "Operators"
                    yield ColumnHeads(operator_heads, id="operators-heads")
                    yield OperatorTable()
                    yield Card("No operators yet", _OPERATOR_EXAMPLE, id="operators-card")
                with Vertical(id="event-pane") as pane:
                    pane.border_title = "Event"
                    yield EventPanel()
        yield TooSmall()
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin to look at the engine."""
        self.feed.focus()
        self.draw_state()
        self.draw_frame()
        self.set_interval(1 / frames_per_second(), self.draw_frame)
        self.set_interval(_STATE_INTERVAL, self.draw_state)

    def draw_frame(self) -> None:
        """Show what came since the last frame: once a frame, whatever the number of events."""
        self.feed.pump()
        self.feed_card.display = self.feed.is_empty
        self.status.show_frozen(self.feed.unseen if self.feed.frozen else None)

    def draw_state(self) -> None:
        """Show the engine's state; the event too, which nobody can read 15 times a second."""
        snapshot, error = self._engine.snapshot(), self._engine.error
        self.status.show(snapshot, failed=error is not None)
        self.operators.show(snapshot.operators, snapshot.taken_at)
        self.operators_card.display = not snapshot.operators
        self.set_class(not snapshot.operators, "-no-operators")
        self._say_trouble(snapshot, error)
        self._draw_event()

    def _say_trouble(self, snapshot: Snapshot, error: Exception | None) -> None:
        heading, lines = stream_trouble(snapshot.stream, snapshot.taken_at)
        if error is not None:
            self.notice.say(failure_text(error), is_failure=True)
        elif heading and not self.feed.is_empty:
            self.notice.say(f"{heading}: {' '.join(lines)}" if lines else heading)
        else:
            self.notice.say("")
        if self.feed.is_empty:
            server = safe_text(snapshot.stream.server, 80)
            nothing = ["Nothing has changed yet.", "Rows that are written show up here at once."]
            self.feed_card.say(heading or f"Listening to {server}", lines if heading else nothing)

    def _draw_event(self, *, opening: bool = False) -> None:
        if (opening or self.event_panel.is_shown) and self._shown != self.feed.cursor:
            self._shown = self.feed.cursor
            self.event_panel.show(self.feed.selected())

    @on(Feed.Moved)
    def _follow_cursor(self) -> None:
        self.status.show_frozen(self.feed.unseen if self.feed.frozen else None)
        self._draw_event()

    @on(Feed.Opened)
    def action_open(self) -> None:
        """Read the event at the cursor: on a narrow terminal it takes the whole screen."""
        if self.feed.is_empty:
            self.toast("There is no event yet.")
            return
        self.feed.freeze()
        self.add_class("-reading")
        self._draw_event(opening=True)
        self.event_panel.focus()

    def action_show_feed(self) -> None:
        """Go back to the feed, with its cursor where it was."""
        self.remove_class("-reading")
        self.feed.focus()

    def action_show_operators(self) -> None:
        """Go to the operators."""
        self.remove_class("-reading")
        self.operators.focus()

    def action_next_event(self, rows: int) -> None:
        """Read the next or the previous event."""
        self.feed.action_move(rows)
        self._draw_event(opening=True)

    def action_toggle_freeze(self) -> None:
        """Hold the feed still, or follow again."""
        if self.feed.is_empty:
            self.toast("There is nothing to freeze yet.")
        elif self.feed.frozen:
            self.feed.action_newest()
        else:
            self.feed.freeze()

    def action_pause(self) -> None:
        """Pause the selected operator, or resume it if it is paused."""
        if operator := self._selected_operator("pause"):
            self._send(Resume(operator.name) if operator.paused else Pause(operator.name))

    def action_retry(self) -> None:
        """Have the selected operator try its event again at once."""
        if operator := self._selected_operator("retry"):
            if operator.state in ("backing-off", "halted", "waiting"):
                self._send(Retry(operator.name))
            else:
                self.toast(f"{operator.name} is {operator.state}: there is nothing to retry.")

    def action_retry_letters(self) -> None:
        """Have the selected operator try its dead letters again."""
        if operator := self._selected_operator("retry"):
            if operator.dead:
                self._send(RetryLetters(operator.name))
            else:
                self.toast(f"{operator.name} has no dead letter.")

    def action_show_failure(self) -> None:
        """Show the selected operator's last error with its traceback."""
        if operator := self._selected_operator("show"):
            if operator.error is None:
                self.toast(f"{operator.name} has no error.")
            else:
                self.app.push_screen(FailureScreen(operator))

    def action_help(self) -> None:
        """Show the keys."""
        self.app.push_screen(HelpScreen(bound_keys(self)))

    def toast(self, text: str, *, is_problem: bool = True) -> None:
        """Say something for a few seconds."""
        severity: Literal["warning", "information"] = "warning" if is_problem else "information"
        self.notify(safe_text(text, 400), severity=severity, markup=False)

    @work(exit_on_error=False)
    async def _send(self, command: Command) -> None:
        """Ask the engine and say what came of it: the dashboard outlives every answer."""
        try:
            self.toast(await wrap_future(self._engine.command(command)), is_problem=False)
        except CommandRefused as refusal:
            self.toast(str(refusal))
        except Exception as error:
            self.toast(f"{type(error).__name__}: {error}")
        self.draw_state()

    def _selected_operator(self, verb: str) -> OperatorSnapshot | None:
        if self.operators.selected is None:
            self.toast(f"There is no operator to {verb}.")
        return self.operators.selected
