"""Keeping passwords out of what is kept and told of failures."""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import Final
from urllib.parse import quote

from eventscope.settings import Settings

_MASK: Final = "***"
_DEFAULT: Final = Settings.model_fields["password"].default.get_secret_value()
"""Which everybody knows, and which is a word in many texts."""
_LONG: Final = 6
"""Characters from which on a password is masked also inside of words."""

_GIVEN: Final = re.compile(
    r"""(?i)(pass(?:word|wd)['"]?\s*[=:]\s*)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,;&)}\]]+)"""
)
_IN_URLS: Final = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)([^\s@]+)(@)")


class Redaction:
    """Masks the password that the settings hold, and whatever looks like one.

    Args:
        settings: whose password is kept out of every text.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, text: str) -> str:
        """The text without passwords.

        Raises:
            SettingsError: the url, which may hold one, cannot be read.
        """
        text = _IN_URLS.sub(rf"\1{_MASK}\3", _GIVEN.sub(rf"\1{_MASK}", text))
        for known in self._known:
            text = known.sub(_MASK, text)
        return text

    @cached_property
    def _known(self) -> list[re.Pattern[str]]:
        """What finds the passwords; made when the first text is told, not before a screen shows."""
        from psycopg.conninfo import conninfo_to_dict

        from eventscope.replication.connection import conninfo

        given = conninfo_to_dict(conninfo(self._settings, "", "")).get("password")
        known = {str(given or ""), os.environ.get("PGPASSWORD", "")} - {"", _DEFAULT}
        spelled = {spelling for one in known for spelling in _spellings(one)}
        return [_known(one) for one in sorted(spelled, key=len, reverse=True)]


def _spellings(secret: str) -> tuple[str, ...]:
    """A password as it is, in Python's and libpq's quotes, and in a URL."""
    escaped = secret.replace("\\", "\\\\")
    return (secret, escaped, escaped.replace("'", r"\'"), quote(secret, ""))


def _known(secret: str) -> re.Pattern[str]:
    """What finds a password; a short one would be found inside of any word."""
    escaped = re.escape(secret)
    return re.compile(escaped if len(secret) >= _LONG else rf"(?<!\w){escaped}(?!\w)")
