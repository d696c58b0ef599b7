"""The benchmark itself works: a few events, no times."""

from __future__ import annotations

import psycopg

from tests.benchmarks import operators


def test_every_shape_and_the_latency_are_measured(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(operators.TABLES)
    ids = [1, 2, 3, 2, 1] * 8
    assert operators.original_rate(database, ids) > 0
    for form in ("$1", "array"):
        rate, cpu = operators.our_rate(database, ids, form)
        assert rate > 0
        assert cpu > 0
        with psycopg.connect(database) as connection:
            counts = connection.execute(
                "SELECT id, comments_count FROM post_with_comments_counts ORDER BY id"
            )
            assert counts.fetchall() == [(1, 16), (2, 16), (3, 8)]
    assert len(operators.latencies(database, 3)) == 3
