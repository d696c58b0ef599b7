"""A queue file that cannot be written while the dashboard is open: said, and recovered from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from textual.pilot import Pilot

from eventscope.queue import appender, patience
from eventscope.tui.widgets.notice import Notice
from tests.hindrances import full, locked, small_disk
from tests.tui.driving import dashboard, screen, until
from tests.tui.place import Place, place, running_dashboard, says, server

__all__ = ["place", "server"]

NOTHING_LOST = "The reader has stopped acknowledging; nothing is lost."


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_AGAIN", 0.02)
    monkeypatch.setattr(appender, "LOCK_WAIT", 0.1)


async def test_a_full_disk_is_a_red_bar_until_there_is_room(place: Place, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        own = place._replace(queue=disk / "queue.db")
        async with running_dashboard(own) as pilot:
            await until(pilot, lambda: "LIVE" in screen(pilot))
            with full(disk):
                await asyncio.to_thread(place.execute, *inserts(10))
                await until(pilot, lambda: "BLOCKED" in screen(pilot))
                said = ("database or disk is full", f"free space at {disk}", NOTHING_LOST)
                await until(pilot, lambda: says(pilot, said))
                bar = dashboard(pilot).query_one(Notice)
                assert bar.has_class("-failure")
                assert bar.region.width == 80
                stood = await asyncio.to_thread(confirmed, place)
                await asyncio.to_thread(place.execute, *inserts(20))
                assert await asyncio.to_thread(confirmed, place) == stood
            await until(pilot, lambda: "LIVE" in screen(pilot))
            await until(pilot, lambda: "full" not in screen(pilot))
            await until(pilot, lambda: says(pilot, ("19", "29")))
            assert dashboard(pilot).feed.events.total == 20


async def test_a_locked_queue_file_is_a_red_bar_that_names_who_locks_it(place: Place) -> None:
    async with running_dashboard(place) as pilot:
        await until(pilot, lambda: "LIVE" in screen(pilot))
        async with locked(place.queue) as pid:
            await asyncio.to_thread(place.execute, *inserts(10))
            await until(pilot, lambda: "BLOCKED" in screen(pilot))
            await until(
                pilot,
                lambda: says(pilot, ("database is locked", f"end process {pid}", NOTHING_LOST)),
            )
        await until(pilot, lambda: "LIVE" in screen(pilot))
        await until(pilot, lambda: says(pilot, ("10", "19")))


async def test_a_dashboard_that_waits_for_a_locked_file_can_be_left(place: Place) -> None:
    async with locked_while(place) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)
    async with running_dashboard(place) as pilot:
        await until(pilot, lambda: says(pilot, ("10", "19")))


@asynccontextmanager
async def locked_while(place: Place) -> AsyncIterator[Pilot[None]]:
    """A dashboard that waits for a lock until it has been left, and its engine has ended."""
    async with AsyncExitStack() as held, running_dashboard(place) as pilot:
        await until(pilot, lambda: "LIVE" in screen(pilot))
        await held.enter_async_context(locked(place.queue))
        await asyncio.to_thread(place.execute, *inserts(10))
        await until(pilot, lambda: "BLOCKED" in screen(pilot))
        yield pilot


def inserts(first: int) -> list[str]:
    return [f"INSERT INTO notes VALUES ({n})" for n in range(first, first + 10)]


def confirmed(place: Place) -> str:
    """What the server was told it may forget."""
    with psycopg.connect(place.url) as connection:
        [lsn] = connection.execute(
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = 'start'"
        ).fetchone()
    return lsn
