"""The history of a row: each of its versions beside the one before."""

from __future__ import annotations

from dataclasses import dataclass

from eventscope.engine.questions import Question
from eventscope.engine.questions.history import Page
from eventscope.engine.questions.row_history import Row, Versions, VersionsAfter, VersionsBefore
from eventscope.engine.ring import Entry
from eventscope.event import Event, EventType
from eventscope.inspection.versions import completed
from eventscope.tui.widgets.held_list import HeldList


@dataclass(frozen=True, slots=True)
class Version:
    """An event that tells what it changed even where the WAL does not."""

    entry: Entry
    before: Entry

    @property
    def seq(self) -> int:
        """Its number in the queue."""
        return self.entry.seq

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its table."""
        return self.entry.names

    @property
    def type(self) -> EventType:
        """What happened."""
        return self.entry.type

    def event(self) -> Event:
        """Decode the row, and of the one before what this one needs."""
        return completed(self.entry.event(), self.before.event())


class RowVersions(HeldList):
    """Every kept event of a row, read page by page.

    Args:
        row: its table and key, as harmless text.
        entry: the event that is looked at.
        before: the row as it was before it.
        after: the row as it was after it.
    """

    def __init__(self, row: str, entry: Entry, before: Row, after: Row) -> None:
        super().__init__(row, [entry])
        self._older: Question[Page] | None = VersionsBefore(before, entry.seq)
        self._newer: Question[Page] | None = VersionsAfter(after, entry.seq)
        self._versions: dict[int, Version] = {}

    @property
    def title(self) -> str:
        """The row, and how many versions of it there are."""
        count = f"{len(self):,} {'version' if len(self) == 1 else 'versions'}"
        more = " so far" if self._older or self._newer else ""
        return f"history · {count}{more} of {self._title}"

    def entry(self, seq: int) -> Entry | None:
        """A version that is listed: the same object each time, once it has one before it."""
        entry, place = super().entry(seq), self.index_of(seq)
        if entry is None or place == 0:
            return entry
        if seq not in self._versions:
            self._versions[seq] = Version(entry, self._listed[place - 1])
        return self._versions[seq]

    def older(self) -> Question[Page] | None:
        """What to ask for the versions before the first that is listed."""
        return self._older

    def newer(self) -> Question[Page] | None:
        """What to ask for those after the last."""
        return self._newer

    def add_older(self, page: Page) -> int:
        """List versions from before the first."""
        self._older = None
        if isinstance(page, Versions) and page.left:
            self._older = VersionsBefore(page.row, page.reached)
        return super().add_older(page)

    def add_newer(self, page: Page) -> int:
        """List versions from after the last."""
        self._newer = None
        if isinstance(page, Versions) and page.left:
            self._newer = VersionsAfter(page.row, page.reached)
        return super().add_newer(page)
