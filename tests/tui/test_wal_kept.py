"""WAL that the server keeps for us, and for whom: told before the slot is lost."""

from __future__ import annotations

import asyncio

import pytest

from eventscope import Event, EventScope
from eventscope.event import Lsn
from eventscope.tui.app import EventScopeApp
from eventscope.tui.widgets.notice import Notice
from tests.tui.driving import dashboard, screen, until
from tests.tui.place import Place, place, running_dashboard, says, server
from tests.tui.scripted import ScriptedEngine
from tests.tui.snapshots import assert_looks

__all__ = ["place", "server"]


def an_app() -> EventScope:
    app = EventScope("start")
    app.entity("notes")

    @app.operator(entities=["notes"])
    async def slow_mail(event: Event) -> None:
        pass

    @app.operator(entities=["notes"])
    async def audit(event: Event) -> None:
        pass

    return app


async def test_the_operator_that_the_slot_waits_for_is_named_until_it_goes_on(
    place: Place,
) -> None:
    limit = "ALTER SYSTEM SET max_slot_wal_keep_size"
    await asyncio.to_thread(place.execute, f"{limit} = '96MB'", "SELECT pg_reload_conf()")
    try:
        async with running_dashboard(place, an_app(), acknowledge="applied") as pilot:
            await until(pilot, lambda: "slow_mail" in screen(pilot))
            await pilot.press("p")
            await until(pilot, lambda: "paused" in screen(pilot))
            await asyncio.to_thread(place.execute, "INSERT INTO notes VALUES (1)", *wal(4))
            await until(
                pilot, lambda: says(pilot, ("of WAL for slot start", "max_slot_wal_keep_size"))
            )
            await until(pilot, lambda: says(pilot, ("It waits for operator slow_mail.",)))
            await pilot.press("4", "r")
            await until(pilot, lambda: says(pilot, ("the slot waits for operator slow_mail",)))
            await pilot.press("1", "p")
            await until(pilot, lambda: "of WAL for slot" not in screen(pilot))
    finally:
        await asyncio.to_thread(place.execute, f"{limit} = -1", "SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("megabytes", "limit", "is_told"),
    [(900, None, False), (1_100, None, True), (60, 100, True), (40, 100, False)],
)
async def test_it_is_told_from_one_gigabyte_or_half_of_the_limit_on(
    engine: ScriptedEngine, megabytes: int, limit: int | None, is_told: bool
) -> None:
    held(engine, megabytes, limit)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "order_items" in screen(pilot))
        assert dashboard(pilot).query_one(Notice).has_class("-shown") == is_told


async def test_how_it_looks(engine: ScriptedEngine) -> None:
    held(engine, 1_100, 2_000)
    engine.stream(held_back_by="billing_sync")
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await assert_looks(pilot, "wal-kept")


def held(engine: ScriptedEngine, megabytes: int, limit: int | None) -> None:
    end = Lsn(2 << 40)
    engine.stream(
        received_lsn=end,
        stored_lsn=end,
        acknowledged_lsn=Lsn(end - (megabytes << 20)),
        wal_limit=limit << 20 if limit is not None else None,
    )


def wal(segments: int) -> list[str]:
    """What fills segments of 16 MB."""
    return [
        "SELECT pg_logical_emit_message(false, 'filling', '')",
        "SELECT pg_switch_wal()",
    ] * segments
