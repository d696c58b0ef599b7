"""The keys, as they are bound now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from eventscope.inspection.filter import forms
from eventscope.tui.cells import fit

KeyGroups = Mapping[str, list[tuple[str, str]]]
"""By pane: the keys of an action and what it does."""


class HelpScreen(ModalScreen[None]):
    """A card of keys: those of the pane that has the focus first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "Close", id="help.close", tooltip="Close")
    ]

    def __init__(self, groups: KeyGroups) -> None:
        super().__init__()
        self._groups = groups

    def compose(self) -> ComposeResult:
        """Lay out the card."""
        with VerticalScroll(classes="window") as window:
            window.border_title = "Keys"
            window.border_subtitle = "esc closes"
            groups = [_group(*item) for item in self._groups.items()]
            yield Static(Content("\n\n").join([*groups, _filters()]))


def bound_keys(screen: Screen[None]) -> KeyGroups:
    """Collect what is bound for the focused pane of a screen, from the bindings themselves."""
    keys: dict[tuple[str, str], list[str]] = {}
    for node, binding, _, tooltip in screen.active_bindings.values():
        if binding.id is not None and tooltip:
            title = getattr(node, "BINDING_GROUP_TITLE", None) or "Everywhere"
            keys.setdefault((title, tooltip), []).append(screen.app.get_key_display(binding))
    groups: dict[str, list[tuple[str, str]]] = {}
    for (title, tooltip), names in keys.items():
        groups.setdefault(title, []).append((" ".join(names), tooltip))
    return groups


def _filters() -> Content:
    """What can be asked of events, in the words of the language itself."""
    listed = forms(delivery=True)
    width = min(32, max(len(form.text) for form in listed))
    lines = [Content.styled("Filters", "bold $primary")]
    lines += [Content.assemble((fit(text, width), "bold"), " ", means) for text, means in listed]
    return Content("\n").join(lines)


def _group(title: str, keys: list[tuple[str, str]]) -> Content:
    lines = [Content.styled(title, "bold $primary")]
    lines += [Content.assemble((fit(names, 16), "bold"), tooltip) for names, tooltip in keys]
    return Content("\n").join(lines)
