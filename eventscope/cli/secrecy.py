"""Keeping passwords out of all that a command says, whatever it says it of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from eventscope.settings import Settings, SettingsError

if TYPE_CHECKING:
    from eventscope.operators.redaction import Redaction

_kept: list[Callable[[], Redaction]] = []
"""What masks the passwords of the settings that the command has read; made when it is needed."""


def keep(settings: Settings) -> Settings:
    """Let nothing be said of the passwords that these settings hold; returns them."""
    _kept.append(cache(lambda: _redaction(settings)))
    return settings


def redacted(text: str) -> str:
    """The text without passwords: those that are known, and what looks like one."""
    from eventscope.operators.redaction import without_likely_passwords

    with suppress(SettingsError):  # a url that is none, which is told where it is used
        for without_known in _kept:
            text = without_known()(text)
    return without_likely_passwords(text)


def _redaction(settings: Settings) -> Redaction:
    from eventscope.operators.redaction import Redaction

    return Redaction(settings)
