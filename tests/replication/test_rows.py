"""What a row is, whatever its table is like: identities, keys, generated columns, partitions."""

from __future__ import annotations

import pytest

from eventscope.app import EventScope
from eventscope.engine import Engine
from eventscope.event import UNCHANGED, Change
from tests.conftest import Connection
from tests.replication.reading import reading


async def test_without_an_identity_there_are_inserts_alone(connection, settings):
    await connection.execute("CREATE TABLE log (line text)")
    await connection.execute("ALTER TABLE log REPLICA IDENTITY NOTHING")
    async with reading(settings, ["log"]) as stream:
        await connection.execute("INSERT INTO log VALUES ('a')")
        await connection.execute("TRUNCATE log")
        inserted, truncated = await stream.catch_up()
    assert inserted.new_record == {"line": "a"}
    assert (inserted.key_columns, inserted.key) == ((), {})
    assert truncated.type == "truncate"


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL", "USING INDEX pairs_pkey"])
async def test_a_change_of_the_key_tells_both_keys(connection, settings, identity):
    await connection.execute("CREATE TABLE pairs (a int, b text, c text, PRIMARY KEY (b, a))")
    await connection.execute(f"ALTER TABLE pairs REPLICA IDENTITY {identity}")
    async with reading(settings, ["pairs"]) as stream:
        await connection.execute("INSERT INTO pairs VALUES (1, 'x', 'same')")
        await connection.execute("UPDATE pairs SET a = 2")
        await connection.execute("UPDATE pairs SET c = 'other'")
        await connection.execute("DELETE FROM pairs")
        inserted, moved, stayed, deleted = await stream.catch_up()
    assert inserted.key == {"b": "x", "a": 1}
    assert not inserted.key_changed
    assert moved.key_changed
    assert moved.old_key == {"b": "x", "a": 1}
    assert moved.key == {"b": "x", "a": 2}
    assert moved.changes == {"a": Change(1, 2)}
    assert not stayed.key_changed
    assert stayed.old_key == stayed.key == {"b": "x", "a": 2}
    assert not deleted.key_changed
    assert deleted.key == deleted.old_key == {"b": "x", "a": 2}


async def test_an_unchanged_large_value_beside_a_changed_key(connection, settings):
    await connection.execute("CREATE TABLE docs (id int PRIMARY KEY, body text, n int)")
    await connection.execute("ALTER TABLE docs ALTER body SET STORAGE EXTERNAL")
    for identity, body in (("DEFAULT", UNCHANGED), ("FULL", "x" * 9000)):
        await connection.execute(f"ALTER TABLE docs REPLICA IDENTITY {identity}")
        made = settings.model_copy(update={"slot_name": f"{settings.slot_name}_{identity.lower()}"})
        async with reading(made, ["docs"]) as stream:
            await connection.execute("INSERT INTO docs VALUES (1, repeat('x', 9000), 1)")
            await connection.execute("UPDATE docs SET id = 2")
            await connection.execute("DELETE FROM docs")
            _, updated, deleted = await stream.catch_up()
        assert updated.new_record == {"id": 2, "body": body, "n": 1}
        assert updated.changes == {"id": Change(1, 2)}
        assert ("body" in updated.unknown) == (body is UNCHANGED)
        assert deleted.old_record.get("body", UNCHANGED) == body


async def test_columns_that_come_go_and_change_in_mid_stream(connection, settings):
    """The rows are queued first and described when the table has long been another."""
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1, '10', 'b')")
        await connection.execute("ALTER TABLE t ADD c numeric(6,2) DEFAULT 1.5")
        await connection.execute("INSERT INTO t VALUES (2, '20', 'b', 2.25)")
        await connection.execute("ALTER TABLE t RENAME b TO bee")
        await connection.execute("INSERT INTO t VALUES (3, '30', 'b', NULL)")
        await connection.execute("ALTER TABLE t ALTER a TYPE int USING a::int")
        await connection.execute("INSERT INTO t VALUES (4, 40, 'b', 3)")
        await connection.execute("ALTER TABLE t DROP bee")
        await connection.execute("UPDATE t SET a = 50 WHERE id = 1")
        await connection.execute("ALTER TABLE t RENAME TO renamed")
        await connection.execute("INSERT INTO renamed VALUES (5, 60, 4)")
        events = await stream.catch_up()
    rows = [{name: str(value) for name, value in event.new_record.items()} for event in events]
    assert rows == [
        {"id": "1", "a": "10", "b": "b"},
        {"id": "2", "a": "20", "b": "b", "c": "2.25"},
        {"id": "3", "a": "30", "bee": "b", "c": "None"},
        {"id": "4", "a": "40", "bee": "b", "c": "3.00"},
        {"id": "1", "a": "50", "c": "1.50"},
        {"id": "5", "a": "60", "c": "4.00"},
    ]
    assert [type(event.new_record["a"]) for event in events] == [str] * 3 + [int] * 3
    assert [event.source.table for event in events] == ["t"] * 5 + ["renamed"]


GENERATED = (
    "CREATE TABLE t (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED)"
)


@pytest.mark.parametrize(("publish", "row"), [
    ("none", {"id": 1, "n": 2}),
    ("stored", {"id": 1, "n": 2, "twice": 4}),
])  # fmt: skip
async def test_generated_columns_are_told_if_they_are_published(connection, settings, publish, row):
    await connection.execute(GENERATED)
    await connection.execute(
        f"CREATE PUBLICATION events FOR TABLE t WITH (publish_generated_columns = {publish})"
    )
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1, 2)")
        (event,) = await stream.catch_up()
    assert event.new_record == row
    assert event.source.columns.keys() == row.keys()


async def test_a_column_list_is_all_that_is_told(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, shown text, hidden text)")
    await connection.execute("CREATE PUBLICATION events FOR TABLE t (id, shown)")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1, 'a', 'secret')")
        await connection.execute("UPDATE t SET hidden = 'other'")
        inserted, updated = await stream.catch_up()
    assert inserted.new_record == {"id": 1, "shown": "a"}
    assert updated.changes == {}
    assert updated.new_record == {"id": 1, "shown": "a"}


async def test_a_row_filter_makes_updates_come_and_go(connection, settings):
    """As the server has it: who enters the filter is inserted, who leaves it is deleted."""
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, open bool, n int)")
    await connection.execute("ALTER TABLE t REPLICA IDENTITY FULL")
    await connection.execute("CREATE PUBLICATION events FOR TABLE t WHERE (open)")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1, false, 0)")
        await connection.execute("UPDATE t SET n = 1")
        await connection.execute("UPDATE t SET open = true")
        await connection.execute("UPDATE t SET n = 2")
        await connection.execute("UPDATE t SET open = false")
        await connection.execute("DELETE FROM t")
        events = await stream.catch_up()
    assert [event.type for event in events] == ["insert", "update", "delete"]
    assert events[0].new_record == {"id": 1, "open": True, "n": 1}
    assert events[2].old_record == {"id": 1, "open": True, "n": 2}


@pytest.mark.parametrize("how", ["a", "a, b", "a CASCADE", "a, b RESTART IDENTITY"])
async def test_a_truncate_tells_of_every_published_table_it_empties(connection, settings, how):
    await connection.execute("CREATE TABLE a (id serial PRIMARY KEY)")
    await connection.execute("CREATE TABLE b (id serial PRIMARY KEY)")
    await connection.execute("CREATE TABLE child (a int REFERENCES a, id int PRIMARY KEY)")
    if "CASCADE" not in how:
        await connection.execute("DROP TABLE child")
    entities = ["a", "b", "child"] if "CASCADE" in how else ["a", "b"]
    async with reading(settings, entities) as stream:
        async with connection.transaction():
            await connection.execute("INSERT INTO a VALUES (7)")
            await connection.execute(f"TRUNCATE {how}")
            await connection.execute("INSERT INTO a DEFAULT VALUES")
        events = await stream.catch_up()
    emptied = {"a": ["a"], "a, b": ["a", "b"], "a CASCADE": ["a", "child"]}
    emptied["a, b RESTART IDENTITY"] = ["a", "b"]
    assert [event.type for event in (events[0], events[-1])] == ["insert", "insert"]
    assert [(event.type, event.name) for event in events[1:-1]] == [
        ("truncate", name) for name in emptied[how]
    ]
    assert len({event.id for event in events}) == len(events)


PARTITIONED = """
    CREATE TABLE log (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);
    CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (at);
    CREATE TABLE log_2a PARTITION OF log_2 FOR VALUES FROM (10) TO (15);
"""
INHERITED = """
    CREATE TABLE log (id int PRIMARY KEY, at int);
    CREATE TABLE log_1 (PRIMARY KEY (id)) INHERITS (log);
    CREATE TABLE log_2 (PRIMARY KEY (id)) INHERITS (log);
    CREATE TABLE log_2a (PRIMARY KEY (id)) INHERITS (log_2);
"""


@pytest.mark.parametrize(("tables", "through_the_root", "seen"), [
    (PARTITIONED, True, ["log", "log"]),
    (PARTITIONED, False, ["log_1", "log_2a"]),
    (INHERITED, True, ["log_1", "log_2a"]),
])  # fmt: skip
async def test_rows_of_parts_reach_whoever_follows_the_whole(
    connection, settings, tables, through_the_root, seen
):
    await connection.execute(tables)
    await connection.execute(
        f"CREATE PUBLICATION events FOR TABLE log"
        f" WITH (publish_via_partition_root = {through_the_root})"
    )
    app = EventScope("parts")
    told: list[str] = []

    @app.operator(entities=["log"])
    async def follow(event) -> None:
        told.append(event.source.table)

    async with Engine(app, settings) as engine:
        for table, row in (("log_1", (1, 5)), ("log_2a", (2, 12))):
            await connection.execute(f"INSERT INTO {table} VALUES {row}")
        await engine.settle(20)
        assert engine.snapshot().operators[0].applied == 2
    assert told == seen


async def test_a_table_becomes_a_part_and_ceases_to_be_one_while_its_rows_come(
    connection, settings
):
    """The server describes such a table in the same words before and after."""
    await connection.execute(PARTITIONED)
    await connection.execute("CREATE TABLE loose (LIKE log INCLUDING ALL)")
    await connection.execute("CREATE PUBLICATION events FOR TABLE log, loose")
    app = EventScope("parts")
    app.entity("loose")
    told: list[int] = []

    @app.operator(entities=["log"])
    async def follow(event) -> None:
        told.append(event.key["id"])

    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO loose VALUES (1, 30)")
        await engine.settle(20)
        await connection.execute(
            "ALTER TABLE log ATTACH PARTITION loose FOR VALUES FROM (30) TO (40)"
        )
        await connection.execute("INSERT INTO loose VALUES (2, 30)")
        await engine.settle(20)
        await connection.execute("ANALYZE loose")
        await connection.execute("INSERT INTO log VALUES (3, 31)")
        await engine.settle(20)
        await connection.execute("ALTER TABLE log DETACH PARTITION loose")
        await connection.execute("INSERT INTO loose VALUES (4, 30)")
        await engine.settle(20)
        assert engine.snapshot().stream.events == 4
    assert told == [2, 3]


async def test_a_query_follows_the_parts_of_its_table(connection: Connection, settings):
    await connection.execute(INHERITED)
    await connection.execute("CREATE TABLE counts (id int PRIMARY KEY, n int)")
    app = EventScope("parts")
    app.query(
        "counts",
        sql="INSERT INTO counts SELECT $1::int, count(*) FROM log WHERE at = $1::int"
        " ON CONFLICT (id) DO UPDATE SET n = excluded.n",
        ids={"log": "at"},
    )
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO log_1 VALUES (1, 5); INSERT INTO log VALUES (2, 5)")
        await connection.execute("INSERT INTO log_2a VALUES (3, 6)")
        await engine.settle(20)
        await connection.execute("UPDATE log_1 SET at = 6")
        await engine.settle(20)
    cursor = await connection.execute("SELECT id, n FROM counts ORDER BY id")
    assert await cursor.fetchall() == [(5, 1), (6, 2)]


ODD_NAMES = [
    "with space",
    'quo"te',
    "apo'strophe",
    "UPPER",
    "x" * 63,
    "emoji 🎈",
    "%s",
    "{0}",
    "a.b",
]


async def test_names_that_need_quoting(connection, settings):
    for place, name in enumerate(ODD_NAMES):
        quoted = '"' + name.replace('"', '""') + '"'
        await connection.execute(
            f"CREATE SCHEMA {quoted};"
            f"CREATE TABLE {quoted}.{quoted} (id int PRIMARY KEY, {quoted} int);"
            f"CREATE TABLE {quoted}.t{place} (id int PRIMARY KEY)".encode()
        )
    entities = [f"{name}.{name}" for name in ODD_NAMES if "." not in name]
    async with reading(settings, entities) as stream:
        for name in ODD_NAMES:
            quoted = '"' + name.replace('"', '""') + '"'
            await connection.execute(f"INSERT INTO {quoted}.{quoted} VALUES (1, 2)".encode())
        events = await stream.catch_up()
    assert [event.name for event in events] == entities
    for event in events:
        assert event.new_record == {"id": 1, event.source.table: 2}
        assert event.source.schema == event.source.table
