"""How rows map to target ids: by columns, by several, by expression."""

from __future__ import annotations

from typing import Any

import pytest

from eventscope import EventScope, Sql
from eventscope.app import DeclarationError
from eventscope.declaration import QueryOperator

TWO = "insert into counts select $1, $2"


def declared(**arguments: Any) -> QueryOperator:
    app = EventScope("blog")
    app.query("counts", **arguments)
    [operator] = app.operators
    assert isinstance(operator, QueryOperator)
    return operator


def test_an_id_may_have_several_columns() -> None:
    ids = {"comments": ("org_id", "post_id"), "posts": ["org_id", "id"]}
    operator = declared(sql=TWO, ids=ids, id=["org_id", "post_id"])
    assert operator.ids == {"comments": ("org_id", "post_id"), "posts": ("org_id", "id")}
    assert operator.id == ("org_id", "post_id")


def test_the_targets_columns_are_those_of_its_tables_where_these_agree() -> None:
    same = ("org_id", "post_id")
    assert declared(sql=TWO, ids={"comments": same, "ratings": same}).id == same


def test_an_id_may_be_an_expression_and_one_part_of_an_id_too() -> None:
    assert declared(sql="select $1", ids={"events": Sql("lower(email)")}).ids == {
        "events": (Sql("lower(email)"),)
    }
    parts = ("org_id", Sql("lower(email)"))
    assert declared(sql=TWO, ids={"events": parts}, id=("org", "email")).ids == {"events": parts}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"sql": "select $1", "ids": {"a": ("x", "y")}}, r"as \$1, \$2; \$2 is not in it"),
        ({"sql": "select $10", "ids": {"a": "x"}}, r"as \$1; \$1 is not in it"),
        ({"sql": TWO, "ids": {"a": ("x", "y"), "b": "x"}}, "maps 'a' by 2 and 'b' by 1 columns"),
        ({"sql": TWO, "ids": {"a": ("x", "y")}, "id": "x"}, "id names 1 columns, while ids has 2"),
        ({"sql": TWO, "ids": {"a": ("x", "y"), "b": ("x", "z")}}, r'as in id=\("org_id", "post'),
        ({"sql": TWO, "ids": {"a": ("x", Sql("y"))}}, r'as in id=\("org_id", "post_id"\)'),
        ({"sql": "select $1", "ids": {"a": ()}}, r"maps 'a' by \(\); name a column"),
        ({"sql": "select $1", "ids": {"a": ""}}, "maps 'a' by ''; name a column"),
        ({"sql": "select $1", "ids": {"a": ("x", 1)}}, r"maps 'a' by \('x', 1\); name a column"),
        ({"sql": "select $1", "ids": {"a": None}}, "maps 'a' by None; name a column"),
    ],
)
def test_ids_that_cannot_be_meant_are_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(DeclarationError, match=f"operator 'counts': .*{reason}"):
        declared(**arguments)


@pytest.mark.parametrize(
    ("expression", "mentioned"),
    [
        ("lower(email)", ("email",)),
        ("LOWER(Email) || coalesce(n::text, '')", ("email", "n")),
        ('"the ID" + "Odd""ness"', ("the ID", 'Odd"ness')),
        ("events.größe$1", ("größe$1",)),
        ("e_mail || emails", ()),
        ("'all'", ()),
    ],
)
def test_an_expression_depends_on_the_columns_whose_names_it_has(
    expression: str, mentioned: tuple[str, ...]
) -> None:
    columns = ("id", "email", "n", "the ID", 'Odd"ness', "größe$1")
    assert Sql(expression).mentioned(columns) == mentioned
