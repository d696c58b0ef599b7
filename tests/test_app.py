"""What can be declared, and what is refused with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from eventscope import Event, EventScope, Message
from eventscope.app import DeclarationError
from eventscope.declaration import HandlerOperator, QueryOperator

SQL = "insert into counts select $1"


@pytest.fixture
def app() -> EventScope:
    return EventScope("blog")


def test_an_operator_s_tables_are_watched_without_being_declared_again(app: EventScope) -> None:
    app.entity("users")
    app.query("counts", sql=SQL, ids={"comments": "post_id", "posts": "id"})

    @app.operator(entities=["posts", "audit.log"])
    def note(event: Event) -> None: ...

    assert app.entities == ("users", "comments", "posts", "audit.log")


def test_public_is_the_schema_of_a_name_without_one(app: EventScope) -> None:
    app.entity("public.posts")
    app.entity("posts")
    app.query(
        "counts", sql=SQL, ids={"public.comments": "post_id"}, delete_with=["public.comments"]
    )
    assert app.entities == ("posts", "comments")
    [operator] = app.operators
    assert isinstance(operator, QueryOperator)
    assert operator.delete_with == ("comments",)


def test_a_query_operator_s_name_is_its_target_unless_it_names_another(app: EventScope) -> None:
    app.query("counts", sql=SQL, ids={"posts": "id"})
    app.query("second", sql=SQL, ids={"posts": "id"}, target="stats.counts", id="post")
    first, second = app.operators
    assert isinstance(first, QueryOperator)
    assert isinstance(second, QueryOperator)
    assert (first.target, first.id) == ("counts", ("id",))
    assert (second.target, second.id) == ("stats.counts", ("post",))


def test_a_handler_is_named_after_its_function_and_stays_callable(app: EventScope) -> None:
    @app.operator(entities=["users"], events=["insert"])
    async def welcome(event: Event) -> None: ...

    @app.operator(entities=["users"], name="farewell", events=["delete"], timeout=5)
    def goodbye(event: Event) -> str:
        return "bye"

    first, second = app.operators
    assert isinstance(first, HandlerOperator)
    assert isinstance(second, HandlerOperator)
    assert (first.name, first.events, first.is_async) == ("welcome", ("insert",), True)
    assert (second.name, second.timeout, second.is_async) == ("farewell", 5, False)
    unused: Any = None
    assert goodbye(unused) == "bye"


def test_a_handler_gets_a_transaction_if_it_asks_for_one(app: EventScope) -> None:
    @app.operator(entities=["users"])
    async def audit(event: Event, tx: Any) -> None: ...

    [operator] = app.operators
    assert isinstance(operator, HandlerOperator)
    assert operator.takes_tx


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"sql": "select 1", "ids": {"posts": "id"}}, r"must take the target's id as \$1"),
        ({"sql": SQL, "ids": {}}, "names no table"),
        ({"sql": SQL, "ids": {"posts": "id"}, "delete_with": ["users"]}, "'users', which is not"),
        ({"sql": SQL, "ids": {"posts": "id"}, "events": ["upsert"]}, "'upsert' is no event type"),
        (
            {"sql": SQL, "ids": {"posts": "id"}, "delete_with": "posts", "events": "insert"},
            "delete_with needs the event type delete",
        ),
        (
            {"sql": SQL, "ids": {"posts": "id"}, "on_failure": "ignore"},
            "on_failure is 'ignore'; it may be dead_letter or halt",
        ),
        (
            {"sql": SQL, "ids": {"posts": "id"}, "alias": "counts"},
            "its alias 'counts' is the name of another operator",
        ),
    ],
)
def test_a_query_operator_that_cannot_work_is_refused(
    app: EventScope, arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DeclarationError, match=f"operator 'counts': .*{reason}"):
        app.query("counts", **arguments)
    assert app.operators == ()


def test_one_name_may_stand_for_a_list_of_one(app: EventScope) -> None:
    app.query("counts", sql=SQL, ids={"posts": "id"}, delete_with="posts", events="delete")

    @app.operator(entities="users")
    def note(event: Event) -> None: ...

    query, handler = app.operators
    assert isinstance(query, QueryOperator)
    assert (query.delete_with, query.events) == (("posts",), ("delete",))
    assert handler.entities == ("users",)


def test_what_becomes_of_failures_is_up_to_each_operator(app: EventScope) -> None:
    app.query("counts", sql=SQL, ids={"posts": "id"})
    app.query("sums", sql=SQL, ids={"posts": "id"}, on_failure="halt", backfill=True, alias="sum")

    @app.operator(entities="users")
    def note(event: Event) -> None: ...

    @app.operator(entities="users", on_failure="dead_letter", alias="send")
    def send_mail(event: Event) -> None: ...

    told = [(operator.on_failure, operator.alias) for operator in app.operators]
    assert told == [("dead_letter", None), ("halt", "sum"), ("halt", None), ("dead_letter", "send")]
    queries = [o for o in app.operators if isinstance(o, QueryOperator)]
    assert [query.backfill for query in queries] == [False, True]


def test_an_alias_is_no_name_that_somebody_has(app: EventScope) -> None:
    app.query("counts", sql=SQL, ids={"posts": "id"}, alias="former")
    with pytest.raises(DeclarationError, match="operator 'counts': its alias 'former' is the name"):
        app.query("former", sql=SQL, ids={"posts": "id"})


def test_a_second_operator_of_a_name_is_refused(app: EventScope) -> None:
    app.query("counts", sql=SQL, ids={"posts": "id"})
    with pytest.raises(DeclarationError, match="'counts' is declared twice"):
        app.query("counts", sql=SQL, ids={"posts": "id"})


def test_a_handler_without_tables_is_refused(app: EventScope) -> None:
    with pytest.raises(DeclarationError, match="names no table"):

        @app.operator(entities=[])
        def lost(event: Event) -> None: ...


def test_a_handler_in_a_thread_cannot_have_a_transaction(app: EventScope) -> None:
    with pytest.raises(DeclarationError, match="takes tx must be async def"):

        @app.operator(entities=["users"])
        def audit(event: Event, tx: Any) -> None: ...


def test_an_entity_s_scopes_are_told_in_declared_order(app: EventScope) -> None:
    both = {"organization_id": "organizations", "post_id": "posts"}
    app.entity("comments", scopes=[{"post_id": "posts"}, both])
    app.entity("public.comments", scopes=[{"post_id": "posts"}, {"author_id": "users"}])
    assert app.scopes("comments") == (
        (("post_id", "posts"),),
        (("organization_id", "organizations"), ("post_id", "posts")),
        (("author_id", "users"),),
    )
    assert app.entities == ("comments",)


def test_an_operator_s_table_is_an_entity_without_scopes(app: EventScope) -> None:
    app.query("counts", sql=SQL, ids={"comments": "post_id"})
    assert app.scopes("public.comments") == ()


@pytest.mark.parametrize(
    ("scopes", "reason"),
    [
        ([{}], "a scope maps columns to the entities"),
        (["post_id"], r"a scope maps columns .* as \{\"post_id\": \"posts\"\}; this is 'post_id'"),
        ([{"a": "x", "b": "y"}, {"b": "y", "a": "x"}], "scope by b and a is declared twice"),
        ([{"a": "x"}, {"a": "y"}], "scope by a is declared twice"),
        ([{"a": "users"}, {"b": "users"}], "by a and by b would share their channels; let one"),
    ],
)
def test_scopes_that_cannot_work_are_refused(app: EventScope, scopes: Any, reason: str) -> None:
    with pytest.raises(DeclarationError, match=f"entity 'comments': .*{reason}"):
        app.entity("comments", scopes=scopes)
    assert app.entities == ()


def test_a_listener_is_named_after_its_function_and_stays_callable(app: EventScope) -> None:
    app.entity("comments", scopes=[{"post_id": "posts"}])

    @app.listener("public.comments", scope={"post_id": "posts"})
    async def on_comment(message: Message) -> None: ...

    app.listener("*", name="everything")(on_comment)
    app.listener("comments", id=89, name="one")(on_comment)
    first, every, one = app.listeners
    assert (first.name, first.entity, first.id) == ("on_comment", "comments", None)
    assert first.scope == (("post_id", "posts"),)
    assert (every.name, every.entity, every.scope) == ("everything", "*", None)
    assert (one.id, one.function) == (89, on_comment)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"entity": "comment"}, "no entity 'comment': did you mean 'comments'"),
        ({"entity": "*", "id": 1}, r"no entity '\*'"),
        ({"entity": "comments", "scope": {"user_id": "users"}}, "no scope by user_id; .* post_id"),
        (
            {"entity": "comments", "scope": {"post_id": "users"}},
            "declares the scope .*, not .*users",
        ),
        ({"entity": "comments", "id": 1, "scope": {"post_id": "posts"}}, "id or scope, not both"),
        ({"entity": "comments", "name": "known"}, "listener 'known' is declared twice"),
    ],
)
def test_a_listener_that_cannot_work_is_refused(
    app: EventScope, arguments: dict[str, Any], reason: str
) -> None:
    app.entity("comments", scopes=[{"post_id": "posts"}])

    async def listen(message: Message) -> None: ...

    app.listener("comments", name="known")(listen)
    with pytest.raises(DeclarationError, match=reason):
        app.listener(**arguments)(listen)
    assert len(app.listeners) == 1


def test_a_listener_must_not_hold_up_the_loop(app: EventScope) -> None:
    app.entity("comments")

    def listen(message: Message) -> None: ...

    with pytest.raises(DeclarationError, match="listener 'listen' must be async def"):
        app.listener("comments")(listen)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"concurrency": 0}, "concurrency is 0; it must be at least 1"),
        ({"batch": 0}, "batch is 0; it must be at least 1"),
        ({"batch": -1}, "batch is -1; it must be at least 1"),
        ({"timeout": 0}, "timeout is 0 s; it must be more than 0"),
        ({"timeout": float("nan")}, "timeout is nan s; it must be more than 0"),
        ({"key": "id"}, "key has a meaning only with concurrency above 1"),
        ({"key": "id", "batch": 5}, "key has a meaning only with concurrency above 1"),
        ({"batch": 5, "concurrency": 2}, "batch and concurrency do not go together"),
    ],
)
def test_a_pace_that_cannot_be_is_refused(
    app: EventScope, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DeclarationError, match=f"operator 'hasty': {reason}"):

        @app.operator(entities=["users"], **options)
        async def hasty(event: Event) -> None: ...


def test_a_handler_with_a_transaction_has_one_event_after_the_other(app: EventScope) -> None:
    with pytest.raises(DeclarationError, match="leave concurrency out, or give it lists"):

        @app.operator(entities=["users"], concurrency=2)
        async def hasty(event: Event, tx: Any) -> None: ...

    @app.operator(entities=["users"], batch=2)
    async def steady(events: list[Event], tx: Any) -> None: ...
