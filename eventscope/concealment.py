"""What an application hides of a table: columns that are masked, and columns that are dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from eventscope.declaration import HandlerOperator, Operator, QueryOperator
from eventscope.errors import DeclarationError
from eventscope.ids import mapping_columns
from eventscope.scopes import DeclaredScope

MASK: Final = "***"
"""What stands for every value of a masked column that is not NULL."""


@dataclass(frozen=True, slots=True)
class Concealment:
    """The columns of a table that nobody is to see."""

    masked: frozenset[str] = frozenset()
    """Those that are seen to be there, without their values."""
    dropped: frozenset[str] = frozenset()
    """Those that are as good as not there."""

    @property
    def columns(self) -> frozenset[str]:
        """All of them."""
        return self.masked | self.dropped

    def __or__(self, other: Concealment) -> Concealment:
        """What either of two hides; what one of them drops is dropped."""
        dropped = self.dropped | other.dropped
        return Concealment((self.masked | other.masked) - dropped, dropped)

    def __bool__(self) -> bool:
        return bool(self.masked or self.dropped)


NOTHING: Final = Concealment()


def declared(entity: str, mask: Iterable[str], drop: Iterable[str]) -> Concealment:
    """Read what a user says of an entity; raises DeclarationError if it cannot be."""
    for what, given in (("mask", mask), ("drop", drop)):
        if isinstance(given, str):
            raise DeclarationError(
                f'entity {entity!r}: {what} is a list of columns, as {what}=["{given}"]'
            )
    return NOTHING | Concealment(frozenset(mask), frozenset(drop))


def check_needed(
    entity: str,
    concealment: Concealment,
    scopes: Iterable[DeclaredScope] = (),
    operators: Iterable[Operator] = (),
) -> None:
    """See that nothing is hidden by which the application tells rows apart.

    Raises:
        DeclarationError: naming the column, and what needs it.
    """
    needed = {column: "a scope is made of it" for scope in scopes for column, _ in scope}
    for operator in operators:
        columns: Iterable[str] = ()
        if isinstance(operator, QueryOperator) and entity in operator.ids:
            columns = mapping_columns(operator.ids[entity], concealment.columns)
        elif isinstance(operator, HandlerOperator) and entity in operator.entities:
            columns = [operator.key] if isinstance(operator.key, str) else []
        needed |= dict.fromkeys(columns, f"operator {operator.name!r} finds rows by it")
    for column in sorted(needed.keys() & concealment.columns):
        how = "drop" if column in concealment.dropped else "mask"
        raise DeclarationError(
            f"entity {entity!r}: {column} cannot be hidden, as {needed[column]};"
            f" take it out of {how}"
        )


def of(
    names: Iterable[str], concealed: Mapping[str, Concealment], known: Iterable[str]
) -> Concealment:
    """What is hidden of a table, given all its names.

    Of a table that the application does not know by any of them nobody can tell whose partition
    it was before it was dropped: there every column is hidden that is hidden anywhere.

    Args:
        names: the table's own and its ancestors'.
        concealed: what is hidden of each entity.
        known: every table that the application follows.
    """
    own = set(names)
    asked = own if own & set(known) else concealed.keys()
    hidden = NOTHING
    for name in asked:
        hidden |= concealed.get(name, NOTHING)
    return hidden
