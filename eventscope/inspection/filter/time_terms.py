"""The predicates about when an event was committed."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from eventscope.event import Event
from eventscope.inspection.filter.clause import Clause
from eventscope.inspection.filter.context import Context
from eventscope.inspection.filter.patterns import listed
from eventscope.inspection.filter.predicate import FieldTerm, Form

_SPAN: Final = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_CLOCK: Final = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
_WINDOW: Final = re.compile(rf"({_CLOCK})(?:-({_CLOCK}))?")
_DAY: Final = 86_400


@dataclass(frozen=True)
class Since(FieldTerm[Event]):
    """The time that has gone by since the commit, when the filter looks."""

    help = (Form("since:5m", "committed in the last 5 minutes; s m h d w, also 1h30m"),)
    field = "since"
    wants = "a span of time such as 30s, 5m, 1h30m or 2d"
    lasting = False
    text: str

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read one span of time."""
        (text, value), *more = clause.texts(cls.wants)
        if more or not _SPAN.fullmatch(text):
            raise clause.refusal(cls.wants, more[0][1] if more else value)
        return cls(text)

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether the commit is no longer ago; the server's clock and ours may differ."""
        ago = dt.datetime.now(dt.UTC) - subject.timestamp
        return ago.total_seconds() <= self._seconds

    def __str__(self) -> str:
        return f"committed in the last {self.text}"

    @cached_property
    def _seconds(self) -> int:
        spans = re.findall(r"([0-9]+)([smhdw])", self.text)
        return sum(int(count) * _SECONDS[unit] for count, unit in spans)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of any day, in seconds since local midnight; it may go over midnight."""

    text: str
    start: int
    end: int
    """The first second that is outside."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Read ``12:06``, ``12:06:38`` or ``12:06-12:10``; raises ValueError.

        A minute lasts until its end: 12:10:59 is in ``12:06-12:10``.
        """
        found = _WINDOW.fullmatch(text)
        if found is None:
            raise ValueError(text)
        start, _ = _clock(found[1])
        last, length = _clock(found[2] or found[1])
        return cls(text.replace("-", " to "), start, (last + length) % _DAY)

    def holds(self, second: int) -> bool:
        """Whether a second of the day is in it."""
        if self.start < self.end:
            return self.start <= second < self.end
        return second >= self.start or second < self.end


@dataclass(frozen=True)
class At(FieldTerm[Event]):
    """The time of day or the day of the commit, by this machine's clock, as the feed shows it."""

    help = (
        Form("at:12:06-12:10", "committed in these minutes, local time; also at:12:06:38"),
        Form("at:2026-07-01", "committed on this day"),
    )
    field = "at"
    wants = "a time, two times or a day: at:12:06, at:12:06-12:10 or at:2026-07-01"
    when: tuple[Window | dt.date, ...]

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read times and days."""
        when: list[Window | dt.date] = []
        for text, value in clause.texts(cls.wants):
            try:
                is_day = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text)
                when.append(dt.date.fromisoformat(text) if is_day else Window.of(text))
            except ValueError:
                raise clause.refusal(cls.wants, value) from None
        return cls(tuple(when))

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether the commit was then."""
        local = subject.timestamp.astimezone()
        second = _second_of_day(local)
        return any(
            when.holds(second) if isinstance(when, Window) else when == local.date()
            for when in self.when
        )

    def __str__(self) -> str:
        times = (
            f"at {when.text}" if isinstance(when, Window) else f"on {when}" for when in self.when
        )
        return f"committed {listed(times)}"


def _clock(text: str) -> tuple[int, int]:
    """The second of the day that a time begins at, and how many seconds it lasts."""
    hour, minute, second = map(int, f"{text}:0".split(":")[:3])
    length = 1 if text.count(":") == 2 else 60
    return _second_of_day(dt.time(hour, minute, second)), length


def _second_of_day(time: dt.time | dt.datetime) -> int:
    return time.hour * 3_600 + time.minute * 60 + time.second
