"""A change as SQL; tests/replication/test_change_sql.py runs it."""

from __future__ import annotations

import pytest

from eventscope.event import UNCHANGED
from eventscope.inspection.quoting import identifier, literal
from eventscope.inspection.sql import change_sql, undo_sql
from tests.events import a_default_identity_update, an_insert, an_update

TYPES = {
    "id": "int8",
    "status": "text",
    "paid": "bool",
    "total": "numeric(10,2)",
    "ratio": "float8",
}


def test_statements_read_as_a_person_would_write_them() -> None:
    row = {"id": 7, "status": "it's", "paid": True, "total": "41.00", "ratio": 0.5}
    event = an_update(old=row, new={"status": None, "total": "49.90"}, columns=TYPES)
    assert change_sql(event) == (
        "UPDATE public.orders\nSET status = NULL, total = 49.90\nWHERE id = 7;"
    )
    assert undo_sql(event) == (
        "UPDATE public.orders\nSET status = 'it''s', total = 41.00\nWHERE id = 7;"
    )
    inserted = an_insert(new=row, columns=TYPES)
    assert change_sql(inserted) == (
        "INSERT INTO public.orders (id, status, paid, total, ratio)\n"
        "VALUES (7, 'it''s', true, 41.00, '0.5');"
    )
    assert undo_sql(inserted) == "DELETE FROM public.orders\nWHERE id = 7;"


def test_an_update_that_changed_nothing_says_so() -> None:
    event = an_update(new={"status": "new"})
    assert change_sql(event).startswith("-- the row was written again")
    assert undo_sql(event).startswith("-- the row was written again")


def test_what_was_not_sent_again_is_neither_set_nor_unknown() -> None:
    event = a_default_identity_update(new={"id": 1, "status": "paid", "big": UNCHANGED})
    assert "big" not in change_sql(event) + undo_sql(event)


def test_a_comment_stays_a_comment() -> None:
    event = a_default_identity_update(new={"id": 1, "x\nDROP TABLE users; --": "a"})
    assert all(line.startswith("-- ") for line in undo_sql(event).splitlines())


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("plain_1", "plain_1"),
        ("Upper", '"Upper"'),
        ("user", '"user"'),
        ("1st", '"1st"'),
        ('a"b', '"a""b"'),
        ("über", '"über"'),
        ("", '""'),
        ("a\x1b\\", r'U&"a\001b\\"'),
        ("\U000e0100", r'U&"\+0e0100"'),
    ],
)
def test_names_are_quoted_where_they_need_it(name: str, quoted: str) -> None:
    assert identifier(name) == quoted


@pytest.mark.parametrize(
    ("text", "type_", "said"),
    [
        (None, "int4", "NULL"),
        ("-7", "int4", "-7"),
        ("NaN", "numeric", "'NaN'"),
        ("1", "public.positive", "'1'"),
        ("7", "text", "'7'"),
        ("t", "bool", "true"),
        ("t", "text", "'t'"),
        ("a\nb\x1b'", "text", r"E'a\nb\u001b'''"),
        (r"\x00", "bytea", r"E'\\x00'"),
        ("\U000e0100", "text", r"E'\U000e0100'"),
    ],
)
def test_values_are_quoted_as_their_types_need(text: str | None, type_: str, said: str) -> None:
    assert literal(text, type_) == said
