"""What differs between two JSON documents, path by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

from eventscope.inspection.text import safe_text
from eventscope.inspection.values import json_text

MAX_PATHS: Final = 50
"""Differences that are listed unless somebody asks for more; a reader gives up before."""

_MAX_DEPTH: Final = 100
_ABSENT: Final = object()

Sign = Literal["+", "-", "~"]


class PathDiff(NamedTuple):
    """One place that differs: ``.address.city`` or ``.tags[2]``."""

    sign: Sign
    path: str
    old: str | None
    new: str | None


def path_diff(old: Any, new: Any, limit: int = MAX_PATHS) -> tuple[tuple[PathDiff, ...], bool]:
    """Compare two documents; whether there are more than ``limit`` differences comes second.

    Lists are compared place by place.
    """
    found = list(islice(_walk(old, new, "", 0), limit + 1))
    return tuple(found[:limit]), len(found) > limit


def differ(old: Any, new: Any) -> bool:
    """Compare two JSON scalars: ``true`` is not 1, while Python holds them equal."""
    return isinstance(old, bool) != isinstance(new, bool) or bool(old != new)


def _walk(old: Any, new: Any, path: str, depth: int) -> Iterator[PathDiff]:
    if old is _ABSENT:
        yield PathDiff("+", path, None, json_text(new))
    elif new is _ABSENT:
        yield PathDiff("-", path, json_text(old), None)
    elif depth < _MAX_DEPTH and isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            step = f"{path}.{safe_text(str(key), 100)}"
            yield from _walk(old.get(key, _ABSENT), new.get(key, _ABSENT), step, depth + 1)
    elif depth < _MAX_DEPTH and isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            left = old[place] if place < len(old) else _ABSENT
            right = new[place] if place < len(new) else _ABSENT
            yield from _walk(left, right, f"{path}[{place}]", depth + 1)
    elif differ(old, new):
        yield PathDiff("~", path, json_text(old), json_text(new))
