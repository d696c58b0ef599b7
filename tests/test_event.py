from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventscope.event import (
    UNCHANGED,
    Change,
    EventId,
    Form,
    Lsn,
    RowImages,
    entity_name,
    split_entity,
)
from tests.events import an_event

COLUMNS = {"id": "integer", "body": "text"}
NAMES = st.text(min_size=1).filter(lambda name: "." not in name)


def an_update(images: RowImages):
    return an_event("update", "posts", images, columns=COLUMNS)


@given(st.integers(0, 2**64 - 1))
def test_an_lsn_is_read_as_it_is_printed(number):
    assert Lsn.parse(str(Lsn(number))) == number


def test_an_lsn_prints_as_postgres_does():
    assert str(Lsn(0x16B3748)) == "0/16B3748"
    assert f"{Lsn(0x1_0000_00AB)}" == "1/AB"
    assert repr(Lsn(1)) == "Lsn('0/1')"


@pytest.mark.parametrize(
    "text", ["", "0", "/", "0/", "0/G", "-1/0", "0/-1", "0x1/0", " 0/1", "0/1_0", "123456789/0"]
)
def test_what_is_no_lsn_is_a_value_error(text):
    with pytest.raises(ValueError, match="is no LSN"):
        Lsn.parse(text)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40))
def test_an_event_id_tells_its_transactions_end_and_its_place(end, index):
    id = EventId.of(end, index)
    assert id == f"{Lsn(end)}/{index}"
    assert (id.end_lsn, id.ordinal) == (end, index)
    assert EventId(str(id)).ordinal == index


def test_unchanged_is_false_and_names_itself():
    assert not UNCHANGED
    assert repr(UNCHANGED) == "UNCHANGED"


def test_values_are_not_decoded_before_somebody_looks():
    looked = []

    def load(form: Form) -> RowImages:
        looked.append(form)
        return RowImages({"id": 1}, None, False, ())

    event = an_event("insert", "posts", RowImages(None, None, False, ()), columns=COLUMNS)
    event._load = load
    assert (event.name, event.type, event.index, event.key_columns) == (
        "posts",
        "insert",
        0,
        ("id",),
    )
    assert "insert posts" in repr(event)
    assert looked == []
    assert event.new_record == event.new_record == {"id": 1}
    assert looked == ["python"]


def test_an_event_in_another_form_is_the_same_event_with_its_values_said_otherwise():
    says = {
        "python": RowImages({"id": 2}, {"id": 1}, False, ("id",)),
        "text": RowImages({"id": "2"}, {"id": "1"}, False, ("id",)),
    }
    event = an_update(says["python"])
    event._load = says.__getitem__
    assert event.new_record == {"id": 2}
    other = event.in_form("text")
    assert (other.id, other.type, other.source) == (event.id, event.type, event.source)
    assert (other.new_record, other.previous) == ({"id": "2"}, {"id": "1"})
    assert other.changes == {"id": Change("1", "2")}
    assert event.new_record == other.in_form("python").new_record == {"id": 2}


def test_an_insert_has_a_new_row_alone():
    images = RowImages({"id": 1, "body": None}, None, False, ())
    event = an_event("insert", "posts", images, columns=COLUMNS)
    assert event.new_record == {"id": 1, "body": None}
    assert (event.old_record, event.previous, event.changes, event.unknown) == (
        None,
        None,
        None,
        (),
    )


def test_an_update_with_its_whole_old_row_tells_exactly_what_changed():
    event = an_update(
        RowImages({"id": 1, "body": "new"}, {"id": 1, "body": "old"}, False, ("body",))
    )
    assert event.changes == {"body": Change("old", "new")}
    assert event.previous == {"id": 1, "body": "old"}
    assert (event.old_record, event.unknown) == (None, ())


def test_an_update_of_which_only_the_key_is_known_has_no_previous_row():
    event = an_update(RowImages({"id": 2, "body": "new"}, {"id": 1}, True, ("id",)))
    assert event.changes == {"id": Change(1, 2)}
    assert event.unknown == ("body",)
    assert (event.old_record, event.previous) == (None, None)


def test_an_update_without_any_old_row_knows_no_change():
    event = an_update(RowImages({"id": 1, "body": UNCHANGED}, None, False, ()))
    assert event.changes == {}
    assert event.unknown == ("id", "body")


def test_a_key_only_old_row_is_not_a_row_of_nulls():
    images = RowImages(None, {"id": 1}, True, ())
    event = an_event("delete", "posts", images, columns=COLUMNS)
    assert event.old_record == {"id": 1}
    assert event.unknown == ("body",)
    assert (event.previous, event.new_record, event.changes) == (None, None, None)


def test_a_delete_with_its_whole_row_tells_it_twice():
    images = RowImages(None, {"id": 1, "body": None}, False, ())
    event = an_event("delete", "posts", images, columns=COLUMNS)
    assert event.old_record == event.previous == {"id": 1, "body": None}
    assert event.unknown == ()


def test_an_entity_is_named_with_its_schema_unless_that_is_public():
    assert entity_name("public", "posts") == "posts"
    assert entity_name("audit", "posts") == "audit.posts"
    assert split_entity("posts") == ("public", "posts")
    assert split_entity("public.posts") == ("public", "posts")
    assert split_entity("audit.posts") == ("audit", "posts")


@given(NAMES, st.text(min_size=1))
@example("public", "a.b")
def test_an_entitys_name_splits_into_what_it_was_made_of(schema, table):
    assert split_entity(entity_name(schema, table)) == (schema, table)
