"""How a screen looks, kept in files: its text first, then the styles of each line.

``REWRITE_SNAPSHOTS=1`` draws them anew; look at the difference before you commit it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from difflib import unified_diff
from itertools import accumulate, groupby
from pathlib import Path
from typing import Final

import pytest
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input

from tests.tui.driving import PATIENCE

DIRECTORY: Final = Path(__file__).with_name("snapshots")
SETTLED: Final = 0.4
"""Seconds without a change after which a screen is what it will be."""


async def assert_looks(pilot: Pilot[None], name: str) -> None:
    """Fail unless the screen comes to look as it does in ``snapshots/<name>.txt``."""
    file = DIRECTORY / f"{name}.txt"
    if os.environ.get("REWRITE_SNAPSHOTS"):
        DIRECTORY.mkdir(exist_ok=True)
        file.write_text(await _settled_look(pilot))
    if not file.exists():
        pytest.fail(f"there is no {file.name} yet; REWRITE_SNAPSHOTS=1 draws it", pytrace=False)
    expected = file.read_text()
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while look(pilot) != expected:
                await pilot.pause(0.02)
    if (seen := look(pilot)) != expected:
        pytest.fail(_difference(name, expected, seen), pytrace=False)


def look(pilot: Pilot[None]) -> str:
    """The screen as text and styles."""
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    size, strips = pilot.app.size, pilot.app.screen._compositor.render_strips()
    paper = f" on {pilot.app.screen.styles.background.hex.lower()}"
    text = (strip.text.rstrip() for strip in strips)
    return "\n".join([f"{size.width}x{size.height}{paper}", *text, *_styles(strips, paper), ""])


def _styles(strips: list[Strip], paper: str) -> Iterator[str]:
    """The styles of each line with the cells where they begin; lines of one look are told once."""
    numbered = enumerate((_line_styles(strip, paper) for strip in strips), 1)
    for styles, lines in groupby(numbered, key=lambda line: line[1]):
        first, *others = (number for number, _ in lines)
        numbers = f"{first}-{others[-1]}" if others else f"{first}"
        yield f"{numbers:>5}: {styles}"


def _line_styles(strip: Strip, paper: str) -> str:
    starts = accumulate((segment.cell_length for segment in strip), initial=0)
    told = [
        (start, str(segment.style).removesuffix(paper))
        for start, segment in zip(starts, strip, strict=False)
    ]
    runs = groupby(told, key=lambda one: one[1])
    return " | ".join(f"{next(run)[0]} {style}" for style, run in runs)


async def _settled_look(pilot: Pilot[None]) -> str:
    """The look that has not changed for a while."""
    clock = asyncio.get_running_loop().time
    before, since = look(pilot), clock()
    while clock() - since < SETTLED:
        await pilot.pause(0.02)
        if (seen := look(pilot)) != before:
            before, since = seen, clock()
    return before


def _difference(name: str, expected: str, seen: str) -> str:
    lines = unified_diff(
        expected.splitlines(), seen.splitlines(), f"{name} as kept", f"{name} as seen", lineterm=""
    )
    return "\n".join([*lines, "", "If it is meant: REWRITE_SNAPSHOTS=1 draws it anew."])
