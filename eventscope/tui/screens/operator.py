"""All about one operator, live: attempts, dead letters, definition."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.getters import query_one
from textual.widgets import Footer, ProgressBar, Static, TabbedContent, TabPane

from eventscope.declaration import QueryOperator
from eventscope.engine.commands import DiscardLetters, RetryLetters
from eventscope.engine.questions.dead_letters import Letter, LetterOf, LettersOf
from eventscope.engine.questions.operator import DetailsOf, OperatorDetails
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.operator_watch import OperatorWatches
from eventscope.tui.screens.operator_keys import OperatorKeys
from eventscope.tui.toast import toast
from eventscope.tui.widgets.letter_table import LetterTable
from eventscope.tui.widgets.operator_lines import (
    attempt_heads,
    attempt_lines,
    definition_lines,
    head_lines,
    progress_text,
    sql_content,
)
from eventscope.tui.widgets.status_bar import StatusBar

_STATE_INTERVAL: Final = 0.25
_DETAILS_INTERVAL: Final = 1.0
_TABS: Final = ("attempts", "dead-letters", "definition")


class OperatorScreen(OperatorKeys):
    """One operator; its keys act upon this one.

    Args:
        engine: is asked and commanded.
        watches: what the operators have looked like lately.
        name: which operator.
    """

    AUTO_FOCUS = "#attempts VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", id="operator.back", tooltip="Back"),
        Binding("1", "tab(0)", show=False, id="operator.attempts", tooltip="Its last attempts"),
        Binding("2", "tab(1)", show=False, id="operator.letters", tooltip="Its dead letters"),
        Binding("3", "tab(2)", show=False, id="operator.definition", tooltip="What it is"),
        Binding(
            "right,l,tab", "next_tab(1)", "Tab", show=False, id="operator.next", tooltip="Next tab"
        ),
        Binding(
            "left,h,shift+tab",
            "next_tab(-1)",
            show=False,
            id="operator.previous",
            tooltip="Previous tab",
        ),
        Binding("question_mark", "help", "Help", id="operator.help", tooltip="These keys"),
    ]

    status = query_one(StatusBar)
    head = query_one("#operator-head", Static)
    progress = query_one("#operator-progress", Horizontal)
    tabs = query_one(TabbedContent)
    attempts = query_one("#operator-attempts", Static)
    letters = query_one(LetterTable)

    def __init__(self, engine: AttachedEngine, watches: OperatorWatches, name: str) -> None:
        super().__init__(engine, watches)
        self._named = name
        self._details: OperatorDetails | None = None
        self._letters: tuple[Letter, ...] = ()
        self._lettered: object = None

    @property
    def operator(self) -> OperatorSnapshot | None:
        """This one, as of now."""
        operators = self.engine.snapshot().operators
        return next((one for one in operators if one.name == self._named), None)

    def compose(self) -> ComposeResult:
        """Lay out the tabs."""
        yield StatusBar(read_only=self.engine.read_only)
        yield Static(id="operator-head")
        with Horizontal(id="operator-progress"):
            yield Static()
            yield ProgressBar(show_eta=False)
        with TabbedContent():
            with TabPane("1 Attempts", id="attempts"), VerticalScroll():
                yield Static(attempt_heads(), classes="heads")
                yield Static(id="operator-attempts")
            with TabPane("2 Dead letters", id="dead-letters"):
                yield Static("No dead letters.", id="letters-note")
                yield LetterTable()
            with TabPane("3 Definition", id="definition"), VerticalScroll():
                yield Static(id="operator-definition")
                yield Static(id="operator-sql")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin to look at the engine."""
        self.draw_state()
        self.look_up()
        self.set_interval(_STATE_INTERVAL, self.draw_state)

    def draw_state(self) -> None:
        """Show how it is now."""
        snapshot, operator = self.engine.snapshot(), self.operator
        self.watches.look(snapshot)
        self.status.show(snapshot, failed=self.engine.error is not None)
        if operator is not None:
            latencies = self._details.latencies if self._details is not None else None
            watch = self.watches[operator.name]
            lines = head_lines(operator, watch, latencies, snapshot.taken_at)
            self.head.update(lines, layout=False)
            self._show_progress(operator)
        self.grey(snapshot)

    @work(exit_on_error=False)
    async def look_up(self) -> None:
        """Ask again and again for what no snapshot holds."""
        while True:
            await self._look_up_details()
            await self._look_up_letters()
            await asyncio.sleep(_DETAILS_INTERVAL)

    async def _look_up_details(self) -> None:
        details = await self.ask(DetailsOf(self._named))
        if details is not None and details != self._details:
            if self._details is None:
                self._show_definition(details)
            self._details = details
            self.attempts.update(attempt_lines(details.attempts))

    async def _look_up_letters(self) -> None:
        """Ask for the dead letters, which may be many, if they are others than before."""
        operator = self.operator
        if operator is None:
            return
        lettered = (operator.dead, operator.retrying, dict(operator.letters), operator.failed)
        if lettered != self._lettered:
            letters = await self.ask(LettersOf(self._named))
            if letters is None:
                return
            self._lettered, self._letters = lettered, letters
            self.letters.show_header = bool(letters)
            count = operator.dead + operator.retrying
            listed = f"The newest {len(letters):,} of {count:,}:" if letters else "No dead letters."
            note = self.query_one("#letters-note", Static)
            note.update(listed)
            note.display = len(letters) < max(count, 1)
            label = f"2 Dead letters ({count:,})" if count else "2 Dead letters"
            self.tabs.get_tab("dead-letters").label = label
        self.letters.show(self._letters, self.engine.snapshot().taken_at)

    def _show_definition(self, details: OperatorDetails) -> None:
        operator = details.operator
        self.query_one("#operator-definition", Static).update(definition_lines(operator))
        if isinstance(operator, QueryOperator):
            self.query_one("#operator-sql", Static).update(sql_content(operator.sql))

    def _show_progress(self, operator: OperatorSnapshot) -> None:
        under_way = operator.replay or operator.backfill
        self.progress.display = under_way is not None
        if under_way is not None:
            self.progress.query_one(Static).update(f"{progress_text(operator)}  ")
            bar = self.progress.query_one(ProgressBar)
            bar.update(total=under_way.total, progress=under_way.done)

    def action_tab(self, place: int) -> None:
        """Go to a tab."""
        self.tabs.active = _TABS[place]
        pane = self.tabs.get_pane(_TABS[place])
        self.set_focus(self.letters if place == 1 else pane.query_one(VerticalScroll))

    def action_next_tab(self, step: int) -> None:
        """Go to the next tab, or the one before."""
        self.action_tab((_TABS.index(self.tabs.active) + step) % len(_TABS))

    def action_help(self) -> None:
        """Show the keys."""
        from eventscope.tui.screens.help import HelpScreen, bound_keys

        self.app.push_screen(HelpScreen(bound_keys(self)))

    @work(exit_on_error=False)
    async def action_open_letter(self) -> None:
        """Show all of the letter at the cursor."""
        from eventscope.tui.screens.letter import LetterScreen

        if (letter := self.letters.selected) is not None:
            details = await self.ask(LetterOf(letter.id))
            if details is not None:
                self.app.push_screen(LetterScreen(details))
            else:
                toast(self, "The letter is there no more.")

    def action_retry_letter(self) -> None:
        """Try the letter at the cursor again."""
        if (letter := self.letters.selected) is not None:
            self.send(RetryLetters(self._named, letter.id))

    @work(exit_on_error=False)
    async def action_discard(self) -> None:
        """Forget the letter at the cursor, once the word is typed."""
        from eventscope.tui.screens.discard import DiscardScreen

        if (letter := self.letters.selected) is not None:
            asked = DiscardScreen(self._named, 1, letter)
            if await self.app.push_screen_wait(asked):
                self.send(DiscardLetters(self._named, letter.id))

    @work(exit_on_error=False)
    async def action_discard_all(self) -> None:
        """Forget all of its letters, once the word is typed."""
        from eventscope.tui.screens.discard import DiscardScreen

        if (operator := self.operator) is not None:
            count = operator.dead + operator.retrying
            asked = DiscardScreen(self._named, count)
            if await self.app.push_screen_wait(asked):
                self.send(DiscardLetters(self._named))
