"""What an error is about decides who has to wait."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from eventscope.operators.sqlstates import is_general, is_transient
from tests.conftest import Connection

OF_AN_ID = [
    errors.CheckViolation, errors.ForeignKeyViolation, errors.UniqueViolation,
    errors.NotNullViolation, errors.InvalidTextRepresentation, errors.DivisionByZero,
    errors.NumericValueOutOfRange, errors.CardinalityViolation, errors.RaiseException,
    errors.ProgramLimitExceeded, errors.StatementTooComplex, errors.QueryCanceled,
    errors.LockNotAvailable, errors.DeadlockDetected, errors.WithCheckOptionViolation,
]  # fmt: skip

OF_ALL = [
    errors.SyntaxError, errors.UndefinedColumn, errors.UndefinedTable, errors.DatatypeMismatch,
    errors.InsufficientPrivilege, errors.FeatureNotSupported, errors.ReadOnlySqlTransaction,
    errors.InvalidSchemaName, errors.DiskFull, errors.OutOfMemory, errors.TooManyArguments,
    errors.AdminShutdown, errors.IoError, errors.InternalError_, errors.ProtocolViolation,
    errors.FdwError, errors.ObjectNotInPrerequisiteState,
]  # fmt: skip


@pytest.mark.parametrize("error", OF_AN_ID)
def test_what_one_id_may_cause_is_looked_for(error: type[psycopg.Error]) -> None:
    assert not is_general(error())


@pytest.mark.parametrize("error", OF_ALL)
def test_what_would_meet_any_id_is_not(error: type[psycopg.Error]) -> None:
    assert is_general(error())


def test_what_the_server_has_not_said_is_about_no_id() -> None:
    assert is_general(psycopg.OperationalError("the connection is closed"))
    assert is_general(psycopg.DataError("cannot dump"))
    assert is_general(ValueError())


def test_what_may_succeed_at_once_is_tried_at_once() -> None:
    transient = [errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable]
    assert all(is_transient(error()) for error in transient)
    assert not any(is_transient(error()) for error in (errors.QueryCanceled, errors.IoError))


async def test_the_server_says_of_an_index_row_that_is_too_large_what_is_taken_for_the_ids(
    connection: Connection,
) -> None:
    await connection.execute("CREATE TABLE t (id text PRIMARY KEY)")
    with pytest.raises(errors.ProgramLimitExceeded) as caught:
        await connection.execute(
            "INSERT INTO t SELECT string_agg(md5(n::text), '') FROM generate_series(1, 500) n"
        )
    assert not is_general(caught.value)
