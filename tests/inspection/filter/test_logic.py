"""And, or, not, and the sentences that say what was understood."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.event import Event
from eventscope.inspection.filter import Filter, parse
from tests.events import a_delete, an_insert, an_update

EVENTS = [
    an_insert("orders"), an_update("orders"), a_delete("orders"),
    an_insert("items"), an_update("items", old={"id": 2, "status": "paid"}, new={"status": "new"}),
]  # fmt: skip


def chosen(text: str) -> list[int]:
    return [place for place, event in enumerate(EVENTS) if parse(text).matches(event)]


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_a_filter_without_a_term_matches_everything(text: str) -> None:
    assert chosen(text) == [0, 1, 2, 3, 4]
    assert str(parse(text)) == "every event"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("table:orders op:update", [1]),
        ("table:orders and op:update", [1]),
        ("table:orders AND op:update", [1]),
        ("table:items or op:delete", [2, 3, 4]),
        ("op:delete or op:update table:items", [2, 4]),
        ("table:items op:update or op:delete", [2, 4]),
        ("(op:delete or op:update) table:items", [4]),
        ("(op:delete or op:update)and(table:items)", [4]),
        ("not table:items", [0, 1, 2]),
        ("not(table:items)", [0, 1, 2]),
        ("!table:items", [0, 1, 2]),
        ("! table:items", [0, 1, 2]),
        ("-table:items", [0, 1, 2]),
        ("not not table:items", [3, 4]),
        ("not table:items op:insert", [0]),
        ("not (table:items or op:insert)", [1, 2]),
        ("-table:items or op:insert", [0, 1, 2, 3]),
        ("op:insert -table:items", [0]),
        ("((((table:items))))", [3, 4]),
    ],
)
def test_not_binds_before_and_which_binds_before_or(text: str, expected: list[int]) -> None:
    assert chosen(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("op:update table:orders", "op is update and table is orders"),
        ("table:audit.* or table:users", "table is like audit.* or table is users"),
        ("a b or c", '"a" appears and "b" appears or "c" appears'),
        ("a (b or c)", '"a" appears and ("b" appears or "c" appears)'),
        ("a (b (c d))", '"a" appears and "b" appears and "c" appears and "d" appears'),
        ("not a", 'not ("a" appears)'),
        ("not (a or b)", 'not ("a" appears or "b" appears)'),
        ("op:insert,update,delete", "op is insert, update or delete"),
        ("lsn:>0/16b3748 xid:5,6", "lsn is above 0/16B3748 and xid is 5 or 6"),
        ("since:1h30m", "committed in the last 1h30m"),
        ("at:12:06-12:10,2026-07-01", "committed at 12:06 to 12:10 or on 2026-07-01"),
        ('status:paid,"on hold",null,x*,/y/',
         'status is paid, "on hold", NULL, like x* or like /y/'),
        ('note:"null"', 'note is "null"'),
        ("old.total<=10 new.total>40", "old total is at most 10 and new total is above 40"),
        ("created_at>=2026-07-01", "created_at is at or after 2026-07-01"),
        ("opens<12:06", "opens is before 12:06"),
        ("status:*->paid", "status went from anything to paid"),
        ("meta.tags[0]:x", "meta.tags.0 is x"),
        ("col:a,b changed>5", "a or b changed and number of changed columns is above 5"),
        ("marked operator:x state:failed attempts>=3 error:Timeout",
         "it is marked and operator is x and delivery is failed and number of attempts is at "
         'least 3 and error says "Timeout"'),
    ],
)  # fmt: skip
def test_a_filter_says_what_it_means(text: str, sentence: str) -> None:
    assert str(parse(text, delivery=True)) == sentence


def test_the_sentence_is_harmless_to_a_terminal() -> None:
    assert "\x1b" not in str(parse("status:'\x1b[31m' or \x1b]0;x"))


def test_filters_that_mean_the_same_are_equal() -> None:
    assert parse("op:update  and (table:orders)") == parse("op:update table:orders")
    assert hash(parse("OP:Update")) == hash(parse("op:update"))
    assert parse("op:update table:orders") != parse("op:update or table:orders")
    assert parse("status:paid") != parse('status:"p*"')
    assert parse("status:p*") != parse('status:"p*"')


ATOMS: dict[str, tuple[str, Callable[[Event], bool]]] = {
    "op:insert": ("op is insert", lambda event: event.type == "insert"),
    "table:orders": ("table is orders", lambda event: event.source.table == "orders"),
    "status:paid": (
        "status is paid",
        lambda event: (event.new_record or event.old_record or {}).get("status") == "paid",
    ),
    "key:2": ("key is 2", lambda event: event.key.get("id") == 2),
    "col:status": ("status changed", lambda event: "status" in (event.changes or {})),
}

Tree = tuple[str, ...] | tuple[str, "Tree"] | tuple[str, "Tree", "Tree"]


def trees() -> st.SearchStrategy[Tree]:
    atoms = st.sampled_from(sorted(ATOMS)).map(lambda form: ("atom", form))
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(["not ", "!", "-"]), inner),
            st.tuples(st.sampled_from([" and ", " ", " or ", " OR "]), inner, inner),
        ),
        max_leaves=12,
    )


def written(tree: Tree) -> str:
    match tree:
        case ("atom", form):
            return str(form)
        case (sign, inner):
            return f"{sign}({written(inner)})"  # type: ignore[arg-type]
        case (word, left, right):
            return f"({written(left)}){word}({written(right)})"  # type: ignore[arg-type]
    raise AssertionError(tree)


def truth(tree: Tree, event: Event) -> bool:
    match tree:
        case ("atom", form):
            return ATOMS[str(form)][1](event)
        case (_, inner):
            return not truth(inner, event)  # type: ignore[arg-type]
        case (word, left, right):
            either = word.strip().lower() == "or"
            sides = [truth(left, event), truth(right, event)]  # type: ignore[arg-type]
            return any(sides) if either else all(sides)
    raise AssertionError(tree)


@given(trees())
def test_any_nesting_means_what_logic_says(tree: Tree) -> None:
    filter = parse(written(tree))
    assert [filter.matches(event) for event in EVENTS] == [truth(tree, event) for event in EVENTS]


@given(trees())
def test_a_sentence_says_all_of_it(tree: Tree) -> None:
    """Its terms written as forms again, the sentence is a filter that means the same."""
    filter = parse(written(tree))
    again = reread(str(filter))
    assert again == filter
    assert str(again) == str(filter)


def reread(sentence: str) -> Filter:
    for form, (said, _) in ATOMS.items():
        sentence = sentence.replace(said, form)
    return parse(sentence)
