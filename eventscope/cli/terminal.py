"""What a command may do with the terminal that it runs in, if there is one."""

from __future__ import annotations

import os
import sys
from typing import Final, TextIO

_NO: Final = ("", "0", "false")


def is_attended() -> bool:
    """Whether somebody sits before a terminal: no pipe, and no CI (``CI=true``)."""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stdout) and not _is_ci()


def takes_codes(stream: TextIO | None) -> bool:
    """Whether a stream leads to a terminal that can move its cursor, with somebody before it."""
    return _is_terminal(stream) and os.environ.get("TERM") != "dumb" and not _is_ci()


def takes_colours(stream: TextIO | None) -> bool:
    """Whether it is to have colours, too (https://no-color.org)."""
    return takes_codes(stream) and not os.environ.get("NO_COLOR")


def outlive_terminals() -> None:
    """Have what is said to a terminal be lost, and raise nothing, once that has been closed."""
    from eventscope.tui.lossy import LossyFile

    for name in ("stdout", "stderr"):
        if _is_terminal(stream := getattr(sys, name)):
            setattr(sys, name, LossyFile(stream))


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()  # None: it was closed from the start


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() not in _NO
