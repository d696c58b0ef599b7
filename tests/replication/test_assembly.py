from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.event import Lsn
from eventscope.replication.assembly import Assembler, Batch
from eventscope.replication.pgoutput import (
    DELETE,
    INSERT,
    TRUNCATE,
    ColumnMessage,
    ProtocolError,
    describing,
)
from eventscope.replication.relations import Transaction
from tests.replication import encoder

POSTS, COMMENTS = 100, 200
ID = ColumnMessage("id", 23, -1, True)
BODY = ColumnMessage("body", 25, -1, False)
POSTS_TABLE = encoder.relation(POSTS, "public", "posts", "d", [ID])
POSTS_WITH_BODY = encoder.relation(POSTS, "public", "posts", "d", [ID, BODY])
COMMENTS_TABLE = encoder.relation(COMMENTS, "public", "comments", "d", [ID])


def an_assembler(
    *, next_seq=1, stored=0, versions=None, next_version=1, prefixes=(), again=None
) -> Assembler:
    return Assembler(
        next_seq=next_seq,
        stored=Lsn(stored),
        versions=versions or {},
        next_version=next_version,
        prefixes=prefixes,
        again=again,
    )


def a_transaction(commit_lsn: int, *rows: bytes, xid: int = 7) -> list[bytes]:
    """It ends 10 bytes after its commit record begins."""
    return [encoder.begin(commit_lsn, xid, 5), *rows, encoder.commit(commit_lsn, commit_lsn + 10)]


def an_insert(oid: int = POSTS, id: bytes = b"1") -> bytes:
    return encoder.insert(oid, [id])


def feed(assembler: Assembler, *messages: bytes) -> Batch:
    for message in messages:
        assembler.feed(message)
    return assembler.take()


def test_a_transaction_becomes_numbered_rows_and_its_end():
    batch = feed(
        an_assembler(next_seq=5),
        *a_transaction(100, POSTS_TABLE, an_insert(), an_insert(id=b"2"), xid=9),
    )
    assert [(seq, version) for seq, version, _ in batch.rows] == [(5, 1), (6, 1)]
    assert [message for _, _, message in batch.rows] == [an_insert(), an_insert(id=b"2")]
    assert batch.transactions == [(5, 6, 110, 100, 9, 5, 0)]
    assert batch.counts == {(1, INSERT): 2}
    assert batch.relations == {1: POSTS_TABLE}
    assert batch.size == 2 * len(an_insert())


def test_counts_are_of_the_transactions_that_ended_in_the_batch():
    assembler = an_assembler()
    both = feed(
        assembler,
        *a_transaction(100, POSTS_TABLE, an_insert()),
        *a_transaction(200, an_insert(), encoder.delete(POSTS, key=[b"1"])),
    )
    assert both.counts == {(1, INSERT): 2, (1, DELETE): 1}
    assert feed(assembler, *a_transaction(300, an_insert())).counts == {(1, INSERT): 1}


def test_chunks_of_an_open_transaction_are_taken_before_its_end():
    assembler = an_assembler()
    first = feed(assembler, encoder.begin(100), POSTS_TABLE, an_insert())
    assert first.rows
    assert (first.transactions, first.counts) == ([], {})
    assert not assembler.idle
    second = feed(assembler, an_insert(id=b"2"), encoder.commit(100, 110))
    assert [row[0] for row in second.rows] == [2]
    assert [(t.first_seq, t.last_seq) for t in second.transactions] == [(1, 2)]
    assert second.counts == {(1, INSERT): 2}
    assert assembler.idle


def test_a_batch_that_waits_to_be_stored_is_not_idle():
    assembler = an_assembler()
    for message in a_transaction(100, POSTS_TABLE, an_insert()):
        assembler.feed(message)
    assert not assembler.idle
    assembler.take()
    assert assembler.idle
    assert assembler.size == 0


def test_a_truncate_of_two_tables_gives_each_an_event():
    both = encoder.truncate([POSTS, COMMENTS], cascade=True)
    batch = feed(an_assembler(), *a_transaction(100, POSTS_TABLE, COMMENTS_TABLE, both))
    assert batch.rows == [(1, 1, both), (2, 2, both)]
    assert batch.counts == {(1, TRUNCATE): 1, (2, TRUNCATE): 1}


def test_an_empty_transaction_stores_nothing_but_is_passed():
    assembler = an_assembler()
    assert not feed(assembler, *a_transaction(100))
    assert assembler.passed == 110
    assert assembler.idle


def test_a_transaction_of_a_relation_message_alone_is_empty_but_keeps_the_version():
    assembler = an_assembler()
    batch = feed(assembler, *a_transaction(100, POSTS_TABLE))
    assert (batch.relations, batch.rows, batch.transactions) == ({1: POSTS_TABLE}, [], [])
    assert feed(assembler, *a_transaction(200, an_insert())).rows == [(1, 1, an_insert())]


def test_what_is_stored_already_is_skipped_and_numbering_has_no_gap():
    assembler = an_assembler(next_seq=8, stored=210)
    batch = feed(
        assembler,
        *a_transaction(100, POSTS_TABLE, an_insert(), encoder.truncate([POSTS])),
        *a_transaction(200, an_insert()),
        *a_transaction(210, an_insert(id=b"new")),
    )
    assert batch.rows == [(8, 1, an_insert(id=b"new"))]
    assert [t.end_lsn for t in batch.transactions] == [220]
    assert batch.counts == {(1, INSERT): 1}
    assert assembler.passed == 210


def test_a_transaction_that_comes_twice_in_one_session_is_stored_once():
    assembler = an_assembler()
    assert len(feed(assembler, *a_transaction(100, POSTS_TABLE, an_insert())).rows) == 1
    assert not feed(assembler, *a_transaction(100, POSTS_TABLE, an_insert()))


def test_a_commit_that_begins_where_the_stored_one_ended_is_new():
    batch = feed(an_assembler(stored=100), *a_transaction(100, POSTS_TABLE, an_insert()))
    assert len(batch.rows) == 1


def test_a_repeated_relation_message_makes_no_new_version():
    assembler = an_assembler(versions={POSTS: (4, POSTS_TABLE)}, next_version=7)
    batch = feed(assembler, *a_transaction(100, POSTS_TABLE, an_insert(), POSTS_TABLE, an_insert()))
    assert batch.relations == {}
    assert batch.repeated == {4: POSTS_TABLE}, "but somebody should look whether it still holds"
    assert [version for _, version, _ in batch.rows] == [4, 4]


def test_a_changed_relation_message_makes_one_new_version_for_the_rows_after_it():
    assembler = an_assembler(versions={POSTS: (4, POSTS_TABLE)}, next_version=7)
    batch = feed(
        assembler,
        *a_transaction(100, an_insert(), POSTS_WITH_BODY, an_insert(), POSTS_WITH_BODY),
    )
    assert batch.relations == {7: POSTS_WITH_BODY}
    assert [version for _, version, _ in batch.rows] == [4, 7]


def test_a_relation_in_a_skipped_transaction_describes_the_rows_after_it():
    assembler = an_assembler(stored=110)
    batch = feed(
        assembler, *a_transaction(100, POSTS_TABLE, an_insert()), *a_transaction(200, an_insert())
    )
    assert batch.relations == {1: POSTS_TABLE}
    assert batch.rows == [(1, 1, an_insert())]


def test_messages_without_rows_are_passed_over():
    batch = feed(
        an_assembler(),
        *a_transaction(
            100,
            encoder.origin(1, "elsewhere"),
            encoder.type_(9, "public", "mood"),
            POSTS_TABLE,
            encoder.logical_message(True, 1, "eventscope", b""),
            an_insert(),
        ),
        encoder.logical_message(False, 300, "eventscope", b""),
    )
    assert len(batch.rows) == len(batch.transactions) == 1


def test_a_logical_message_is_a_row_described_by_its_prefix():
    said = encoder.logical_message(True, 1, "app", b"hello")
    messages = a_transaction(100, POSTS_TABLE, said, an_insert(), said)
    batch = feed(an_assembler(prefixes={"app"}), *messages)
    assert batch.relations == {1: POSTS_TABLE, 2: describing("app")}
    assert [version for _, version, _ in batch.rows] == [2, 1, 2]
    assert feed(an_assembler(), *messages).relations[2] == describing(""), "if somebody follows it"


def test_a_message_outside_of_a_transaction_is_one_of_its_own():
    said = encoder.logical_message(False, 300, "app", b"hello")
    (alone,) = feed(an_assembler(), said).transactions
    assert (alone.end_lsn, alone.commit_lsn, alone.xid) == (300, 300, 0)
    assert (alone.first_seq, alone.last_seq) == (1, 1)


def test_a_message_that_was_stored_is_skipped():
    assembler = an_assembler()
    first = encoder.logical_message(False, 300, "app", b"hello")
    batch = feed(assembler, first, first, encoder.logical_message(False, 301, "app", b""))
    assert [transaction.end_lsn for transaction in batch.transactions] == [300, 301]


LAST = Transaction(1, 1, Lsn(110), Lsn(100), 7, 5)
LAST_MESSAGE = Transaction(1, 1, Lsn(110), Lsn(110), 0, 5)


def test_the_last_stored_transaction_is_recognised_when_it_comes_again():
    assembler = an_assembler(stored=110, again=LAST)
    feed(assembler, *a_transaction(80, POSTS_TABLE, an_insert()))
    assert assembler.awaited == LAST
    assert feed(assembler, *a_transaction(100, an_insert())).rows == []
    assert assembler.awaited is None


@pytest.mark.parametrize(
    "other",
    [
        [encoder.begin(100, 8, 5), encoder.commit(100, 110)],
        [encoder.begin(100, 7, 6), encoder.commit(100, 110)],
        [encoder.begin(100, 7, 5), encoder.commit(100, 111)],
        [encoder.begin(110, 7, 5), POSTS_TABLE, an_insert(), encoder.commit(110, 120)],
        [encoder.logical_message(False, 110, "app", b"")],
    ],
)
def test_another_transaction_is_not_taken_for_the_last_stored_one(other):
    assembler = an_assembler(stored=110, again=LAST)
    feed(assembler, *other)
    assert assembler.awaited == LAST


def test_a_message_on_its_own_is_recognised_when_it_comes_again():
    assembler = an_assembler(stored=110, again=LAST_MESSAGE)
    feed(assembler, encoder.logical_message(False, 100, "app", b""))
    assert assembler.awaited == LAST_MESSAGE
    assert not feed(assembler, encoder.logical_message(False, 110, "app", b""))
    assert assembler.awaited is None


@pytest.mark.parametrize(
    "messages",
    [
        [an_insert()],
        [POSTS_TABLE, an_insert()],
        [encoder.begin(1), an_insert()],
        [encoder.begin(1), encoder.truncate([POSTS])],
        [encoder.begin(1), encoder.begin(2)],
        [encoder.commit(1, 2)],
        [encoder.logical_message(True, 1, "app", b"")],
        [b"S1234"],
        [b""],
        [b"I\0"],
        [b"B\0"],
    ],
)
def test_what_cannot_come_here_is_a_protocol_error(messages):
    with pytest.raises(ProtocolError):
        feed(an_assembler(), *messages)


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(0, 13), st.data())
def test_however_it_is_cut_every_row_comes_once_in_order(sizes, resumed, data):
    transactions = [
        a_transaction(100 * n, *(an_insert(id=b"%d-%d" % (n, i)) for i in range(size)), xid=n)
        for n, size in enumerate(sizes, 1)
    ]
    stored = 100 * resumed + 10
    assembler = an_assembler(stored=stored, versions={POSTS: (1, POSTS_TABLE)}, next_version=2)
    messages = [message for transaction in transactions for message in transaction]
    cuts = data.draw(st.sets(st.integers(0, len(messages)), max_size=5))
    rows, ends = [], []
    for at, message in enumerate(messages):
        if at in cuts:
            batch = assembler.take()
            rows, ends = rows + batch.rows, ends + batch.transactions
        assembler.feed(message)
    batch = assembler.take()
    rows, ends = rows + batch.rows, ends + batch.transactions
    wanted = [
        (n, b"%d-%d" % (n, i))
        for n, size in enumerate(sizes, 1)
        if n > resumed
        for i in range(size)
    ]
    assert [message for _, _, message in rows] == [an_insert(id=id) for _, id in wanted]
    assert [seq for seq, _, _ in rows] == list(range(1, len(rows) + 1))
    assert [(t.xid, t.last_seq - t.first_seq + 1) for t in ends] == [
        (n, size) for n, size in enumerate(sizes, 1) if n > resumed and size
    ]
