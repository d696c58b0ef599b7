"""Answers about operators, as an engine would give them to a dashboard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eventscope import Event, EventScope
from eventscope.declaration import Operator
from eventscope.engine.questions.dead_letters import Letter, LetterDetails, LetterOf, LettersOf
from eventscope.engine.questions.operator import (
    Attempted,
    Blocking,
    BlockingEvent,
    DetailsOf,
    Latencies,
    OperatorDetails,
    Replayable,
    ReplayOf,
)
from eventscope.event import EventId
from eventscope.ids import Sql
from tests.events import an_update
from tests.tui.scripted import NOW, ScriptedEngine, an_operator
from tests.tui.shop import TRACEBACK, a_shop

FIRST = EventId("0/16B3748/0")
ERROR = "TimeoutError: the billing service did not answer within 5 s"

SQL = """
    INSERT INTO post_with_comments_counts (id, title, comments_count)
    SELECT posts.id, posts.title, count(comments.id)
    FROM posts LEFT JOIN comments ON comments.post_id = posts.id
    WHERE posts.id = $1 -- one post
    GROUP BY posts.id
    ON CONFLICT (id) DO UPDATE SET comments_count = excluded.comments_count
"""


def a_query() -> Operator:
    app = EventScope("blog")
    ids: dict[str, Any] = {"posts": "id", "comments": Sql("coalesce(post_id, 0)")}
    app.query("post_with_comments_counts", sql=SQL, ids=ids, delete_with=["posts"])
    return app.operators[0]


def a_handler() -> Operator:
    app = EventScope("shop")

    @app.operator(
        entities=["orders"],
        events=["insert", "update"],
        concurrency=4,
        key="customer_id",
        timeout=5,
    )
    async def billing_sync(event: Event) -> None: ...

    return app.operators[0]


def details(operator: Operator | None = None) -> OperatorDetails:
    attempts = [
        Attempted(
            EventId(f"0/16B3{700 + place}/0"), 1 + place, NOW - place, 0.004 + place / 50, None
        )
        for place in range(19)
    ]
    failed = Attempted(FIRST, 1, NOW + 1, 5.0, ERROR)
    latencies = Latencies(0.0042, 0.038, 1.25)
    return OperatorDetails(operator or a_handler(), (failed, *attempts), latencies)


def letters(count: int = 3) -> tuple[Letter, ...]:
    letter = Letter(1, None, FIRST, "update", "orders", 6, ERROR, NOW - 5, None)
    return tuple(
        replace(letter, id=count - place, event=EventId(f"0/16B3{748 - place}/0"))
        for place in range(count)
    )


def a_shop_that_answers() -> ScriptedEngine:
    """Its operator ``billing_sync`` has failed, and given up three events."""
    engine = a_shop()
    engine.operators(
        replace(one, dead=3, failing=42, letters={7: True}, oldest_at=NOW - 190)
        if one.name == "billing_sync"
        else replace(one, oldest_at=NOW - 42 if one.depth else None)
        for one in engine.snapshot().operators
    )
    event = an_update(new={"status": "paid"})
    engine.answers = {
        DetailsOf: details(),
        LettersOf: letters(),
        LetterOf: LetterDetails(letters()[0], event, TRACEBACK),
        BlockingEvent: Blocking(event, ERROR),
        ReplayOf: Replayable(1_234, FIRST, EventId("0/16B3800/2")),
    }
    return engine


def a_filled_query(**given: Any) -> ScriptedEngine:
    engine = ScriptedEngine(an_operator("post_with_comments_counts", **given))
    engine.answers = {DetailsOf: details(a_query()), LettersOf: ()}
    return engine
