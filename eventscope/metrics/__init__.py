"""What a running engine tells of itself to Prometheus, and to whoever asks whether it is well."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

_HOMES: Final = {
    "EngineCollector": "collector",
    "Endpoint": "endpoint",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is used: who serves no metrics needs no Prometheus."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
