"""The events that a person has marked."""

from __future__ import annotations

from eventscope.engine.ring import Entry


class Marks:
    """Events by their numbers in the queue; they are kept whatever the ring drops."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, seq: int) -> bool:
        return seq in self._entries

    @property
    def entries(self) -> list[Entry]:
        """The marked events in the order of the queue."""
        return [self._entries[seq] for seq in sorted(self._entries)]

    def toggle(self, entry: Entry) -> bool:
        """Mark an event, or take its mark away; whether it is marked now."""
        if self._entries.pop(entry.seq, None) is not None:
            return False
        self._entries[entry.seq] = entry
        return True
