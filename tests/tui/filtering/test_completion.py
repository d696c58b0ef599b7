from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from eventscope.tui.filtering.completion import complete, term_start


class Shop:
    """Words of a shop."""

    def tables(self) -> Iterable[str]:
        return ["orders", "order_items", 'shop."Big Orders"', "users"]

    def operators(self) -> Iterable[str]:
        return ["billing_sync", "search_index"]

    def columns(self) -> Mapping[str, str]:
        return {"status": "orders", "total": "orders", '"state"': "orders", "email": "users"}

    def changed_columns(self) -> Mapping[str, str]:
        return {"status": "orders", "state": "orders"}

    def values(self, column: str) -> Iterable[str]:
        return {"status": ["paid", "pending", '"on hold"'], "old.status": ["new"]}.get(column, [])

    def keys(self) -> Iterable[str]:
        return ["48213", "48220"]

    def transactions(self) -> Iterable[str]:
        return ["7412132"]


def suggested(text: str, cursor: int | None = None) -> list[str]:
    """The whole filter, as each suggestion would have it."""
    at = len(text) if cursor is None else cursor
    completion = complete(text, at, Shop())
    return [text[: completion.start] + one.text + text[at:] for one in completion.suggestions]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("ta", "table:"),
        ("TA", "table:"),
        ("table:", "table:orders"),
        ("table:us", "table:users"),
        ("table:orders,us", "table:orders,users"),
        ("table:orders|us", "table:orders|users"),
        ("table:big", 'table:shop."Big Orders"'),
        ("op:up", "op:update"),
        ("op:insert,up", "op:insert,update"),
        ("state:f", "state:failed"),
        ("operator:s", "operator:search_index"),
        ("col:sta", "col:status"),
        ("key:4", "key:48213"),
        ("xid:", "xid:7412132"),
        ("table:orders stat", "table:orders state:"),
        ("tot", "total:"),
        ('"sta', '"state":'),
        ("status:pa", "status:paid"),
        ("status:on", 'status:"on hold"'),
        ('status:"on', 'status:"on hold"'),
        ("old.status:", "old.status:new"),
        ("status:pending->", "status:pending->paid"),
        ("status:pending→p", "status:pending→paid"),
        ("-table:us", "-table:users"),
        ("not table:us", "not table:users"),
        ("(table:us", "(table:users"),
        ("(op:insert or table:us", "(op:insert or table:users"),
        ('note:"a table:b" ta', 'note:"a table:b" table:'),
        ("ma", "marked"),
    ],
)
def test_the_word_before_the_cursor_goes_on(text: str, first: str) -> None:
    assert suggested(text)[0] == first


def test_what_begins_so_comes_before_what_has_it_inside() -> None:
    assert suggested("table:order") == [  # as they are known
        "table:orders",
        "table:order_items",
        'table:shop."Big Orders"',
    ]


def test_what_is_there_already_is_not_suggested() -> None:
    assert "table:orders" not in suggested("table:orders")
    assert suggested("op:update") == []


def test_the_rest_behind_the_cursor_stays() -> None:
    assert suggested("table:us op:insert", len("table:us")) == ["table:users op:insert"]


@pytest.mark.parametrize("text", ["note:", "lsn:>0", "since:5", "changed>1", "total>4", "/ta/:"])
def test_where_nothing_is_known_nothing_is_suggested(text: str) -> None:
    assert suggested(text) == []


def test_an_empty_filter_begins_with_a_field() -> None:
    assert suggested("")[:2] == ["table:", "op:"]
    assert len(suggested("")) == 8


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [("status:p", True), ("status:paid", False), ("table:", False), ("y", False)],
)
def test_half_a_word_is_known_to_go_on(text: str, goes_on: bool) -> None:
    assert complete(text, len(text), Shop()).goes_on is goes_on


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("a b", "b"),
        ('a note:"x y', 'note:"x y'),
        ("a (b", "b"),
        (r'"a\" b', r'"a\" b'),
        ("it's b", "b"),
        ("a ", ""),
    ],
)
def test_terms_begin_behind_spaces_and_parentheses(text: str, last: str) -> None:
    assert text[term_start(text) :] == last
