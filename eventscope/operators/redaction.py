"""Keeping passwords out of what is kept and told of failures."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

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
        text = without_likely_passwords(text)
        for known in self._known:
            text = known.sub(_MASK, text)
        return text

    @cached_property
    def _known(self) -> list[re.Pattern[str]]:
        """What finds the passwords; made when the first text is told, not before a screen shows."""
        from psycopg.conninfo import conninfo_to_dict

        from eventscope.replication.connection import conninfo

        given = conninfo_to_dict(conninfo(self._settings, "", ""))
        known = {*_of(given), *_libpqs(), *_filed(given)} - {"", _DEFAULT}
        return [_known(one) for one in sorted(known, key=len, reverse=True)]


def without_likely_passwords(text: str) -> str:
    """The text without what looks like a password."""
    return _IN_URLS.sub(rf"\1{_MASK}\3", _GIVEN.sub(rf"\1{_MASK}", text))


def _of(given: Mapping[str, Any]) -> set[str]:
    """The passwords among parameters of libpq; a key's file has one, too."""
    return {str(value or "") for name, value in given.items() if "password" in name}


def _libpqs() -> set[str]:
    """The passwords that libpq knows from the environment and from its service file."""
    from psycopg import OperationalError, pq

    try:
        found = pq.Conninfo.get_defaults()
    except OperationalError:  # a service that there is not, which connecting tells
        return set()
    return _of({each.keyword.decode(): (each.val or b"").decode() for each in found})


def _filed(given: Mapping[str, Any]) -> set[str]:
    """Every password of the password file, whoever's it is."""
    named = given.get("passfile") or os.environ.get("PGPASSFILE") or Path.home() / ".pgpass"
    try:
        lines = Path(named).read_text("utf-8", "replace").splitlines()
    except OSError:
        return set()
    entries = (_FIELD.findall(line) for line in lines if not line.startswith("#"))
    return {re.sub(r"\\(.)", r"\1", entry[4]) for entry in entries if len(entry) >= _FIELDS}


_FIELD: Final = re.compile(r"((?:[^:\\]|\\.)*)(?::|$)")
_FIELDS: Final = 5
"""Host, port, database, user, password."""


def _known(secret: str) -> re.Pattern[str]:
    """What finds a password in all quotes, one within the other; a short one as a word only.

    Backslashes are taken a whole run at once, so that it takes no time of a text full of them.
    """
    first, *rest = list(re.sub(r"\\+", r"\\", secret))
    itself = re.escape(first)
    begin = rf"(?:{itself}|(?=[{itself}%&\\])(?<!\\){_spelled(first)})"
    if first == "\\":
        begin = r"(?:(?<!\\)\\++|(?i:%5c)++)"
    spelled = begin + "".join(map(_spelled, rest))
    return re.compile(spelled if len(secret) >= _LONG else rf"(?<!\w){spelled}(?!\w)")


def _spelled(character: str) -> str:
    """What finds a character as it is, escaped, in the quotes of SQL, in a URL and in HTML."""
    if character == "\\":
        return r"(?:\\++|(?i:%5c)++)"
    code, itself = ord(character), re.escape(character)
    encoded = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    forms = [rf"\\*+(?:{itself}|(?i:u0*{code:x}|x{code:02x}))", rf"(?i:{encoded})"]
    match character:
        case "'" | '"':
            forms.insert(0, rf"(?:\\*+{itself}){{2}}")
        case " ":
            forms.append(r"\+")
        case "\n" | "\t" | "\r":
            forms.append(rf"\\++{repr(character)[2]}")
    if (entity := html.escape(character)) != character:
        forms.append(entity)
    return f"(?:{'|'.join(forms)})"
