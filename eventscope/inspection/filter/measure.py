"""What a whole number that belongs to an event may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

from eventscope.event import Lsn
from eventscope.inspection.filter.clause import Clause
from eventscope.inspection.filter.patterns import listed
from eventscope.inspection.filter.readings import HOLDS, WORDS

Number = Decimal | Lsn

_WHOLE: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Measure:
    """One of several numbers, or everything on one side of one."""

    symbol: str
    limits: tuple[Number, ...]

    @classmethod
    def of(cls, clause: Clause, wants: str, read: Callable[[str], Number] | None = None) -> Self:
        """Read the numbers of a field.

        Args:
            clause: the field.
            wants: what it takes, if it was given something else.
            read: reads a number; raises ValueError. By default it is a whole one.

        Raises:
            FilterError: something else, or a comparison with several numbers.
        """
        numbers: list[Number] = []
        for value in clause.values:
            try:
                numbers.append((read or _whole)(clause.text_of(value, wants)))
            except ValueError:
                raise clause.refusal(wants, value) from None
        if clause.symbol != ":" and len(numbers) > 1:
            raise clause.refusal(f"one number after {clause.symbol}", clause.values[1])
        if clause.targets:
            raise clause.refusal(wants, clause.targets[0])
        return cls(clause.symbol, tuple(numbers))

    def accepts(self, number: int) -> bool:
        """Whether a number is that."""
        holds = HOLDS[self.symbol]
        return any(holds(number, limit) for limit in self.limits)

    def __str__(self) -> str:
        return f"{WORDS[self.symbol]} {listed(self.limits)}"


def _whole(text: str) -> Number:
    if _WHOLE.fullmatch(text):
        return Decimal(text)
    raise ValueError(text)
