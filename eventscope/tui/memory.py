"""What the dashboard remembers from one run to the next."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from eventscope.inspection.text import safe_text


class Remembered(msgspec.Struct, omit_defaults=True):
    """Everything that is kept."""

    filter_history: list[str] = []
    """What was filtered by, the latest last."""
    filters: dict[str, str] = {}
    """Saved filters by name."""
    theme: str | None = None


class Memory:
    """The file that holds it. One that cannot be read or written never matters.

    Args:
        path: the file; by default it is the user's own.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or _default_path()

    def recall(self) -> Remembered:
        """What was kept last, as far as it can be read and is harmless."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=Remembered)
        except (OSError, ValueError, RecursionError):
            return Remembered()
        kept.filter_history = [text for text in kept.filter_history if _is_harmless(text)]
        kept.filters = {
            name: text for name, text in kept.filters.items() if _is_harmless(name + text)
        }
        return kept

    def change(self, change: Callable[[Remembered], None]) -> None:
        """Change what is kept; another dashboard's changes since are kept too."""
        kept = self.recall()
        change(kept)
        with suppress(OSError, ValueError):
            self._write(msgspec.json.format(msgspec.json.encode(kept)))

    def _write(self, content: bytes) -> None:
        """Replace the file as a whole, readable by its owner alone."""
        folder = self._path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self._path.name}-")  # is 0600
        new = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            new.replace(self._path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise


def _default_path(environment: Mapping[str, str] = os.environ) -> Path:
    state = Path(environment.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():  # as the specification asks
        state = _home() / ".local" / "state"
    return state / "eventscope" / "dashboard.json"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user without an entry, as in some containers
        return Path("/nonexistent")


def _is_harmless(text: str) -> bool:
    return safe_text(text) == text
