"""Raw rows without what is hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.concealment import Concealment
from eventscope.event import Lsn
from eventscope.inspection.sql import change_sql, undo_sql
from eventscope.replication import catalog, pgoutput, values
from eventscope.replication.connection import SourceError
from eventscope.replication.masking import Masking, conceal
from eventscope.replication.pgoutput import MISSING, ColumnMessage, ProtocolError
from eventscope.replication.relations import Relation, Transaction, event_of
from tests.replication import encoder

NAMES = ("id", "hash", "email", "name")
HIDDEN = Concealment(frozenset({"email"}), frozenset({"hash"}))


def described(identity: str = "f", key: tuple[str, ...] = ("id",)) -> tuple[bytes, Relation]:
    columns = [
        ColumnMessage(name, values.TEXT, -1, identity == "f" or name in key) for name in NAMES
    ]
    raw = encoder.relation(7, "public", "users", identity, columns)
    types = [("text", values.TEXT)] * len(NAMES)
    return raw, catalog.relation("db", pgoutput.parse_relation(raw), types, key)


def masked(message: bytes, identity: str = "f", key: tuple[str, ...] = ("id",)):
    raw, relation = described(identity, key)
    ours = conceal(relation, HIDDEN)
    masking = Masking()
    masking.learn(1, raw, ours)
    [(_, _, hidden)] = masking.rows([(1, 1, message)])
    transaction = Transaction(1, 1, Lsn(2), Lsn(1), 1, 0)
    return hidden, event_of(ours, hidden, transaction, 0)


texts = st.none() | st.just(MISSING) | st.binary(max_size=300).filter(lambda b: b"\0" not in b)
rows = st.lists(texts, min_size=4, max_size=4)


@given(rows, rows)
def test_what_is_left_of_a_row_is_what_it_was(new, old) -> None:
    message, _ = masked(encoder.update(7, new, old=[None if v is MISSING else v for v in old]))
    after, before = pgoutput.parse_row(message)
    for image, given_ in ((after, new), (before, [None if v is MISSING else v for v in old])):
        assert image is not None
        id, email, name = image.values
        assert (id, name) == (given_[0], given_[3])
        assert email == (b"***" if isinstance(given_[2], bytes) else given_[2])


def test_rows_of_other_versions_are_the_same_objects() -> None:
    rows = [(1, 2, encoder.insert(7, [b"1", b"2", b"3", b"4"]))]
    masking = Masking()
    assert masking.rows(rows) is rows
    raw, relation = described()
    masking.learn(2, raw, relation)
    assert masking.rows(rows) is rows
    masking.learn(1, raw, conceal(relation, HIDDEN))
    assert masking.rows(rows)[0] is rows[0]


@pytest.mark.parametrize("cut", range(5, 40))
def test_a_row_that_ends_early_is_refused_and_not_passed_on(cut: int) -> None:
    message = encoder.insert(7, [b"1", b"secret", b"secret", b"Ada"])
    if cut < len(message):
        try:
            hidden, _ = masked(message[:cut])
        except ProtocolError:
            return
        assert cut == 5
        assert b"secret" not in hidden


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ProtocolError, match="3 values for the 4 columns"):
        masked(encoder.insert(7, [b"1", b"2", b"3"]))


@pytest.mark.parametrize("identity", ["d", "i"])
def test_a_column_of_the_identity_cannot_be_hidden(identity: str) -> None:
    _, relation = described(identity, ("email",))
    with pytest.raises(SourceError, match="column email is part of its key"):
        conceal(relation, HIDDEN)


def test_what_is_hidden_twice_is_as_if_it_were_once() -> None:
    _, relation = described()
    once = conceal(relation, HIDDEN)
    assert conceal(once, HIDDEN) == once != relation


def test_sql_leaves_out_what_is_hidden_and_says_so() -> None:
    note = "-- the application hides email, hash, which is left out here\n"
    _, inserted = masked(encoder.insert(7, [b"1", b"h", b"e", b"Ada"]))
    assert change_sql(inserted) == (
        note + "INSERT INTO public.users (id, name)\nVALUES ('1', 'Ada');"
    )
    row = [b"1", b"h", b"e", b"Ada"]
    _, updated = masked(encoder.update(7, [b"1", b"h", None, b"Bob"], old=row))
    assert change_sql(updated) == (note + "UPDATE public.users\nSET name = 'Bob'\nWHERE id = '1';")
    assert undo_sql(updated) == note + "UPDATE public.users\nSET name = 'Ada'\nWHERE id = '1';"


def test_without_a_key_no_statement_names_a_row_of_which_a_part_is_hidden() -> None:
    row = [b"1", b"h", b"e", b"Ada"]
    _, deleted = masked(encoder.delete(7, old=row), key=())
    assert change_sql(deleted).endswith("no statement can name the row, as its table has no key")
    _, inserted = masked(encoder.insert(7, row), key=())
    assert "DELETE" not in undo_sql(inserted)
