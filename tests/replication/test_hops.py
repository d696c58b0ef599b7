"""Hops: what operators write tells how far it lies from what somebody else has written."""

from __future__ import annotations

import pytest

from eventscope.event import Lsn
from eventscope.replication import hops
from eventscope.replication.assembly import Assembler, Batch
from tests.replication import encoder
from tests.replication.test_assembly import POSTS_TABLE, an_assembler, an_insert


def fed(*messages: bytes) -> tuple[Assembler, Batch]:
    assembler = an_assembler()
    for message in messages:
        assembler.feed(message)
    return assembler, assembler.take()


def told(content: bytes, *, prefix: str = hops.PREFIX, transactional: bool = True) -> bytes:
    return encoder.logical_message(transactional, 90, prefix, content)


def a_transaction(end: int, *messages: bytes) -> list[bytes]:
    return [encoder.begin(end - 10), *messages, encoder.commit(end - 10, end)]


@pytest.mark.parametrize("content", [b"hops=3", hops.written(3).encode()])
def test_a_transaction_has_the_hops_that_it_tells_of(content: bytes) -> None:
    _, batch = fed(*a_transaction(100, told(content), POSTS_TABLE, an_insert()))
    [transaction] = batch.transactions
    assert (transaction.hops, len(batch.rows)) == (3, 1)


def test_they_are_the_most_that_it_tells_of_and_end_with_it() -> None:
    _, batch = fed(
        *a_transaction(100, told(b"hops=3"), POSTS_TABLE, an_insert(), told(b"hops=2")),
        *a_transaction(200, an_insert(id=b"2")),
    )
    assert [transaction.hops for transaction in batch.transactions] == [3, 0]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"hops=", b"hops=-1", b"hops=1 ", b"hops=1\n", b"hops=0x3", b"\xff",
        b"hops=9999999999", "hops=٣".encode(), b"later=3",
    ],
)  # fmt: skip
def test_our_messages_about_something_else_are_ignored(content: bytes) -> None:
    _, batch = fed(*a_transaction(100, told(content), POSTS_TABLE, an_insert()))
    assert ([transaction.hops for transaction in batch.transactions], len(batch.rows)) == ([0], 1)


def test_those_of_others_tell_of_no_hops() -> None:
    _, batch = fed(*a_transaction(100, told(b"hops=3", prefix="mine"), POSTS_TABLE, an_insert()))
    [transaction] = batch.transactions
    assert (transaction.hops, len(batch.rows)) == (0, 2), "theirs is an event"


def test_a_transaction_of_our_message_alone_is_nothing() -> None:
    assembler, batch = fed(*a_transaction(100, told(b"hops=3")))
    assert not batch
    assert (assembler.idle, assembler.passed) == (True, Lsn(100))


def test_one_outside_of_a_transaction_is_nothing_and_touches_no_other() -> None:
    outside = told(b"hops=7", transactional=False)
    _, batch = fed(outside, *a_transaction(200, POSTS_TABLE, an_insert()))
    assert [transaction.hops for transaction in batch.transactions] == [0]
