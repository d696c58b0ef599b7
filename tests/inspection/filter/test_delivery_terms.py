"""Marks, and what operators made of an event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from eventscope.event import Event
from eventscope.inspection.filter import DELIVERY_STATES, Delivery, FilterError, parse
from tests.events import an_insert, an_update


@dataclass
class Known:
    """The same for every event."""

    known: Iterable[Delivery] = ()
    marked: bool = False

    def is_marked(self, event: Event) -> bool:
        return self.marked

    def deliveries(self, event: Event) -> Iterable[Delivery]:
        return self.known


BILLING = Delivery("billing_sync", "failed", 10, "TimeoutError: no answer")
SEARCH = Delivery("search_index", "done", 1)
MAIL = Delivery("mail", "retrying", 4, "ConnectionError: refused")


def matches(text: str, *known: Delivery, marked: bool = False) -> bool:
    return parse(text, delivery=True).matches(an_update(), Known(known, marked))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("state:failed", True),
        ("state:failed|held", True),
        ("state:held", False),
        ("state:DONE", True),
        ("operator:mail", True),
        ("operator:billing_*", True),
        ("operator:billing", False),
        ("attempts>3", True),
        ("attempts>10", False),
        ("attempts:1", True),
        ("error:timeout", True),
        ("error:Timeout", True),
        ("error:TIMEOUT", False),
        ("error:/refused$/", True),
        ("error:nothing,refused", True),
        ("error:*", True),
    ],
)
def test_a_delivery_is_asked_for(text: str, expected: bool) -> None:
    assert matches(text, BILLING, SEARCH, MAIL) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("operator:billing_sync state:failed", True),
        ("operator:search_index state:failed", False),
        ("operator:search_index op:update state:failed", False),
        ("operator:mail (state:failed or state:retrying)", True),
        ("operator:search_index (state:failed or state:retrying)", False),
        ("operator:search_index not state:failed", True),
        ("operator:billing_sync not state:failed", False),
        ("operator:mail attempts>3 error:refused", True),
        ("operator:mail attempts>5", False),
        ("not (operator:search_index state:failed)", True),
        ("not (operator:billing_sync state:failed)", False),
        ("state:failed or operator:nobody", True),
    ],
)
def test_terms_joined_by_and_speak_of_one_operator(text: str, expected: bool) -> None:
    assert matches(text, BILLING, SEARCH, MAIL) is expected


def test_a_negation_alone_speaks_of_every_operator() -> None:
    assert not matches("not state:failed", BILLING, SEARCH)
    assert matches("not state:failed", SEARCH)
    assert matches("not state:failed")
    assert not matches("not state:failed not state:retrying", SEARCH, MAIL)
    assert not matches("operator:nobody or not state:done", BILLING, SEARCH)
    assert matches("-state:failed -state:retrying", SEARCH)


def test_an_event_that_concerns_no_operator_has_no_state() -> None:
    assert not matches("operator:*")
    assert not any(matches(f"state:{state}") for state in DELIVERY_STATES)


def test_a_mark_is_a_persons() -> None:
    assert matches("marked", marked=True)
    assert not matches("marked")
    assert matches("marked op:update or state:failed", marked=True)


def test_in_quotes_it_is_text() -> None:
    assert not matches('"marked"', marked=True)
    assert parse('"marked"').matches(an_insert(new={"id": 1, "note": "well marked"}))


def test_without_a_context_nothing_is_known() -> None:
    for text in ("marked", "state:failed", "operator:*"):
        assert not parse(text, delivery=True).matches(an_insert())
        assert not parse(text, delivery=True).matches(an_insert(), None)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("op:update marked", '"marked"'),
        ("op:update state:failed", "new.state:"),
        ("op:update operator:mail", "new.operator:"),
        ("op:update attempts>3", "new.attempts:"),
        ("op:update error:Timeout", "new.error:"),
    ],
)
def test_a_bare_stream_of_events_refuses_them_and_says_what_to_write(
    text: str, instead: str
) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert caught.value.column == len("op:update ")
    assert "only where operators run" in caught.value.message
    assert instead in caught.value.message


def test_an_unknown_state_is_answered_with_the_known_ones() -> None:
    with pytest.raises(FilterError) as caught:
        parse("state:broken", delivery=True)
    assert all(state in caught.value.message for state in DELIVERY_STATES)
