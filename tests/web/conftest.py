"""A blog whose comments are announced by their post, and who may listen to it."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from eventscope import EventScope
from eventscope.web import LiveEvents, Subscription
from tests.pubsub.conftest import run  # noqa: F401 - a fixture


@pytest.fixture
def app() -> EventScope:
    app = EventScope("web")
    app.entity("posts")
    app.entity("comments", scopes=[{"post_id": "posts"}])
    return app


def live(app: EventScope, *subscriptions: Subscription, **options: float) -> ASGIApp:
    """A web application in which everybody may listen to these."""

    def permit(request: Request) -> tuple[Subscription, ...]:
        return subscriptions

    return Starlette(routes=[Route("/live", LiveEvents(app, permit, **options))])
