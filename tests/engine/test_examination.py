"""What an examination makes of the queue file, beside its source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eventscope import EventScope
from eventscope.engine import Engine
from eventscope.engine.examination import examine
from eventscope.event import Lsn
from eventscope.queue.base import Checkpoint, QueueError
from eventscope.queue.sqlite import SqliteQueue
from eventscope.replication.connection import SourceError
from eventscope.replication.finding import Finding
from eventscope.settings import Settings


@pytest.fixture
async def app(connection) -> EventScope:
    await connection.execute("CREATE TABLE posts (id int PRIMARY KEY)")
    app = EventScope("blog")
    app.entity("posts")
    return app


async def group(app: EventScope | None, settings: Settings, name: str = "queue") -> list[Finding]:
    return list((await examine(app, settings)).groups.get(name, []))


async def blocking(app: EventScope, settings: Settings) -> list[Finding]:
    groups = (await examine(app, settings)).groups
    return [f for findings in groups.values() for f in findings if f.severity == "blocking"]


async def ran(app: EventScope, settings: Settings) -> None:
    """Run once, so that slot and queue are there."""
    async with Engine(app, settings) as engine:
        await engine.settle(20)


async def change_checkpoint(path: Path, **changes: int) -> None:
    queue = await SqliteQueue.open(path, retention_events=0, retention_bytes=10**9)
    origin, checkpoint = queue._origin, queue.checkpoint
    assert origin is not None
    assert checkpoint is not None
    changed = {
        "timeline": checkpoint.timeline,
        "stored": checkpoint.stored,
        "acknowledged": checkpoint.acknowledged,
    } | changes
    await queue.begin(origin, Checkpoint(**changed))
    await queue.close()


async def refuses_to_start(app: EventScope, settings: Settings) -> None:
    with pytest.raises((SourceError, QueueError)):
        async with Engine(app, settings):
            pass


async def test_a_queue_that_will_be_made_is_no_trouble(app, settings):
    [found] = await group(app, settings)
    assert (found.severity, "will be made" in found.found) == ("ok", True)
    assert not settings.queue_path.exists()


async def test_a_queue_that_can_go_on_is_told_with_its_place(app, settings):
    await ran(app, settings)
    [found] = await group(app, settings)
    assert (found.severity, f"queue file {settings.queue_path} has come to 0/" in found.found) == (
        "ok",
        True,
    )
    assert await blocking(app, settings) == []


async def test_a_queue_that_a_process_has_open_is_noted(app, settings):
    async with Engine(app, settings):
        _, found = await group(app, settings)
    assert (found.severity, f"in use by process {os.getpid()}" in found.found) == ("note", True)


async def test_a_queue_of_another_slot_blocks_as_it_blocks_a_start(app, settings, make_settings):
    await ran(app, settings)
    other = make_settings(slot_name=f"{settings.slot_name}_other")
    [found] = await blocking(app, other)
    assert found.check == "queue_origin"
    assert f"slot {settings.slot_name}" in found.found
    assert f"slot {other.slot_name}" in found.why
    await refuses_to_start(app, other)


async def test_a_queue_of_another_timeline_blocks_as_it_blocks_a_start(app, settings):
    await ran(app, settings)
    await change_checkpoint(settings.queue_path, timeline=7)
    [found] = await blocking(app, settings)
    assert (found.check, found.found) == (
        "queue_timeline",
        "the server is on timeline 1, this queue was written on 7",
    )
    await refuses_to_start(app, settings)


async def test_a_slot_ahead_of_the_queue_blocks_as_it_blocks_a_start(app, settings):
    await ran(app, settings)
    await change_checkpoint(settings.queue_path, stored=Lsn(0), acknowledged=Lsn(16))
    [found] = await blocking(app, settings)
    assert "advanced to" in found.found
    assert "0/10" in found.why
    await refuses_to_start(app, settings)


async def test_a_queue_that_is_ahead_of_the_server_blocks(app, settings):
    await ran(app, settings)
    await change_checkpoint(settings.queue_path, acknowledged=Lsn(1 << 50))
    [found] = await blocking(app, settings)
    assert (found.check, "restored from an older copy" in found.why) == ("queue_position", True)


async def test_a_file_that_is_no_queue_blocks_as_it_blocks_a_start(app, settings):
    settings.queue_path.write_text("x" * 5000)
    [found] = await blocking(app, settings)
    assert "file is not a database" in found.found
    await refuses_to_start(app, settings)


async def test_an_application_without_a_table_blocks(settings):
    [found] = await group(EventScope("empty"), settings, "settings")
    assert (found.severity, found.check) == ("blocking", "entities")


async def test_without_an_application_a_queue_is_looked_at_if_its_name_is_known(
    app, settings, make_settings
):
    await ran(app, settings)
    assert len(await group(None, settings)) == 1
    assert await group(None, make_settings(queue_path=None)) == []


async def test_a_database_that_is_not_there_leaves_the_queue_to_be_looked_at(app, tmp_path):
    settings = Settings(url=f"host={tmp_path} port=1", queue_path=tmp_path / "queue.db")
    found = await examine(app, settings)
    assert (found.is_connected, list(found.groups)) == (False, ["connection", "queue"])
