"""How far what is written lies from what somebody outside has written.

An operator that writes tells so in its transaction, by a logical message of ours. Who follows what
it has written, and writes, is one hop further. So a circle that no declaration shows ends.
Source: PostgreSQL documentation, chapter "Generic WAL Message Functions".
"""

from __future__ import annotations

import re
from typing import Final

PREFIX: Final = "eventscope"
"""Of our own messages, which are no events."""

TELL: Final = "SELECT pg_logical_emit_message(true, $1, $2)"
"""Tells of a transaction's hops; takes the prefix and the content."""

LIMIT: Final = 16
"""Hops after which it is a circle: no cascade of derived tables is that deep."""


def written(hops: int) -> str:
    """The content of a message that tells of hops."""
    return f"hops={hops}"


def read(content: bytes) -> int:
    """The hops that a message tells of; 0 if it is about something else."""
    told = re.fullmatch(rb"hops=(\d{1,9})", content)
    return int(told[1]) if told is not None else 0
