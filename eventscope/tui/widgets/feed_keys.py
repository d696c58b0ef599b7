"""The keys of the feed that need more than the list: its past, its trouble, its export."""

from __future__ import annotations

import asyncio
import time
from asyncio import wrap_future
from pathlib import Path
from typing import ClassVar, Final

from textual import work
from textual.binding import Binding, BindingType
from textual.getters import query_one

from eventscope.engine.commands import Command, Retry, RetryLetters
from eventscope.engine.deliveries import deliveries, troubled
from eventscope.engine.questions import Answer, Question
from eventscope.engine.questions.event_letters import LettersAbout
from eventscope.engine.questions.history import EventsBefore, TransactionOf, event_not_kept
from eventscope.engine.questions.row_history import RowOf
from eventscope.engine.ring import Entry
from eventscope.engine.snapshot import Snapshot
from eventscope.errors import EventScopeError
from eventscope.inspection.summary import named_key, table_text
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.export import write_lines
from eventscope.tui.marks import Marks
from eventscope.tui.screens.file import FileScreen
from eventscope.tui.toast import toast, trouble_told
from eventscope.tui.widgets.event_list import EventList
from eventscope.tui.widgets.feed import Feed
from eventscope.tui.widgets.held_list import HeldList
from eventscope.tui.widgets.pane import Pane
from eventscope.tui.widgets.row_versions import RowVersions
from eventscope.tui.widgets.stretch import Stretch

_MARKED: Final = "marked events"


class FeedKeys(Pane):
    """A pane with a feed in it.

    Attributes:
        marks: the events that the person has marked.
    """

    BINDING_GROUP_TITLE = "Feed"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="feed.leave", tooltip="Back to all events"),
        Binding("x", "transaction", show=False, id="feed.transaction", tooltip="Its transaction"),
        Binding("h", "history", "History", id="feed.history", tooltip="Every version of its row"),
        Binding("e", "trouble(1)", show=False, id="feed.trouble", tooltip="Next event that failed"),
        Binding(
            "E",
            "trouble(-1)",
            show=False,
            id="feed.trouble_before",
            tooltip="Previous event that failed",
        ),
        Binding("r", "retry", "Retry", id="feed.retry", tooltip="Retry where it failed"),
        Binding("m", "mark", show=False, id="feed.mark", tooltip="Mark it, or unmark it"),
        Binding("M", "marked", show=False, id="feed.marked", tooltip="Marked events only, or all"),
        Binding(
            "w", "write", show=False, id="feed.write", tooltip="Write what is listed to a file"
        ),
    ]

    feed = query_one(Feed)

    def __init__(self, engine: AttachedEngine, *, id: str) -> None:
        super().__init__(engine, id=id)
        self.marks = Marks()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There must be something to go back from."""
        return self.feed.restricted if action == "leave" else True

    def action_leave(self) -> None:
        """Show what was shown before."""
        self.feed.leave_list()

    def action_transaction(self) -> None:
        """Show the selected event's transaction and nothing else."""
        if entry := self._selected():
            self._open_transaction(entry)

    def action_history(self) -> None:
        """Show every kept version of the selected event's row and nothing else."""
        if entry := self._selected():
            self._open_history(entry)

    def action_trouble(self, step: int) -> None:
        """Go to the next or the previous event that an operator has failed at or retries."""
        if self._selected() is None or (cursor := self.feed.cursor) is None:
            return
        listed = self.feed.listed
        seqs = sorted(troubled(self.engine.snapshot().operators), reverse=step < 0)
        beyond = [seq for seq in seqs if (seq - cursor) * step > 0]
        found = next((seq for seq in beyond if listed.entry(seq) is not None), None)
        if found is not None:
            self.feed.go_to(found)
        elif beyond and not listed.title:
            self.open_at(beyond[0])
        else:
            where = "after" if step > 0 else "before"
            toast(self, f"No operator has failed at an event {where} this one.")

    def action_mark(self) -> None:
        """Mark the selected event, or take its mark away."""
        if entry := self._selected():
            self.feed.freeze()
            self.marks.toggle(entry)
            self.feed.refresh()

    def action_marked(self) -> None:
        """Show marked events only, or all again."""
        if self.feed.listed.title.startswith(_MARKED):
            self.feed.leave_list()
        elif entries := self.marks.entries:
            cursor = self.feed.cursor or 0
            title = f"{_MARKED} · {len(entries):,}"
            self.feed.show_list(HeldList(title, entries), cursor)
        else:
            toast(self, "No event is marked: m marks one.")

    def action_retry(self) -> None:
        """Have the operators that failed at the selected event try it again."""
        if entry := self._selected():
            self._retry(entry, self.engine.snapshot())

    def action_write(self) -> None:
        """Ask for a file and write the listed events to it."""
        if self._selected() is None:
            return
        listed = self.feed.listed
        entries = [entry for n in range(len(listed)) if (entry := listed.entry(listed.seq_at(n)))]
        count = f"{len(entries):,} {'event' if len(entries) == 1 else 'events'}"

        def write(path: Path | None) -> None:
            if path is not None:
                self._write(entries, path, count)

        suggested = time.strftime("events-%Y%m%d-%H%M%S.jsonl")
        self.app.push_screen(FileScreen(f"Write {count} as JSON lines", suggested), write)

    async def ask(self, question: Question[Answer]) -> Answer:
        """Have the engine look something up; raises EventScopeError if there is none any more."""
        if self.engine.error is not None:
            raise EventScopeError("the engine has stopped: what its queue holds cannot be read")
        return await wrap_future(self.engine.ask(question))

    @work(exclusive=True, group="feed-list", exit_on_error=False)
    async def open_at(self, seq: int) -> None:
        """Put the cursor on an event, also on one that is no longer listed."""
        if self.feed.go_to(seq):
            return
        with trouble_told(self):
            page = await self.ask(EventsBefore(seq + 1))
            if not page.events or page.events[-1].seq != seq:
                raise event_not_kept()
            entry = page.events[-1]
            around = Stretch(f"around event {entry.event().id}", entry, 1, None)
            around.add_older(page)
            self.feed.show_list(around, seq)

    @work(exclusive=True, group="feed-list", exit_on_error=False)
    async def _open_transaction(self, entry: Entry) -> None:
        with trouble_told(self):
            about = await self.ask(TransactionOf(entry.seq))
            count = about.last_seq - about.first_seq + 1
            events = f"{count:,} {'event' if count == 1 else 'events'}"
            title = f"transaction {about.xid} · {events}"
            if self.feed.listed.title != title:
                await self._show(Stretch(title, entry, about.first_seq, about.last_seq), entry)

    @work(exclusive=True, group="feed-list", exit_on_error=False)
    async def _open_history(self, entry: Entry) -> None:
        with trouble_told(self):
            before, after = await self.ask(RowOf(entry.seq))
            event = entry.event()
            row = f"{table_text(event)} {named_key(event)}"
            await self._show(RowVersions(row, entry, before, after), entry)

    async def _show(self, listed: EventList, entry: Entry) -> None:
        """Show a list, with what is next to its one event already."""
        if question := listed.older():
            listed.add_older(await self.ask(question))
        if question := listed.newer():
            listed.add_newer(await self.ask(question))
        self.feed.show_list(listed, entry.seq)

    @work(exit_on_error=False)
    async def _retry(self, entry: Entry, snapshot: Snapshot) -> None:
        failed = tuple(
            one.operator
            for one in deliveries(entry, snapshot.operators)
            if one.state in ("failed", "retrying")
        )
        if not failed:
            toast(self, "No operator has failed at this event: there is nothing to retry.")
            return
        with trouble_told(self):
            letters = await self.ask(LettersAbout(entry.seq, failed))
            commands: list[Command] = [RetryLetters(name, letter) for name, letter in letters]
            at_it = (one for one in snapshot.operators if one.failing == entry.seq)
            commands += [Retry(one.name) for one in at_it if one.name in failed]
            for command in commands:
                done = await wrap_future(self.engine.command(command))
                toast(self, done, is_problem=False)

    @work(exit_on_error=False)
    async def _write(self, entries: list[Entry], path: Path, count: str) -> None:
        with trouble_told(self):
            await asyncio.to_thread(write_lines, entries, path)
            toast(self, f"{count} written to {path}", is_problem=False)

    def _selected(self) -> Entry | None:
        selected = self.feed.selected()
        if selected is None:
            toast(self, "There is no event yet.")
        return selected
