"""A pytest plugin for people who test their own operators, on a real PostgreSQL.

It is imported in every run of pytest where eventscope is installed, so that anything of weight is
imported by the fixtures, and by what is asked for here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from eventscope.testing.fixtures import (
    eventscope_database,
    eventscope_runner,
    eventscope_schema,
    eventscope_server,
    eventscope_settings,
)
from eventscope.testing.options import pytest_addoption

if TYPE_CHECKING:
    from eventscope.testing.fixtures import MakeSettings, StartRunner
    from eventscope.testing.operator import OperatorReport
    from eventscope.testing.runner import Runner
    from eventscope.testing.schema import Schema
    from eventscope.testing.server import Server

__all__ = [
    "MakeSettings",
    "OperatorReport",
    "Runner",
    "Schema",
    "Server",
    "StartRunner",
    "eventscope_database",
    "eventscope_runner",
    "eventscope_schema",
    "eventscope_server",
    "eventscope_settings",
    "pytest_addoption",
]

_HOMES: Final = {
    "MakeSettings": "fixtures",
    "OperatorReport": "operator",
    "Runner": "runner",
    "Schema": "schema",
    "Server": "server",
    "StartRunner": "fixtures",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
