from __future__ import annotations

import json
from datetime import timedelta

import psycopg
import pytest

from eventscope.event import UNCHANGED, Change, Lsn
from eventscope.inspection.json_line import json_line
from eventscope.replication.catalog import undescribed
from eventscope.replication.pgoutput import MISSING, ColumnMessage, ProtocolError
from eventscope.replication.relations import Column, Relation, Transaction, event_of, texts
from tests.replication import encoder
from tests.replication.reading import reading


async def test_an_update_under_default_identity_tells_what_it_does_not_know(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    await connection.execute("INSERT INTO t VALUES (1, 'a', 'b')")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("UPDATE t SET a = 'changed'")
        (event,) = await stream.catch_up()
    assert event.new_record == {"id": 1, "a": "changed", "b": "b"}
    assert event.changes == {}
    assert event.unknown == ("a", "b")
    assert (event.previous, event.old_record) == (None, None)


async def test_a_change_of_the_key_under_default_identity_tells_the_old_key(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    await connection.execute("INSERT INTO t VALUES (1, 'a')")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("UPDATE t SET id = 2, a = 'b'")
        (event,) = await stream.catch_up()
    assert event.changes == {"id": Change(1, 2)}
    assert event.unknown == ("a",)
    assert (event.previous, event.old_record) == (None, None)


async def test_an_update_under_full_identity_tells_everything(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    await connection.execute("ALTER TABLE t REPLICA IDENTITY FULL")
    await connection.execute("INSERT INTO t VALUES (1, NULL, 'b')")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("UPDATE t SET a = 'a', b = 'b'")
        (event,) = await stream.catch_up()
    assert event.changes == {"a": Change(None, "a")}
    assert event.unknown == ()
    assert event.previous == {"id": 1, "a": None, "b": "b"}
    assert event.old_record is None


async def test_a_delete_under_default_identity_tells_the_key_alone(connection, settings):
    await connection.execute("CREATE TABLE t (a text, id int PRIMARY KEY)")
    await connection.execute("INSERT INTO t VALUES ('a', 1)")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("DELETE FROM t")
        (event,) = await stream.catch_up()
    assert event.old_record == {"id": 1}
    assert event.unknown == ("a",)
    assert (event.new_record, event.changes, event.previous) == (None, None, None)
    assert event.key_columns == ("id",)


async def test_a_delete_under_full_identity_tells_the_whole_row(connection, settings):
    await connection.execute("CREATE TABLE t (a text, id int PRIMARY KEY)")
    await connection.execute("ALTER TABLE t REPLICA IDENTITY FULL")
    await connection.execute("INSERT INTO t VALUES (NULL, 1)")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("DELETE FROM t")
        (event,) = await stream.catch_up()
    assert event.old_record == event.previous == {"a": None, "id": 1}
    assert event.unknown == ()
    assert event.key_columns == ("id",)


async def test_an_identity_of_an_index_tells_its_columns(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL UNIQUE, b text)")
    await connection.execute("ALTER TABLE t REPLICA IDENTITY USING INDEX t_a_key")
    await connection.execute("INSERT INTO t VALUES (1, 'a', 'b')")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("UPDATE t SET a = 'c', b = 'd'")
        await connection.execute("DELETE FROM t")
        updated, deleted = await stream.catch_up()
    assert updated.changes == {"a": Change("a", "c")}
    assert updated.unknown == ("id", "b")
    assert deleted.old_record == {"a": "c"}


async def test_a_truncate_has_no_rows_and_one_event_a_table(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
    await connection.execute("CREATE TABLE u (id int PRIMARY KEY)")
    async with reading(settings, ["t", "u"]) as stream:
        await connection.execute("TRUNCATE t, u RESTART IDENTITY")
        events = await stream.catch_up()
    assert [(event.type, event.name, event.index) for event in events] == [
        ("truncate", "t", 0),
        ("truncate", "u", 1),
    ]
    for event in events:
        assert (event.new_record, event.old_record, event.previous) == (None, None, None)
        assert (event.changes, event.unknown) == (None, ())


LARGE = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) n)"


async def test_an_unchanged_large_value_is_no_change_under_full_identity(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, a int, large text)")
    await connection.execute("ALTER TABLE t ALTER large SET STORAGE EXTERNAL")
    await connection.execute("ALTER TABLE t REPLICA IDENTITY FULL")
    await connection.execute(f"INSERT INTO t VALUES (1, 1, {LARGE})")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("UPDATE t SET a = 2")
        (event,) = await stream.catch_up()
    assert event.changes == {"a": Change(1, 2)}
    assert len(event.new_record["large"]) == 32_000
    assert event.new_record["large"] == event.previous["large"]


async def test_an_unchanged_large_value_under_default_identity_is_unchanged(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, a int, large text)")
    await connection.execute("ALTER TABLE t ALTER large SET STORAGE EXTERNAL")
    await connection.execute(f"INSERT INTO t VALUES (1, 1, {LARGE})")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("UPDATE t SET id = 2, a = 2")
        (event,) = await stream.catch_up()
    assert event.new_record == {"id": 2, "a": 2, "large": UNCHANGED}
    assert event.changes == {"id": Change(1, 2)}
    assert event.unknown == ("a", "large")


async def test_an_unchanged_large_key_is_known_from_the_old_key(connection, settings):
    await connection.execute("CREATE TABLE t (id text PRIMARY KEY, a int, padding text)")
    await connection.execute("ALTER TABLE t ALTER id SET STORAGE EXTERNAL")
    key = "".join(f"{n:04}" for n in range(600))
    await connection.execute("INSERT INTO t VALUES (%s, 1)", [key])
    async with reading(settings, ["t"]) as stream:
        await connection.execute("UPDATE t SET a = 2")
        (event,) = await stream.catch_up()
    assert event.new_record == {"id": key, "a": 2, "padding": None}
    assert event.changes == {}
    assert event.unknown == ("a", "padding")


async def test_queued_rows_keep_the_columns_they_were_written_with(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1, 'a')")
        await connection.execute("ALTER TABLE t ADD b int")
        await connection.execute("INSERT INTO t VALUES (2, 'a', 3)")
        await connection.execute("ALTER TABLE t DROP a")
        await connection.execute("INSERT INTO t VALUES (3, 3)")
        rows = [event.new_record for event in await stream.catch_up()]
    assert rows == [{"id": 1, "a": "a"}, {"id": 2, "a": "a", "b": 3}, {"id": 3, "b": 3}]


async def test_rows_of_a_type_that_is_gone_are_text(connection, settings):
    await connection.execute("CREATE TYPE mood AS ENUM ('sad')")
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, m mood, n int)")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1, 'sad', 5)")
        await connection.execute("ALTER TABLE t DROP m; DROP TYPE mood")
        (event,) = await stream.catch_up()
    assert event.new_record == {"id": 1, "m": "sad", "n": 5}
    assert event.key_columns == ("id",)


async def test_a_key_that_was_renamed_since_is_the_one_of_the_row(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1, 'a')")
        await connection.execute("ALTER TABLE t RENAME id TO number")
        (event,) = await stream.catch_up()
    assert event.new_record == {"id": 1, "a": "a"}
    assert event.key_columns == ("id",)


async def test_the_key_is_the_primary_key_in_its_own_order_without_included_columns(
    connection, settings
):
    await connection.execute(
        "CREATE TABLE t (a int, b int, c int, PRIMARY KEY (c, a) INCLUDE (b));"
        "ALTER TABLE t REPLICA IDENTITY FULL"
    )
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1, 2, 3)")
        (event,) = await stream.catch_up()
    assert event.key_columns == ("c", "a")


async def test_an_event_tells_its_place_and_its_origin(connection, settings):
    await connection.execute("CREATE SCHEMA audit; CREATE TABLE audit.log (id int PRIMARY KEY)")
    async with reading(settings, ["audit.log"]) as stream:
        async with connection.transaction():
            cursor = await connection.execute("SELECT pg_current_xact_id()::text::bigint, now()")
            xid, started = await cursor.fetchone()
            await connection.execute("INSERT INTO audit.log VALUES (1), (2)")
        first, second = await stream.catch_up()
    assert (first.name, first.source.schema, first.source.table) == ("audit.log", "audit", "log")
    assert first.source.db == connection.info.dbname
    assert (first.index, second.index) == (0, 1)
    assert first.id.end_lsn == second.id.end_lsn > first.lsn == second.lsn
    assert first.xid == second.xid == xid & 0xFFFFFFFF
    assert first.timestamp >= started
    assert first.timestamp.utcoffset() == timedelta(0)


async def test_tables_of_one_name_in_two_schemas_do_not_mix(connection, settings):
    await connection.execute(
        "CREATE SCHEMA a; CREATE TABLE a.b (id int PRIMARY KEY);"
        "CREATE TABLE b (x int PRIMARY KEY);"
        'CREATE TABLE "a.b" (y int PRIMARY KEY)'
    )
    async with reading(settings, ["a.b", "b", "public.a.b"]) as stream:
        await connection.execute("INSERT INTO a.b VALUES (1)")
        await connection.execute("INSERT INTO b VALUES (2)")
        await connection.execute('INSERT INTO "a.b" VALUES (3)')
        events = await stream.catch_up()
    assert [(event.name, event.new_record) for event in events] == [
        ("a.b", {"id": 1}),
        ("b", {"x": 2}),
        ("public.a.b", {"y": 3}),
    ]


COLUMNS = [ColumnMessage("id", 23, -1, True), ColumnMessage("a", 25, -1, False)]
TRANSACTION = Transaction(1, 1, Lsn(20), Lsn(10), 7, 0)


def a_relation(identity: str = "d", columns: list[ColumnMessage] = COLUMNS) -> Relation:
    return undescribed("db", encoder.relation(5, "public", "t", identity, columns))


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (encoder.insert(5, [b"1", None]), (None, (b"1", None))),
        (encoder.update(5, [b"1", b"x"]), ((b"1", MISSING), (b"1", b"x"))),
        (encoder.update(5, [b"2", b"x"], key=[b"1", None]), ((b"1", MISSING), (b"2", b"x"))),
        (encoder.update(5, [b"2", MISSING]), ((b"2", MISSING), (b"2", MISSING))),
        (encoder.update(5, [b"1", b"x"], old=[b"1", None]), ((b"1", None), (b"1", b"x"))),
        (encoder.update(5, [b"1", MISSING], old=[b"1", b"y"]), ((b"1", b"y"), (b"1", b"y"))),
        (encoder.update(5, [MISSING, b"x"], key=[b"1", None]), ((b"1", MISSING), (b"1", b"x"))),
        (encoder.delete(5, key=[b"1", None]), ((b"1", MISSING), None)),
        (encoder.delete(5, old=[b"1", None]), ((b"1", None), None)),
    ],
)
def test_columns_texts_before_and_after(message, wanted):
    assert texts(a_relation(), message, (0, 1)) == wanted
    assert texts(a_relation(), message, (1,)) == tuple(row and row[1:] for row in wanted)


def test_an_update_of_which_the_old_row_is_not_told_is_not_known_before():
    """A partition may have another identity than its table."""
    message = encoder.update(5, [b"1", b"x"])
    assert texts(a_relation("f"), message, (0, 1)) == ((MISSING, MISSING), (b"1", b"x"))


def test_a_value_that_its_type_cannot_hold_stays_text():
    event = event_of(a_relation(), encoder.insert(5, [b"no number", b"x"]), TRANSACTION, 0)
    assert event.new_record == {"id": "no number", "a": "x"}


def test_a_document_however_deep_or_long_stays_itself():
    json_column = [ColumnMessage("doc", 114, -1, True)]
    for text in ("[" * 100_000 + "]" * 100_000, f'["{"x" * 10_000_000}"]'):
        event = event_of(
            a_relation(columns=json_column), encoder.insert(5, [text.encode()]), TRANSACTION, 0
        )
        assert event.new_record["doc"] == (text if "[[" in text else json.loads(text))
        assert event.in_form("text").new_record == {"doc": text}
        assert f'"new_record":{{"doc":{text}}},' in json_line(event)


def test_an_array_deeper_than_any_is_text_in_json():
    array_column = [ColumnMessage("a", 1007, -1, True)]
    text = "{" * 100_000 + "1" + "}" * 100_000
    message = encoder.insert(5, [text.encode()])
    event = event_of(a_relation(columns=array_column), message, TRANSACTION, 0)
    assert json.loads(json_line(event))["new_record"] == {"a": text}


def test_a_row_with_other_columns_than_its_table_is_a_protocol_error():
    for message in (encoder.insert(5, [b"1"]), encoder.delete(5, key=[b"1", None, None])):
        event = event_of(a_relation(), message, TRANSACTION, 0)
        with pytest.raises(ProtocolError, match=r"for the 2 columns of table t"):
            _ = event.new_record
        with pytest.raises(ProtocolError, match=r"for the 2 columns of table t"):
            texts(a_relation(), message, (0,))


def test_a_document_that_is_none_does_not_break_the_line():
    json_column = [ColumnMessage("doc", 114, -1, True)]
    message = encoder.insert(5, [b'{"a": 1}, "b'])
    event = event_of(a_relation(columns=json_column), message, TRANSACTION, 0)
    assert json.loads(json_line(event))["new_record"] == {"doc": '{"a": 1}, "b'}


def test_without_the_catalogs_types_are_named_by_what_psycopg_knows():
    unknown = [*COLUMNS, ColumnMessage("m", 99_999, -1, False)]
    relation = a_relation(columns=unknown)
    assert relation.source.columns == {"id": "int4", "a": "text", "m": "99999"}
    assert relation.key == ("id",)


KNOWN_TYPES = sorted({oid for info in psycopg.adapters.types for oid in (info.oid, info.array_oid)})


@pytest.mark.parametrize("form", ["python", "text", "json"])
def test_a_value_that_was_not_sent_is_unchanged_whatever_its_type(form):
    """Rows are loaded at once, and some loader must refuse what is no text."""
    for oid in filter(None, KNOWN_TYPES):
        relation = a_table_with(oid)
        event = event_of(relation, encoder.update(7, [MISSING, b"1"]), TRANSACTION, 0)
        assert event.in_form(form).new_record["value"] is UNCHANGED, oid


def test_no_value_is_shared_by_both_rows_that_could_be_changed_in_one():
    for type, text in (("int4[]", b"{1}"), ("jsonb", b'{"a": [1]}'), ("int4multirange", b"{}")):
        info = psycopg.adapters.types[type.removesuffix("[]")]
        relation = a_table_with(info.array_oid if type.endswith("[]") else info.oid)
        message = encoder.update(7, [text, b"2"], old=[text, b"1"])
        event = event_of(relation, message, TRANSACTION, 0)
        assert event.new_record["value"] == event.previous["value"]
        assert event.new_record["value"] is not event.previous["value"], type
        assert event.changes == {"n": Change(1, 2)}


def a_table_with(oid: int) -> Relation:
    """A table with a value of some type, and a number."""
    columns = (
        Column("value", oid, -1, False, str(oid), oid),
        Column("n", 23, -1, True, "integer", 23),
    )
    return Relation("blog", 7, "public", "t", "f", columns, ("n",))
