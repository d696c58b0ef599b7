"""Every action by its name, for the command palette."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from textual.app import App
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode
from textual.markup import escape
from textual.screen import Screen


@dataclass
class Action:
    """What keys do, and where they are bound."""

    node: DOMNode
    title: str
    """What they do, and in which pane."""
    action: str
    keys: list[str] = field(default_factory=list)


class ActionProvider(Provider):
    """Finds actions by what they do; they run in the pane that they belong to."""

    async def discover(self) -> Hits:
        """List all."""
        for action in actions(self.screen):
            run = partial(do, self.app, action)
            yield DiscoveryHit(action.title, run, help=escape(" ".join(action.keys)))

    async def search(self, query: str) -> Hits:
        """List those that match."""
        matcher = self.matcher(query)
        for action in actions(self.screen):
            if (score := matcher.match(action.title)) > 0:
                run, shown = partial(do, self.app, action), matcher.highlight(action.title)
                yield Hit(score, shown, run, help=escape(" ".join(action.keys)))


def actions(screen: Screen[Any]) -> Iterator[Action]:
    """Everything that is bound on a screen with an id and a tooltip, its own keys first."""
    found: dict[str, Action] = {}
    for node in (screen, *screen.query("*"), screen.app):
        group = getattr(node, "BINDING_GROUP_TITLE", None)
        for _, binding in node._bindings:
            if binding.id is None or not binding.tooltip:
                continue
            title = f"{group}: {binding.tooltip}" if group else binding.tooltip
            action = found.setdefault(binding.id, Action(node, title, binding.action))
            if action.node is node:
                action.keys.append(screen.app.get_key_display(binding))
    yield from found.values()


async def do(app: App[Any], action: Action) -> None:
    """Do it, as if its key had been pressed in its pane."""
    from eventscope.tui.screens.operator_keys import OperatorKeys

    is_done = await app.run_action(action.action, default_namespace=action.node)
    if not is_done and isinstance(app.screen, OperatorKeys):
        app.screen.say_why_not(action.action)
