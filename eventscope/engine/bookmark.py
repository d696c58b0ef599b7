"""Where a listener was broken off, as text that goes to it and comes back."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Self

from eventscope.errors import InvalidToken
from eventscope.event import Lsn
from eventscope.queue.event import Place
from eventscope.queue.outside import OutsideQueue

_WHOLE: Final = 2**62
"""The number in a transaction of whatever is its last event."""
_FARTHEST: Final = Lsn(2**63 - 1)
"""The last place that a queue can ask for."""
_FORM: Final = re.compile(
    r"([0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8})(?:/([0-9]{1,18})(?:\+([0-9]{1,9}))?)?"
)


class Bookmark(NamedTuple):
    """The last event that somebody was told of, or a place between two."""

    place: Place
    told: int | None = None
    """How many messages of that event they were told; None if all."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``<event id>``, ``<event id>+<messages>`` or a token; raises InvalidToken."""
        parts = _FORM.fullmatch(text)
        if parts is None:
            raise InvalidToken(f"{text[:40]!r} is neither the id of an event nor a token")
        lsn, index, told = parts.groups()
        place = Place(min(Lsn.parse(lsn), _FARTHEST), _WHOLE if index is None else int(index))
        return cls(place, None if told is None else int(told))

    @property
    def is_token(self) -> bool:
        """Whether it is a place in the write-ahead log at which there need be no event."""
        return self.place.index == _WHOLE

    async def position_in(self, log: OutsideQueue) -> int:
        """Where to read on; if not all messages of an event were told, from before it."""
        seq = await log.seq_at(*self.place)
        is_halfway = self.told is not None and await log.place(seq) == self.place
        return seq - 1 if is_halfway else seq

    async def is_kept_by(self, log: OutsideQueue) -> bool:
        """Whether a log surely holds everything behind it."""
        last = await log.place(log.last_seq)
        if last is None or self == BEGINNING:
            return log.oldest_seq == 1 and (self.is_token or self == BEGINNING)
        if self.place > last:
            return self.is_token  # of which events are yet to come; else it is of another log
        seq = await log.seq_at(*self.place)
        known = await log.place(seq)
        return known is not None and known <= self.place and seq >= log.oldest_seq - 1

    def __str__(self) -> str:
        if self.is_token:
            return str(self.place.end_lsn)
        told = "" if self.told is None else f"+{self.told}"
        return f"{self.place.event_id}{told}"


BEGINNING: Final = Bookmark(Place(Lsn(0), 0))
"""Before whatever a queue comes to hold."""
