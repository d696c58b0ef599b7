"""What a running engine tells of its own health."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import Pause
from eventscope.engine.questions.health import CheckHealth, Health, TakeStock
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Watching, Write
from tests.waiting import until


def severities(health: Health) -> dict[str, str]:
    return {f.check: f.severity for group in health.groups.values() for f in group}


def warnings(health: Health) -> list[str]:
    findings = [f for group in health.groups.values() for f in group]
    return [f.line for f in findings if f.severity in ("warning", "blocking")]


async def streaming(engine: Engine) -> None:
    await until(lambda: engine.snapshot().stream.state == "streaming")


async def test_an_engine_at_work_is_well_and_not_in_its_own_way(
    notes: Write, settings: Settings
) -> None:
    async with Engine(Watching(), settings) as engine:
        await streaming(engine)
        await notes(1)
        await engine.settle(60)
        health = await engine.ask(CheckHealth(is_reader=True))
        assert warnings(health) == []
        assert severities(health)["slot"] == "ok"
        assert "queue_in_use" not in severities(health)
        assert health.slot is not None
        assert (health.slot.name, health.slot.wal_status) == (settings.slot_name, "reserved")


async def test_a_temporary_slot_of_our_own_is_not_in_the_way(
    notes: Write, make_settings: MakeSettings
) -> None:
    async with Engine(Watching(), make_settings(durable_slot=False)) as engine:
        await streaming(engine)
        assert warnings(await engine.ask(CheckHealth(is_reader=True))) == []


async def test_a_slot_that_another_reads_is_named(
    notes: Write, make_settings: MakeSettings, tmp_path: Path
) -> None:
    first, second = make_settings(), make_settings(queue_path=tmp_path / "second.db")
    async with Engine(Watching(), first) as reading:
        await streaming(reading)
        async with Engine(Watching(), second) as engine:
            await until(lambda: engine.snapshot().stream.state == "standby")
            health = await engine.ask(CheckHealth(is_reader=False))
            assert severities(health)["slot"] == "note"


async def test_what_goes_wrong_while_it_runs_is_found_with_its_remedy(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    async with Engine(Watching(), settings) as engine:
        await streaming(engine)
        await connection.execute("ALTER TABLE notes REPLICA IDENTITY NOTHING")
        health = await engine.ask(CheckHealth(is_reader=True))
        statements = [f.sql for group in health.groups.values() for f in group if f.sql]
        assert any(sql.startswith("ALTER TABLE") and "notes" in sql for sql in statements)


async def test_stock_is_taken_of_the_file_and_of_the_slowest(
    notes: Write, settings: Settings
) -> None:
    app = Watching("quick")

    async def slow(event: Event) -> None: ...

    app.operator(entities=["notes"], name="slow")(slow)
    async with Engine(app, settings) as engine:
        await streaming(engine)
        await notes(1)
        await engine.settle(60)
        before = await engine.ask(TakeStock())
        assert (before.slowest, before.applied) == (None, None)
        await engine.command(Pause("slow"))
        await notes(2)
        await until(lambda: app.ids == [1, 2])
        stock = await engine.ask(TakeStock())
        assert stock.slowest == "slow"
        assert stock.applied is not None
        assert stock.applied < engine.snapshot().stream.stored_lsn
        assert stock.events == 2
        assert stock.size is not None
        assert stock.size > 4_096
        assert (stock.retention_events, stock.retention_size) == (100_000, 256 * 1024 * 1024)


async def test_a_queue_in_memory_has_no_size(notes: Write, make_settings: MakeSettings) -> None:
    async with Engine(Watching(), make_settings(queue_storage_adapter="memory")) as engine:
        await streaming(engine)
        assert (await engine.ask(TakeStock())).size is None


async def test_without_operators_all_that_is_stored_is_applied(
    notes: Write, settings: Settings
) -> None:
    app = EventScope("engine")
    app.entity("notes")
    async with Engine(app, settings) as engine:
        await streaming(engine)
        await notes(1)
        await engine.settle(60)
        assert (await engine.ask(TakeStock())).slowest is None


async def test_a_database_that_is_away_is_said_to_be(
    notes: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Engine(Watching(), settings) as engine:
        await streaming(engine)
        monkeypatch.setenv("PGHOST", "/nowhere")
        gone = settings.model_copy(update={"url": Settings.load(url="host=/nowhere").url})
        engine.settings = gone
        health = await engine.ask(CheckHealth(is_reader=False))
        assert severities(health)["connection"] == "blocking"
        assert health.slot is None
