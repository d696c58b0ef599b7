"""What an error of the server is about: one id, the statement as a whole, or the moment.

Source: PostgreSQL documentation, appendix "PostgreSQL Error Codes".
"""

from __future__ import annotations

from typing import Final

import psycopg

TRANSIENT_ATTEMPTS: Final = 3
"""How often to try at once what fails for a transient reason."""

_TRANSIENT: Final = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available."""

_GENERAL_CLASSES: Final = frozenset(
    {
        "08",  # connection, or protocol: the SQL does not take the parameters that it is given
        "0A",  # feature not supported
        "0L",  # invalid grantor
        "0P",  # invalid role
        "25",  # invalid transaction state: read-only, a standby
        "26",  # invalid statement name: a pooler in between
        "28",  # invalid authorization
        "2D",  # invalid transaction termination
        "3D",  # invalid database
        "3F",  # invalid schema
        "42",  # syntax, names, privileges
        "53",  # insufficient resources
        "54",  # program limit exceeded
        "55",  # object not in prerequisite state
        "57",  # operator intervention
        "58",  # system error
        "72",  # snapshot too old
        "F0",  # configuration file
        "HV",  # foreign data wrapper
        "XX",  # internal error, corruption
    }
)
_PARTICULAR: Final = frozenset(
    {
        "54000",  # an index row too large: it is the value's
        "54001",  # a stack too deep: a recursion over the rows of one id
        "55P03",  # lock not available
        "57014",  # query cancelled, as it took too long
    }
)
"""Members of these classes that a single id can be the cause of."""


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may well succeed at once."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _TRANSIENT


def ends_transaction(error: BaseException) -> bool:
    """Whether nothing can succeed any more in the transaction that has seen this error."""
    return isinstance(error, psycopg.errors.SerializationFailure)


def is_general(error: BaseException) -> bool:
    """Whether an error is about the statement or the server, and would meet any id.

    So is everything that the server has not said: a lost connection, or an error in Python.
    """
    if not isinstance(error, psycopg.Error) or error.sqlstate is None:
        return True
    return error.sqlstate[:2] in _GENERAL_CLASSES and error.sqlstate not in _PARTICULAR
