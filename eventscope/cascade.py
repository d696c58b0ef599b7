"""Operators that follow what other operators write: a cascade, which must end somewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def cycle(followed: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Find a way from a table through what is derived from it back to itself.

    Args:
        followed: for each derived table, the tables that its operators follow.

    Returns:
        The tables on the way, each derived from the one before, the first one also at the end;
        empty if there is no such way.
    """
    done: set[str] = set()
    for table in followed:
        way = _search(table, followed, [], done)
        if way:
            return tuple(reversed(way))
    return ()


def _search(
    table: str, followed: Mapping[str, Iterable[str]], way: list[str], done: set[str]
) -> list[str]:
    """Walk from a derived table to what it is made from, and on, until it is met again."""
    if table in way:
        return [*way[way.index(table) :], table]
    if table in done:
        return []
    for source in followed.get(table, ()):
        found = _search(source, followed, [*way, table], done)
        if found:
            return found
    done.add(table)
    return []
