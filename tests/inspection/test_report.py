"""Events as plain text with nothing left out."""

from __future__ import annotations

import json
from decimal import Decimal

from eventscope.event import UNCHANGED
from eventscope.inspection.json_line import json_line
from eventscope.inspection.report import diff_report, json_report, row_report
from tests.events import a_default_identity_update, a_delete, a_truncate, an_insert, an_update

LONG = "one line\n" * 3_000


def test_every_value_is_whole_and_on_lines_of_its_own() -> None:
    report = diff_report(an_insert(new={"id": 1, "body": LONG, "bits": b"\0\xff" * 300}))
    assert report.count("    one line") == 3_000
    assert r"+ bits  \x" + "00ff" * 300 in report


def test_an_update_tells_both_values() -> None:
    old = {"id": 1, "total": Decimal("41.00"), "note": None, "body": "x" * 100, "kept": ""}
    new = {"total": Decimal("49.90"), "note": "", "body": "y" * 100}
    assert diff_report(an_update(old=old, new=new)).splitlines() == [
        "UPDATE public.orders  id=1",
        "2026-07-01T12:06:38.412000+00:00 · xid 7412132 · lsn 0/16B3748 · id 0/16B3748/0",
        "",
        "~ total  41.00 → 49.90  (+8.90)",
        '~ note  NULL → ""',
        "~ body",
        f"  - {'x' * 100}",
        f"  + {'y' * 100}",
        "unchanged: id, kept",
    ]


def test_a_document_is_compared_to_its_last_difference() -> None:
    event = an_update(old={"id": 1, "n": list(range(300))}, new={"n": list(range(1, 301))})
    assert "  ~ [299]  299 → 300" in diff_report(event).splitlines()


def test_what_is_unknown_is_said() -> None:
    report = diff_report(a_default_identity_update(new={"id": 1, "a": None, "big": UNCHANGED}))
    assert "  a  NULL" in report
    assert "  big  (unchanged, not sent)" in report
    assert "the WAL does not hold the old values of a, big" in report
    assert "ALTER TABLE public.orders REPLICA IDENTITY FULL;" in report
    assert "- id  1" in diff_report(a_delete(key_only=True))
    assert "every row of the table was removed" in diff_report(a_truncate())


def test_the_row_marks_what_changed() -> None:
    event = an_update(old={"id": 1, "flag": False, "tags": ["a"]}, new={"flag": True})
    assert row_report(event).splitlines()[3:] == ["  id  1", "~ flag  true", '  tags  ["a"]']
    assert "  status  new" in row_report(a_delete())


def test_the_json_is_the_line_spread_out() -> None:
    event = an_update(old={"id": 1, "total": Decimal("1.10")}, new={"total": Decimal("1.20")})
    assert json.loads(json_report(event)) == json.loads(json_line(event))
    assert '"total": 1.20' in json_report(event), "with all its digits"


def test_nothing_in_it_commands_a_terminal() -> None:
    event = an_insert("\x1b[2J", {"id": "\x9b", "a\nb": "one\ntwo\x1b]0;x\x07"})
    for report in (diff_report(event), row_report(event), json_report(event)):
        assert not set(report) & {"\x1b", "\x9b", "\x07"}
    assert "+ a⏎b\n    one\n    two␛]0;x␇" in diff_report(event)
