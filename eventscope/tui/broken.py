"""What is shown while the application cannot be loaded: where it fails, until a file is saved."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import ClassVar, Final, NamedTuple

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from eventscope.inspection.text import safe_text
from eventscope.settings import Ui
from eventscope.tui.dress import dress
from eventscope.tui.memory import Memory

_LOOK: Final = 0.5
"""Seconds between two looks at the files."""
_AROUND: Final = 2
"""Lines that are shown before and after the one that fails."""

Stamp = tuple[int, int, int]
"""What is another one when a file has been saved."""


class Breakage(NamedTuple):
    """Why an application cannot be loaded."""

    target: str
    """As it was given: a module or a file."""
    reason: str
    """What was raised, in words."""
    file: Path | None
    """Where it was raised; None if that is unknown."""
    line: int
    """The number of the line there, from 1."""
    files: Sequence[Path]
    """Those that may be saved to mend it."""


class BrokenScreen(Screen[None]):
    """The card: what is broken, and where."""

    def __init__(self, breakage: Breakage) -> None:
        super().__init__()
        self._breakage = breakage

    def compose(self) -> ComposeResult:
        """Lay out the card."""
        with Vertical(id="start-card"):
            yield Static(self._heading(), id="start-heading")
            with VerticalScroll():
                yield Static(Content("\n").join(self._body()), id="start-body")
        yield Footer(show_command_palette=False, compact=True)

    def _heading(self) -> Content:
        target = safe_text(self._breakage.target, 60)
        hint = "   saving it loads it again, r tries at once"
        return Content.assemble(
            ("Cannot load ", "bold $error"), (target, "bold $error"), (hint, "$foreground-muted")
        )

    def _body(self) -> Iterator[Content]:
        breakage = self._breakage
        if breakage.file is not None:
            place = f"{_relative(breakage.file)}:{breakage.line}"
            yield Content.styled(safe_text(place, 500), "bold $primary")
        yield Content(safe_text(breakage.reason, 2_000))
        if breakage.file is not None:
            yield Content()
            yield from _source(breakage.file, breakage.line)


class BrokenApp(App[bool]):
    """Shows the card; ends with True when the application is to be loaded again.

    Args:
        breakage: what is broken.
        ui: how it looks.
        memory: what is remembered from earlier runs.
    """

    TITLE = "eventscope"
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = [
        Path(__file__).parent / "styles" / "start.tcss"
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Try again", id="start.retry", tooltip="Load it again at once"),
        Binding("q", "quit", "Quit", id="quit", tooltip="Quit"),
        Binding("ctrl+q,ctrl+c", "quit", show=False, priority=True, id="quit.always",
                tooltip="Quit"),
    ]  # fmt: skip

    def __init__(self, breakage: Breakage, ui: Ui, memory: Memory | None = None) -> None:
        super().__init__()
        self._breakage = breakage
        self._before = _stamps(breakage.files)
        dress(self, ui, memory if memory is not None else Memory())

    def on_mount(self) -> None:
        """Show the card, and watch the files."""
        self.push_screen(BrokenScreen(self._breakage))
        self.set_interval(_LOOK, self._look)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit)

    def get_key_display(self, binding: Binding) -> str:
        """Name a key, which the settings may have chosen."""
        return safe_text(super().get_key_display(binding), 20)

    def action_again(self) -> None:
        """Have it loaded again."""
        self.exit(True)

    def _look(self) -> None:
        """See whether a file has been saved; one that is away for a moment is waited for."""
        now = _stamps(self._breakage.files)
        if any(stamp != self._before.get(file) for file, stamp in now.items()):
            self.exit(True)


def _stamps(files: Sequence[Path]) -> Mapping[Path, Stamp]:
    """When those that are there were last saved."""
    found = {}
    for file in files:
        try:
            state = file.stat()
        except OSError:
            continue
        found[file] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return found


def _source(file: Path, line: int) -> Iterator[Content]:
    """The line that fails, and those around it."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return
    first = max(1, line - _AROUND)
    for number, text in enumerate(lines[first - 1 : line + _AROUND], first):
        is_it = number == line
        yield Content.assemble(
            (f"{'>' if is_it else ' '} {number:>4}  ", "$error" if is_it else "$foreground-muted"),
            (safe_text(text.expandtabs(4), 500), "bold" if is_it else "$foreground-muted"),
        )


def _relative(file: Path) -> Path:
    """The same file, named from here if it lies below."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
