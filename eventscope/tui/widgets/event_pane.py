"""The event at the feed's cursor."""

from __future__ import annotations

from asyncio import wrap_future
from dataclasses import replace
from typing import Any, ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Static

from eventscope.engine.questions.attempts import AttemptsAt
from eventscope.engine.ring import Entry
from eventscope.engine.snapshot import Snapshot
from eventscope.event import Event
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.widgets.event_lines import header_lines, whole_text
from eventscope.tui.widgets.event_panel import EventPanel
from eventscope.tui.widgets.event_tabs import EventTabs
from eventscope.tui.widgets.fate import Fate
from eventscope.tui.widgets.pane import Pane
from eventscope.tui.widgets.reading import TABS, Reading


class EventPane(Pane):
    """One event: what happened to which row, when, what changed, and what became of it."""

    TITLE = "Event"
    BINDING_GROUP_TITLE = "Event"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "screen.view('feed')", "Back", id="event.back", tooltip="Back to the feed"
        ),
        Binding("tab", "tab(1)", "Tabs", id="event.tab", tooltip="Diff, Row, JSON, Operators"),
        Binding("shift+tab", "tab(-1)", show=False, id="event.tab_back", tooltip="The tab before"),
        Binding("J", "screen.next_event(1)", show=False, id="event.next", tooltip="Next event"),
        Binding(
            "K", "screen.next_event(-1)", show=False, id="event.previous", tooltip="Previous event"
        ),
        Binding(
            "r",
            "screen.retry_event",
            "Retry",
            id="event.retry",
            tooltip="Retry the event where it failed",
        ),
        Binding(
            "u",
            "read('unchanged')",
            show=False,
            id="event.unchanged",
            tooltip="Show or hide unchanged columns",
        ),
        Binding(
            "s",
            "read('split')",
            show=False,
            id="event.split",
            tooltip="Old and new side by side, or in line",
        ),
        Binding(
            "w", "read('wrap')", show=False, id="event.wrap", tooltip="Wrap or cut long values"
        ),
        Binding(
            "a",
            "read('all')",
            show=False,
            id="event.all",
            tooltip="All differences of a document, or the first ones",
        ),
    ]

    header = query_one("#event-header", Static)
    tabs = query_one(EventTabs)
    panel = query_one(EventPanel)

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__(engine, id="event-pane")
        self.reading = Reading()
        self._entry: Entry | None = None
        self._event: Event | None = None
        self._fate = Fate()
        self._asked: tuple[int, object, int] | None = None
        self._header: list[Content] = []

    def compose(self) -> ComposeResult:
        """Place the event."""
        yield Static(id="event-header")
        yield EventTabs()
        yield EventPanel()

    def show_event(self, entry: Entry | None) -> None:
        """Show another event."""
        if entry is not self._entry:
            self._entry = entry
            self._event = None if entry is None else entry.event()
            self._asked, self._fate = None, Fate()
        self.show(self.engine.snapshot())

    def show(self, snapshot: Snapshot) -> None:
        """Show what has become of the event meanwhile."""
        if self._entry is not None:
            fate = Fate.of(self._entry, snapshot)
            self._fate = replace(fate, attempts=self._fate.attempts)
            self._look_for_attempts()
        self._draw()

    def whole_text(self, entry: Entry) -> str:
        """What the open tab says of an event, with nothing left out."""
        fate = Fate.of(entry, self.engine.snapshot())
        if entry is self._entry:
            fate = replace(fate, attempts=self._fate.attempts)
        return whole_text(entry.event(), fate, self.reading.tab)

    def on_resize(self) -> None:
        """Lay the header out anew."""
        self._draw()

    def action_tab(self, step: int) -> None:
        """Open the next tab, or the one before."""
        place = TABS.index(self.reading.tab) + step
        self._read(replace(self.reading, tab=TABS[place % len(TABS)]))

    def action_read(self, what: Literal["unchanged", "split", "wrap", "all"]) -> None:
        """Read the event in another way."""
        turned: dict[str, Any] = {what: not getattr(self.reading, what)}
        self._read(replace(self.reading, **turned))

    @on(EventTabs.Chosen)
    def _open_tab(self, chosen: EventTabs.Chosen) -> None:
        self._read(replace(self.reading, tab=chosen.tab))
        self.panel.focus()

    def _read(self, reading: Reading) -> None:
        self.reading = reading
        self.show(self.engine.snapshot())

    def _draw(self) -> None:
        self.tabs.display = self.header.display = self._event is not None
        self.tabs.show(self.reading.tab)
        self.panel.show(self._event, self._fate, self.reading)
        if self._event is not None and self.is_shown:  # before that nobody knows its width
            lines = header_lines(self._event, self._fate, self.size.width)
            if lines != self._header:
                taller_or_shorter = len(lines) != len(self._header)
                self._header = lines
                self.header.update(Content("\n").join(lines), layout=taller_or_shorter)

    def _look_for_attempts(self) -> None:
        """Ask for the attempts when there may be new ones: once a second while any may come."""
        if self._entry is None or self.reading.tab != "Operators":
            return
        second = 0 if self._fate.is_sealed else int(self._fate.now)
        states = tuple(one for one, _ in self._fate.deliveries)
        if self._asked != (self._entry.seq, states, second):
            self._asked = (self._entry.seq, states, second)
            self._ask(self._entry)

    @work(exclusive=True, group="attempts", exit_on_error=False)
    async def _ask(self, entry: Entry) -> None:
        answer = await wrap_future(self.engine.ask(AttemptsAt(entry.seq)))
        if entry is self._entry:
            self._fate = replace(self._fate, attempts=answer)
            self._draw()
