"""Whatever arrives, the decoder makes events of it or raises ProtocolError."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import get_args

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventscope.demo.embedded import EmbeddedServer
from eventscope.event import Event, Form, Lsn
from eventscope.inspection.json_line import json_line
from eventscope.replication import pgoutput
from eventscope.replication.assembly import Assembler
from eventscope.replication.catalog import undescribed
from eventscope.replication.pgoutput import MISSING, ColumnMessage, ProtocolError
from eventscope.replication.relations import Relation, Transaction, event_of, texts
from eventscope.settings import Settings
from tests.replication import encoder
from tests.replication.captures import Capture, capture, stretches
from tests.replication.fuzzing import ROWS, Breaker
from tests.servers import fresh_database

MESSAGES = 190_000
STREAMS = 12_000
"""Together more than the 200,000 cases that a run must have."""

PARSERS: dict[int, Callable[[bytes], object]] = {
    pgoutput.BEGIN: pgoutput.parse_begin,
    pgoutput.COMMIT: pgoutput.parse_commit,
    pgoutput.ORIGIN: pgoutput.parse_origin,
    pgoutput.RELATION: pgoutput.parse_relation,
    pgoutput.TYPE: pgoutput.parse_type,
    pgoutput.TRUNCATE: pgoutput.parse_truncate,
    pgoutput.MESSAGE: pgoutput.parse_message,
    **dict.fromkeys(ROWS, pgoutput.parse_row),
}
TRANSACTION = Transaction(1, 99, Lsn(0x16B3778), Lsn(0x16B3748), 7, 0)


@pytest.fixture(scope="module")
def captured(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    queue = tmp_path_factory.mktemp("fuzz") / "queue.db"
    with fresh_database(postgres) as url:
        return asyncio.run(capture(Settings.load(url=url, slot_name="fuzz", queue_path=queue)))


def test_a_broken_message_is_decoded_or_refused(captured):
    rows = [message for message in captured.messages if message[0] in ROWS]
    refused = 0
    for case in range(MESSAGES):
        random = Random(case)
        message = random.choice(rows if random.random() < 0.7 else captured.messages)
        broken = Breaker(random, captured.messages).broken(message)
        try:
            decode(broken, captured, random)
        except ProtocolError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"case {case}: {error!r} of {broken!r}") from error
    assert 0.2 < refused / MESSAGES < 0.8


def test_a_broken_stream_is_decoded_or_refused(captured):
    parts, refused = list(stretches(captured.messages)), 0
    for case in range(STREAMS):
        random = Random(case)
        broken = Breaker(random, captured.messages).shuffled(random.choice(parts))
        try:
            decode_stream(broken, captured, random)
        except ProtocolError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"case {case}: {error!r} of {broken!r}") from error
    assert 0.2 < refused / STREAMS < 0.9


COLUMNS = st.lists(
    st.builds(
        ColumnMessage,
        st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=3),
        st.sampled_from([info.oid for info in psycopg.adapters.types])
        | st.sampled_from([info.array_oid for info in psycopg.adapters.types])
        | st.integers(0, 2**32 - 1),
        st.integers(-(2**31), 2**31 - 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)
TEXT = st.binary(max_size=12) | st.text('0123456789-+:. {}[](),;"\\aeBCNUL', max_size=20).map(
    str.encode
)


@given(COLUMNS, st.sampled_from("dfni"), st.sampled_from("IUD"), st.data())
@settings(max_examples=800, deadline=None)
def test_any_row_of_any_table_is_decoded(columns, identity, kind, data):
    relation = undescribed("db", encoder.relation(5, "public", "t", identity, columns))
    whole = st.lists(st.none() | TEXT, min_size=len(columns), max_size=len(columns))
    partial = st.lists(
        st.sampled_from([None, MISSING]) | TEXT, min_size=len(columns), max_size=len(columns)
    )
    old = data.draw(st.builds(dict, key=whole) | st.builds(dict, old=whole))
    match kind:
        case "I":
            message = encoder.insert(5, data.draw(partial))
        case "U":
            message = encoder.update(5, data.draw(partial), **data.draw(st.sampled_from([{}, old])))
        case _:
            message = encoder.delete(5, **old)
    look_at(relation, message)


def decode(message: bytes, captured: Capture, random: Random) -> None:
    """Do with a message whatever may be done with it."""
    kind = message[0] if message else 0
    if kind in PARSERS:
        PARSERS[kind](message)
    if kind in ROWS or kind == pgoutput.TRUNCATE:
        known = captured.relations.get(pgoutput.row_relation(message))
        relation = known or random.choice([*captured.relations.values()])
        if random.random() < 0.1:
            relation = replace(relation, partitioned=True, identity=random.choice("dfni"))
        look_at(relation, message)
    elif kind == pgoutput.MESSAGE:
        look_at(Relation.of_messages("db", "prefix"), message)
    elif kind == pgoutput.RELATION:
        relation = undescribed("db", message)
        rows = [row for row in captured.messages if row[0] in ROWS and row[1:5] == message[1:5]]
        if rows:
            look_at(relation, random.choice(rows))


def decode_stream(messages: list[bytes], captured: Capture, random: Random) -> None:
    """Make transactions of messages and look at some of their events."""
    described = dict(captured.descriptions)
    known = {
        pgoutput.subject(raw): (version, raw) for version, raw in captured.descriptions.items()
    }
    assembler = Assembler(next_seq=1, stored=Lsn(0), versions=known, next_version=len(known) + 1)
    try:
        for message in messages:
            assembler.feed(message)
    finally:  # what came before a broken message counts
        batch = assembler.take()
        described |= batch.relations
        assert [seq for seq, _, _ in batch.rows] == list(range(1, len(batch.rows) + 1))
        last = 0
        for transaction in batch.transactions:
            assert last + 1 == transaction.first_seq <= transaction.last_seq
            last = transaction.last_seq
        assert last <= len(batch.rows)
        for _, version, message in random.sample(batch.rows[:last], min(2, last)):
            look_at(undescribed("db", described[version]), message, batch.transactions[0])


def look_at(relation: Relation, message: bytes, transaction: Transaction = TRANSACTION) -> None:
    """Look at all of an event, in every form."""
    event = event_of(relation, message, transaction, 0)
    assert str(event.id).count("/") == 2
    assert event.id.end_lsn == transaction.end_lsn
    for form in get_args(Form):
        look(event.in_form(form))
    if event.type not in ("truncate", "message"):
        texts(relation, message, tuple(range(min(3, len(relation.columns)))))
    with suppress(RecursionError):  # a document too deep for this reader
        json.loads(json_line(event), parse_int=str)


def look(event: Event) -> tuple[object, ...]:
    records = event.new_record, event.old_record, event.previous, event.changes
    return *records, event.key, event.old_key, event.unknown, event.timestamp
