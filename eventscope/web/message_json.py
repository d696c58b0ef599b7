"""What a client is told of a message, in JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from eventscope.event import Event
from eventscope.inspection.json_line import json_line
from eventscope.message import Message
from eventscope.scopes import DeclaredScope

_NOTHING: Final = msgspec.Raw(b"null")
_AFTER: Final = ("new_record", "changes")
"""What an event tells of its row after the change."""
_BEFORE: Final = ("previous", "changes")
"""What the event of an update tells of its row before."""
_SHARED: Final = 64
"""Events whose JSON is kept for the next client."""

Scopes = Callable[[str], Iterable[DeclaredScope]]
"""The declared scopes of an entity."""


def message_json(message: Message, scopes: Scopes) -> str:
    """Say a message in one line of JSON: ``kind``, ``entity``, ``scope``, ``key`` and ``event``.

    ``scope`` has values by column; ``direct`` is the row that was asked for, and ``{}`` anywhere.
    ``event`` is what ``json_line`` makes of it, but for what lies outside of the scope: a row that
    leaves it is told of as it was, and one that comes, or that may have come, as it is now.
    """
    event = message.event
    changes = event.changes
    line, key, old_key = _said(event)
    scope = message.scope
    by_column = scope if scope == "direct" else _by_column(scope, scopes(message.entity))
    border = event.key_columns if scope == "direct" else by_column
    if message.kind == "on_leave":
        line, key = _without(line, _AFTER), old_key or key
    elif changes and not {*changes, *event.unknown}.isdisjoint(border):
        line = _without(line, _BEFORE)
    told = {"kind": message.kind, "entity": message.entity, "scope": by_column, "key": key}
    return msgspec.json.encode({**told, "event": msgspec.Raw(line.encode())}).decode()


@lru_cache(maxsize=_SHARED)
def _said(event: Event) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """An event, and its key after and before, ready for JSON."""
    said = event.in_form("json")
    return json_line(event), said.key, said.old_key


def _by_column(
    scope: tuple[tuple[str, str], ...], known: Iterable[DeclaredScope]
) -> dict[str, str]:
    """The values of a scope, by the columns that lead a row into it and out of it."""
    leads = [led for led, _ in scope]
    for declared in known:
        if [led for _, led in declared] == leads:
            return {column: value for (column, _), (_, value) in zip(declared, scope, strict=True)}
    return {}


def _without(line: str, hidden: Iterable[str]) -> str:
    members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({**members, **dict.fromkeys(hidden, _NOTHING)}).decode()
