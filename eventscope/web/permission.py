"""What a request may listen to, as the application's own code decides."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from eventscope.resumable import Subscription

Permission = Subscription | Sequence[Subscription] | None
"""What a client may listen to; None or nothing refuses it."""

Permit = Callable[[Request], Permission | Awaitable[Permission]]
"""Decides it; may be ``async def``, and is called in a thread otherwise."""


async def permitted(permit: Permit, request: Request) -> Sequence[Subscription]:
    """Ask; returns nothing for a refusal. What it raises is for the web framework."""
    found: Any
    if _is_async(permit):
        found = permit(request)
    else:
        found = await run_in_threadpool(permit, request)
    if inspect.isawaitable(found):
        found = await found
    permission = cast("Permission", found)
    if permission is None:
        return ()
    return (permission,) if isinstance(permission, Subscription) else tuple(permission)


def _is_async(permit: Permit) -> bool:
    return any(map(inspect.iscoroutinefunction, (permit, type(permit).__call__)))
