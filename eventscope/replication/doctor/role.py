"""The role that we connect as."""

from __future__ import annotations

from typing import Final, NamedTuple

from eventscope.replication.connection import Connection
from eventscope.replication.finding import Finding

_ROLE: Final = """
SELECT current_user, rolsuper, has_database_privilege(current_database(), 'CREATE')
FROM pg_roles WHERE rolname = current_user
"""


class Role(NamedTuple):
    """Who we are to the server."""

    name: str
    superuser: bool
    may_create: bool
    """Whether it may make schemas and publications in this database."""


async def look_up(connection: Connection) -> Role:
    """Ask the server who we are."""
    [row] = await (await connection.execute(_ROLE)).fetchall()
    return Role(*row)


def examine(role: Role) -> Finding:
    """Whether it has more rights than it needs."""
    if not role.superuser:
        return Finding("superuser", "ok", f"role {role.name} is not a superuser")
    return Finding(
        "superuser",
        "note",
        f"role {role.name} is a superuser",
        "to replicate and to own its tables is enough",
        mend="use a role of its own: CREATE ROLE ... LOGIN REPLICATION",
    )
