"""Who makes the work fail is found, and the work is done for all others."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.operators.bisection import bisect

Failures = dict[int, Exception]


class Work:
    """Counts attempts, and does the work on all of some items or on none of them."""

    def __init__(self, failures: Failures) -> None:
        self.failures = failures
        self.done: list[int] = []
        self.attempts = 0

    async def attempt(self, some: Sequence[int]) -> None:
        self.attempts += 1
        for item in some:
            if item in self.failures:
                raise self.failures[item]
        self.done += some


@given(st.integers(0, 60), st.sets(st.integers(0, 59)))
async def test_all_but_the_bad_ones_are_done_once_and_in_order(count: int, bad: set[int]) -> None:
    failures: Failures = {item: psycopg.errors.CheckViolation(str(item)) for item in bad}
    work = Work(failures)
    failed = await bisect(range(count), work.attempt)
    assert work.done == [item for item in range(count) if item not in bad]
    assert failed == [(item, failures[item]) for item in range(count) if item in bad]
    depth = ceil(log2(count)) if count > 1 else 0
    assert work.attempts <= 1 + 2 * depth * max(1, len(failed))


async def test_an_error_that_would_meet_any_item_is_raised_at_once() -> None:
    for error in (psycopg.errors.UndefinedColumn(), psycopg.OperationalError(), ValueError()):
        work = Work({5: error})
        with pytest.raises(type(error)):
            await bisect(range(100), work.attempt)
        assert work.attempts == 1


async def test_a_transient_failure_of_one_item_is_tried_again() -> None:
    deadlocks = [psycopg.errors.DeadlockDetected()] * 2
    done = []

    async def attempt(some: Sequence[int]) -> None:
        if some == range(3, 4) and deadlocks:
            raise deadlocks.pop()
        if len(some) > 1:
            raise psycopg.errors.DeadlockDetected
        done.extend(some)

    assert await bisect(range(5), attempt) == []
    assert done == [0, 1, 2, 3, 4]


async def test_an_item_that_meets_nothing_but_deadlocks_fails() -> None:
    work = Work({1: psycopg.errors.DeadlockDetected()})
    assert len(await bisect(range(2), work.attempt)) == 1
    assert work.attempts == 1 + 1 + 3


async def test_a_transaction_that_cannot_go_on_is_given_up() -> None:
    work = Work({1: psycopg.errors.SerializationFailure()})
    with pytest.raises(psycopg.errors.SerializationFailure):
        await bisect(range(9), work.attempt)
    assert work.attempts == 1


async def test_one_item_may_be_slow_and_two_are_a_slow_server() -> None:
    slow = psycopg.errors.QueryCanceled()
    work = Work({3: slow})
    assert await bisect(range(9), work.attempt) == [(3, slow)]
    with pytest.raises(psycopg.errors.QueryCanceled):
        await bisect(range(9), Work({3: slow, 4: slow}).attempt)
