from __future__ import annotations

import pytest

from eventscope.event import UNCHANGED
from eventscope.inspection.filter import FilterError, column_values
from tests.events import a_delete, an_insert, an_update


def test_a_column_tells_its_value_then_the_one_before() -> None:
    assert column_values("status", an_update()) == ["paid", "new", "paid"]
    assert column_values("old.status", an_update())[0] == "new"
    assert column_values("status", an_insert()) == ["new"]
    assert column_values("status", a_delete()) == ["new"]


def test_a_place_in_a_document_has_a_value_too() -> None:
    event = an_insert(new={"id": 1, "meta": {"tags": ["vip", "new"]}})
    assert column_values("meta.tags[0]", event) == ["vip"]


def test_what_is_not_there_is_not_told() -> None:
    assert column_values("colour", an_insert()) == []
    assert column_values("note", an_insert(new={"id": 1, "note": UNCHANGED})) == []
    assert column_values("note", an_insert(new={"id": 1, "note": None})) == [None]


@pytest.mark.parametrize("text", ["", "a b+", "+", '"a'])
def test_what_is_no_column_is_an_error(text: str) -> None:
    if text == "a b+":
        assert column_values(text, an_insert()) == []
    else:
        with pytest.raises(FilterError):
            column_values(text, an_insert())
