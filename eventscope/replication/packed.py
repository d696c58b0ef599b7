"""Row images split by MessagePack's decoder, which is a third of the work of doing it here.

An image of pgoutput and an array of MessagePack differ in their marks alone: both have a mark and
a count of two bytes, and for each value a mark, a length of four bytes and the bytes. So the marks
are exchanged. They are told from text by the zero byte behind them, which no text of PostgreSQL
holds; and from lengths, since in a short message the last two bytes of a length are less than any
mark followed by a zero.
Source: PostgreSQL documentation, chapter "Logical Replication Message Formats"; specification of
MessagePack, "array format family" and "bin format family".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

NULL: Final = ord("n")
UNCHANGED_TOAST: Final = ord("u")

_SHORT: Final = ord("N") << 8
"""Bytes of a message from which on a length could look like a mark."""

_TEXT, _BIN_32 = b"t\0\0", b"\xc6\0\0"
_NEW, _ARRAY_16 = b"N\0", b"\xdc\0"
_BEHIND_FIRST_MARK: Final = 6

Image = list[bytes | Literal[110, 117]]
"""The values of an image: a text, or NULL or UNCHANGED_TOAST."""

_one = msgspec.msgpack.Decoder(tuple[Image]).decode
_two = msgspec.msgpack.Decoder(tuple[Image, Image]).decode


def images(message: bytes, *, two: bool) -> Sequence[Image] | None:
    """The one or two row images of an Insert, Update or Delete message, in their order.

    None where this cannot tell: for a long message, and for one that breaks the format.
    """
    if len(message) >= _SHORT:
        return None
    rest = message[_BEHIND_FIRST_MARK:].replace(_TEXT, _BIN_32)
    try:
        if two:
            return _two(b"\x92\xdc" + rest.replace(_NEW, _ARRAY_16))
        return _one(b"\x91\xdc" + rest)
    except msgspec.MsgspecError:
        return None
