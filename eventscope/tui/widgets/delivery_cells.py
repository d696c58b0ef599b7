"""What became of an event at the operators, in a few cells at the end of its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from eventscope.engine.deliveries import concerns, delivery_state
from eventscope.engine.ring import Entry
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.event import EventType
from eventscope.inspection.filter import DeliveryState
from eventscope.inspection.text import safe_text
from eventscope.tui.cells import fit
from eventscope.tui.symbols import DELIVERY_LOOKS, Tone
from eventscope.tui.widgets.feed_columns import Cells

_MOST: Final = 8
"""Operators that have a cell each; of more there are sums."""
_SUMS: Final = 9
_STATES: Final[Mapping[str, DeliveryState]] = {
    look.symbol: state for state, look in DELIVERY_LOOKS.items()
}


class DeliveryCells:
    """One cell for each operator in the order of the list, blank where it is not concerned.

    Args:
        operators: as the last snapshot has them.
    """

    def __init__(self, operators: Sequence[OperatorSnapshot] = ()) -> None:
        self._operators = operators
        self._concerned: dict[tuple[tuple[str, ...], EventType], list[OperatorSnapshot | None]] = {}

    @property
    def heads(self) -> str:
        """The operators' initials, or what the sums are of; as wide as the cells."""
        if len(self._operators) > _MOST:
            return fit("operators", _SUMS)
        return "".join(fit(safe_text(operator.name, 20)[:1], 1) for operator in self._operators)

    def text(self, entry: Entry) -> str:
        """The cells as text: ``✓×  ▲``, or ``1× 6✓`` with the worst first."""
        seq = entry.seq
        states = [
            None if operator is None else delivery_state(seq, operator)
            for operator in self._concerned_by(entry)
        ]
        if len(states) <= _MOST:
            return "".join(" " if s is None else DELIVERY_LOOKS[s].symbol for s in states)
        counts = Counter(states)
        sums = (f"{counts[s]}{look.symbol}" for s, look in DELIVERY_LOOKS.items() if counts[s])
        return fit(" ".join(sums), _SUMS)

    def _concerned_by(self, entry: Entry) -> list[OperatorSnapshot | None]:
        """The operators that an event is for: looked up once for all events of a kind."""
        kind = entry.names, entry.type
        found = self._concerned.get(kind)
        if found is None:
            found = [one if concerns(entry, one) else None for one in self._operators]
            self._concerned[kind] = found
        return found


def coloured(text: str) -> Cells:
    """Give such a text its colours: a sum has that of what it counts."""
    cells: Cells = []
    plain = ""
    for sign in text:
        plain += sign
        if sign in _STATES:
            cells.append((plain, _tone(sign)))
            plain = ""
    return [*cells, (plain, "quiet")] if plain else cells


def _tone(symbol: str) -> Tone:
    return DELIVERY_LOOKS[_STATES[symbol]].tone
