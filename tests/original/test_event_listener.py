"""How a live view subscribes: behaviour for behaviour what EventStreamex tests.

Mirrors test/event_streamex/event_listener_test.exs of EventStreamex 1.2.1, which has 32 tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from eventscope import EventScope
from eventscope.pubsub.broker import Broker
from eventscope.pubsub.channels import announcements
from eventscope.pubsub.live import LiveView
from eventscope.pubsub.local import LocalPubSub
from tests.events import an_insert
from tests.pubsub.hearing import take, told

BY_POST = {"post_id": "posts"}
BY_POST_AND_AUTHOR = {"post_id": "posts", "author_id": "authors"}
BY_ORGANIZATION = {"organization_id": "organizations"}

POST = (("posts", "123"),)
POST_AND_AUTHOR = (("posts", "123"), ("authors", "456"))
ORGANIZATION = (("organizations", "789"),)

COMMENT = {"id": 89, "post_id": 123, "author_id": 456}
USER = {"id": 7, "organization_id": 789}

View = Callable[..., Awaitable[LiveView]]
Publish = Callable[[str, dict[str, Any]], Awaitable[None]]


@pytest.fixture
def app() -> EventScope:
    app = EventScope("original")
    app.entity("comments", scopes=[BY_POST, BY_POST_AND_AUTHOR])
    app.entity("users", scopes=[BY_ORGANIZATION])
    return app


@pytest.fixture
async def broker(app: EventScope) -> AsyncIterator[Broker]:
    broker = Broker(app, LocalPubSub())
    await broker.open()
    yield broker
    await broker.close()


@pytest.fixture
def publish(broker: Broker) -> Publish:
    """Announces an inserted row of a table on all of its channels."""

    async def publish(entity: str, row: dict[str, Any]) -> None:
        scopes = broker.app.scopes(entity)
        told = announcements(an_insert(entity, row), entity, scopes, ["id"])
        await broker.pubsub.publish(list(told))

    return publish


@pytest.fixture
def mounted(broker: Broker) -> View:
    """Mounts a view of comments with these subscriptions."""

    async def mount(*subscriptions: Any) -> LiveView:
        view = LiveView(broker.app, "comments", subscriptions)
        await view.mount()
        return view

    return mount


@pytest.fixture
async def heard(publish: Publish) -> Callable[[LiveView], Awaitable[list[Any]]]:
    """The scopes on which a view hears of one comment and one user."""

    async def heard(view: LiveView) -> list[Any]:
        await view.messages.join("comments", id="end")
        await publish("comments", COMMENT)
        await publish("users", USER)
        await publish("comments", {"id": "end"})
        scopes: list[Any] = []
        while True:
            [message] = await take(view.messages, 1)
            if told(message) == ("on_insert", "direct", "end"):
                return scopes
            if told(message)[2] != "end":
                scopes.append((message.entity, message.scope))

    return heard


# one scope


async def test_a_view_of_a_scope_subscribes_to_nothing_when_it_is_mounted(mounted, heard):
    view = await mounted(BY_POST)
    assert not view.is_subscribed("comments", BY_POST)
    assert await heard(view) == []


async def test_a_view_of_a_scope_subscribes_to_nothing_with_wrong_params(mounted, heard):
    view = await mounted(BY_POST)
    await view.handle_params({"bad_id": "123"})
    assert not view.is_subscribed("comments", BY_POST)
    assert await heard(view) == []


async def test_a_view_of_a_scope_subscribes_with_its_param_and_keeps_the_params(mounted, heard):
    view = await mounted(BY_POST)
    await view.handle_params({"post_id": "123"})
    assert view.is_subscribed("comments", BY_POST)
    assert view.params == {"post_id": "123"}
    assert await heard(view) == [("comments", POST)]


async def test_a_view_of_a_scope_unsubscribes_when_it_ends(broker, mounted):
    view = await mounted(BY_POST)
    await view.handle_params({"post_id": "123"})
    await view.unmount()
    assert not view.is_subscribed("comments", BY_POST)
    assert not broker.pubsub.wants("comments")


# a scope of several columns


async def test_a_view_of_a_complex_scope_subscribes_to_nothing_when_it_is_mounted(mounted, heard):
    view = await mounted(BY_POST_AND_AUTHOR)
    assert not view.is_subscribed("comments", BY_POST_AND_AUTHOR)
    assert await heard(view) == []


async def test_a_view_of_a_complex_scope_subscribes_to_nothing_with_bad_params(mounted, heard):
    view = await mounted(BY_POST_AND_AUTHOR)
    await view.handle_params({"bad_id": "123"})
    assert not view.is_subscribed("comments", BY_POST_AND_AUTHOR)
    assert await heard(view) == []


async def test_a_view_of_a_complex_scope_subscribes_to_nothing_with_half_of_its_params(
    mounted, heard
):
    view = await mounted(BY_POST_AND_AUTHOR)
    await view.handle_params({"post_id": "123"})
    assert not view.is_subscribed("comments", BY_POST_AND_AUTHOR)
    assert await heard(view) == []


async def test_a_view_of_a_complex_scope_subscribes_with_all_of_its_params(mounted, heard):
    view = await mounted(BY_POST_AND_AUTHOR)
    await view.handle_params({"author_id": "456", "post_id": "123"})
    assert view.is_subscribed("comments", BY_POST_AND_AUTHOR)
    assert await heard(view) == [("comments", POST_AND_AUTHOR)]


async def test_a_view_of_a_complex_scope_unsubscribes_when_it_ends(broker, mounted):
    view = await mounted(BY_POST_AND_AUTHOR)
    await view.handle_params({"author_id": "456", "post_id": "123"})
    await view.unmount()
    assert not view.is_subscribed("comments", BY_POST_AND_AUTHOR)
    assert not broker.pubsub.wants("comments")


# unscoped


async def test_an_unscoped_view_subscribes_when_it_is_mounted(mounted, heard):
    view = await mounted("unscoped")
    assert view.is_subscribed("comments", "unscoped")
    assert await heard(view) == [("comments", ())]


async def test_an_unscoped_view_unsubscribes_when_it_ends(broker, mounted):
    view = await mounted("unscoped")
    await view.unmount()
    assert not view.is_subscribed("comments", "unscoped")
    assert not broker.pubsub.wants("comments")


# direct


async def test_a_direct_view_subscribes_to_nothing_when_it_is_mounted(mounted, heard):
    view = await mounted("direct")
    assert not view.is_subscribed("comments", "direct")
    assert await heard(view) == []


async def test_a_direct_view_subscribes_to_nothing_with_bad_params(mounted, heard):
    view = await mounted("direct")
    await view.handle_params({"bad_id": "89"})
    assert not view.is_subscribed("comments", "direct")
    assert await heard(view) == []


async def test_a_direct_view_subscribes_with_an_id(mounted, heard):
    view = await mounted("direct")
    await view.handle_params({"id": "89"})
    assert view.is_subscribed("comments", "direct")
    assert await heard(view) == [("comments", "direct")]


async def test_a_direct_view_unsubscribes_when_it_ends(broker, mounted):
    view = await mounted("direct")
    await view.handle_params({"id": "89"})
    await view.unmount()
    assert not view.is_subscribed("comments", "direct")
    assert not broker.pubsub.wants("comments")


# all of them

ALL = ("direct", "unscoped", BY_POST_AND_AUTHOR)


async def test_a_view_of_everything_subscribes_to_the_unscoped_alone_when_it_is_mounted(
    mounted, heard
):
    view = await mounted(*ALL)
    assert [view.is_subscribed("comments", one) for one in ALL] == [False, True, False]
    assert await heard(view) == [("comments", ())]


async def test_a_view_of_everything_stays_with_the_unscoped_with_bad_params(mounted, heard):
    view = await mounted(*ALL)
    await view.handle_params({"bad_id": "89"})
    assert [view.is_subscribed("comments", one) for one in ALL] == [False, True, False]
    assert await heard(view) == [("comments", ())]


async def test_a_view_of_everything_stays_with_the_unscoped_with_half_of_a_scope_s_params(
    mounted, heard
):
    view = await mounted(*ALL)
    await view.handle_params({"post_id": "123"})
    assert [view.is_subscribed("comments", one) for one in ALL] == [False, True, False]
    assert await heard(view) == [("comments", ())]


async def test_a_view_of_everything_subscribes_to_the_row_with_an_id_and_half_of_a_scope_s_params(
    mounted, heard
):
    view = await mounted(*ALL)
    await view.handle_params({"id": "89", "post_id": "123"})
    assert [view.is_subscribed("comments", one) for one in ALL] == [True, True, False]
    assert await heard(view) == [("comments", ()), ("comments", "direct")]


async def test_a_view_of_everything_hears_on_three_channels_with_all_params(mounted, heard):
    view = await mounted(*ALL)
    await view.handle_params({"id": "89", "post_id": "123", "author_id": "456"})
    assert [view.is_subscribed("comments", one) for one in ALL] == [True, True, True]
    assert await heard(view) == [
        ("comments", ()),
        ("comments", "direct"),
        ("comments", POST_AND_AUTHOR),
    ]


async def test_a_view_of_everything_hears_of_nothing_when_it_has_ended(broker, mounted, publish):
    view = await mounted(*ALL)
    await view.handle_params({"id": "89", "post_id": "123", "author_id": "456"})
    messages = view.messages
    await view.unmount()
    await publish("comments", COMMENT)
    assert [message async for message in messages] == []
    assert [view.is_subscribed("comments", one) for one in ALL] == [False, False, False]
    assert not broker.pubsub.wants("comments")


# another entity


async def test_a_view_can_subscribe_to_all_of_another_entity(mounted, heard):
    view = await mounted("direct")
    await view.subscribe_entity("users", ["unscoped"], {})
    assert view.is_subscribed("users", "unscoped")
    assert await heard(view) == [("users", ())]


async def test_an_unknown_way_to_listen_to_another_entity_is_ignored(mounted, heard):
    view = await mounted("direct")
    await view.subscribe_entity("users", ["unknown"], {"id": "7"})
    assert await heard(view) == []


async def test_a_row_of_another_entity_is_ignored_without_an_id(mounted, heard):
    view = await mounted("direct")
    await view.subscribe_entity("users", ["direct"], {"bad_id": "7"})
    assert not view.is_subscribed("users", "direct")
    assert await heard(view) == []


async def test_a_view_can_subscribe_to_a_row_of_another_entity(mounted, heard):
    view = await mounted("direct")
    await view.subscribe_entity("users", ["direct"], {"id": "7"})
    assert view.is_subscribed("users", "direct")
    assert await heard(view) == [("users", "direct")]


async def test_a_scope_of_another_entity_is_ignored_without_its_param(mounted, heard):
    view = await mounted("direct")
    await view.subscribe_entity("users", [BY_ORGANIZATION], {"id": "7"})
    assert not view.is_subscribed("users", BY_ORGANIZATION)
    assert await heard(view) == []


async def test_a_view_can_subscribe_to_a_scope_of_another_entity(mounted, heard):
    view = await mounted("direct")
    await view.subscribe_entity("users", [BY_ORGANIZATION], {"organization_id": "789"})
    assert view.is_subscribed("users", BY_ORGANIZATION)
    assert await heard(view) == [("users", ORGANIZATION)]


FOREIGN = ("direct", "unscoped", BY_ORGANIZATION)
FOREIGN_PARAMS = {"id": "7", "organization_id": "789"}


async def test_a_view_can_subscribe_to_another_entity_in_three_ways_at_once(mounted, heard):
    view = await mounted("direct")
    await view.subscribe_entity("users", FOREIGN, FOREIGN_PARAMS)
    assert await heard(view) == [("users", ()), ("users", "direct"), ("users", ORGANIZATION)]


async def test_the_end_of_a_view_clears_its_own_subscriptions_and_those_to_other_entities(
    broker, mounted
):
    view = await mounted(*ALL)
    await view.handle_params({"id": "89", "post_id": "123", "author_id": "456"})
    await view.subscribe_entity("users", FOREIGN, FOREIGN_PARAMS)
    await view.unmount()
    assert [view.is_subscribed("comments", one) for one in ALL] == [False, False, False]
    assert [view.is_subscribed("users", one) for one in FOREIGN] == [False, False, False]
    assert not broker.pubsub.wants("comments")
    assert not broker.pubsub.wants("users")


async def test_to_unsubscribe_from_all_of_another_entity_leaves_the_rest(mounted, heard):
    view = await mounted("unscoped")
    await view.subscribe_entity("users", FOREIGN, FOREIGN_PARAMS)
    await view.unsubscribe_entity("users", ["unscoped"])
    assert [view.is_subscribed("users", one) for one in FOREIGN] == [True, False, True]
    assert await heard(view) == [("comments", ()), ("users", "direct"), ("users", ORGANIZATION)]


async def test_to_unsubscribe_from_a_row_of_another_entity_leaves_the_rest(mounted, heard):
    view = await mounted("unscoped")
    await view.subscribe_entity("users", FOREIGN, FOREIGN_PARAMS)
    await view.unsubscribe_entity("users", ["direct"])
    assert [view.is_subscribed("users", one) for one in FOREIGN] == [False, True, True]
    assert await heard(view) == [("comments", ()), ("users", ()), ("users", ORGANIZATION)]


async def test_to_unsubscribe_from_a_scope_of_another_entity_leaves_the_rest(mounted, heard):
    view = await mounted("unscoped")
    await view.subscribe_entity("users", FOREIGN, FOREIGN_PARAMS)
    await view.unsubscribe_entity("users", [BY_ORGANIZATION])
    assert [view.is_subscribed("users", one) for one in FOREIGN] == [True, True, False]
    assert await heard(view) == [("comments", ()), ("users", ()), ("users", "direct")]
