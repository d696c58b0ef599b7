"""The setting ``pubsub``: what it may name, and what it is told that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from eventscope import EventScope
from eventscope.engine import Engine
from eventscope.pubsub.local import LocalPubSub
from eventscope.settings import SettingsError
from tests.conftest import MakeSettings
from tests.pubsub.conftest import Run
from tests.pubsub.hearing import take, told
from tests.waiting import until


class Noting(LocalPubSub):
    """An adapter of somebody else's."""

    published: list[str]
    made: Noting

    def __init__(self) -> None:
        super().__init__()
        self.published = []
        Noting.made = self

    async def publish(self, announcements: Any) -> None:
        self.published += [channel.name for channel, _ in announcements]
        if self.published == ["posts", "posts/1"]:
            raise ConnectionError("away")
        await super().publish(announcements)


class Lacking:
    """No adapter."""

    def wants(self, entity: str) -> bool:
        return True


async def test_messages_go_through_the_adapter_that_the_setting_names_and_survive_its_failure(
    app: EventScope, run: Run, make_settings: MakeSettings
) -> None:
    settings = make_settings(pubsub=f"{__name__}:Noting")
    async with Engine(app, settings) as engine, app.subscribe("posts") as stream:
        await run("INSERT INTO posts VALUES (1)")
        await until(lambda: Noting.made.published)
        await run("INSERT INTO posts VALUES (2)")
        assert told((await take(stream, 1))[0]) == ("on_insert", (), 2)
        assert engine.failure is None
    assert Noting.made.published == ["posts", "posts/1", "posts", "posts/2"]


@pytest.mark.parametrize(
    ("adapter", "reason"),
    [
        ("nats", r"setting pubsub: cannot use 'nats' \(.*\); want local or package.module:Class"),
        ("no.such:Module", "cannot use 'no.such:Module' .*No module named 'no'"),
        (f"{__name__}:Missing", "Missing"),
        (f"{__name__}:Lacking", "Lacking has no method publish"),
    ],
)
async def test_an_adapter_that_cannot_be_is_named_before_anything_starts(
    app: EventScope, make_settings: MakeSettings, adapter: str, reason: str
) -> None:
    settings = make_settings(pubsub=adapter)
    with pytest.raises(SettingsError, match=reason):
        async with Engine(app, settings):
            pass
    assert settings.queue_path is not None
    assert not settings.queue_path.exists()
