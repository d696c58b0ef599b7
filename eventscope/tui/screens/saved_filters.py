"""The filters that have names."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from eventscope.tui.cells import fit
from eventscope.tui.filtering.saved import SavedFilter, SavedFilters
from eventscope.tui.toast import toast

_WIDEST_NAME = 30
_NONE = "None yet: / writes a filter, and ctrl+s there saves it. Those of the settings\n\
([ui.filters] in eventscope.toml) are listed here too."


class SavedFiltersScreen(ModalScreen[str | None]):
    """A menu of them; its result is the text of the chosen one, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,F", "dismiss", "Close", id="saved.close", tooltip="Close"),
        Binding("j", "move(1)", show=False, id="saved.down", tooltip="Down"),
        Binding("k", "move(-1)", show=False, id="saved.up", tooltip="Up"),
        Binding("delete,d", "remove", show=False, id="saved.remove", tooltip="Forget it"),
    ]

    menu = query_one(OptionList)
    none = query_one(Static)

    def __init__(self, saved: SavedFilters) -> None:
        super().__init__()
        self._saved = saved
        self._listed: list[SavedFilter] = []

    def compose(self) -> ComposeResult:
        """Lay out the menu."""
        with Vertical(classes="window") as window:
            window.border_title = "Saved filters"
            window.border_subtitle = "enter applies · d forgets · esc closes"
            yield OptionList(compact=True)
            yield Static(Content.styled(_NONE, "$foreground-muted"))

    def on_mount(self) -> None:
        """Begin at the top."""
        self.menu.focus()
        self._show(0)

    def on_resize(self) -> None:
        """Leave what has no room to scrolling."""
        self.menu.styles.max_height = max(1, int(self.size.height * 0.9) - 4)

    def action_move(self, rows: int) -> None:
        """Go up or down."""
        if rows > 0:
            self.menu.action_cursor_down()
        else:
            self.menu.action_cursor_up()

    def action_remove(self) -> None:
        """Forget the selected filter."""
        at = self.menu.highlighted
        if at is None:
            return
        if self._listed[at].is_set:
            toast(self, f"{self._listed[at].name} stands in the settings.")
        else:
            self._saved.remove(self._listed[at].name)
            self._show(at)

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._listed[event.option_index].text)

    def _show(self, at: int) -> None:
        self._listed = list(self._saved)
        width = min(_WIDEST_NAME, max((cell_len(one.name) for one in self._listed), default=0))
        self.menu.set_options([Option(_line(one, width)) for one in self._listed])
        self.menu.display, self.none.display = bool(self._listed), not self._listed
        if self._listed:
            self.menu.highlighted = min(at, len(self._listed) - 1)


def _line(one: SavedFilter, width: int) -> Content:
    where = "  settings" if one.is_set else ""
    return Content.assemble(
        (fit(one.name, width), "bold"), f"  {one.text}", (where, "$foreground-muted")
    )
