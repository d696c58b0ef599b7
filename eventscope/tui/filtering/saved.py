"""Filters with names: those of the settings, and those that were saved from the dashboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from eventscope.inspection.text import safe_text
from eventscope.tui.memory import Memory, Remembered


class SavedFilter(NamedTuple):
    """A filter and its name."""

    name: str
    text: str
    is_set: bool
    """Whether it stands in the settings, where the dashboard changes nothing."""


class SavedFilters:
    """All of them, the settings' first.

    Args:
        settings: ``ui.filters``.
        memory: where the others are kept.
    """

    def __init__(self, settings: Mapping[str, str], memory: Memory) -> None:
        self._settings = settings
        self._memory = memory

    def __iter__(self) -> Iterator[SavedFilter]:
        for name, text in self._settings.items():
            yield SavedFilter(safe_text(name, 60), safe_text(text, 1_000), True)
        for name, text in self._memory.recall().filters.items():
            if name not in self._settings:
                yield SavedFilter(name, text, False)

    def save(self, name: str, text: str) -> None:
        """Keep a filter under a name, in place of what had it."""

        def save(kept: Remembered) -> None:
            kept.filters = {**kept.filters, safe_text(name, 60): text}

        self._memory.change(save)

    def remove(self, name: str) -> None:
        """Forget a filter that was saved from the dashboard."""

        def remove(kept: Remembered) -> None:
            kept.filters = {one: text for one, text in kept.filters.items() if one != name}

        self._memory.change(remove)
