from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from eventscope.event import UNCHANGED
from eventscope.inspection.diff import event_diff
from eventscope.inspection.paths import MAX_PATHS, path_diff
from tests.events import a_default_identity_update, a_delete, a_truncate, an_insert, an_update

ROW = {"id": 1, "status": "new", "total": Decimal("41.00"), "note": None}


def test_an_update_shows_what_changed_and_counts_the_rest() -> None:
    diff = event_diff(an_update(old=ROW, new={"status": "paid", "note": "call first"}))
    assert [(c.sign, c.column) for c in diff.columns] == [("~", "status"), ("~", "note")]
    status, note = diff.columns
    assert status.old is not None
    assert status.new is not None
    assert (status.old.text, status.new.text) == ("new", "paid")
    assert note.old is not None
    assert note.old.absent
    assert [(c.column, c.new.text) for c in diff.unchanged if c.new] == [
        ("id", "1"),
        ("total", "41.00"),
    ]
    assert diff.unknown == ()
    assert diff.remedy == ""


def test_an_insert_shows_every_column() -> None:
    diff = event_diff(an_insert(new=ROW))
    assert [(c.sign, c.column) for c in diff.columns] == [("+", name) for name in ROW]


def test_a_delete_shows_what_is_known() -> None:
    assert [c.column for c in event_diff(a_delete(old=ROW)).columns] == list(ROW)
    diff = event_diff(a_delete(old=ROW, key_only=True))
    assert [(c.sign, c.column) for c in diff.columns] == [("-", "id")]
    assert diff.unknown == ("status", "total", "note")


def test_a_truncate_has_no_columns() -> None:
    assert event_diff(a_truncate()).columns == ()


def test_an_unknown_past_is_named_with_what_would_make_it_known() -> None:
    diff = event_diff(a_default_identity_update("Orders", {**ROW, "body": UNCHANGED}))
    assert diff.columns == ()
    assert diff.unknown == ("status", "total", "note", "body")
    assert [c.new.text for c in diff.current if c.new] == [
        "new", "41.00", "NULL", "(unchanged, not sent)",
    ]  # fmt: skip
    assert diff.remedy == 'ALTER TABLE public."Orders" REPLICA IDENTITY FULL;'


def test_long_texts_are_summed_up() -> None:
    old, new = "a " * 5_000, "b " * 5_100
    (column,) = event_diff(an_update(old={"id": 1, "body": old}, new={"body": new})).columns
    assert column.note == "text changed: 10,000 → 10,200 characters"


def test_documents_are_compared_by_path() -> None:
    old = {"address": {"city": "Paris"}, "tags": ["a", "b"], "coupon": "WELCOME10"}
    new = {"address": {"city": "Lyon"}, "tags": ["a", "b", "vip"]}
    (column,) = event_diff(an_update(old={"id": 1, "meta": old}, new={"meta": new})).columns
    assert [tuple(path) for path in column.paths] == [
        ("~", ".address.city", '"Paris"', '"Lyon"'),
        ("+", ".tags[2]", None, '"vip"'),
        ("-", ".coupon", '"WELCOME10"', None),
    ]


def test_many_differences_are_cut_off() -> None:
    paths, more = path_diff(list(range(200)), list(range(1, 201)))
    assert len(paths) == MAX_PATHS
    assert more


def test_true_is_not_one() -> None:
    assert path_diff({"a": True}, {"a": 1})[0]


def test_names_and_values_are_harmless() -> None:
    column = "x\x1b[2J"
    (found,) = event_diff(an_update(old={"id": 1, column: "\x9b"}, new={column: "\u202e"})).columns
    assert found.column == "x␛[2J"
    assert found.new is not None
    assert found.new.text == "<U+202E>"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(JSON)
def test_a_document_does_not_differ_from_itself(document: object) -> None:
    assert path_diff(document, document) == ((), False)


def test_a_long_document_lists_all_its_differences_when_asked() -> None:
    event = an_update(old={"id": 1, "n": list(range(200))}, new={"n": list(range(1, 201))})
    (column,) = event_diff(event).columns
    assert (len(column.paths), column.more) == (MAX_PATHS, True)
    (column,) = event_diff(event, limit=1_000).columns
    assert (len(column.paths), column.more) == (200, False)


def test_an_hstore_is_compared_by_key() -> None:
    columns = {"id": "int4", "tags": "hstore"}
    event = an_update(
        old={"id": 1, "tags": '"a"=>"1", "b"=>"2"'}, new={"tags": '"a"=>"3"'}, columns=columns
    )
    (column,) = event_diff(event).columns
    assert [tuple(path) for path in column.paths] == [
        ("~", ".a", '"1"', '"3"'),
        ("-", ".b", '"2"', None),
    ]


def test_a_number_says_by_how_much_it_changed() -> None:
    (column,) = event_diff(an_update(old=ROW, new={"total": Decimal("49.90")})).columns
    assert column.delta == "+8.90"


def test_a_long_text_is_compared_line_by_line() -> None:
    old = "".join(f"{n} {'x' * 300}\n" for n in range(400))
    new = old.replace("\n7 ", "\nseven ", 1).replace("\n399 ", "\nlast ", 1)
    (column,) = event_diff(an_update(old={"id": 1, "body": old}, new={"body": new})).columns
    assert [path.path for path in column.paths] == ["line 8", "line 400"]


def test_the_remedy_names_the_table_as_sql_does() -> None:
    event = a_default_identity_update("user", schema='o"dd')
    assert event_diff(event).remedy == 'ALTER TABLE "o""dd"."user" REPLICA IDENTITY FULL;'
