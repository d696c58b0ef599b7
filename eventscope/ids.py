"""Which target row a row of a followed table belongs to: by columns, or by SQL expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eventscope.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Sql:
    """An SQL expression over the columns of one row: ``Sql("lower(email)")``.

    The server computes it for the row as it was and as it is, so it must depend on these columns
    alone: no subquery, no clock. Columns may be qualified by their table's name.
    """

    expression: str

    def mentioned(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the given columns that the expression may depend on: it has their names."""
        quoted = {name.replace('""', '"') for name in _QUOTED.findall(self.expression)}
        words = set(_WORD.findall(_QUOTED.sub(" ", self.expression).lower()))
        return tuple(name for name in columns if name in words or name in quoted)


_WORD: Final = re.compile(r"[^\W\d][\w$]*")
_QUOTED: Final = re.compile(r'"((?:[^"]|"")+)"')

Part = str | Sql
"""A column's name, or an expression."""

Parts = tuple[Part, ...]
"""What makes up an id; most have one part."""

GivenParts = Part | Sequence[Part]
"""How a user writes it."""


def mapping_columns(parts: Parts, columns: Iterable[str]) -> tuple[str, ...]:
    """The columns of a row that its target's id depends on.

    Args:
        parts: what makes up the id.
        columns: all that the row has; expressions may depend on no others.
    """
    known = tuple(columns)
    names: dict[str, None] = {}
    for part in parts:
        names |= dict.fromkeys(part.mentioned(known) if isinstance(part, Sql) else (part,))
    return tuple(names)


def parts_of(operator: str, entity: str, given: GivenParts) -> Parts:
    """Read what ``ids`` says of an entity.

    Raises:
        DeclarationError: it is neither a column, nor an expression, nor several of them.
    """
    parts: tuple[Any, ...] = (given,)
    if isinstance(given, Sequence) and not isinstance(given, str):
        parts = tuple(given)
    if parts and all(isinstance(part, Sql) or (isinstance(part, str) and part) for part in parts):
        return parts
    raise DeclarationError(
        f"operator {operator!r}: ids maps {entity!r} by {given!r}; name a column, several as a"
        f' tuple, or an expression as Sql("lower(email)")'
    )


def check_same_width(operator: str, ids: Mapping[str, Parts]) -> int:
    """Return of how many parts the ids of an operator are made.

    Raises:
        DeclarationError: it is not the same number for each entity.
    """
    (first, parts), *others = ids.items()
    for entity, other in others:
        if len(other) != len(parts):
            raise DeclarationError(
                f"operator {operator!r}: ids maps {first!r} by {len(parts)} and {entity!r} by"
                f" {len(other)} columns; every id of a target has the same columns"
            )
    return len(parts)


def target_id(
    operator: str, given: str | Sequence[str] | None, ids: Mapping[str, Parts]
) -> tuple[str, ...]:
    """Read which columns of the target are its id: as given, else as ``ids`` suggests.

    Raises:
        DeclarationError: they do not fit the ids, or cannot be told.
    """
    width = check_same_width(operator, ids)
    if given is not None:
        columns = (given,) if isinstance(given, str) else tuple(given)
        if len(columns) != width:
            raise DeclarationError(
                f"operator {operator!r}: id names {len(columns)} columns, while ids has {width}"
                f" for each row; name as many"
            )
        return columns
    if width == 1:
        return ("id",)
    mapped = set(ids.values())
    columns = tuple(part for part in next(iter(mapped)) if isinstance(part, str))
    if len(mapped) > 1 or len(columns) < width:
        raise DeclarationError(
            f"operator {operator!r}: which columns are the target's id? name them, as in"
            f' id=("org_id", "post_id")'
        )
    return columns


def check_placeholders(operator: str, sql: str, width: int) -> None:
    """See that an operator's SQL takes every part of an id.

    Raises:
        DeclarationError: naming what it does not take.
    """
    taken = set(re.findall(r"\$(\d+)", sql))
    wanted = [f"${place}" for place in range(1, width + 1)]
    lacking = [placeholder for placeholder in wanted if placeholder[1:] not in taken]
    if lacking:
        raise DeclarationError(
            f"operator {operator!r}: the SQL must take the target's id as {', '.join(wanted)};"
            f" {', '.join(lacking)} is not in it"
        )
