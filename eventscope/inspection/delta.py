"""By how much a number or a moment changed."""

from __future__ import annotations

import datetime as dt
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Final

_DIGITS: Final = 30
"""Digits of a difference that are still read."""
_EXACT: Final = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])


def delta_text(old: object, new: object) -> str:
    """Say the difference of two values: ``+8.90``, ``-3 m 12 s``; empty where there is none."""
    try:
        if _is_number(old) and _is_number(new):
            return _number(_EXACT.subtract(Decimal(str(new)), Decimal(str(old))))
        if isinstance(old, dt.datetime) and isinstance(new, dt.datetime):
            return _time(new - old)
        if type(old) is dt.date and type(new) is dt.date:
            return _time(new - old)
    except (ArithmeticError, TypeError):  # too far apart; or only one of them has a zone
        pass
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _number(difference: Decimal) -> str:
    if not difference.is_finite() or not difference:
        return ""
    text = format(difference, "+,f") if abs(difference.adjusted()) < _DIGITS else ""
    return text if len(text) <= _DIGITS else ""


def _time(difference: dt.timedelta) -> str:
    """The two largest units."""
    sign = "-" if difference < dt.timedelta() else "+"
    difference = abs(difference)
    minutes, seconds = divmod(difference.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = {"d": difference.days, "h": hours, "m": minutes, "s": seconds}
    told = [f"{count:,} {unit}" for unit, count in parts.items() if count]
    if len(told) == 0:
        milliseconds = difference.microseconds / 1_000
        return f"{sign}{milliseconds:.3g} ms" if milliseconds else ""
    return f"{sign}{' '.join(told[:2])}"
