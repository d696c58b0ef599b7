"""A terminal that is closed holds nobody up."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Thread
from typing import Any, cast

from textual.app import App
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver

from eventscope.tui.driver import OutlivingDriver, driver_of
from eventscope.tui.lossy import LossyFile
from tests.waiting import PATIENCE


def test_whoever_writes_to_a_closed_terminal_does_not_wait() -> None:
    ours, theirs = os.openpty()
    terminal = os.fdopen(theirs, "w")
    os.close(ours)
    writer = WriterThread(cast("Any", LossyFile(terminal)))
    writer.start()

    def write() -> None:
        for _ in range(100):
            writer.write("x" * 10_000)
        writer.stop()

    writing = Thread(target=write, daemon=True)
    writing.start()
    writing.join(PATIENCE)
    assert not writing.is_alive()
    with suppress(OSError):
        terminal.close()


def test_every_program_of_ours_has_that_driver_in_a_terminal() -> None:
    app: App[None] = App(driver_class=LinuxDriver)
    assert driver_of(app) is OutlivingDriver
