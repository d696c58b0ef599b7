"""What a live view does beyond the original: parameters that change, tables without an id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from eventscope import EventScope
from eventscope.app import DeclarationError
from eventscope.errors import NotRunning
from eventscope.pubsub.broker import Broker
from eventscope.pubsub.channels import announcements
from eventscope.pubsub.live import LiveView, Params
from eventscope.pubsub.local import LocalPubSub
from tests.events import an_insert
from tests.pubsub.hearing import take, told

BY_POST = {"post_id": "posts"}


@pytest.fixture
async def broker(app: EventScope) -> AsyncIterator[Broker]:
    broker = Broker(app, LocalPubSub())
    await broker.open()
    yield broker
    await broker.close()


async def insert(broker: Broker, entity: str, *rows: dict[str, Any], key: Any = ("id",)) -> None:
    for row in rows:
        event = an_insert(entity, row, key=key)
        told = announcements(event, entity, broker.app.scopes(entity), key)
        await broker.pubsub.publish(list(told))


async def test_another_id_takes_the_place_of_the_old_one(broker: Broker) -> None:
    view = LiveView(broker.app, "comments", ["direct"])
    await view.mount()
    await view.handle_params({"id": 1})
    await view.handle_params({"id": 2})
    await insert(broker, "comments", {"id": 1}, {"id": 2})
    assert told((await take(view.messages, 1))[0]) == ("on_insert", "direct", 2)


async def test_another_scope_takes_the_place_of_the_old_one(broker: Broker) -> None:
    view = LiveView(broker.app, "comments", [BY_POST])
    await view.mount()
    await view.handle_params({"post_id": 1})
    await view.handle_params({"post_id": 2})
    await insert(broker, "comments", {"id": 1, "post_id": 1}, {"id": 2, "post_id": 2})
    assert told((await take(view.messages, 1))[0])[2] == 2


async def test_params_that_go_away_end_what_they_led_to(broker: Broker) -> None:
    view = LiveView(broker.app, "comments", ["direct", BY_POST])
    await view.mount()
    await view.handle_params({"id": 1, "post_id": 1})
    await view.handle_params({"id": None})
    assert not view.is_subscribed("comments", "direct")
    assert not view.is_subscribed("comments", BY_POST)
    assert not broker.pubsub.wants("comments")


async def test_params_that_stay_as_they_are_lose_nothing_that_has_come(broker: Broker) -> None:
    view = LiveView(broker.app, "comments")
    await view.mount()
    await view.handle_params({"id": 1})
    await insert(broker, "comments", {"id": 1})
    await view.handle_params({"id": 1})
    await insert(broker, "comments", {"id": 1})
    assert [m.scope for m in await take(view.messages, 4)] == [(), "direct", (), "direct"]


async def test_a_table_without_an_id_is_shown_too(broker: Broker) -> None:
    view = LiveView(broker.app, "comments", ["direct", "unscoped", BY_POST])
    await view.mount()
    await view.handle_params({"id": 1, "post_id": 1})
    await insert(broker, "comments", {"post_id": 1, "body": "a"}, key=())
    assert [m.scope for m in await take(view.messages, 2)] == [(), (("posts", "1"),)]


async def test_another_entity_s_id_can_change_too(broker: Broker) -> None:
    view = LiveView(broker.app, "comments", [])
    await view.mount()
    await view.subscribe_entity("posts", ["direct"], {"id": 1})
    await view.subscribe_entity("posts", ["direct"], {"id": 2})
    await insert(broker, "posts", {"id": 1}, {"id": 2})
    assert told((await take(view.messages, 1))[0])[2] == 2
    await view.unsubscribe_entity("posts")
    assert not broker.pubsub.wants("posts")


async def test_a_view_can_follow_other_entities_as_its_params_change(broker: Broker) -> None:
    class Post(LiveView):
        async def handle_subscriptions(self, params: Params) -> None:
            await self.subscribe_entity("posts", ["direct"], {"id": params.get("post_id")})

    view = Post(broker.app, "comments", [BY_POST])
    await view.mount()
    assert not view.is_subscribed("posts", "direct")
    await view.handle_params({"post_id": 5})
    await insert(broker, "posts", {"id": 5})
    assert told((await take(view.messages, 1))[0]) == ("on_insert", "direct", 5)
    await view.handle_params({})
    assert not broker.pubsub.wants("posts")


async def test_a_view_can_be_mounted_again(broker: Broker) -> None:
    view = LiveView(broker.app, "comments", ["unscoped"])
    for _ in range(2):
        await view.mount()
        await view.mount()
        await insert(broker, "comments", {"id": 1})
        assert told((await take(view.messages, 1))[0]) == ("on_insert", (), 1)
        await view.unmount()
        await view.unmount()
    with pytest.raises(RuntimeError, match="not mounted"):
        _ = view.messages


async def test_what_a_view_cannot_show_is_named(app: EventScope) -> None:
    with pytest.raises(DeclarationError, match="no entity 'comment': did you mean 'comments'"):
        LiveView(app, "comment")
    with pytest.raises(DeclarationError, match="no scope by author_id"):
        LiveView(app, "comments", [{"author_id": "users"}])
    with pytest.raises(DeclarationError, match="no way to listen is called 'unscopped'"):
        LiveView(app, "comments", ["unscopped"])  # type: ignore[list-item]
    with pytest.raises(NotRunning, match="'listened' is not running"):
        await LiveView(app, "comments").mount()
