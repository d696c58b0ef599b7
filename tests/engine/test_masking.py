"""What an application hides of a table is nowhere behind the reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.event import UNCHANGED
from eventscope.replication.connection import SourceError
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.waiting import until

CANARY = "canary@example.org"
HASH = "$2b$hash-of-a-password"
PHONE = 4930123456


class Users(EventScope):
    """An application that keeps its events, and hides e-mail, number and hash."""

    def __init__(self, entity: str = "users", **hidden: Any) -> None:
        super().__init__("engine")
        self.events: list[Event] = []
        self.entity(entity, **(hidden or {"mask": ["email", "phone"], "drop": ["hash"]}))
        self.operator(entities=[entity], name="watch")(self._note)

    async def _note(self, event: Event) -> None:
        self.events.append(event)

    async def until(self, count: int) -> list[Event]:
        await until(lambda: len(self.events) >= count)
        return self.events


@pytest.fixture
async def users(connection: Connection) -> Connection:
    await connection.execute(
        "CREATE TABLE users (id int PRIMARY KEY, hash text, email text, phone bigint, name text)"
    )
    return connection


async def insert(connection: Connection, id: int, table: str = "users") -> None:
    await connection.execute(
        f"INSERT INTO {table} (id, hash, email, phone, name) VALUES (%s, %s, %s, %s, 'Ada')",
        [id, HASH, CANARY, PHONE],
    )


def kept(settings: Settings) -> bytes:
    """All that is on disk of the queue."""
    path = settings.queue_file("engine")
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def assert_hidden(settings: Settings, *more: object) -> None:
    found = kept(settings)
    assert b"Ada" in found
    for secret in (CANARY, HASH, str(PHONE)):
        assert secret.encode() not in found
        assert secret not in repr(more)


def told(event: Event) -> tuple[Any, ...]:
    return event.new_record, event.old_record, event.previous, event.changes, event.old_key


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
async def test_hidden_values_reach_neither_the_queue_file_nor_an_event(
    identity: str, users: Connection, settings: Settings
) -> None:
    await users.execute(f"ALTER TABLE users REPLICA IDENTITY {identity}")
    app = Users()
    async with Engine(app, settings, attended=True) as engine:
        await insert(users, 1)
        await users.execute("UPDATE users SET name = 'Ada L', email = email || '.uk'")
        await users.execute("UPDATE users SET id = 2, phone = NULL")
        await users.execute("DELETE FROM users")
        inserted, renamed, moved, deleted = await app.until(4)
        ring = [told(each.event()) for each in engine.ring.between(0, 100)]
        assert len(ring) == 4
        assert_hidden(settings, ring, *map(told, app.events))
    assert_hidden(settings)
    assert inserted.new_record == {"id": 1, "email": "***", "phone": "***", "name": "Ada"}
    assert inserted.source.columns == {
        "id": "int4",
        "email": "text",
        "phone": "text",
        "name": "text",
    }
    assert (renamed.new_record or {})["name"] == "Ada L"
    assert moved.key_changed
    assert (moved.old_key, moved.key) == ({"id": 1}, {"id": 2})
    assert (moved.new_record or {})["phone"] is None
    if identity == "FULL":
        assert set(renamed.changes or ()) == {"name"}
        assert deleted.old_record == {"id": 2, "email": "***", "phone": None, "name": "Ada L"}
    else:
        assert deleted.old_key == {"id": 2}


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
async def test_a_large_value_that_was_not_sent_again_stays_hidden(
    identity: str, users: Connection, settings: Settings
) -> None:
    await users.execute("ALTER TABLE users ALTER email SET STORAGE EXTERNAL")
    await users.execute(f"ALTER TABLE users REPLICA IDENTITY {identity}")
    app = Users()
    async with Engine(app, settings):
        await insert(users, 1)
        await users.execute("UPDATE users SET email = repeat(%s, 900)", [CANARY])
        await users.execute("UPDATE users SET name = 'Ada L'")
        *_, updated = await app.until(3)
        assert_hidden(settings, *map(told, app.events))
    email = (updated.new_record or {})["email"]
    assert email == ("***" if identity == "FULL" else UNCHANGED)
    assert "email" not in (updated.changes or {})


async def test_a_table_without_a_key_is_told_apart_by_what_is_left(
    users: Connection, settings: Settings
) -> None:
    await users.execute("ALTER TABLE users DROP CONSTRAINT users_pkey")
    await users.execute("ALTER TABLE users REPLICA IDENTITY FULL")
    app = Users()
    async with Engine(app, settings):
        await insert(users, 1)
        await users.execute("UPDATE users SET name = 'Ada L'")
        inserted, updated = await app.until(2)
        assert_hidden(settings, *map(told, app.events))
    assert inserted.key == {"id": 1, "name": "Ada"}
    assert (updated.old_key, updated.key) == ({"id": 1, "name": "Ada"}, {"id": 1, "name": "Ada L"})


async def test_partitions_and_heirs_hide_what_their_table_does(
    connection: Connection, settings: Settings
) -> None:
    columns = "(id int, hash text, email text, phone bigint, name text)"
    await connection.execute(f"CREATE TABLE users {columns} PARTITION BY RANGE (id)")
    await connection.execute("ALTER TABLE users ADD PRIMARY KEY (id)")
    # in another order, so that places alone would be the wrong ones
    await connection.execute(
        "CREATE TABLE low (name text, email text, id int NOT NULL, phone bigint, hash text)"
    )
    await connection.execute("ALTER TABLE users ATTACH PARTITION low FOR VALUES FROM (0) TO (10)")
    for via_root in ("false", "true"):
        await connection.execute(
            f"CREATE PUBLICATION own_{via_root} FOR TABLE users"
            f" WITH (publish_via_partition_root = {via_root})"
        )
    for via_root in ("false", "true"):
        app = Users()
        made = settings.model_copy(
            update={
                "publication": f"own_{via_root}",
                "slot_name": f"{settings.slot_name}_{via_root}",
                "queue_path": Path(f"{settings.queue_path}.{via_root}"),
            }
        )
        async with Engine(app, made):
            await insert(connection, 1)
            await connection.execute("UPDATE users SET name = 'Ada L'")
            await connection.execute("DELETE FROM users")
            await app.until(3)
            assert_hidden(made, *map(told, app.events))


async def test_a_partition_that_is_gone_before_it_is_read_stays_hidden(
    users: Connection, settings: Settings
) -> None:
    await users.execute("CREATE TABLE heir () INHERITS (users)")
    await users.execute("CREATE PUBLICATION own FOR TABLE ONLY users, heir")
    made = settings.model_copy(update={"publication": "own"})
    app = Users()
    async with Engine(app, made):
        pass  # the slot is there now
    await insert(users, 1, "heir")
    await users.execute("DROP TABLE heir")
    await insert(users, 2)
    async with Engine(app, made):
        await app.until(1)
    assert_hidden(settings, *map(told, app.events))


async def test_what_is_hidden_since_the_last_run_is_hidden_from_there_on_and_can_be_shown_again(
    users: Connection, settings: Settings
) -> None:
    shown = Users(mask=[])
    async with Engine(shown, settings):
        await insert(users, 1)
        await shown.until(1)
    hides = Users()
    async with Engine(hides, settings):
        await insert(users, 2)
        [event] = await hides.until(1)
    assert event.new_record == {"id": 2, "email": "***", "phone": "***", "name": "Ada"}
    shows = Users(mask=[])
    async with Engine(shows, settings):
        await insert(users, 3)
        [event] = await shows.until(1)
    assert (event.new_record or {})["email"] == CANARY
    assert (event.new_record or {})["hash"] == HASH


async def test_the_new_table_of_a_dropped_one_is_hidden_from_its_first_row_on(
    users: Connection, settings: Settings
) -> None:
    """Even where nothing is left in the catalogs that could tell of the one before."""
    shown = Users(mask=[])
    async with Engine(shown, settings):
        await users.execute("INSERT INTO users (id, name) VALUES (1, 'Ada')")
        await shown.until(1)
    await insert(users, 2)
    await users.execute("DROP TABLE users")
    await users.execute(
        "CREATE TABLE users (id int PRIMARY KEY, hash text, email text, phone bigint, name text)"
    )
    hides = Users()
    async with Engine(hides, settings):
        await insert(users, 3)
        await hides.until(1)
    assert_hidden(settings, *map(told, hides.events))


async def test_a_hidden_column_that_gets_another_name_stops_the_reader_before_its_values_are_kept(
    users: Connection, settings: Settings
) -> None:
    app = Users()
    async with Engine(app, settings) as engine:
        await insert(users, 1)
        await app.until(1)
        await users.execute("ALTER TABLE users RENAME email TO mail")
        await users.execute("UPDATE users SET name = 'Ada L'")
        await until(lambda: "no column email" in engine.snapshot().stream.detail)
    assert_hidden(settings)


async def test_a_column_that_is_not_there_keeps_the_engine_from_starting(
    users: Connection, settings: Settings
) -> None:
    with pytest.raises(SourceError, match=r"table users has no column emial.*mask or drop"):
        async with Engine(Users(mask=["emial"]), settings):
            pass


async def test_a_column_of_the_key_cannot_be_hidden(users: Connection, settings: Settings) -> None:
    for hidden in ({"mask": ["id"]}, {"drop": ["id"]}):
        with pytest.raises(SourceError, match="column id of table users is hidden, and part of"):
            async with Engine(Users(**hidden), settings):
                pass
    await users.execute("ALTER TABLE users ALTER email SET NOT NULL")
    await users.execute("CREATE UNIQUE INDEX by_email ON users (email)")
    await users.execute("ALTER TABLE users REPLICA IDENTITY USING INDEX by_email")
    with pytest.raises(SourceError, match="column email of table users is hidden, and part of"):
        async with Engine(Users(), settings):
            pass
