"""The first line: is it streaming, how far behind is it, is an operator unwell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from textual.content import Content
from textual.widget import Widget

from eventscope.engine.snapshot import Snapshot
from eventscope.inspection.text import safe_text
from eventscope.inspection.values import bytes_text
from eventscope.tui.cells import countdown
from eventscope.tui.rate import Rate
from eventscope.tui.symbols import OPERATOR_LOOKS, STREAM_BADGES, TONE_COLOURS, UNWELL, Badge


class StatusBar(Widget):
    """Badges, server, slot, rate and lag; what has no room is left out, from the right."""

    def __init__(self, *, read_only: bool = False) -> None:
        super().__init__(id="status")
        self._read_only = read_only
        self._snapshot: Snapshot | None = None
        self._rate = Rate()
        self._failed = False
        self._frozen: str | None = None
        self._drawn = Content("")

    def show(self, snapshot: Snapshot, *, failed: bool) -> None:
        """Show another snapshot; ``failed``: the engine is dead, and this is its last state."""
        self._rate.add(snapshot.taken_at, snapshot.stream.events)
        self._snapshot, self._failed = snapshot, failed
        self._refresh_if_changed()

    def show_frozen(self, unseen: int | None) -> None:
        """Show that the feed is held still while ``unseen`` events have come; None: it is not."""
        frozen = None if unseen is None else f"FROZEN +{unseen:,}" if unseen else "FROZEN"
        if frozen != self._frozen:
            self._frozen = frozen
            self._refresh_if_changed()

    def render(self) -> Content:
        """Put together what fits."""
        self._drawn = self._line()
        return self._drawn

    def _refresh_if_changed(self) -> None:
        if self._line() != self._drawn:
            self.refresh()

    def _line(self) -> Content:
        if self._snapshot is None:
            return Content("")
        badges = Content(" ").join(_badge(badge) for badge in self._badges(self._snapshot))
        unwell = _unwell(self._snapshot)
        room = self.size.width - badges.cell_length - unwell.cell_length - 2
        line = badges
        for fact in self._facts(self._snapshot):
            room -= fact.cell_length + 2
            if room < 0:
                break
            line = Content.assemble(line, "  ", fact)
        gap = self.size.width - line.cell_length - unwell.cell_length - 1
        return Content.assemble(line, " " * max(1, gap), unwell)

    def _badges(self, snapshot: Snapshot) -> Iterator[Badge]:
        if self._failed:
            yield Badge("FAILED", "bad")
        elif snapshot.stream.state == "reconnecting":
            due = countdown(snapshot.stream.next_retry, snapshot.taken_at)
            yield Badge(f"DOWN retry {due.removeprefix('in ')}", "bad")
        elif snapshot.stream.state != "streaming" or self._frozen is None:
            yield STREAM_BADGES[snapshot.stream.state]
        if self._frozen is not None:
            yield Badge(self._frozen, "warning")
        if snapshot.breakpoints:
            held = sum(operator.held is not None for operator in snapshot.operators)
            yield Badge(f"BREAK {held} held" if held else "BREAK", "held")
        if self._read_only:
            yield Badge("READ-ONLY", "held")

    def _facts(self, snapshot: Snapshot) -> Iterator[Content]:
        """What is worth knowing, the most important first."""
        stream = snapshot.stream
        lag = max(0, stream.received_lsn - stream.stored_lsn)
        yield Content(safe_text(stream.server, 40))
        yield Content(safe_text(stream.slot, 40))
        rate = f"{self._rate.per_second:,.0f} ev/s "
        yield Content.assemble(rate, (self._rate.sparkline, "$primary"))
        yield Content(f"lag {bytes_text(lag)}")
        if stream.unacknowledged > lag:
            yield Content(f"unacknowledged {bytes_text(stream.unacknowledged)}")
        yield Content(f"{stream.events:,} events")


def _badge(badge: Badge) -> Content:
    return Content.styled(f" {badge.word} ", f"bold $background on {TONE_COLOURS[badge.tone]}")


def _unwell(snapshot: Snapshot) -> Content:
    counts = Counter(operator.state for operator in snapshot.operators)
    signs = [
        (f"{OPERATOR_LOOKS[state].symbol}{counts[state]}", TONE_COLOURS[OPERATOR_LOOKS[state].tone])
        for state in UNWELL
        if counts[state]
    ]
    return Content(" ").join(Content.styled(text, style) for text, style in signs)
