"""Filtering by what an event is, without writing anything."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from eventscope.inspection.filter import Filter
from eventscope.tui.cells import fit
from eventscope.tui.filtering.narrowing import narrowed, without
from eventscope.tui.filtering.quick_terms import QuickTerm

_WIDEST_TERM: Final = 44
_AROUND: Final = 12
"""Cells of a line that are not the term's: the key, gaps, the window's edge, a scroll bar."""


class QuickFilterScreen(ModalScreen[str | None]):
    """A menu of what an event suggests; its result is the filter to have, or None.

    Args:
        terms: what is suggested, at least one.
        present: the filter that it is joined with.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f", "dismiss", "Close", id="quick.close", tooltip="Close"),
        Binding("j", "move(1)", show=False, id="quick.down", tooltip="Down"),
        Binding("k", "move(-1)", show=False, id="quick.up", tooltip="Up"),
        Binding("t", "take('t')", show=False, id="quick.table", tooltip="This table"),
        Binding("o", "take('o')", show=False, id="quick.operation", tooltip="This operation"),
        Binding("r", "take('r')", show=False, id="quick.row", tooltip="This row"),
        Binding("x", "take('x')", show=False, id="quick.transaction", tooltip="This transaction"),
        Binding("minus", "exclude", show=False, id="quick.exclude", tooltip="All but those"),
        Binding("equals_sign", "replace", show=False, id="quick.replace", tooltip="Those alone"),
    ]

    menu = query_one(OptionList)

    def __init__(self, terms: list[QuickTerm], present: Filter | None) -> None:
        super().__init__()
        self._terms = terms
        self._present = present

    def compose(self) -> ComposeResult:
        """Lay out the menu."""
        with Vertical(classes="window") as window:
            window.border_title = "Filter by"
            window.border_subtitle = "enter adds · - excludes · = replaces · esc closes"
            yield OptionList(*self._options(), compact=True)

    def on_mount(self) -> None:
        """Begin at the top."""
        self.menu.focus()
        self.menu.highlighted = 0

    def on_resize(self) -> None:
        """Leave what has no room to scrolling."""
        self.menu.styles.max_height = max(1, int(self.size.height * 0.9) - 4)

    def action_move(self, rows: int) -> None:
        """Go up or down."""
        if rows > 0:
            self.menu.action_cursor_down()
        else:
            self.menu.action_cursor_up()

    def action_take(self, key: str) -> None:
        """Filter by what has a key of its own."""
        for term in self._terms:
            if term.key == key:
                self.dismiss(narrowed(self._present, term.text))

    def action_exclude(self) -> None:
        """Show all but what the selected one matches."""
        self.dismiss(without(self._present, self._selected.text))

    def action_replace(self) -> None:
        """Show what the selected one matches, whatever was filtered by."""
        self.dismiss(self._selected.text)

    @on(OptionList.OptionSelected)
    def _add(self) -> None:
        self.dismiss(narrowed(self._present, self._selected.text))

    @property
    def _selected(self) -> QuickTerm:
        return self._terms[int(self.menu.highlighted_option.id or 0)]  # type: ignore[union-attr]

    def _options(self) -> list[Option | None]:
        """The terms, a line between one group and the next."""
        about = max(cell_len(term.about) for term in self._terms)
        room = int(self.app.size.width * 0.9) - about - _AROUND
        width = min(_WIDEST_TERM, room, max(cell_len(term.text) for term in self._terms))
        options: list[Option | None] = []
        for place, term in enumerate(self._terms):
            if place and term.group != self._terms[place - 1].group:
                options.append(None)
            options.append(Option(_line(term, width), id=str(place)))
        return options


def _line(term: QuickTerm, width: int) -> Content:
    return Content.assemble(
        (f"{term.key or ' '}  ", "$primary"),
        (fit(term.text, width), "bold"),
        (f"  {term.about}", "$foreground-muted"),
    )
