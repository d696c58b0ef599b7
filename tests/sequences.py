"""What a program writes to a terminal, taken apart: control sequences by their kind, and text."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

_SEQUENCE: Final = re.compile(
    rb"""
      \x1b\[ (?P<marker>[<-?]*) (?P<numbers>[0-9;:]*) (?P<between>[ -/]*) (?P<final>[@-~])
    | \x1b\] (?P<osc>[0-9]*) [^\x07\x1b]* (?: \x07 | \x1b\\ )
    | \x1b (?P<string>[PX^_]) [^\x07\x1b]* (?: \x07 | \x1b\\ )
    | \x1b (?P<escape>[ -/]* [0-~]?)
    | (?P<control>[\x00-\x1a\x1c-\x1f\x7f] | \xc2[\x80-\x9f])
    """,
    re.VERBOSE,
)


def kinds(raw: bytes) -> Counter[str]:
    """Count the control sequences of each kind: ``CSI ? 25 h``, ``OSC 52``, ``DCS``, ``0x07``.

    Numbers belong to the kind where they name a mode, and are left out where they are amounts.
    """
    return Counter(_kind(found) for found in _SEQUENCE.finditer(raw))


def text(raw: bytes) -> str:
    """What is left to be read; raises UnicodeDecodeError if that is no UTF-8."""
    return _SEQUENCE.sub(b"", raw).decode()


def _kind(found: re.Match[bytes]) -> str:
    part = {name: (value or b"").decode() for name, value in found.groupdict().items()}
    if part["final"]:
        numbers = part["numbers"] if part["final"] in "hlq" else ""
        pieces = ("CSI", part["marker"], numbers, part["between"], part["final"])
        return " ".join(filter(None, pieces))
    if found["osc"] is not None:
        return f"OSC {part['osc']}"
    if part["string"]:
        return {"P": "DCS", "X": "SOS", "^": "PM", "_": "APC"}[part["string"]]
    if found["control"]:
        return f"0x{part['control'].encode('utf-16-be').hex()[-2:]}"
    return f"ESC {part['escape']}"
