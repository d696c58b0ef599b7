"""Scopes: by which of its columns a table's rows can be listened to."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping

from eventscope.errors import DeclarationError

DeclaredScope = tuple[tuple[str, str], ...]
"""Columns and the entities that they lead to, in declared order."""


def declared(entity: str, scopes: Iterable[Mapping[str, str]]) -> tuple[DeclaredScope, ...]:
    """Read the scopes of an entity.

    Raises:
        DeclarationError: one is no mapping, or two cannot be told apart.
    """
    found: list[DeclaredScope] = []
    for scope in scopes:
        if not isinstance(scope, Mapping) or not scope:
            raise DeclarationError(
                f"entity {entity!r}: a scope maps columns to the entities that they lead to, "
                f'as {{"post_id": "posts"}}; this is {scope!r}'
            )
        new = tuple(scope.items())
        for other in found:
            if new == other:
                break
            _tell_apart(entity, new, other)
        else:
            found.append(new)
    return tuple(found)


def find(entity: str, scopes: Collection[DeclaredScope], columns: Iterable[str]) -> DeclaredScope:
    """The declared scope by these columns, in whatever order; raises DeclarationError."""
    wanted = list(columns)
    for scope in scopes:
        if dict(scope).keys() == set(wanted):
            return scope
    there = f"; there is {_listed(scopes)}" if scopes else ""
    cure = ", ".join(f'"{column}": "..."' for column in wanted)
    raise DeclarationError(
        f"entity {entity!r} has no scope by {_by(wanted)}{there}: "
        f'declare it with app.entity("{entity}", scopes=[{{{cure}}}])'
    )


def find_declared(
    entity: str, scopes: Collection[DeclaredScope], repeated: Mapping[str, str]
) -> DeclaredScope:
    """The declared scope that a mapping repeats; raises DeclarationError if it differs."""
    scope = find(entity, scopes, repeated)
    if dict(scope) != dict(repeated):
        raise DeclarationError(
            f"entity {entity!r} declares the scope {dict(scope)}, not {dict(repeated)}"
        )
    return scope


def unknown(entity: str, known: Collection[str]) -> DeclarationError:
    """The error for an entity that an application does not have."""
    near = difflib.get_close_matches(entity, known, n=1)
    meant = f"did you mean {near[0]!r}? Else " if near else ""
    return DeclarationError(
        f'there is no entity {entity!r}: {meant}declare it with app.entity("{entity}")'
    )


def _tell_apart(entity: str, one: DeclaredScope, other: DeclaredScope) -> None:
    """See to it that no column set, and no channel, stands for two scopes."""
    if dict(one).keys() == dict(other).keys():
        raise DeclarationError(
            f"entity {entity!r}: the scope by {_by(dict(one))} is declared twice"
        )
    if [led for _, led in one] == [led for _, led in other]:
        raise DeclarationError(
            f"entity {entity!r}: the scopes by {_by(dict(other))} and by {_by(dict(one))} would "
            f"share their channels; let one lead to another name than {_by(dict(one).values())}"
        )


def _listed(scopes: Iterable[DeclaredScope]) -> str:
    return ", ".join(_by(dict(scope)) for scope in scopes)


def _by(names: Iterable[str]) -> str:
    return " and ".join(names) or "nothing"
