"""Reading a text in the person's own pager."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from typing import Final

from textual.app import App, SuspendNotSupported

from eventscope.errors import EventScopeError
from eventscope.tui.prints import Prints, prints_in_log

_PAGERS: Final = ("less", "more")
"""What is tried where ``PAGER`` is not set."""


class NoPager(EventScopeError):
    """There is no program to read a text in."""


def page(app: App[None], text: str) -> None:
    """Show a harmless text in ``$PAGER``, and the program again when that ends.

    Raises:
        NoPager: naming what was looked for.
    """
    command = _command()
    are_logged = isinstance(sys.stdout, Prints)
    # ctrl+c is the pager's; a handler, unlike SIG_IGN, is not inherited by it
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with app.suspend(), prints_in_log() if are_logged else nullcontext():
            subprocess.run(command, input=text.encode(), check=False)  # noqa: S603 - the person's
    except SuspendNotSupported as error:
        raise NoPager("A pager cannot be opened here: this is no terminal.") from error
    except OSError as error:
        raise NoPager(f"The pager {command[0]} cannot be run: {error.strerror}.") from error
    finally:
        signal.signal(signal.SIGINT, before)


def _command() -> list[str]:
    given = os.environ.get("PAGER", "").strip()
    try:
        command = shlex.split(given) if given else []
    except ValueError as error:
        raise NoPager(f"PAGER={given!r} cannot be read: {error}.") from error
    if not command:
        command = [name for name in _PAGERS if shutil.which(name)][:1]
    if not command:
        raise NoPager("There is no pager: install less, or set PAGER.")
    if shutil.which(command[0]) is None:
        raise NoPager(f"The pager {command[0]!r} of PAGER was not found.")
    return command
