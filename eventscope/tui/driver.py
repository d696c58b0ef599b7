"""How the terminal is written to, also when it is no longer there."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

from eventscope.tui.lossy import LossyFile


def driver_of(app: App[Any]) -> type[Driver]:
    """The driver for a program: what Textual has chosen, made to outlive its terminal."""
    return OutlivingDriver if app.driver_class is LinuxDriver else app.driver_class


class OutlivingDriver(LinuxDriver):
    """Loses what is written to a terminal that has been closed.

    Textual writes from a thread, which an error of writing ends; whoever writes more waits for it
    without an end, and so the program would go on for ever that nobody can see any more.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file: Any = LossyFile(self._file)
