"""A screen that says why a key does nothing."""

from __future__ import annotations

from textual.screen import Screen


class GreyingScreen(Screen[None]):
    """A screen some of whose keys are greyed."""

    def say_why_greyed(self, key: str) -> bool:
        """Say why a key does nothing now; False if it does something, or is not bound."""
        raise NotImplementedError
