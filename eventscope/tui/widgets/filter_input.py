"""The line in which a filter is written."""

from __future__ import annotations

from typing import ClassVar

from rich.highlighter import Highlighter
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from eventscope.inspection.text import safe_text

_LONGEST = 1_000


class FilterInput(Input):
    """An input that marks where it cannot be read, and passes on what its keys ask for."""

    BINDING_GROUP_TITLE = "Filter bar"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Keep", id="bar.keep", tooltip="Keep the filter"),
        Binding("escape", "cancel", "Undo", id="bar.cancel", tooltip="The filter as it was"),
        Binding("tab", "ask('complete')", "Complete", id="bar.complete", tooltip="Complete"),
        Binding(
            "shift+tab",
            "ask('complete_back')",
            show=False,
            id="bar.complete_back",
            tooltip="The suggestion before",
        ),
        Binding("up", "ask('older')", "Earlier", id="bar.older", tooltip="An earlier filter"),
        Binding("down", "ask('newer')", show=False, id="bar.newer", tooltip="A later filter"),
        Binding("ctrl+s", "ask('save')", "Save", id="bar.save", tooltip="Save under a name"),
        Binding("ctrl+o", "ask('saved')", "Saved", id="bar.saved", tooltip="Saved filters"),
        Binding("f1", "screen.help", "Help", id="bar.help", tooltip="These keys, and the language"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"filter--fault"}

    class Asked(Message):
        """A key was pressed that means something to the bar.

        Attributes:
            what: ``cancel``, ``complete``, ``complete_back``, ``older``, ``newer``, ``save`` or
                ``saved``.
        """

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self) -> None:
        super().__init__(
            id="filter-input",
            compact=True,
            highlighter=_FaultHighlighter(self),
            select_on_focus=False,
            placeholder="table:orders status:paid",
        )
        self.fault: int | None = None
        """The offset of what is wrong."""

    @property
    def fault_cell(self) -> int:
        """Where that is, in cells from the left edge of the visible text."""
        cell = self._position_to_cell(min(self.fault or 0, len(self.value)))
        return max(0, cell - round(self.scroll_x))

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key writes something, so that it does nothing else."""
        return key == "slash" or super().check_consume_key(key, character)

    def validate_value(self, value: str) -> str:
        """Keep what a terminal can show: text may be pasted from anywhere."""
        return safe_text(value, _LONGEST)

    def show_fault(self, offset: int | None) -> None:
        """Mark what is wrong, or nothing."""
        if offset != self.fault:
            self.fault = offset
            self.refresh()

    def put(self, text: str, cursor: int | None = None) -> None:
        """Have another text in it."""
        self.value = text
        self.cursor_position = len(text) if cursor is None else cursor

    def action_cancel(self) -> None:
        """Leave it."""
        self.action_ask("cancel")

    def action_ask(self, what: str) -> None:
        """Pass it on."""
        self.post_message(self.Asked(what))


class _FaultHighlighter(Highlighter):
    """Underlines what cannot be read, from its place to the end of the word."""

    def __init__(self, input: FilterInput) -> None:
        self._input = input

    def highlight(self, text: Text) -> None:
        """Mark it."""
        fault = getattr(self._input, "fault", None)
        if fault is None or not text.plain:
            return
        start = min(fault, len(text.plain) - 1)
        end = text.plain.find(" ", start + 1)
        style = self._input.get_component_rich_style("filter--fault", partial=True)
        text.stylize(style, start, len(text.plain) if end < 0 else end)
