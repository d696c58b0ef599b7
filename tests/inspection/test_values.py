import datetime as dt
import unicodedata
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.event import UNCHANGED
from eventscope.inspection.values import bytes_text, is_absent, json_text, raw_text, value_text

UTC = dt.UTC


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "NULL"),
        (UNCHANGED, "(unchanged, not sent)"),
        ("", '""'),
        ("NULL", '"NULL"'),
        (" padded ", '" padded "'),
        ("paid", "paid"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (0.1, "0.1"),
        (Decimal("41.00"), "41.00"),
        (Decimal("1E-10"), "0.0000000001"),
        (Decimal("NaN"), "NaN"),
        (Decimal("1E+999999999"), "1E+999999999"),
        ({"n": Decimal("1E-999999999")}, '{"n":1E-999999999}'),
        (b"\xde\xad", r"\xdead (2 B)"),
        (b"\x00" * 1_234, r"\x0000000000000000… (1.2 kB)"),
        (dt.datetime(2026, 7, 1, 12, 6, 38, 412_000, UTC), "2026-07-01 12:06:38.412000+00:00"),
        (dt.date(2026, 7, 1), "2026-07-01"),
        (dt.time(12, 6), "12:06:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"a": [1, None, True], "b": {"c": "d"}}, '{"a":[1,null,true],"b":{"c":"d"}}'),
        ([Decimal("1.10"), dt.date(2026, 7, 1)], '[1.10,"2026-07-01"]'),
        ('["a"]', '["a"]'),
    ],
)
def test_what_is_shown(value: object, shown: str) -> None:
    assert value_text(value) == shown


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("a\x1b\n", "a\x1b\n"),
        ("", ""),
        ("NULL", "NULL"),
        ("x" * 50, "x" * 20),
        (b"\xde\xad" * 50, r"\xdeaddeaddeaddeaddead"),
        (True, "true"),
        (Decimal("41.00"), "41.00"),
        ({"a": ["b" * 50]}, '{"a":["bbbbbbbbbbbbb'),
    ],
)
def test_what_is_searched(value: object, raw: str) -> None:
    assert raw_text(value, 20) == raw


def test_no_value_is_told_from_an_empty_one() -> None:
    assert is_absent(None)
    assert is_absent(UNCHANGED)
    assert not is_absent("")
    assert not is_absent(0)


def test_strings_in_json_are_in_quotes() -> None:
    assert json_text('say "hi"') == r'"say \"hi\""'


def test_a_huge_document_is_read_no_further_than_it_is_shown() -> None:
    class Unreadable(dict[str, int]):
        def items(self):  # type: ignore[no-untyped-def]
            for place in range(1_000):
                assert place < 100, "read on without need"
                yield f"key{place}", place

    assert value_text(Unreadable(a=1), limit=80).endswith("…")


def test_a_deep_document_does_not_exhaust_the_stack() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    assert "…" in value_text(deep)


@given(st.recursive(st.none() | st.text() | st.binary(), lambda inner: st.lists(inner)))
def test_whatever_is_shown_fits_in_one_line(value: object) -> None:
    shown = value_text(value, 50)
    assert len(shown) <= 50
    assert not {unicodedata.category(sign) for sign in shown} & {"Cc", "Cf", "Cs", "Cn"}


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (712, "712 B"), (1_234, "1.2 kB"), (42_000_000, "42 MB"), (-1, "-1 B")],
)
def test_sizes(count: int, shown: str) -> None:
    assert bytes_text(count) == shown
