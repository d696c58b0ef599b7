"""What an application hides, as it is declared."""

from __future__ import annotations

import pytest

from eventscope import Event, EventScope, Sql
from eventscope.concealment import Concealment
from eventscope.errors import DeclarationError
from tests.readme import blocks


def hiding(**hidden: list[str]) -> EventScope:
    app = EventScope("shop")
    app.entity("users", **hidden)  # type: ignore[arg-type]
    return app


def test_declarations_of_one_table_add_up() -> None:
    app = hiding(mask=["email"])
    app.entity("public.users", drop=["hash"])
    app.entity("users", drop=["email"], scopes=[{"org_id": "orgs"}])
    assert app.concealment(["users"]) == Concealment(dropped=frozenset({"email", "hash"}))


def test_a_partition_hides_what_its_ancestors_do() -> None:
    app = hiding(mask=["email"])
    assert app.concealment(["users_1", "users"]).masked == {"email"}


def test_a_table_that_nobody_knows_hides_all_that_is_hidden_anywhere() -> None:
    app = hiding(mask=["email"])
    app.entity("cards", drop=["pan"])
    app.entity("posts")
    assert app.concealment(["gone"]) == Concealment(frozenset({"email"}), frozenset({"pan"}))
    assert not app.concealment(["posts"])


def test_a_name_on_its_own_is_no_list() -> None:
    for what in ("mask", "drop"):
        with pytest.raises(DeclarationError, match=rf'{what} is a list.*{what}=\["email"\]'):
            hiding(**{what: "email"})  # type: ignore[arg-type]


SQL = "insert into c values ($1)"


def by_column(app: EventScope) -> None:
    app.query("c", sql=SQL, ids={"users": "email"})


def by_expression(app: EventScope) -> None:
    app.query("c", sql=SQL, ids={"users": Sql("lower(email)")})


def by_key(app: EventScope) -> None:
    @app.operator(entities=["users"], concurrency=2, key="email")
    async def c(event: Event) -> None: ...


def by_scope(app: EventScope) -> None:
    app.entity("users", scopes=[{"email": "accounts"}])


@pytest.mark.parametrize("hidden", ["mask", "drop"])
@pytest.mark.parametrize("declare", [by_column, by_expression, by_key, by_scope])
def test_what_tells_rows_apart_cannot_be_hidden_whichever_is_declared_first(declare, hidden):
    app = hiding(**{hidden: ["email"]})
    with pytest.raises(DeclarationError, match=f"email cannot be hidden.*take it out of {hidden}"):
        declare(app)
    assert app.operators == ()
    app = EventScope("shop")
    declare(app)
    with pytest.raises(DeclarationError, match="'users': email cannot be hidden"):
        app.entity("users", **{hidden: ["email"]})


def test_the_readme_s_line_hides_what_it_says() -> None:
    app = EventScope("shop")
    [line] = blocks("## Secrets and masking")
    exec(line, {"app": app})
    assert app.concealment(["users"]) == Concealment(
        frozenset({"email"}), frozenset({"password_hash"})
    )
