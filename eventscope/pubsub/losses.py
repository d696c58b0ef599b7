"""How many messages listeners have lost."""

from __future__ import annotations

import threading


class Losses:
    """Counts the messages that listeners were too slow for, or that nobody could tell them."""

    def __init__(self) -> None:
        self.count = 0
        """Since the start, of all listeners together."""
        self._adding = threading.Lock()

    def add(self, count: int) -> None:
        """Count more of them; from any thread."""
        with self._adding:
            self.count += count
