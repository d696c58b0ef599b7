"""Channels: which of them an event is announced on, and as what.

The names are those of EventStreamex: ``comments`` for all that happens to a table, ``comments/89``
for one row, ``posts/123/comments`` and ``organizations/1/posts/2/comments`` for a scope. What a
value or a name holds of ``/``, ``%`` and ``*`` is written ``%2F`` and so on, so that no row can
speak on a channel that is not its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from eventscope.event import UNCHANGED, Event
from eventscope.message import ANYWHERE, Kind, Message, Scope
from eventscope.scopes import DeclaredScope

EVERY: Final = "*"
"""In a name: whatever stands there."""

_EMPTY: Final = "%"
"""The text of no characters, since nothing at all stands for NULL."""
_RESERVED: Final = str.maketrans({sign: f"%{ord(sign):02X}" for sign in "/%*"})
_COMMA: Final = str.maketrans({",": "%2C"})
_KIND_OF: Final[Mapping[str, Kind]] = {
    "insert": "on_insert",
    "update": "on_update",
    "delete": "on_delete",
}

Values = Sequence[tuple[str, Any]]
"""The entities of a scope, each with the value that leads to it."""


class Channel(NamedTuple):
    """A channel, or with ``EVERY`` in its name all channels of a family.

    Who listens to a family hears what is said on each of its channels; what is said to a family is
    heard on each of them.
    """

    entity: str
    """The table that is talked of."""
    family: str
    """The name with ``EVERY`` for what tells it from its like."""
    name: str


class Announcement(NamedTuple):
    """A message and where it goes."""

    channel: Channel
    message: Message


def unscoped(entity: str) -> Channel:
    """The channel of all that happens to a table; with ``EVERY``, to any table."""
    return Channel(entity, EVERY, EVERY if entity == EVERY else _quoted(entity))


def direct(entity: str, id: Any) -> Channel:
    """The channel of one row; ``id`` is its key, a list of values if it has several columns."""
    table = _quoted(entity)
    if isinstance(id, list | tuple) and len(id) > 1:
        key = ",".join(_segment(value).translate(_COMMA) for value in id)
    else:
        key = _segment(id[0] if isinstance(id, list | tuple) else id)
    return Channel(entity, f"{table}/{EVERY}", f"{table}/{key}")


def scoped(entity: str, values: Values) -> Channel:
    """The channel of a scope."""
    family = "".join(f"{_quoted(led)}/{EVERY}/" for led, _ in values)
    name = "".join(f"{_quoted(led)}/{_segment(value)}/" for led, value in values)
    return Channel(entity, family + _quoted(entity), name + _quoted(entity))


def every(channel: Channel) -> Channel:
    """The family of a channel."""
    return channel._replace(name=channel.family)


def announcements(
    event: Event, entity: str, scopes: Iterable[DeclaredScope], key: Sequence[str]
) -> Iterator[Announcement]:
    """What an event is announced as, and where.

    What the WAL does not tell is not announced: a delete without its scope's column in the replica
    identity has no scope.

    Args:
        event: the event.
        entity: the table as it is listened to; for a row of a partition perhaps the whole.
        scopes: those that the entity declares.
        key: the columns of its primary key; empty if it has none, and no direct channel.
    """
    if event.type == "truncate":
        yield from _truncated(event, entity, scopes, key)
        return
    kind = _KIND_OF[event.type]
    now = event.old_record if event.type == "delete" else event.new_record
    before = _before(event)

    def announce(channel: Channel, scope: Scope, kind: Kind = kind) -> Announcement:
        return Announcement(channel, Message(kind, scope, event, entity))

    yield announce(unscoped(entity), ANYWHERE)
    here, there = _picked(key, now), _picked(key, before)
    if there and (not here or direct(entity, there) != direct(entity, here)):
        yield announce(direct(entity, there), "direct", "on_leave")
    if here:
        yield announce(direct(entity, here), "direct")
    for scope in scopes:
        inside, outside = _within(scope, now), _within(scope, before)
        if outside and (not inside or scoped(entity, outside) != scoped(entity, inside)):
            yield announce(scoped(entity, outside), _told(outside), "on_leave")
        if inside:
            yield announce(scoped(entity, inside), _told(inside))


def _truncated(
    event: Event, entity: str, scopes: Iterable[DeclaredScope], key: Sequence[str]
) -> Iterator[Announcement]:
    """A table without rows: every row, and every scope, hears of it."""

    def announce(channel: Channel, scope: Scope) -> Announcement:
        return Announcement(channel, Message("on_truncate", scope, event, entity))

    yield announce(unscoped(entity), ANYWHERE)
    if key:
        yield announce(every(direct(entity, "")), "direct")
    for declared in scopes:
        values = tuple((led, EVERY) for _, led in declared)
        yield announce(every(scoped(entity, values)), values)


def _before(event: Event) -> Mapping[str, Any] | None:
    """The row before an update, as far as the WAL tells; None if nothing moved it."""
    changes, new = event.changes, event.new_record
    if not changes or new is None:
        return None
    unknown = event.unknown
    kept = {column: value for column, value in new.items() if column not in unknown}
    return kept | {column: change.old_value for column, change in changes.items()}


def _picked(columns: Iterable[str], row: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    """The values of columns; None if one is not known."""
    if row is None:
        return None
    values = tuple([row.get(column, UNCHANGED) for column in columns])
    return None if UNCHANGED in values else values


def _within(scope: DeclaredScope, row: Mapping[str, Any] | None) -> Values | None:
    """Where a row is in a scope; None if that is not known."""
    values = _picked([column for column, _ in scope], row)
    if values is None:
        return None
    return [(led, value) for (_, led), value in zip(scope, values, strict=True)]


def _told(values: Values) -> Scope:
    return tuple((led, _text(value)) for led, value in values)


def _segment(value: Any) -> str:
    return _EMPTY if isinstance(value, str) and not value else _quoted(_text(value))


def _quoted(text: str) -> str:
    return text if text.isalnum() else text.translate(_RESERVED)


def _text(value: Any) -> str:
    """A value as it stands in a name: as PostgreSQL says it, where Python says it differently."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
