"""A shop at work, as a dashboard would see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from eventscope.event import Event
from tests.events import COMMITTED, a_default_identity_update, a_delete, an_insert, an_update
from tests.tui.scripted import NOW, ScriptedEngine, an_operator

TRACEBACK = """Traceback (most recent call last):
  File "operators/billing.py", line 31, in bill
    await client.post("/invoices", json=event.new_record)
TimeoutError: the billing service did not answer within 5 s"""


def a_shop(count: int = 60) -> ScriptedEngine:
    engine = ScriptedEngine(
        an_operator(
            "search_index",
            state="running",
            depth=12,
            applied=48_211,
            entities=("orders", "order_items", "users"),
            position=count - 2,
        ),
        an_operator(
            "send_email",
            kind="handler",
            entities=("users",),
            position=count - 8,
            failing=count - 7,
            state="backing-off",
            depth=318,
            attempts=2,
            next_retry=NOW + 27,
            error="SMTPServerDisconnected: connection lost",
            applied=3_904,
            failed=2,
        ),
        an_operator(
            "billing_sync",
            kind="handler",
            position=count - 5,
            failing=count - 4,
            state="halted",
            depth=1_204,
            attempts=5,
            error="TimeoutError: the billing service did not answer within 5 s",
            traceback=TRACEBACK,
            applied=1_120,
            failed=5,
        ),
        an_operator(
            "audit_export",
            state="paused",
            depth=5_120,
            detail="paused by you",
            entities=("orders", "users", "audit.log"),
            position=count - 10,
        ),
        an_operator("post_with_comments_counts", applied=871, position=count),
    )
    engine.emit(*history(count))
    for second in range(9):
        engine.at(second - 8)
        engine.stream(events=48_000 + 412 * second + 30 * (second % 3))
    return engine


def history(count: int) -> Iterator[Event]:
    for place in range(count):
        at = {"timestamp": COMMITTED + timedelta(seconds=place), "xid": 7_412_132 + place}
        yield _one(place, at)


def _one(place: int, at: dict[str, Any]) -> Event:
    row = {
        "id": 48_213 + 7 * place,
        "customer_id": 83_456 + place,
        "status": "pending",
        "total": Decimal("41.00"),
        "meta": {"address": {"city": "Paris", "zip": "75003"}, "coupon": "WELCOME10"},
        "note": "Please ring the bell twice before noon",
        "gift": False,
        "created_at": COMMITTED,
    }
    types = {
        "id": "bigint", "customer_id": "bigint", "status": "text", "total": "numeric",
        "meta": "jsonb", "note": "text", "gift": "boolean", "created_at": "timestamptz",
    }  # fmt: skip
    item = {"id": 39_006 + place, "qty": 1, "total": Decimal("41.00")}
    user = {"id": 6_759 + place, "email": "ada@x.io", "name": "Ada", "meta": {"city": "Paris"}}
    match place % 7:
        case 0:
            return an_update("orders", row, {"status": "paid"}, columns=types, **at)
        case 1:
            return an_update("order_items", item, {"qty": 2, "total": Decimal("49.90")}, **at)
        case 2:
            return an_insert("orders", row, columns=types, **at)
        case 3:
            return an_update("users", user, {"meta": {"city": "Lyon"}}, **at)
        case 4:
            return a_delete("users", user, **at)
        case 5:
            return a_default_identity_update("log", user, schema="audit", **at)
        case _:
            changed = {
                "status": "paid",
                "total": Decimal("49.90"),
                "meta": {"address": {"city": "Lyon", "zip": "75003"}, "tags": ["vip"]},
                "note": "Please ring the bell once before 11am",
            }
            return an_update("orders", row, changed, columns=types, **at)
