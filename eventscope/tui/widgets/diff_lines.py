"""The difference that an event made, as lines of a given width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Final

from rich.cells import cell_len
from textual.content import Content

from eventscope.inspection.diff import ColumnDiff, EventDiff, Side
from eventscope.inspection.paths import PathDiff, Sign
from eventscope.tui.cells import fit
from eventscope.tui.widgets.reading import QUIET, Reading, hanging, indented, wrapped

SIGN_STYLES: Final[Mapping[Sign, str]] = {"+": "$success", "-": "$error", "~": "$warning"}
_LONGEST_NAME: Final = 24
_NARROWEST_SIDE: Final = 12
"""Cells that each of two values needs to stand beside the other."""


def diff_lines(diff: EventDiff, width: int, reading: Reading) -> Iterator[Content]:
    """Say what changed, then what may have, then what is not known and what would help."""
    return _DiffLines(diff, width, reading).lines()


class _DiffLines:
    def __init__(self, diff: EventDiff, width: int, reading: Reading) -> None:
        self._diff = diff
        self._width = width
        self._reading = reading
        shown = [*diff.columns, *diff.current, *(diff.unchanged if reading.unchanged else ())]
        longest = max((cell_len(column.column) for column in shown), default=0)
        self._name_width = min(longest, _LONGEST_NAME, max(6, width // 3))

    def lines(self) -> Iterator[Content]:
        for column in self._diff.columns:
            yield from self._column(column)
        if self._diff.unknown:
            yield from self._unknown()
        if self._diff.unchanged:
            yield from self._unchanged()

    def _unchanged(self) -> Iterator[Content]:
        if self._reading.unchanged:
            for column in self._diff.unchanged:
                yield from self._value(column, " ", QUIET)
            return
        count = len(self._diff.unchanged)
        noun = "column" if count == 1 else "columns"
        yield Content.styled(f"   {count} unchanged {noun} hidden · u shows them", QUIET)

    def _unknown(self) -> Iterator[Content]:
        for column in self._diff.current:
            yield from self._value(column, " ")
        if self._diff.columns or self._diff.current:
            yield Content("")
        reason = (
            "old values are not in the WAL: the table's replica identity is its key alone."
            " To have them from the next change on (y copies it):"
        )
        yield from indented(Content.styled(reason, QUIET), 1, self._width)
        yield from indented(Content.styled(self._diff.remedy, "$primary"), 3, self._width)

    def _column(self, column: ColumnDiff) -> Iterator[Content]:
        if column.paths:
            yield from self._document(column)
        elif column.old is not None and column.new is not None:
            yield from self._both(column, column.old, column.new)
        elif column.old is not None or column.new is not None:
            yield from self._value(column, column.sign)
        else:
            note = Content.styled(f"{column.note} · v opens both", QUIET)
            yield from self._hanging(self._name(column, column.sign), note)

    def _both(self, column: ColumnDiff, old: Side, new: Side) -> Iterator[Content]:
        name = self._name(column, "~")
        before, after = _side(old, "$error", QUIET), _side(new, "$success")
        delta = Content.styled(f"  {column.delta}", QUIET) if column.delta else Content("")
        if self._reading.split and self._side_width(name) >= _NARROWEST_SIDE:
            yield from self._split(name, before, after)
            return
        line = Content.assemble(before, (" → ", QUIET), after)
        room = self._width - name.cell_length - 1
        if line.cell_length <= room or not self._reading.wrap:
            has_room = line.cell_length + delta.cell_length <= room
            yield from self._hanging(name, line.append(delta) if has_room else line)
            return
        below = Content(" " * name.cell_length)
        yield from self._hanging(name.append(Content.styled("- ", "$error")), before)
        yield from self._hanging(below.append(Content.styled("+ ", "$success")), after)
        if column.delta:
            yield from self._hanging(below, delta)

    def _split(self, name: Content, before: Content, after: Content) -> Iterator[Content]:
        """Old on the left, new on the right."""
        side, lead = self._side_width(name), name
        sides = (wrapped(one, side, wrap=self._reading.wrap) for one in (before, after))
        for left, right in zip_longest(*sides, fillvalue=Content("")):
            gap = " " * (side - left.cell_length)
            yield Content.assemble(lead, left, gap, (" │ ", QUIET), right)
            lead = Content(" " * name.cell_length)

    def _side_width(self, name: Content) -> int:
        return (self._width - name.cell_length - 4) // 2

    def _value(self, column: ColumnDiff, sign: str, style: str = "") -> Iterator[Content]:
        side = column.old or column.new
        value = Content("") if side is None else _side(side, style, style)
        yield from self._hanging(self._name(column, sign), value)

    def _document(self, column: ColumnDiff) -> Iterator[Content]:
        count = f"{len(column.paths)} {'change' if len(column.paths) == 1 else 'changes'}"
        more = f"the first {count} · a shows all" if column.more else count
        about = f"  {column.type} · {more}" if column.type else f"  {more}"
        title = Content.assemble((" ~ ", SIGN_STYLES["~"]), column.column, (about, QUIET))
        yield title.truncate(self._width, ellipsis=True)
        longest = max(cell_len(path.path) for path in column.paths)
        path_width = min(longest, _LONGEST_NAME, max(6, self._width // 2))
        for path in column.paths:
            yield from self._path(path, path_width)

    def _path(self, path: PathDiff, path_width: int) -> Iterator[Content]:
        style = SIGN_STYLES[path.sign]
        lead = Content.assemble((f"   {path.sign} ", style), fit(path.path, path_width), " ")
        if path.old is None or path.new is None:
            yield from self._hanging(lead, Content.styled(path.new or path.old or "", style))
        elif self._reading.split and self._side_width(lead) >= _NARROWEST_SIDE:
            yield from self._split(lead, Content.styled(path.old, QUIET), Content(path.new))
        else:
            both = Content.assemble((path.old, QUIET), (" → ", QUIET), path.new)
            yield from self._hanging(lead, both)

    def _name(self, column: ColumnDiff, sign: str) -> Content:
        style = SIGN_STYLES[column.sign] if sign != " " else ""
        return Content.assemble((f" {sign} ", style), fit(column.column, self._name_width), " ")

    def _hanging(self, lead: Content, value: Content) -> Iterator[Content]:
        return hanging(lead, value, self._width, wrap=self._reading.wrap)


def _side(side: Side, differing: str, plain: str = "") -> Content:
    if side.absent:
        return Content.styled(side.text, f"italic {QUIET}")
    marked = f"bold {differing} on {differing} 15%" if differing else ""
    return Content.assemble(*((s.text, marked if s.differs else plain) for s in side.spans))
