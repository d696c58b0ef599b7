"""Messages as a broken server, network or disk would deliver them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from eventscope.replication import pgoutput
from eventscope.replication.pgoutput import MISSING, ProtocolError
from tests.replication import encoder

ROWS = (pgoutput.INSERT, pgoutput.UPDATE, pgoutput.DELETE)

_NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63)
_PIECES = (
    b"", b"\0", b"\xff", b"\xc3", b"\xed\xa0\xbd", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b";",
    b":", b"-", b"+", b".", b"e", b"(", b")", b"t", b"n", b"u", b"K", b"N", b"O", b"\n", b"\\x0",
    b"\\u", b'"\\ud83d"', b"NULL", b"NaN", b"infinity", b"empty", b" BC", b"24:00:00",
    b"2024-02-30", b"9" * 30, b"9" * 5000, b"{" * 2000 + b"}" * 2000, b"[" * 2000 + b"]" * 2000,
)  # fmt: skip


class Breaker:
    """Breaks messages, the same way for the same random numbers."""

    def __init__(self, random: Random, corpus: Sequence[bytes]) -> None:
        self._random = random
        self._corpus = corpus

    def broken(self, message: bytes) -> bytes:
        """The message with one to three things wrong with it."""
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            message = self._random.choice(_WAYS)(self, message)
        return message

    def shuffled(self, messages: Sequence[bytes]) -> list[bytes]:
        """A stretch of the stream with messages lost, repeated, moved and broken."""
        stream, random = list(messages), self._random
        for _ in range(random.randint(1, 4)):
            at, other = random.randrange(len(stream)), random.randrange(len(stream))
            match random.randrange(5):
                case 0:
                    stream[at] = self.broken(stream[at])
                case 1:
                    stream[at], stream[other] = stream[other], stream[at]
                case 2:
                    stream.insert(at, stream[other])
                case 3:
                    stream.insert(at, random.choice(self._corpus))
                case 4 if len(stream) > 1:
                    del stream[at]
        return stream

    def _flip(self, message: bytes) -> bytes:
        if not message:
            return message
        at = self._random.randrange(len(message))
        return (
            message[:at] + bytes([message[at] ^ 1 << self._random.randrange(8)]) + message[at + 1 :]
        )

    def _cut_off(self, message: bytes) -> bytes:
        return message[: self._at(message)]

    def _cut_out(self, message: bytes) -> bytes:
        start, end = sorted((self._at(message), self._at(message)))
        return message[:start] + message[end:]

    def _insert(self, message: bytes) -> bytes:
        at, random = self._at(message), self._random
        piece = random.choice((random.randbytes(random.randint(1, 8)), random.choice(_PIECES)))
        return message[:at] + piece + message[at:]

    def _repeat(self, message: bytes) -> bytes:
        start, end = sorted((self._at(message), self._at(message)))
        return message[:end] + message[start:]

    def _splice(self, message: bytes) -> bytes:
        other = self._random.choice(self._corpus)
        return message[: self._at(message)] + other[self._at(other) :]

    def _number(self, message: bytes) -> bytes:
        """Overwrite what may be a length, a count, an oid or a position."""
        random = self._random
        size = random.choice((1, 2, 4, 4, 4, 8))
        places = [at + 1 for at, byte in enumerate(message[:2000]) if byte == 0x74]  # after a t
        at = random.choice(places) if places and random.random() < 0.5 else self._at(message)
        old = int.from_bytes(message[at : at + size])
        new = random.choice((*_NUMBERS, old + 1, old - 1, old * 2)) % (1 << 8 * size)
        return message[:at] + new.to_bytes(size) + message[at + size :]

    def _kind(self, message: bytes) -> bytes:
        return self._random.choice(b"BCORYIUDTMSEcp\0\xff").to_bytes() + message[1:]

    def _values(self, message: bytes) -> bytes:
        """Break the values of a row and leave the message whole."""
        if not message or message[0] not in ROWS:
            return self._flip(message)
        try:
            new, old = pgoutput.parse_row(message)
        except ProtocolError:
            return self._flip(message)
        images = [
            encoder.row(image.kind, self._row(list(image.values)))
            for image in (old, new)
            if image is not None
        ]
        return message[:5] + b"".join(images)

    def _row(self, values: list[encoder.Value]) -> list[encoder.Value]:
        random = self._random
        if values and random.random() < 0.05:
            return values[: random.randrange(len(values))] * random.randint(0, 3)
        for at in range(len(values)):
            if random.random() < 0.3:
                values[at] = self._value(values[at], random.choice(values))
        return values

    def _value(self, value: encoder.Value, other: encoder.Value) -> encoder.Value:
        chosen = self._random.random()
        if chosen < 0.1 or not isinstance(value, bytes):
            return self._random.choice((None, MISSING, b"", other))
        if chosen < 0.3:
            return other
        way = self._random.choice(
            (
                Breaker._flip,
                Breaker._cut_off,
                Breaker._cut_out,
                Breaker._insert,
                Breaker._insert,
                Breaker._repeat,
            )
        )
        return way(self, value)

    def _at(self, message: bytes) -> int:
        return self._random.randint(0, len(message))


_WAYS = (
    Breaker._flip, Breaker._flip, Breaker._cut_off, Breaker._cut_out, Breaker._insert,
    Breaker._repeat, Breaker._splice, Breaker._number, Breaker._number, Breaker._kind,
    Breaker._values, Breaker._values, Breaker._values, Breaker._values,
)  # fmt: skip
