"""A blog whose comments are announced by their post, and who may listen to it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from eventscope import EventScope
from eventscope.web import LiveEvents, Subscription
from eventscope.web.permission import Permit
from tests.pubsub.conftest import app, run  # noqa: F401 - fixtures


def live(listened: EventScope, permit: Permit | Subscription, **options: float) -> ASGIApp:
    """A web application with an endpoint, at which everybody may listen to a subscription."""

    def everybody(request: Request) -> Subscription | Sequence[Subscription] | None:
        assert isinstance(permit, Subscription)
        return permit

    asked = everybody if isinstance(permit, Subscription) else permit
    return Starlette(routes=[Route("/live", LiveEvents(listened, asked, **options))])
