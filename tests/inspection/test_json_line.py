from __future__ import annotations

import json

import msgspec
import pytest

from eventscope.event import UNCHANGED
from eventscope.inspection.json_line import json_line
from tests.events import a_default_identity_update, a_delete, a_truncate, an_insert, an_update


def test_an_update_is_an_object_with_the_keys_of_an_event_in_their_order():
    event = an_update("orders", {"id": 1, "n": None}, {"n": 2}, index=3)
    line = json.loads(json_line(event))
    assert list(line.items()) == [
        ("name", "orders"),
        ("type", "update"),
        (
            "source",
            {
                "name": "postgresql",
                "version": "17.2",
                "db": "shop",
                "schema": "public",
                "table": "orders",
                "columns": {"id": "text", "n": "text"},
            },
        ),
        ("new_record", {"id": 1, "n": 2}),
        ("old_record", None),
        ("changes", {"n": {"old_value": None, "new_value": 2}}),
        ("timestamp", "2026-07-01T12:06:38.412000+00:00"),
        ("lsn", "0/16B3748"),
        ("id", "0/16B3748/3"),
        ("xid", 7412132),
        ("index", 3),
        ("previous", {"id": 1, "n": None}),
    ]


@pytest.mark.parametrize(
    ("event", "new", "old", "changes", "previous"),
    [
        (an_insert(new={"id": 1}), {"id": 1}, None, None, None),
        (
            a_delete(old={"id": 1, "a": None}),
            None,
            {"id": 1, "a": None},
            None,
            {"id": 1, "a": None},
        ),
        (a_delete(old={"id": 1, "a": None}, key_only=True), None, {"id": 1}, None, None),
        (a_default_identity_update(new={"id": 1, "a": "b"}), {"id": 1, "a": "b"}, None, {}, None),
        (a_truncate(), None, None, None, None),
    ],
)
def test_what_an_event_does_not_have_is_null(event, new, old, changes, previous):
    line = json.loads(json_line(event))
    assert (line["new_record"], line["old_record"]) == (new, old)
    assert (line["changes"], line["previous"]) == (changes, previous)


def test_a_value_that_was_not_sent_cannot_be_taken_for_a_text():
    said = json.loads(json_line(an_insert(new={"id": 1, "a": "UNCHANGED"})))
    assert said["new_record"]["a"] == "UNCHANGED"
    assert "unchanged" not in said
    unsaid = json.loads(json_line(a_default_identity_update(new={"id": 1, "a": UNCHANGED})))
    assert unsaid["new_record"]["a"] == "UNCHANGED"
    assert list(unsaid)[-1] == "unchanged"
    assert unsaid["unchanged"] == ["a"]


@pytest.mark.parametrize(
    "text",
    ['"\\', "a\r\nb", "\x00\x1b[2J", "\x9b2J\x85", "a\u2028b\u2029", "\u202eevil", "ü🦆\x7f"],
)
def test_any_text_stays_itself_in_one_line_that_no_terminal_obeys(text):
    line = json_line(an_insert(text, {text: text, "document": msgspec.Raw(json.dumps(text))}))
    said = json.loads(line)
    assert said["name"] == text
    assert said["new_record"] == {text: text, "document": text}
    assert line.splitlines() == [line]
    assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in line)
    assert "\u202e" not in line
