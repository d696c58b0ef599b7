"""What the feed needs of a list of events, whichever events those are."""

from __future__ import annotations

from typing import Protocol

from eventscope.engine.questions import Question
from eventscope.engine.questions.history import Page
from eventscope.engine.ring import Entry
from eventscope.event import Event


class EventList(Protocol):
    """Events in the order of their numbers in the queue, which are the same in every list."""

    def __len__(self) -> int: ...

    @property
    def title(self) -> str:
        """What the list is restricted to, as harmless text; empty if to nothing."""
        ...

    @property
    def frozen(self) -> bool:
        """Whether nothing new is listed."""
        ...

    def pump(self) -> bool:
        """Take in what is new; whether that was any."""
        ...

    def freeze(self) -> None:
        """Hold the list as it is."""
        ...

    def follow(self) -> None:
        """Go on to the newest events, if this list ever shows them."""
        ...

    def seq_at(self, index: int) -> int:
        """The number in the queue of the event at a place; raises IndexError outside the list."""
        ...

    def index_of(self, seq: int) -> int:
        """The place of an event by its number, or of the next one that is listed."""
        ...

    def entry(self, seq: int) -> Entry | None:
        """An event that is listed, undecoded."""
        ...

    def event(self, seq: int) -> Event | None:
        """The same, to be looked at."""
        ...

    def older(self) -> Question[Page] | None:
        """What to ask for the events before the first; None if there are none to be listed."""
        ...

    def newer(self) -> Question[Page] | None:
        """The same for those after the last."""
        ...

    def add_older(self, page: Page) -> int:
        """List the answer; returns how many rows that were, all before the others."""
        ...

    def add_newer(self, page: Page) -> int:
        """List the answer; returns by how many rows the others have moved up for it."""
        ...
