from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.event import Lsn
from eventscope.replication import pgoutput
from eventscope.replication.pgoutput import MISSING, ColumnMessage, ProtocolError
from tests.replication import encoder

OIDS = st.integers(0, 2**32 - 1)
LSNS = st.integers(0, 2**63 - 1)
DAY = 86_400_000_000
TIMES = st.integers(-730_119 * DAY, 2_921_940 * DAY - 1)
"""From the year 1 to the year 9999."""
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
TEXTS = st.binary(max_size=40).filter(lambda text: b"\0" not in text)
VALUES = st.lists(st.one_of(TEXTS, st.none(), st.just(MISSING)), max_size=6)
FULL_VALUES = st.lists(st.one_of(TEXTS, st.none()), max_size=6)
COLUMNS = st.lists(
    st.builds(ColumnMessage, NAMES, OIDS, st.integers(-1, 2**31 - 1), st.booleans()), max_size=6
)
PARSERS: dict[str, Callable[[bytes], Any]] = {
    "B": pgoutput.parse_begin,
    "C": pgoutput.parse_commit,
    "O": pgoutput.parse_origin,
    "R": pgoutput.parse_relation,
    "Y": pgoutput.parse_type,
    "T": pgoutput.parse_truncate,
    "M": pgoutput.parse_message,
    "I": pgoutput.parse_row,
    "U": pgoutput.parse_row,
    "D": pgoutput.parse_row,
}
MESSAGES = st.one_of(
    st.builds(encoder.begin, LSNS, OIDS, TIMES),
    st.builds(encoder.commit, LSNS, LSNS, TIMES),
    st.builds(encoder.origin, LSNS, NAMES),
    st.builds(encoder.relation, OIDS, NAMES, NAMES, st.sampled_from("dnfi"), COLUMNS),
    st.builds(encoder.type_, OIDS, NAMES, NAMES),
    st.builds(encoder.truncate, st.lists(OIDS, max_size=4)),
    st.builds(encoder.logical_message, st.booleans(), LSNS, NAMES, st.binary(max_size=40)),
    st.builds(encoder.insert, OIDS, VALUES),
    st.builds(encoder.update, OIDS, VALUES),
    st.builds(lambda oid, new, key: encoder.update(oid, new, key=key), OIDS, VALUES, VALUES),
    st.builds(lambda oid, new, old: encoder.update(oid, new, old=old), OIDS, VALUES, FULL_VALUES),
    st.builds(lambda oid, key: encoder.delete(oid, key=key), OIDS, VALUES),
    st.builds(lambda oid, old: encoder.delete(oid, old=old), OIDS, FULL_VALUES),
)


def parse(message: bytes) -> Any:
    return PARSERS[chr(message[0])](message)


@given(LSNS, OIDS, TIMES)
def test_a_begin_message_tells_commit_time_and_xid(lsn, xid, at):
    assert parse(encoder.begin(lsn, xid, at)) == (lsn, at, xid)


@given(LSNS, LSNS, TIMES)
def test_a_commit_message_tells_both_ends_of_the_commit_record(lsn, end, at):
    assert parse(encoder.commit(lsn, end, at)) == (lsn, end, at)


@given(LSNS, NAMES)
def test_an_origin_message_tells_where_a_transaction_came_from(lsn, name):
    assert parse(encoder.origin(lsn, name)) == (lsn, name)


@given(OIDS, NAMES, NAMES, st.sampled_from("dnfi"), COLUMNS)
def test_a_relation_message_tells_columns_with_their_part_in_the_identity(
    oid, schema, table, identity, columns
):
    message = encoder.relation(oid, schema, table, identity, columns)
    assert parse(message) == (oid, schema, table, identity, tuple(columns))
    assert pgoutput.row_relation(message) == oid


def test_an_empty_schema_is_pg_catalog():
    assert parse(encoder.relation(1, "", "pg_class", "n", [])).schema == "pg_catalog"
    assert parse(encoder.type_(1, "", "int4")).schema == "pg_catalog"


@given(OIDS, NAMES, NAMES)
def test_a_type_message_names_a_type(oid, schema, name):
    assert parse(encoder.type_(oid, schema, name)) == (oid, schema, name)


@given(st.lists(OIDS, max_size=5), st.booleans(), st.booleans())
def test_a_truncate_message_tells_tables_and_both_options_apart(oids, cascade, restart):
    message = encoder.truncate(oids, cascade=cascade, restart=restart)
    assert parse(message) == (tuple(oids), cascade, restart)


@given(st.booleans(), LSNS, NAMES, st.binary())
def test_a_logical_message_carries_any_bytes(transactional, lsn, prefix, content):
    message = encoder.logical_message(transactional, lsn, prefix, content)
    assert parse(message) == (transactional, lsn, prefix, content)


@given(OIDS, VALUES)
def test_an_insert_holds_a_new_row(oid, new):
    message = encoder.insert(oid, new)
    assert parse(message) == ((tuple(new), "N"), None)
    assert pgoutput.row_relation(message) == oid


@given(OIDS, VALUES)
def test_an_update_without_an_old_row_holds_a_new_one(oid, new):
    assert parse(encoder.update(oid, new)) == ((tuple(new), "N"), None)


@given(OIDS, VALUES, VALUES)
def test_an_update_of_the_identity_holds_the_old_key(oid, new, key):
    message = encoder.update(oid, new, key=key)
    assert parse(message) == ((tuple(new), "N"), (tuple(key), "K"))


@given(OIDS, VALUES, FULL_VALUES)
def test_an_update_under_full_identity_holds_the_whole_old_row(oid, new, old):
    message = encoder.update(oid, new, old=old)
    assert parse(message) == ((tuple(new), "N"), (tuple(old), "O"))


@given(OIDS, VALUES)
def test_a_delete_holds_the_old_key_or_the_whole_old_row(oid, values):
    assert parse(encoder.delete(oid, key=values)) == (None, (tuple(values), "K"))
    assert parse(encoder.delete(oid, old=values)) == (None, (tuple(values), "O"))


@given(MESSAGES, st.data())
def test_a_message_cut_short_is_a_protocol_error(message, data):
    cut = data.draw(st.integers(1, len(message) - 1))
    with pytest.raises(ProtocolError):
        parse(message[:cut])


@given(st.sampled_from(list(PARSERS)), st.binary(max_size=80))
def test_garbled_bytes_parse_or_are_a_protocol_error(kind, garbage):
    try:
        parse(kind.encode() + garbage)
    except ProtocolError:
        return


@given(MESSAGES, st.data())
def test_a_flipped_byte_parses_or_is_a_protocol_error(message, data):
    at = data.draw(st.integers(1, len(message) - 1))
    flipped = bytes([message[at] ^ data.draw(st.integers(1, 255))])
    try:
        parse(message[:at] + flipped + message[at + 1 :])
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "message",
    [
        b"I" + bytes(4) + encoder.row("O", []),
        b"U" + bytes(4) + encoder.row("O", []),
        b"D" + bytes(4) + encoder.row("N", []),
        b"I" + bytes(4) + encoder.row("N", []) * 2,
        b"U" + bytes(4) + encoder.row("N", []) + encoder.row("O", []),
        b"I" + bytes(4),
        b"I" + bytes(4) + encoder.row("Q", []),
        b"I" + bytes(4) + b"N\0\1b",
    ],
)
def test_row_images_that_do_not_belong_to_their_message_are_a_protocol_error(message):
    with pytest.raises(ProtocolError):
        parse(message)


@pytest.mark.parametrize(
    "message",
    [
        encoder.begin(-1),
        encoder.begin(1, committed_at=2_921_940 * DAY),
        encoder.begin(1, committed_at=-730_119 * DAY - 1),
        encoder.begin(1, committed_at=2**63 - 1),
        encoder.commit(1, -1),
        encoder.origin(-1, "elsewhere"),
        encoder.logical_message(True, -1, "prefix", b""),
    ],
)
def test_a_position_or_time_that_nothing_can_be_at_is_a_protocol_error(message):
    with pytest.raises(ProtocolError):
        parse(message)


def test_times_count_microseconds_from_the_year_2000():
    assert pgoutput.timestamp(2_921_940 * DAY - 1) == datetime.max.replace(tzinfo=UTC)
    assert pgoutput.timestamp(-730_119 * DAY) == datetime.min.replace(tzinfo=UTC)
    assert pgoutput.timestamp(1) == datetime(2000, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert pgoutput.timestamp(-DAY) == datetime(1999, 12, 31, tzinfo=UTC)


def test_an_lsn_of_a_message_prints_as_postgres_does():
    assert str(parse(encoder.begin(0x1_0000_00A0)).commit_lsn) == "1/A0"
    assert isinstance(parse(encoder.commit(1, 2)).end_lsn, Lsn)
