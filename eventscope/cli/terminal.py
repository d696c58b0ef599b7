"""What a command may do with the terminal that it runs in, if there is one."""

from __future__ import annotations

import os
import sys
from typing import Final, TextIO

_NO: Final = ("", "0", "false")


def is_attended() -> bool:
    """Whether somebody sits before a terminal: no pipe, and no CI (``CI=true``)."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not _is_ci()


def takes_codes(stream: TextIO) -> bool:
    """Whether a stream leads to a terminal that can move its cursor, with somebody before it."""
    return stream.isatty() and os.environ.get("TERM") != "dumb" and not _is_ci()


def takes_colours(stream: TextIO) -> bool:
    """Whether it is to have colours, too (https://no-color.org)."""
    return takes_codes(stream) and not os.environ.get("NO_COLOR")


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() not in _NO
