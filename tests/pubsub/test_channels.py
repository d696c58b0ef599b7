"""What channels are called, and which of them an event is announced on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.event import UNCHANGED, Event, RowImages
from eventscope.pubsub.channels import announcements, direct, every, scoped, unscoped
from eventscope.scopes import DeclaredScope
from tests.events import (
    a_default_identity_update,
    a_delete,
    a_truncate,
    an_event,
    an_insert,
    an_update,
)

BY_POST: DeclaredScope = (("post_id", "posts"),)
BY_BOTH: DeclaredScope = (("organization_id", "organizations"), ("post_id", "posts"))


def names(
    event: Event, *scopes: DeclaredScope, key: Sequence[str] = ("id",)
) -> list[tuple[str, str, Any]]:
    return [
        (channel.name, message.kind, message.scope)
        for channel, message in announcements(event, "comments", scopes, key)
    ]


def test_the_names_are_those_of_the_original() -> None:
    assert unscoped("comments").name == "comments"
    assert direct("comments", 89).name == "comments/89"
    assert scoped("comments", [("posts", 123)]).name == "posts/123/comments"
    assert (
        scoped("comments", [("organizations", 1), ("posts", 2)]).name
        == "organizations/1/posts/2/comments"
    )
    assert unscoped("audit.log").name == "audit.log"


def test_a_family_has_one_name_whatever_the_values() -> None:
    assert direct("comments", 89).family == direct("comments", (1, 2)).family == "comments/*"
    assert scoped("comments", [("posts", 123)]).family == "posts/*/comments"
    assert unscoped("comments").family == unscoped("*").name == "*"
    assert every(scoped("comments", [("posts", 123)])).name == "posts/*/comments"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (123, "123"),
        ("a b", "a b"),
        (UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        (True, "true"),
        (date(2026, 7, 1), "2026-07-01"),
        (None, ""),
        ("", "%"),
        ("1/comments", "1%2Fcomments"),
        ("*", "%2A"),
        ("50%", "50%25"),
    ],
)
def test_a_value_is_written_so_that_it_stays_one_part_of_the_name(value: Any, written: str) -> None:
    assert scoped("comments", [("posts", value)]).name == f"posts/{written}/comments"
    assert direct("comments", value).name == f"comments/{written}"


def test_a_key_of_several_columns_is_one_part_too() -> None:
    assert direct("tags", (1, "a,b")).name == "tags/1,a%2Cb"
    assert direct("tags", [7]) == direct("tags", 7)
    assert direct("tags", ("a,b",)) == direct("tags", "a,b")


@given(st.lists(st.tuples(st.text(max_size=4), st.none() | st.text(max_size=4)), max_size=3),
       st.lists(st.tuples(st.text(max_size=4), st.none() | st.text(max_size=4)), max_size=3),
       st.text(max_size=4), st.text(max_size=4))  # fmt: skip
def test_no_two_things_share_a_channel(one: Any, other: Any, table: str, id: str) -> None:
    if one != other:
        assert scoped("t", one).name != scoped("t", other).name
    assert direct(table, id).name not in (scoped("t", one).name, unscoped(table).name)
    assert (direct(table, id).name == direct("t", "x").name) == ((table, id) == ("t", "x"))


def test_an_insert_is_announced_on_the_general_the_direct_and_each_scoped_channel() -> None:
    event = an_insert("comments", {"id": 1, "post_id": 2, "organization_id": 3})
    assert names(event, BY_POST, BY_BOTH) == [
        ("comments", "on_insert", ()),
        ("comments/1", "on_insert", "direct"),
        ("posts/2/comments", "on_insert", (("posts", "2"),)),
        (
            "organizations/3/posts/2/comments",
            "on_insert",
            (("organizations", "3"), ("posts", "2")),
        ),
    ]


def test_an_update_that_moves_nothing_is_announced_where_the_row_is() -> None:
    event = an_update("comments", {"id": 1, "post_id": 2, "body": "a"}, {"body": "b"})
    assert names(event, BY_POST) == [
        ("comments", "on_update", ()),
        ("comments/1", "on_update", "direct"),
        ("posts/2/comments", "on_update", (("posts", "2"),)),
    ]


def test_an_update_that_moves_the_row_tells_the_scope_that_it_leaves_first() -> None:
    event = an_update("comments", {"id": 1, "post_id": 2}, {"post_id": 3})
    assert names(event, BY_POST)[2:] == [
        ("posts/2/comments", "on_leave", (("posts", "2"),)),
        ("posts/3/comments", "on_update", (("posts", "3"),)),
    ]


def test_one_column_is_enough_to_leave_a_scope_of_two() -> None:
    event = an_update("comments", {"id": 1, "post_id": 2, "organization_id": 3}, {"post_id": 4})
    assert [(name, kind) for name, kind, _ in names(event, BY_BOTH)[2:]] == [
        ("organizations/3/posts/2/comments", "on_leave"),
        ("organizations/3/posts/4/comments", "on_update"),
    ]


def test_a_row_without_a_post_is_where_the_original_puts_it() -> None:
    event = an_update("comments", {"id": 1, "post_id": 2}, {"post_id": None})
    assert names(event, BY_POST)[2:] == [
        ("posts/2/comments", "on_leave", (("posts", "2"),)),
        ("posts//comments", "on_update", (("posts", ""),)),
    ]


def test_a_changed_key_is_told_to_both() -> None:
    event = an_update("comments", {"id": 1}, {"id": 2})
    assert names(event) == [
        ("comments", "on_update", ()),
        ("comments/1", "on_leave", "direct"),
        ("comments/2", "on_update", "direct"),
    ]


def test_a_delete_is_announced_where_the_row_was() -> None:
    event = a_delete("comments", {"id": 1, "post_id": 2})
    assert names(event, BY_POST) == [
        ("comments", "on_delete", ()),
        ("comments/1", "on_delete", "direct"),
        ("posts/2/comments", "on_delete", (("posts", "2"),)),
    ]


def test_a_delete_that_tells_the_key_alone_has_no_scope() -> None:
    event = a_delete("comments", {"id": 1, "post_id": 2}, key_only=True)
    assert [name for name, _, _ in names(event, BY_POST)] == ["comments", "comments/1"]


def test_an_update_that_does_not_tell_the_old_row_leaves_nothing_that_is_known() -> None:
    columns = {"id": "int", "post_id": "int", "organization_id": "int"}
    row = {"id": 1, "post_id": 2, "organization_id": 3}
    event = a_default_identity_update("comments", row, columns=columns)
    assert [(name, kind) for name, kind, _ in names(event, BY_POST, BY_BOTH)] == [
        ("comments", "on_update"),
        ("comments/1", "on_update"),
        ("posts/2/comments", "on_update"),
        ("organizations/3/posts/2/comments", "on_update"),
    ]


def test_a_scope_of_which_one_old_value_is_unknown_is_not_guessed() -> None:
    new = {"id": 1, "post_id": 4, "organization_id": 3}
    images = RowImages(new, {"id": 1, "post_id": 2}, True, ("post_id",))
    event = an_event("update", "comments", images, columns=dict.fromkeys(new, "int"))
    assert [(name, kind) for name, kind, _ in names(event, BY_POST, BY_BOTH)[2:]] == [
        ("posts/2/comments", "on_leave"),
        ("posts/4/comments", "on_update"),
        ("organizations/3/posts/4/comments", "on_update"),
    ]


def test_a_value_that_the_wal_does_not_repeat_is_no_name() -> None:
    images = RowImages({"id": 1, "post_id": UNCHANGED}, {"id": 1}, True, ())
    event = an_event("update", "comments", images)
    assert [name for name, _, _ in names(event, BY_POST)] == ["comments", "comments/1"]


def test_a_scope_by_a_column_that_the_table_had_not_yet_is_passed_over() -> None:
    assert [name for name, _, _ in names(an_insert("comments", {"id": 1}), BY_POST)] == [
        "comments",
        "comments/1",
    ]


def test_a_table_without_a_key_has_no_direct_channel() -> None:
    event = an_insert("comments", {"post_id": 2}, key=())
    assert [name for name, _, _ in names(event, BY_POST, key=())] == [
        "comments",
        "posts/2/comments",
    ]


def test_a_truncate_is_told_to_every_row_and_to_every_scope() -> None:
    assert names(a_truncate("comments"), BY_BOTH) == [
        ("comments", "on_truncate", ()),
        ("comments/*", "on_truncate", "direct"),
        (
            "organizations/*/posts/*/comments",
            "on_truncate",
            (("organizations", "*"), ("posts", "*")),
        ),
    ]
    assert [name for name, _, _ in names(a_truncate("comments"), key=())] == ["comments"]


def test_a_message_names_the_entity_that_it_is_announced_as() -> None:
    event = an_insert("comments_2026", {"id": 1})
    assert {message.entity for _, message in announcements(event, "comments", [], ["id"])} == {
        "comments"
    }
