"""An hstore as the document that it is.

Source: PostgreSQL documentation, appendix "hstore", output format.
"""

from __future__ import annotations

import re
from typing import Final

_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_PAIR: Final = re.compile(rf"{_QUOTED}=>(?:{_QUOTED}|NULL)(?:, |$)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def hstore(text: str) -> dict[str, str | None] | None:
    """Read what PostgreSQL prints for an hstore; None for what is none."""
    pairs: dict[str, str | None] = {}
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return None
        key, value = pair.groups()
        pairs[_ESCAPED.sub(r"\1", key)] = None if value is None else _ESCAPED.sub(r"\1", value)
        at = pair.end()
    return pairs
