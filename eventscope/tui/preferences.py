"""Whether a person's settings of the dashboard can be: its theme and its keys."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator

from textual.binding import Binding
from textual.dom import DOMNode
from textual.theme import BUILTIN_THEMES

import eventscope.tui
from eventscope.settings import SettingsError, Ui
from eventscope.tui.theme import THEMES


def check(ui: Ui) -> None:
    """See that what the settings name exists.

    Raises:
        SettingsError: naming the setting, and what would be right.
    """
    _check("ui.theme", [ui.theme], {*(theme.name for theme in THEMES), *BUILTIN_THEMES})
    if ui.keys:
        _check("ui.keys", ui.keys, set(action_ids()))


def action_ids() -> Iterator[str]:
    """The ids of all actions that keys can be given to."""
    for module in pkgutil.walk_packages(eventscope.tui.__path__, "eventscope.tui."):
        importlib.import_module(module.name)
    for kind in _kinds(DOMNode):
        for binding in vars(kind).get("BINDINGS", ()):
            if isinstance(binding, Binding) and binding.id is not None:
                yield binding.id


def _kinds(base: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith("eventscope.tui."):
            yield kind
        yield from _kinds(kind)


def _check(setting: str, names: Iterable[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            there = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise SettingsError(f"setting {setting}: there is no {name}; {there}")
