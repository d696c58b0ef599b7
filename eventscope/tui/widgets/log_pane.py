"""The log view: what eventscope logs and what operators print, and a filter below it."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.getters import query_one
from textual.message import Message
from textual.widgets import Input, Static

from eventscope.engine.snapshot import Snapshot
from eventscope.inspection.text import safe_text
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.log_filter import LogFilter, LogFilterError
from eventscope.tui.widgets.card import Card
from eventscope.tui.widgets.column_heads import ColumnHeads
from eventscope.tui.widgets.log_columns import log_heads
from eventscope.tui.widgets.log_list import LogList
from eventscope.tui.widgets.pane import Pane

_HINT: Final = "text  level:error,warning  operator:name"


def _heads(width: int) -> str:
    """The columns' names, beside the place of the scroll bar."""
    return log_heads(width - 1)


class LogFilterField(Input):
    """Where the filter is written."""

    BINDING_GROUP_TITLE = "Log filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Keep", id="log.filter.keep", tooltip="Keep the filter"),
        Binding("escape", "restore", "Restore", id="log.filter.restore",
                tooltip="Back to the filter before"),
    ]  # fmt: skip

    class Done(Message):
        """The filter is as it is to be."""

    def __init__(self) -> None:
        super().__init__(placeholder=_HINT, id="log-filter", compact=True, select_on_focus=False)
        self._before = ""

    def on_focus(self) -> None:
        """Remember what there was."""
        self._before = self.value

    def action_restore(self) -> None:
        """Take back what was written."""
        self.value = self._before
        self.post_message(self.Done())


class LogPane(Pane):
    """Rows with time, level, operator and what was said."""

    TITLE = "Log"
    BINDING_GROUP_TITLE = "Log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="log.filter", tooltip="Filter the log"),
        Binding("escape", "leave", show=False, id="log.back",
                tooltip="Clear the filter, or back to the feed"),
    ]  # fmt: skip

    records = query_one(LogList)
    field = query_one(LogFilterField)
    card = query_one("#log-card", Card)
    counts = query_one("#log-counts", Static)

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__(engine, id="log-pane")
        self._problem = ""
        self._told: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Place the list above its filter."""
        yield ColumnHeads(_heads, id="log-heads")
        yield LogList(self.engine.log)
        yield Card(id="log-card")
        with Horizontal(id="log-bar"):
            yield Static(Content(" / "), id="log-slash")
            yield LogFilterField()
            yield Static(id="log-counts")

    def show(self, snapshot: Snapshot) -> None:
        """Take in what is new."""
        self.records.pump()
        self._say_counts()

    def action_filter(self) -> None:
        """Have the filter written."""
        self.screen.set_focus(self.field)  # at once: what is typed next is meant for it

    async def action_leave(self) -> None:
        """Clear the filter, or go back to the feed where there is none."""
        if self.field.value:
            self.field.value = ""
        else:
            await self.screen.run_action("view('feed')")

    @on(LogFilterField.Submitted)
    @on(LogFilterField.Done)
    def _read_on(self) -> None:
        self.records.focus()

    @on(LogFilterField.Changed)
    def _filter(self) -> None:
        try:
            self.records.use(LogFilter.parse(self.field.value))
            self._problem = ""
        except LogFilterError as error:
            self._problem = str(error)
        self._say_counts()

    def _say_counts(self) -> None:
        """Say how many records are listed, and whether they stand still; only if that is new."""
        window = self.records.window
        listed, total, unseen = len(window), window.total, window.unseen
        told = (listed, total, window.frozen, unseen, window.filter, self._problem)
        if told == self._told:
            return
        self._told = told
        counts = "" if window.filter.is_empty else f"{listed:,} of {total:,}"
        frozen = f" FROZEN +{unseen:,} " if unseen else " FROZEN "
        parts = (
            Content.styled(safe_text(self._problem, 80), "$error"),
            Content.styled(counts, "$foreground-muted"),
            Content.styled(frozen if window.frozen else "", "bold $background on $warning"),
        )
        self.counts.update(Content("  ").join(filter(None, parts)))
        self.card.display = not listed
        if not total:
            self.card.say("Nothing was logged yet", ["What operators print shows up here, too."])
        elif not listed:
            self.card.say("No record matches", [f"0 of {total:,}. esc clears the filter."])
