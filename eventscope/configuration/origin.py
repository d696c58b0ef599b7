"""Where each setting's value comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from eventscope.configuration.reference import Setting, every
from eventscope.replication.connection import without_secrets
from eventscope.settings import PARTS, Settings, is_at, libpq_has_passwords, origin

MASK: Final = "***"


@dataclass(frozen=True, slots=True)
class Given:
    """A setting as it is in force."""

    setting: Setting
    value: Any
    """Secrets are masked; None where nothing is said."""
    origin: str
    """As ``environment variable EVENTSCOPE_PORT`` or ``eventscope.toml: port``."""


def given(settings: Settings, overrides: Mapping[str, Any]) -> list[Given]:
    """Tell of every setting.

    Args:
        settings: in force.
        overrides: what the command line has said, nested.

    Raises:
        SettingsError: the url is not one.
    """
    return [
        Given(setting, _value(settings, setting), _origin(settings, setting.name, overrides))
        for setting in every()
    ]


def _value(settings: Settings, setting: Setting) -> Any:
    value: Any = settings
    for part in setting.name.split("."):
        value = getattr(value, part)
    if not setting.is_secret or value is None:
        return value
    return without_secrets(settings) if setting.name == "url" else MASK


def _origin(settings: Settings, name: str, overrides: Mapping[str, Any]) -> str:
    if is_at(dict(overrides), name):
        return "command line"
    if name in PARTS and settings.url is not None:
        return "not used: url is given"
    if name in PARTS | {"url"} and name not in settings.model_fields_set:
        return _libpqs(name)
    return origin(name) or "default"


def _libpqs(part: str) -> str:
    """Who decides on a part of the connection that no setting tells of."""
    if part == "url":
        return "default"
    if "PGSERVICE" in os.environ:
        return "libpq: environment variable PGSERVICE"
    if part == "password" and libpq_has_passwords():
        return "libpq: password file"
    return "default"
