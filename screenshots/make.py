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
from eventscope.tui.memory import Memory
from eventscope.tui.screens.dashboard import Dashboard
from eventscope.tui.screenshot import screenshot_svg, svg_to_png

HERE: Final = Path(__file__).parent
ENOUGH_EVENTS: Final = 800


class Picture(NamedTuple):
    """A picture's name, the terminal's size, the keys pressed before it is taken, what it shows."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    caption: str = ""
    """For the tour; pictures without one are the README's alone."""


PICTURES: Final = (
    Picture("dashboard", (160, 45), (), "Every change as it is committed, and who has done what."),
    Picture("dashboard-small", (80, 24)),
    Picture("event", (80, 24), ("3",), "`enter` opens the event: what changed, to whom it went."),
    Picture("json", (80, 24), ("3", "tab", "tab"), "`tab` goes on to the row, and to its JSON."),
    Picture("attempts", (80, 24), ("3", "tab", "tab", "tab"), "What each operator did with it."),
    Picture("history", (160, 45), ("h",), "`h`: every version of its row, with the differences."),
    Picture(
        "filter",
        (80, 24),
        ("slash", *"table:comments op:", "tab"),
        "`/` filters while you type, and completes.",
    ),
    Picture(
        "operator", (80, 24), ("2", "enter"), "An operator: its attempts, latencies, dead letters."
    ),
    Picture(
        "breakpoint", (80, 24), ("b",), "`b` holds events back that a filter matches: step, go on."
    ),
    Picture("health", (110, 35), ("4",), "`4`: what ails the server, and the SQL that mends it."),
    Picture("keys", (80, 24), ("question_mark",), "`?` has the keys of where you are."),
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
    write_tour()


def write_tour() -> None:
    """The pictures in the order of a walk through the program."""
    steps = [
        f"{step}. {picture.caption}\n\n   ![]({picture.name}.svg)\n"
        for step, picture in enumerate((each for each in PICTURES if each.caption), 1)
    ]
    (HERE / "README.md").write_text("# A tour\n\n" + "\n".join(steps))


async def draw(engine: EngineThread, picture: Picture) -> None:
    """Wait for something worth seeing, and write it as SVG and PNG."""
    app = EventScopeApp(engine, memory=Memory(HERE / ".memory.json"))
    async with app.run_test(size=picture.size) as pilot:
        while not (engine.ring.next > ENOUGH_EVENTS and backing_off(engine)):
            await pilot.pause(0.1)
        find_a_telling_update(app)
        await pilot.press(*picture.keys)
        await pilot.pause(2.0)
        svg = screenshot_svg(app)
    (HERE / f"{picture.name}.svg").write_text(svg)
    (HERE / f"{picture.name}.png").write_bytes(svg_to_png(svg))


def backing_off(engine: EngineThread) -> bool:
    """Whether an operator waits for its next attempt."""
    return any(operator.state == "backing-off" for operator in engine.snapshot().operators)


def find_a_telling_update(app: EventScopeApp) -> None:
    """Move up to an update whose diff shows something."""
    screen = app.screen
    if not isinstance(screen, Dashboard):
        raise TypeError("the dashboard is not on the screen")
    screen.feed.freeze()
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
