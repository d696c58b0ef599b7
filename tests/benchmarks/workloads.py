"""The workloads: what is written once, to be replayed to every consumer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import uuid4

import psycopg

PUBLICATION: Final = "events"
TABLE: Final = "item"

_DDL: Final = """
CREATE TABLE item (
    id bigint PRIMARY KEY, customer_id integer NOT NULL, status text NOT NULL,
    amount numeric(10,2) NOT NULL, paid boolean NOT NULL, score double precision NOT NULL,
    created_at timestamptz NOT NULL, note text, body text NOT NULL)
"""
_ROW: Final = """
    n, n % 1000, 'new', n % 10000 / 100.0, n % 2 = 0, n / 7.0,
    timestamptz '2026-01-01' + n * interval '1 second', NULL, repeat(md5(n::text), 7)::varchar(200)
"""
_INSERT: Final = f"INSERT INTO item SELECT {_ROW} FROM generate_series(first, last) n"
_UPDATE: Final = (
    "UPDATE item SET status = 'paid', paid = NOT paid, amount = amount + 1"
    " WHERE id BETWEEN first AND last"
)
_LOOP: Final = """
DO $$ DECLARE first bigint; last bigint; BEGIN
    FOR first IN SELECT generate_series(1, {rows}, {step}) LOOP
        last := least(first + {step} - 1, {rows});
        {statement};
        COMMIT;
    END LOOP;
END $$
"""


@dataclass(frozen=True)
class Workload:
    """Rows of nine columns, with a body of 200 bytes."""

    name: str
    rows: int
    per_transaction: int
    updates: bool = False
    """Of rows that are there already, under REPLICA IDENTITY FULL; else inserts."""

    @property
    def is_whole(self) -> bool:
        """Whether it is one transaction."""
        return self.per_transaction >= self.rows

    @property
    def description(self) -> str:
        """The workload in words."""
        what = "updates, REPLICA IDENTITY FULL" if self.updates else "inserts"
        if self.per_transaction == 1:
            how = "one a transaction"
        elif self.is_whole:
            how = "in one transaction"
        else:
            how = f"{self.per_transaction:,} a transaction"
        return f"{self.rows:,} {what}, {how}"

    def scaled(self, factor: float) -> Workload:
        """The same with a fraction of the rows."""
        rows = max(1, round(self.rows * factor))
        return replace(
            self, rows=rows, per_transaction=rows if self.is_whole else self.per_transaction
        )


WORKLOADS: Final = (
    Workload("A", 200_000, 100),
    Workload("B", 200_000, 10, updates=True),
    Workload("C", 20_000, 1),
    Workload("D", 500_000, 500_000),
)


class Recording:
    """A workload in the WAL, and a slot that stands before it."""

    def __init__(self, url: str, workload: Workload, slot: str, end: str) -> None:
        self.url = url
        self.workload = workload
        self._slot = slot
        self.end = end
        """The LSN behind the workload. One more transaction follows, so that it is passed."""

    @contextmanager
    def replay(self) -> Iterator[str]:
        """A copy of the slot, from which the whole workload can be read."""
        slot = f"replay_{uuid4().hex[:16]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_copy_logical_replication_slot(%s, %s)", [self._slot, slot]
            )
            try:
                yield slot
            finally:
                connection.execute(
                    "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
                    " WHERE slot_name = %s AND active_pid IS NOT NULL",
                    [slot],
                )
                connection.execute("SELECT pg_drop_replication_slot(%s)", [slot])


def record(url: str, workload: Workload) -> Recording:
    """Write a workload into an empty database."""
    slot = f"recording_{uuid4().hex[:16]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_DDL)
        connection.execute("SET synchronous_commit = off")
        if workload.updates:
            connection.execute("ALTER TABLE item REPLICA IDENTITY FULL")
            _run(connection, _INSERT, workload.rows, 10_000)
            connection.execute("VACUUM ANALYZE item")
        connection.execute(f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {TABLE}")  # type: ignore[arg-type]
        connection.execute("CHECKPOINT")
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
        statement = _UPDATE if workload.updates else _INSERT
        _run(connection, statement, workload.rows, workload.per_transaction)
        cursor = connection.execute("SELECT pg_current_wal_insert_lsn()::text")
        row: Any = cursor.fetchone()
        connection.execute("SET synchronous_commit = on")
        connection.execute("DELETE FROM item WHERE id = 1")
    return Recording(url, workload, slot, row[0])


def _run(connection: psycopg.Connection[Any], statement: str, rows: int, step: int) -> None:
    loop = _LOOP.format(statement=statement, rows=rows, step=step)
    connection.execute(loop)  # type: ignore[call-overload]
