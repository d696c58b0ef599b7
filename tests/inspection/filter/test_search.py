"""Words and regular expressions, anywhere in an event."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from eventscope.event import UNCHANGED, RowImages
from eventscope.inspection.filter import parse
from eventscope.inspection.filter.readings import SEARCHED
from tests.events import (
    a_default_identity_update,
    a_delete,
    a_truncate,
    an_event,
    an_insert,
    an_update,
)

ORDER = {"id": 48213, "status": "Pending", "total": Decimal("41.00"), "note": "call first"}


def found(text: str, event: Any) -> bool:
    return parse(text).matches(event)


@pytest.mark.parametrize(
    "text", ["orders", "rder", "audit", "audit.orders", "48213", "482", "paid"]
)
def test_a_word_is_found_in_the_tables_name_the_key_and_a_changed_value(text: str) -> None:
    assert found(text, an_update(schema="audit", old=ORDER, new={"status": "paid"}))


def test_an_update_is_searched_for_its_changed_values_old_and_new_alone() -> None:
    update = an_update(old=ORDER, new={"status": "paid"})
    assert found("pending", update)
    assert not found('"call first"', update)


def test_where_the_past_is_unknown_every_value_may_have_changed() -> None:
    assert found('"call first"', a_default_identity_update(new=ORDER))


@pytest.mark.parametrize("event", [an_insert(new=ORDER), a_delete(old=ORDER)])
def test_inserts_and_deletes_are_searched_for_the_whole_row(event: Any) -> None:
    assert found("pending", event)
    assert found("41.00", event)
    assert found('"call first"', event)
    assert not found("nowhere", event)


def test_a_message_is_searched_for_its_prefix_and_content() -> None:
    row = {"prefix": "audit", "content": '{"by": "ann"}', "transactional": True}
    message = an_event("message", "audit", RowImages(row, None, False, ()), schema="", key=())
    assert found("audit", message)
    assert found("ann", message)
    assert not found("bob", message)


def test_a_truncate_has_a_table_alone() -> None:
    assert found("orders", a_truncate())
    assert not found("1", a_truncate())


def test_case_matters_only_for_who_writes_upper_case() -> None:
    event = an_insert(new={"id": 1, "city": "Łódź", "street": "GROẞE Gasse"})
    assert found("łódź", event)
    assert found("Łódź", event)
    assert not found("ŁÓDŹ", event)
    assert found("große", event)
    assert found("/ł.dź/", event)
    assert not found("/Ł.DŹ/", event)


def test_the_upper_case_of_an_escape_is_no_upper_case() -> None:
    event = an_insert(new={"id": 1, "name": "ADA lovelace"})
    assert found(r"/ada\Slove|ada\Wlove/", event)
    assert found("/(?P<first>ada) love/", event)


def test_documents_are_searched_as_they_are_shown() -> None:
    event = an_insert(new={"id": 1, "meta": {"address": {"city": "Lyon"}, "tags": ["a", "b"]}})
    assert found("lyon", event)
    assert found("city", event)
    assert found("""'"city":"Lyon"'""", event)
    assert found("""'["a","b"]'""", event)


def test_bytes_are_searched_as_hexadecimal_digits() -> None:
    assert found("cafe00", an_insert(new={"id": 1, "data": bytes(20) + b"\xca\xfe\x00"}))


def test_a_regular_expression_may_hold_spaces_signs_and_slashes() -> None:
    event = an_insert(new={"id": 1, "path": "see /var/log (old): x"})
    assert found(r"/see \/var.*\(old\): x/", event)
    assert not found(r"/^\/var/", event)


def test_wildcards_stand_for_text_in_a_word_but_not_in_quotes() -> None:
    event = an_insert(new={"id": 1, "note": "really?\nno way"})
    assert found("real*way", event)
    assert found("no*W", an_insert(new={"id": 1, "note": "no\nWay"}))
    assert found("no?way", event)
    assert found("really?", event)
    assert not found('"real*way"', event)
    assert found('"really?"', event)
    assert not found("way*real", event)


def test_null_and_what_was_not_sent_are_not_searched() -> None:
    event = a_default_identity_update(new={"id": 1, "note": None, "body": UNCHANGED})
    assert not found("null", event)
    assert not found("none", event)
    assert not found("unchanged", event)


def test_only_the_beginning_of_a_huge_value_is_searched() -> None:
    assert found("needle", an_insert(new={"id": 1, "body": "x" * (SEARCHED - 6) + "needle"}))
    assert not found("needle", an_insert(new={"id": 1, "body": "x" * (SEARCHED - 5) + "needle"}))


def test_wildcards_do_not_backtrack() -> None:
    event = an_insert(new={"id": 1, "body": "ab" * (SEARCHED // 2)})
    assert not found("*a*b*a*b*a*b*a*b*a*b*c", event)
    assert not found("body:a*b*a*b*a*b*a*b*c", event)


def test_quotes_hold_spaces_signs_and_escapes() -> None:
    event = an_insert(new={"id": 1, "title": 'a "b" (c) \\ d: e\tf, it\'s'})
    assert found(r"'a \"b\" (c)'", event)
    assert found(r'"a \"b\" (c) \\ d: e\tf"', event)
    assert found(r"'it\'s'", event)
    assert found("it's", event)
