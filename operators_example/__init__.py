"""A blog's derived tables, kept up to date by eventscope: run ``eventscope run operators_example``.

Every other module here holds one operator and can be read on its own. Those that keep a table say
three things about it:

- ``DDL`` creates the table,
- ``SQL`` (or a Python function) brings one row of it up to date,
- ``TRUTH`` is the query whose result the table must equal once all events are processed.

Importing a module declares its operator; this one imports them all.
"""

from typing import Final, NamedTuple

from operators_example import (
    comment_with_ratings,
    comment_with_subcomments_counts,
    post_with_comments_counts,
    post_with_ratings,
    user_with_profiles,
    welcome_mail,
)
from operators_example.blog import app


class DerivedTable(NamedTuple):
    """A table that an operator keeps: its name, how it is created, and what it must equal."""

    name: str
    ddl: str
    truth: str


DERIVED: Final = tuple(
    DerivedTable(module.TABLE, module.DDL, module.TRUTH)
    for module in (
        post_with_comments_counts,
        comment_with_subcomments_counts,
        comment_with_ratings,
        post_with_ratings,
        user_with_profiles,
    )
)
"""Every derived table, in an order in which they can be created."""

__all__ = ["DERIVED", "DerivedTable", "app", "welcome_mail"]
