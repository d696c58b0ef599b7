"""Reading a running dashboard's screen, and waiting for what it will show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from textual.pilot import Pilot

from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.dashboard import Dashboard

PATIENCE = 30.0


def dashboard(pilot: Pilot[None]) -> Dashboard:
    (found,) = [screen for screen in pilot.app.screen_stack if isinstance(screen, Dashboard)]
    return found


def lines(app: EventScopeApp) -> list[str]:
    """The screen as text."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def screen(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, EventScopeApp)
    return "\n".join(lines(pilot.app))


def first_line(pilot: Pilot[None]) -> str:
    """The status bar."""
    return screen(pilot).splitlines()[0].rstrip()


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Let the program run until something holds; fails with the screen after a while."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await pilot.pause()
            return
    pytest.fail(f"it does not come true; this is on the screen:\n{screen(pilot)}")


def feed_lines(pilot: Pilot[None]) -> list[str]:
    """The rows of the feed that are on the screen."""
    feed = dashboard(pilot).feed
    return [feed.render_line(y).text for y in range(feed.size.height)]


def toasts(pilot: Pilot[None]) -> list[str]:
    """What has been said in passing."""
    return [notification.message for notification in pilot.app._notifications]
