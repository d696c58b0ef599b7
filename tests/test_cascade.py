"""Operators that follow each other must not do so in a circle."""

from __future__ import annotations

import pytest

from eventscope import EventScope
from eventscope.app import DeclarationError
from eventscope.cascade import cycle


@pytest.mark.parametrize(
    ("followed", "way"),
    [
        ({}, ()),
        ({"a": ["x", "y"], "b": ["a"], "c": ["a", "b"]}, ()),
        ({"a": ["a"]}, ("a", "a")),
        ({"a": ["x", "c"], "b": ["a"], "c": ["b"]}, ("a", "b", "c", "a")),
        ({"start": ["a"], "a": ["b"], "b": ["a"]}, ("a", "b", "a")),
        ({"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []}, ()),
    ],
)
def test_a_way_back_is_found_and_nothing_else(
    followed: dict[str, list[str]], way: tuple[str, ...]
) -> None:
    assert cycle(followed) == way


def test_a_long_cascade_is_no_circle_and_takes_no_time() -> None:
    tables = {f"t{n}": [f"t{n - 1}", f"t{n - 2}"] for n in range(2, 200)}
    assert cycle(tables) == ()


def test_the_operator_that_closes_a_circle_is_refused_with_the_way() -> None:
    app = EventScope("circle")
    app.query("counts", sql="select $1", ids={"posts": "id"})
    app.query("sums", sql="select $1", ids={"public.counts": "id"})
    with pytest.raises(DeclarationError, match=r"'back': .* for ever: posts -> counts -> sums"):
        app.query("back", target="posts", sql="select $1", ids={"users": "id", "sums": "id"})
    assert [operator.name for operator in app.operators] == ["counts", "sums"]


def test_an_operator_that_follows_its_own_target_is_refused() -> None:
    with pytest.raises(DeclarationError, match="start it again, for ever: posts -> posts"):
        EventScope("circle").query("posts", sql="select $1", ids={"public.posts": "id"})


def test_two_operators_may_write_to_one_table_and_follow_one_table() -> None:
    app = EventScope("no circle")
    app.query("a", target="counts", sql="select $1", ids={"posts": "id"})
    app.query("b", target="counts", sql="select $1", ids={"posts": "id", "comments": "post_id"})
