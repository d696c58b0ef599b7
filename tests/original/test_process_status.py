"""How far an entity is processed: behaviour for behaviour what EventStreamex tests.

Mirrors test/event_streamex/process_status_test.exs of EventStreamex 1.2.1, which has 7 tests.
There a status is put; here it is what the rows tell that operators have applied.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.settings import Settings
from tests.conftest import Connection

ENTITIES = ("posts", "comments", "users")
AT = 1695110220000000
"""Microseconds since 1970: 2023-09-19 07:57 UTC."""

Write = Callable[[str, int], Awaitable[None]]


@pytest.fixture
def app() -> EventScope:
    app = EventScope("original")

    @app.operator(entities=ENTITIES)
    async def processor(event: Event) -> None: ...

    return app


@pytest.fixture
async def write(
    app: EventScope, connection: Connection, settings: Settings
) -> AsyncIterator[Write]:
    """Writes a row of an entity with its time, and waits until it is processed."""
    for entity in ENTITIES:
        await connection.execute(
            f"CREATE TABLE {entity} (id serial PRIMARY KEY, updated_at timestamptz)".encode()
        )
    async with Engine(app, settings):

        async def write(entity: str, at: int) -> None:
            await connection.execute(
                f"INSERT INTO {entity} (updated_at)"
                " SELECT to_timestamp(0) + %s * interval '1 us'".encode(),
                [at],
            )
            await app.wait_for(await app.token(connection), timeout=60)

        yield write


def until(app: EventScope, entity: str) -> int | None:
    assert app.progress is not None
    return app.progress.processed_until(entity)


async def test_an_entity_of_which_nothing_is_known_has_no_status(
    app: EventScope, write: Write
) -> None:
    await write("comments", AT)
    assert until(app, "posts") is None
    assert not app.processed("posts", 0)


async def test_the_status_is_the_time_of_the_row_that_was_processed(
    app: EventScope, write: Write
) -> None:
    await write("posts", AT)
    assert until(app, "posts") == AT


async def test_what_is_of_that_time_is_processed(app: EventScope, write: Write) -> None:
    await write("posts", AT)
    assert app.processed("posts", AT)


async def test_a_status_of_a_later_time_is_processed(app: EventScope, write: Write) -> None:
    await write("posts", AT + 1)
    assert app.processed("posts", AT)


async def test_a_status_of_an_earlier_time_is_not_processed(app: EventScope, write: Write) -> None:
    await write("posts", AT - 1)
    assert not app.processed("posts", AT)


async def test_each_of_three_entities_has_a_status_of_its_own(
    app: EventScope, write: Write
) -> None:
    for n, entity in enumerate(ENTITIES):
        await write(entity, AT + n)
    assert [until(app, entity) for entity in ENTITIES] == [AT, AT + 1, AT + 2]


async def test_a_later_row_of_one_entity_moves_its_status_alone(
    app: EventScope, write: Write
) -> None:
    for entity in ENTITIES:
        await write(entity, AT)
    await write("comments", AT + 5)
    assert [until(app, entity) for entity in ENTITIES] == [AT, AT + 5, AT]
