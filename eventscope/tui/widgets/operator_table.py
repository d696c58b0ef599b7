"""The operators: what each is doing, how far behind it is, and what went wrong."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.tui.operator_watch import OperatorWatches
from eventscope.tui.symbols import OPERATOR_LOOKS, TONE_COLOURS
from eventscope.tui.widgets.operator_columns import OperatorRow, laid_out, operator_row

_PARTS: Final = 7
"""Of a row, each with a style of its own."""


class OperatorTable(ScrollView, can_focus=True):
    """One row for each operator, in the order of declaration; the cursor stays on a name."""

    BINDING_GROUP_TITLE = "Operators"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", show=False, id="operators.down", tooltip="Next operator"),
        Binding("k,up", "move(-1)", show=False, id="operators.up", tooltip="Previous operator"),
        Binding(
            "pagedown,ctrl+d", "move(5)", show=False, id="operators.page_down", tooltip="Five down"
        ),
        Binding("pageup,ctrl+u", "move(-5)", show=False, id="operators.page_up", tooltip="Five up"),
        Binding("g,home", "move(-1000)", show=False, id="operators.first", tooltip="First one"),
        Binding("G,end", "move(1000)", show=False, id="operators.last", tooltip="Last one"),
        Binding(
            "enter",
            "screen.open_operator",
            "Details",
            id="operators.open",
            tooltip="All about it: attempts, dead letters, definition",
        ),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "operators--cursor",
        "operators--cursor-blurred",
        "operators--quiet",
        *(f"operators--{tone}" for tone in TONE_COLOURS),
    }

    def __init__(self, watches: OperatorWatches) -> None:
        super().__init__(id="operators")
        self._watches = watches
        self._operators: tuple[OperatorSnapshot, ...] = ()
        self._selected = ""
        self._rows: list[OperatorRow] = []

    @property
    def selected(self) -> OperatorSnapshot | None:
        """The operator at the cursor, as of the last snapshot."""
        return self._operators[self._index] if self._operators else None

    def show(self, operators: tuple[OperatorSnapshot, ...], now: float) -> None:
        """Show another snapshot, at ``now`` in seconds since the epoch."""
        rows = [operator_row(one, self._watches[one.name], now) for one in operators]
        if rows != self._rows:
            count_changed = len(rows) != len(self._rows)
            self.virtual_size = Size(0, len(rows))
            self._rows = rows
            self.refresh(layout=count_changed)
        self._operators = operators

    def select(self, name: str) -> bool:
        """Put the cursor on an operator; whether there is such a one."""
        names = [operator.name for operator in self._operators]
        if name in names:
            self.action_move(names.index(name) - self._index)
        return name in names

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        if not self._operators:
            return
        index = max(0, min(self._index + rows, len(self._operators) - 1))
        self._selected = self._operators[index].name
        top, height = self.scroll_offset.y, max(1, self.size.height)
        self.scroll_to(y=min(index, max(top, index - height + 1)), animate=False, force=True)
        self.refresh()

    async def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; a double click opens it."""
        index = event.y + self.scroll_offset.y
        if index < len(self._operators):
            self.action_move(index - self._index)
            if event.chain == 2:
                await self.run_action("screen.open_operator")

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        index, width = y + self.scroll_offset.y, self.scrollable_content_region.width
        if index >= len(self._operators):
            return Strip.blank(width, self.rich_style)
        operator = self._operators[index]
        row = laid_out(self._rows[index], width)
        styles = self._row_styles(operator, is_cursor=index == self._index)
        segments = [Segment(text, style) for text, style in zip(row, styles, strict=True) if text]
        return Strip(segments).adjust_cell_length(width, styles[0])

    @property
    def _index(self) -> int:
        names = [operator.name for operator in self._operators]
        return names.index(self._selected) if self._selected in names else 0

    def _row_styles(self, operator: OperatorSnapshot, *, is_cursor: bool) -> list[Style]:
        """A style for each part of a row."""
        if is_cursor and self.has_focus:
            return [self._look("cursor")] * _PARTS
        state = self._watches[operator.name].state
        tone, quiet = self._look(OPERATOR_LOOKS[state].tone), self._look("quiet")
        plain, bars = self.rich_style, self._look("busy")
        styles = [tone, plain, tone, plain, bars, tone, tone if state == "halted" else quiet]
        if is_cursor:
            behind = Style(bgcolor=self._look("cursor-blurred").bgcolor)
            styles = [style + behind for style in styles]
        return styles

    def _look(self, look: str) -> Style:
        return self.get_component_rich_style(f"operators--{look}")
