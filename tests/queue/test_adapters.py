from __future__ import annotations

import pytest

from eventscope.queue import adapters
from eventscope.queue.memory import MemoryQueue
from eventscope.queue.sqlite import SqliteQueue
from eventscope.settings import Settings, SettingsError
from tests.queue.batches import ORIGIN, START


class OfMine(MemoryQueue):
    """An adapter of a user."""

    opened = ()

    @classmethod
    async def open(cls, settings: Settings, app_name: str) -> OfMine:
        cls.opened = (settings.slot_name, app_name)
        return cls(retention_events=0, retention_bytes=0)


class NoQueue:
    """It can be opened, but not used."""

    path = None

    @classmethod
    async def open(cls, settings: Settings, app_name: str) -> NoQueue:
        return cls()


class OpenedAtOnce(MemoryQueue):
    """It has an ``open`` that cannot be awaited."""

    def open(self) -> None:
        """Not this."""


def settings(adapter: str) -> Settings:
    return Settings(queue_storage_adapter=adapter, slot_name="a_slot")


async def test_a_file_is_the_default(tmp_path):
    wanted = Settings(queue_path=tmp_path / "queue.db", retention_events=7)
    queue = await adapters.open_queue(wanted, "blog")
    assert type(queue) is SqliteQueue
    assert queue.path == tmp_path / "queue.db"
    await queue.close()


async def test_memory_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    queue = await adapters.open_queue(settings("memory"), "blog")
    assert type(queue) is MemoryQueue
    await queue.begin(ORIGIN, START)
    await queue.close()
    assert not list(tmp_path.iterdir())


async def test_a_class_of_the_user_is_opened_with_the_settings_and_the_name():
    queue = await adapters.open_queue(settings(f"{__name__}:OfMine"), "blog")
    assert type(queue) is OfMine
    assert OfMine.opened == ("a_slot", "blog")


@pytest.mark.parametrize(
    ("adapter", "reason"),
    [
        ("redis", "No module named 'redis'.*want sqlite, memory or package.module:Class"),
        ("", "want sqlite, memory or package.module:Class"),
        ("json:Nothing", "has no attribute 'Nothing'"),
        (f"{__name__}:MemoryQueue", "has no attribute 'open'"),
        (f"{__name__}:NoQueue", "NoQueue is no queue: it has no acknowledge, advance, .*unmap$"),
        (f"{__name__}:OpenedAtOnce", "OpenedAtOnce.open is no async class method"),
    ],
)
async def test_what_is_no_adapter_is_named(adapter, reason):
    with pytest.raises(SettingsError, match=reason) as raised:
        await adapters.open_queue(settings(adapter), "blog")
    assert str(raised.value).startswith("setting queue_storage_adapter: ")
    assert "\n" not in str(raised.value)
