"""What was filtered by before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eventscope.tui.memory import Memory, Remembered

_MOST: Final = 100


class FilterHistory:
    """Goes back and forth in what was kept with enter, in this run and in earlier ones.

    Args:
        memory: where it is kept.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._texts: list[str] = []
        self._place = 0
        self._draft = ""

    def begin(self) -> None:
        """Be at its end, with all that is remembered by now."""
        self._texts = self._memory.recall().filter_history
        self._place = len(self._texts)

    def older(self, present: str) -> str | None:
        """The filter before; None if there is none.

        Args:
            present: what is in the bar, to come back to.
        """
        if self._place == len(self._texts):
            self._draft = present
        place = self._place - 1
        while place >= 0 and self._texts[place] == present:
            place -= 1
        return self._go(place)

    def newer(self) -> str | None:
        """The filter after, at last what was in the bar; None if that is there."""
        return self._go(self._place + 1)

    def add(self, text: str) -> None:
        """Keep a filter as the latest."""

        def add(kept: Remembered) -> None:
            kept.filter_history = [*_without(kept.filter_history, text), text][-_MOST:]

        if text:
            self._memory.change(add)

    def _go(self, place: int) -> str | None:
        if not 0 <= place <= len(self._texts):
            return None
        self._place = place
        return self._draft if place == len(self._texts) else self._texts[place]


def _without(texts: Sequence[str], text: str) -> list[str]:
    return [one for one in texts if one != text]
