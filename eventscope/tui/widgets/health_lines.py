"""How far the stream has come and what is kept of it: figures, bars and plots as lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from textual.content import Content

from eventscope.engine.questions.health import Stock
from eventscope.engine.snapshot import Snapshot
from eventscope.event import Lsn
from eventscope.inspection.text import safe_text
from eventscope.inspection.values import bytes_text
from eventscope.replication.catalog import Slot
from eventscope.replication.doctor.slot import RETAINED
from eventscope.tui.cells import elapsed, fit
from eventscope.tui.history import History
from eventscope.tui.plot import each, plot
from eventscope.tui.symbols import STREAM_BADGES, TONE_COLOURS, Tone

_QUIET: Final = "$foreground-muted"
_NAME: Final = 14
_LEFT: Final = 40
"""Cells of the figures where plots stand beside them."""
_LOW_BAR: Final = 20
_HIGH_BAR: Final = 42
_SPAN: Final = 300
"""Seconds that a plot shows at least, once they are known."""
_LABEL: Final = 10
_VALUE: Final = 9
_NARROWEST: Final = 8
"""Cells that a plot must have to be worth it."""
_WORST: Final[tuple[tuple[float, Tone], ...]] = ((0.9, "bad"), (0.5, "warning"), (0.0, "busy"))


class Figures(NamedTuple):
    """What the figures are made from."""

    snapshot: Snapshot
    history: History
    slot: Slot | None = None
    stock: Stock | None = None


def low_lines(figures: Figures, width: int) -> Iterator[Content]:
    """Seven lines: each plot is one line high, beside a position."""
    yield _stream_line(figures.snapshot, width)
    room = width - _LEFT - _LABEL - _VALUE
    right = [*_low_plots(figures, room), _at_the_right(_told_span(figures, room), width - _LEFT)]
    for position, drawn in zip(_positions(figures), right, strict=True):
        yield _pad(position, _LEFT, drawn)
    for name, bar, told in _stores(figures, _LOW_BAR):
        yield Content.assemble(name, bar, "  ", told)


def high_lines(figures: Figures, width: int, plot_height: int = 3) -> Iterator[Content]:
    """Thirteen lines: plots with room to breathe stand beside all figures."""
    yield _stream_line(figures.snapshot, width)
    left = [Content(""), *_positions(figures), Content("")]
    for name, bar, told in _stores(figures, _HIGH_BAR):
        left += [Content.assemble(name, bar), Content.assemble(" " * _NAME, told)]
    room = _NAME + _HIGH_BAR + 6
    right = [
        line
        for name, value, values in _series(figures)
        for line in _high_plot(figures, name, value, values, width - room, plot_height)
    ]
    for number, drawn in enumerate(right):
        yield _pad(left[number] if number < len(left) else Content(""), room, drawn)


def _stream_line(snapshot: Snapshot, width: int) -> Content:
    """What is read, from where, and since when."""
    stream = snapshot.stream
    badge = STREAM_BADGES[stream.state]
    up = Content.styled(f"up {elapsed(snapshot.taken_at - snapshot.started_at)}", _QUIET)
    what = Content.assemble(
        ("● ", TONE_COLOURS[badge.tone]),
        (stream.state, f"bold {TONE_COLOURS[badge.tone]}"),
        ("  from ", _QUIET),
        safe_text(stream.server, 40),
        ("  through slot ", _QUIET),
        safe_text(stream.slot, 63),
    )
    return _pad(what.truncate(max(0, width - up.cell_length - 2)), width - up.cell_length, up)


def _positions(figures: Figures) -> Iterator[Content]:
    """How far each step has come, and how many bytes it is behind the server."""
    stream, stock = figures.snapshot.stream, figures.stock
    everything_is = stock is None or stock.slowest is None
    for name, position in (
        ("received", stream.received_lsn),
        ("stored", stream.stored_lsn),
        ("applied", stream.stored_lsn if stock is None or everything_is else stock.applied),
        ("acknowledged", stream.acknowledged_lsn),
    ):
        yield _position(name, position, stream.received_lsn)


def _position(name: str, position: Lsn | None, received: Lsn) -> Content:
    behind = 0 if position is None else max(0, received - position)
    return Content.assemble(
        (fit(name, _NAME), _QUIET),
        fit("unknown" if position is None else str(position), 12),
        (fit(f"-{bytes_text(behind)}" if behind else "", 10, right=True), _QUIET),
    )


def _stores(figures: Figures, length: int) -> Iterator[tuple[Content, Content, Content]]:
    """What the server and the queue keep: name, bar and words."""
    slot, stock = figures.slot, figures.stock
    name = Content.styled(fit("WAL kept", _NAME), _QUIET)
    if slot is None:
        yield name, _bar(0.0, length), Content.styled("unknown", _QUIET)
    else:
        most = RETAINED if slot.safe is None else max(1, slot.retained + slot.safe)
        limit = (
            f", warns at {bytes_text(RETAINED)}" if slot.safe is None else f" of {bytes_text(most)}"
        )
        is_lost = slot.wal_status in ("lost", "unreserved")
        told = Content.assemble(
            bytes_text(slot.retained),
            (f"{limit}  ", _QUIET),
            (safe_text(slot.wal_status or "", 40), TONE_COLOURS["bad" if is_lost else "good"]),
        )
        yield name, _bar(slot.retained / most, length, "bad" if is_lost else None), told
    name = Content.styled(fit("queue file", _NAME), _QUIET)
    if stock is None:
        yield name, _bar(0.0, length), Content.styled("unknown", _QUIET)
    elif stock.size is None:
        yield name, _bar(0.0, length), Content.styled("in memory", _QUIET)
    else:
        told = Content.assemble(
            bytes_text(stock.size),
            (f" of {bytes_text(stock.retention_size)}  ", _QUIET),
            f"{stock.events:,}",
            (f" of {stock.retention_events:,} events", _QUIET),
        )
        yield name, _bar(stock.size / max(1, stock.retention_size), length, "busy"), told


def _bar(share: float, length: int, tone: Tone | None = None) -> Content:
    """A bar that is filled by a share; its colour tells how full it is unless it is given."""
    filled = round(min(share, 1.0) * length)
    filled = max(filled, 1) if share > 0 else 0
    by_share = next(tone for least, tone in _WORST if share >= least)
    return Content.assemble(
        ("■" * filled, TONE_COLOURS[tone or by_share]),
        ("─" * (length - filled), "$foreground-disabled"),
    )


def _series(figures: Figures) -> Iterator[tuple[str, str, list[float]]]:
    """What is plotted: its name, its present value in words, and its values."""
    samples = figures.history.samples
    stream = figures.snapshot.stream
    backlog = max((operator.depth for operator in figures.snapshot.operators), default=0)
    lag = max(0, stream.received_lsn - stream.stored_lsn)
    rate = samples[-1].rate if samples else 0.0
    yield "events/s", f"{rate:,.0f}", [sample.rate for sample in samples]
    yield "lag", bytes_text(lag), [float(sample.lag) for sample in samples]
    yield "backlog", f"{backlog:,}", [float(sample.backlog) for sample in samples]


def _low_plots(figures: Figures, room: int) -> Iterator[Content]:
    for name, value, values in _series(figures):
        drawn = [" " * max(0, room)]
        if room >= _NARROWEST:
            drawn = plot(values, room, 1, span=_span(figures), count=figures.history.taken)
        yield Content.assemble(
            (fit(name, _LABEL), _QUIET), (drawn[0], "$primary"), fit(value, _VALUE, right=True)
        )


def _high_plot(
    figures: Figures, name: str, value: str, values: list[float], width: int, height: int
) -> Iterator[Content]:
    heading = Content.assemble((f"{name}  ", _QUIET), (value, "bold"))
    told = _told_span(figures, width)
    yield _pad(heading, width - told.cell_length, told)
    for line in plot(values, width, height, span=_span(figures), count=figures.history.taken):
        yield Content.styled(line, "$primary")


def _span(figures: Figures) -> int:
    """Seconds to be shown: what is known, up to some minutes."""
    return min(figures.history.taken, _SPAN)


def _told_span(figures: Figures, width: int) -> Content:
    """What a plot of a width goes back to."""
    if width < _NARROWEST:
        return Content("")
    seconds = width * each(width, _span(figures))
    told = f"{round(seconds / 60)} minutes" if seconds >= 90 else f"{seconds} seconds"
    return Content.styled(f"last {told}", _QUIET)


def _at_the_right(content: Content, width: int) -> Content:
    return _pad(Content(""), width - content.cell_length, content)


def _pad(left: Content, width: int, right: Content) -> Content:
    """Two parts, the second beginning at a cell."""
    return Content.assemble(left, " " * max(0, width - left.cell_length), right)
