"""The adapter that the setting ``pubsub`` names."""

from __future__ import annotations

import importlib
from typing import Final, cast

from eventscope.pubsub.base import PubSub
from eventscope.pubsub.local import LocalPubSub
from eventscope.settings import SettingsError

_METHODS: Final = ("wants", "publish", "subscribe", "unsubscribe", "close")


def pubsub(adapter: str) -> PubSub:
    """Build the adapter that a setting names: ``local`` or ``package.module:Class``.

    Raises:
        SettingsError: there is no such class.
    """
    if adapter == "local":
        return LocalPubSub()
    module, _, name = adapter.partition(":")
    try:
        built = getattr(importlib.import_module(module), name)()
    except Exception as error:
        raise SettingsError(
            f"setting pubsub: cannot use {adapter!r} ({error}); want local or package.module:Class"
        ) from error
    for method in _METHODS:
        if not callable(getattr(built, method, None)):
            raise SettingsError(f"setting pubsub: {adapter} has no method {method}")
    return cast("PubSub", built)
