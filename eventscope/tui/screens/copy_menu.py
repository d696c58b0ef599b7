"""What of an event can be copied: a small card of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar, Final, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from eventscope.event import Event
from eventscope.inspection.diff import identity_remedy
from eventscope.inspection.json_line import json_line
from eventscope.inspection.report import diff_report
from eventscope.inspection.sql import change_sql, undo_sql
from eventscope.inspection.summary import key_text

_WHOLE: Final = 1_000_000


class Copied(NamedTuple):
    """What was chosen."""

    what: str
    text: str


class _Choice(NamedTuple):
    what: str
    text: Callable[[Event], str]


CHOICES: Final = {
    "j": _Choice("the event as JSON", json_line),
    "k": _Choice("the key", lambda event: key_text(event.in_form("text"), _WHOLE)),
    "d": _Choice("the difference as text", diff_report),
    "s": _Choice("the SQL of the change", change_sql),
    "u": _Choice("the SQL that would undo it", undo_sql),
    "l": _Choice("the LSN", lambda event: str(event.lsn)),
    "i": _Choice("the event's id", lambda event: str(event.id)),
    "a": _Choice("the ALTER TABLE that makes old values known", identity_remedy),
}
"""What the keys copy."""


class CopyMenu(ModalScreen[Copied | None]):
    """Waits for one key; the result is the text to be copied."""

    BINDING_GROUP_TITLE = "Copy"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,y", "dismiss", "Close", id="copy.close", tooltip="Close"),
        *(
            Binding(key, f"copy('{key}')", show=False, id=f"copy.{key}", tooltip=f"Copy {one.what}")
            for key, one in CHOICES.items()
        ),
    ]

    def __init__(self, event: Event) -> None:
        super().__init__()
        self._event = event

    def compose(self) -> ComposeResult:
        """Lay out the card."""
        with Vertical(classes="window") as window:
            window.border_title = "Copy"
            window.border_subtitle = "esc closes"
            yield Static(Content("\n").join(self._lines()))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Offer only what there is."""
        return action != "copy" or parameters[0] in self._offered

    def action_copy(self, key: str) -> None:
        """Choose."""
        choice = CHOICES[key]
        self.dismiss(Copied(choice.what, choice.text(self._event)))

    @property
    def _offered(self) -> list[str]:
        lacks = {"a"} if not self._event.unknown else set()
        if not key_text(self._event):
            lacks.add("k")
        return [key for key in CHOICES if key not in lacks]

    def _lines(self) -> Iterator[Content]:
        for key in self._offered:
            yield Content.assemble((key, "bold $primary"), f"  {CHOICES[key].what}")
