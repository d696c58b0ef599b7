"""Whatever happens to rows: each subscriber hears exactly its events, in order.

What a subscriber is to hear is told here by the rows themselves, without a channel or a name: who
matches before and after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from eventscope import EventScope
from eventscope.event import Event
from eventscope.pubsub.broker import Broker
from eventscope.pubsub.channels import announcements
from eventscope.pubsub.local import LocalPubSub
from eventscope.scopes import DeclaredScope
from tests.events import a_default_identity_update, a_delete, a_truncate, an_insert, an_update

Row = dict[str, Any]
Told = tuple[str, int]
"""A kind, and the number of the event."""

COLUMNS: Final = ("id", "post_id", "author", "org")
SCOPES: Final[Sequence[dict[str, str]]] = (
    {"post_id": "posts"},
    {"author": "authors"},
    {"org": "orgs", "post_id": "posts"},
)
VALUES: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "id": st.integers(1, 3),
    "post_id": st.sampled_from([None, 1, 2, 12]),
    "author": st.sampled_from([None, "", "a", "a/b", "*", "1"]),
    "org": st.sampled_from([1, 2]),
}

Asked = Mapping[str, Any]
"""The columns and values that a subscriber asks for; none for all of the table."""


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, Row | None, Row | None]]:
    """What happens, with the row before as far as it is told and the row after."""
    rows, done = dict[int, Row](), list[tuple[str, Row | None, Row | None]]()
    for _ in range(draw(st.integers(1, 12))):
        kinds = ["insert", "truncate"] + (["update", "update", "delete", "blind"] if rows else [])
        kind = draw(st.sampled_from(kinds))
        new = {column: draw(VALUES[column]) for column in COLUMNS}
        old = (
            rows[draw(st.sampled_from(sorted(rows)))]
            if kind not in ("insert", "truncate")
            else None
        )
        if (
            kind in ("insert", "update")
            and new["id"] in rows
            and (old is None or new["id"] != old["id"])
        ):
            continue  # the key is taken
        if kind == "truncate":
            rows.clear()
            done.append((kind, None, None))
            continue
        if kind == "blind":
            assert old is not None
            new["id"] = old["id"]
        if old is not None:
            del rows[old["id"]]
        if kind != "delete":
            rows[new["id"]] = new
        done.append((kind, old, None if kind == "delete" else new))
    return done


def event_of(index: int, kind: str, old: Row | None, new: Row | None) -> Event:
    given: dict[str, Any] = {"index": index, "columns": dict.fromkeys(COLUMNS, "text")}
    match kind:
        case "insert":
            return an_insert("comments", new, **given)
        case "update":
            return an_update("comments", old, new, **given)
        case "blind":  # REPLICA IDENTITY DEFAULT
            return a_default_identity_update("comments", new, **given)
        case "delete":
            return a_delete("comments", old, **given)
    return a_truncate("comments", **given)


def expected(asked: Asked, happened: Sequence[tuple[str, Row | None, Row | None]]) -> list[Told]:
    """What a subscriber hears."""

    def concerns(row: Row | None) -> bool:
        return row is not None and all(row[column] == value for column, value in asked.items())

    heard = list[Told]()
    for number, (kind, old, new) in enumerate(happened):
        if kind == "truncate":
            heard.append(("on_truncate", number))
        elif kind == "delete":
            heard += [("on_delete", number)] * concerns(old)
        elif concerns(new):
            heard.append(("on_insert" if kind == "insert" else "on_update", number))
        elif kind == "update" and concerns(old):
            heard.append(("on_leave", number))
    return heard


asked_for = (
    st.just({})
    | st.fixed_dictionaries({"id": VALUES["id"]})
    | st.one_of(
        *(st.fixed_dictionaries({column: VALUES[column] for column in scope}) for scope in SCOPES)
    )
)


@settings(max_examples=200)
@given(happened=steps(), asked=st.lists(asked_for, min_size=1, max_size=8), at_once=st.booleans())
async def test_each_subscriber_hears_exactly_its_events_in_order(
    happened: list[Any], asked: list[Asked], at_once: bool
) -> None:
    app = EventScope("fuzz")
    app.entity("comments", scopes=SCOPES)
    broker = Broker(app, LocalPubSub())
    await broker.open()
    scopes: Sequence[DeclaredScope] = app.scopes("comments")
    streams = [await broker.subscribe("comments", **_arguments(one)).__aenter__() for one in asked]
    batch = list[Any]()
    for number, step in enumerate(happened):
        batch += announcements(event_of(number, *step), "comments", scopes, ["id"])
        if not at_once:
            await broker.pubsub.publish(batch)
            batch = []
    await broker.pubsub.publish(batch)
    await broker.close()  # streams end after what has come
    for one, stream in zip(asked, streams, strict=True):
        heard = [(message.kind, message.event.index) async for message in stream]
        assert heard == expected(one, happened)


def _arguments(asked: Asked) -> dict[str, Any]:
    if not asked:
        return {}
    return {"id": asked["id"]} if "id" in asked else {"scope": asked}
