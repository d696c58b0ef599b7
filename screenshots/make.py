"""Draw the README's pictures from the running demo: ``python screenshots/make.py``.

Needs the ``test`` extra and the font Fira Code (Debian: ``fonts-firacode``).
"""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Final, NamedTuple

from eventscope.demo.playground import Playground
from eventscope.engine.thread import EngineThread
from eventscope.event import Event
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.dashboard import Dashboard
from eventscope.tui.screenshot import screenshot_svg, svg_to_png

HERE: Final = Path(__file__).parent
ENOUGH_EVENTS: Final = 800


class Picture(NamedTuple):
    """A picture's name, the terminal's size, and the keys pressed before it is taken."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()


PICTURES: Final = (
    Picture("dashboard", (160, 45)),
    Picture("dashboard-small", (80, 24)),
    Picture("event-small", (80, 24), ("enter",)),
)


def main() -> None:
    """Run the demo without a terminal and draw every picture."""
    example = importlib.import_module("operators_example")
    tables = [table.ddl for table in example.DERIVED]
    with Playground(tables, directory=None, seed=7, rate=40) as playground:
        engine = EngineThread(example.app, playground.settings)
        engine.start()
        try:
            with playground.traffic_in_background(None):
                for picture in PICTURES:
                    asyncio.run(draw(engine, picture))
        finally:
            engine.stop()


async def draw(engine: EngineThread, picture: Picture) -> None:
    """Wait for something worth seeing, and write it as SVG and PNG."""
    app = EventScopeApp(engine)
    async with app.run_test(size=picture.size) as pilot:
        while not (engine.ring.next > ENOUGH_EVENTS and backing_off(engine)):
            await pilot.pause(0.1)
        find_a_telling_update(app)
        await pilot.press(*picture.keys)
        await pilot.pause(0.5)
        svg = screenshot_svg(app)
    (HERE / f"{picture.name}.svg").write_text(svg)
    (HERE / f"{picture.name}.png").write_bytes(svg_to_png(svg, zoom=1.5))


def backing_off(engine: EngineThread) -> bool:
    """Whether an operator waits for its next attempt."""
    return any(operator.state == "backing-off" for operator in engine.snapshot().operators)


def find_a_telling_update(app: EventScopeApp) -> None:
    """Move up to an update whose diff shows something."""
    screen = app.screen
    if not isinstance(screen, Dashboard):
        raise TypeError("the dashboard is not on the screen")
    entry = screen.feed.selected()
    while entry is not None and not tells(entry.event()):
        screen.feed.action_move(-1)
        above = screen.feed.selected()
        entry = above if above is not entry else None


def tells(event: Event) -> bool:
    """Whether an update changed a text or a document."""
    changed = (event.changes or {}).keys()
    return event.name in ("posts", "user_profiles") and bool(changed & {"body", "settings"})


if __name__ == "__main__":
    main()
