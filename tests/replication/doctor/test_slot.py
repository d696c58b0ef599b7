from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from eventscope.engine import Engine
from eventscope.event import Lsn
from eventscope.replication.connection import SourceError
from eventscope.replication.doctor import slot
from tests.replication.doctor.examining import a_writer_lasts, an_app, examined, mend, mended
from tests.replication.reading import make_slot, role_url
from tests.servers import fresh_database
from tests.waiting import until_async


@pytest.fixture(autouse=True)
async def _table(connection) -> None:
    await connection.execute("CREATE TABLE posts (id int PRIMARY KEY)")


async def test_a_slot_that_will_be_made_is_no_trouble(settings):
    found = (await examined(an_app("posts"), settings)).one("slot")
    assert (found.severity, "will be made" in found.found) == ("ok", True)


async def test_a_slot_that_nobody_reads_is_told_with_its_place(settings):
    place = await make_slot(settings)
    found = await examined(an_app("posts"), settings)
    assert found.one("slot").found == f"slot {settings.slot_name} is at {place}, read by nobody"
    assert found.one("retained_wal").severity == "ok"


async def test_a_slot_that_somebody_reads_is_noted_with_the_reader(settings):
    async with Engine(an_app("posts"), settings):
        found = await examined(an_app("posts"), settings)
    assert found.one("slot").severity == "note"
    assert "(eventscope blog replication, local socket, since " in found.one("slot").found


async def test_a_temporary_slot_is_noted(make_settings):
    found = await examined(an_app("posts"), make_settings(durable_slot=False))
    assert found.one("slot").severity == "note"


async def test_a_slot_in_the_way_of_a_temporary_one_blocks(make_settings):
    settings = make_settings(durable_slot=False)
    await make_slot(make_settings())
    found = (await examined(an_app("posts"), settings)).one("slot")
    assert (found.severity, "exists already" in found.found) == ("blocking", True)


async def test_a_slot_of_something_else_blocks(connection, settings):
    name = settings.slot_name
    await connection.execute(
        "SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", [name]
    )
    found = (await examined(an_app("posts"), settings)).one("slot")
    assert found.found == f"slot {name} belongs to test_decoding, not to pgoutput"


async def test_a_slot_of_another_database_blocks(database, settings, make_settings, request):
    server = request.getfixturevalue(request.node.callspec.params["database"])
    with fresh_database(server) as other:
        await make_slot(make_settings(url=other))
        found = (await examined(an_app("posts"), settings)).one("slot")
    assert (found.severity, "belongs to database test_" in found.found) == ("blocking", True)


async def test_a_slot_that_is_gone_or_ahead_of_the_queue_blocks(connection, settings):
    found = await examined(an_app("posts"), settings, reached=Lsn(1))
    assert "does not exist any more" in found.one("slot").found
    place = await make_slot(settings)
    assert (await examined(an_app("posts"), settings, reached=place)).troubles() == []
    ahead = (await examined(an_app("posts"), settings, reached=Lsn(place - 1))).one("slot")
    assert (ahead.severity, f"advanced to {place} by somebody else" in ahead.found) == (
        "blocking",
        True,
    )


async def test_what_keeps_a_slot_from_being_made_is_named_until_it_has_ended(
    connection, database, settings
):
    app = an_app("posts")
    other = await psycopg.AsyncConnection.connect(database)
    await other.execute("INSERT INTO posts VALUES (1)")
    await until_async(lambda: a_writer_lasts(connection))
    [warning] = (await examined(app, settings)).all("open_transaction")
    assert warning.severity == "warning"
    assert f"pid {other.info.backend_pid} (unnamed, since 2" in warning.found
    await mend(warning, database)
    assert (await examined(app, settings)).all("open_transaction") == []
    await other.close()


async def test_what_belongs_to_another_role_is_named_as_far_as_it_may_be_known(
    connection, database, role, make_settings
):
    other = await psycopg.AsyncConnection.connect(database)
    await other.execute("INSERT INTO posts VALUES (1)")
    settings = make_settings(url=role_url(database, role))
    [note] = (await examined(an_app("posts"), settings)).all("open_transaction")
    assert (note.severity, f"pid {other.info.backend_pid} " in note.found) == ("note", True)
    await other.close()


async def test_wal_that_a_slot_keeps_is_warned_of_beyond_a_measure(
    connection, settings, monkeypatch
):
    await make_slot(settings)
    await connection.execute("INSERT INTO posts VALUES (1)")
    assert (await examined(None, settings)).one("retained_wal").severity == "ok"
    monkeypatch.setattr(slot, "RETAINED", 100)
    warning = (await examined(None, settings)).one("retained_wal")
    assert (warning.severity, "disk fills up" in warning.why) == ("warning", True)


async def test_a_slot_from_before_the_publication_blocks_as_it_blocks_a_start(
    connection, database, settings
):
    app = an_app("posts")
    await make_slot(settings)
    await connection.execute("INSERT INTO posts VALUES (1)")
    await connection.execute("CREATE PUBLICATION events FOR TABLE posts")
    [older] = (await examined(app, settings)).all("slot_age")
    assert (older.severity, "older than publication events" in older.found) == ("blocking", True)
    with pytest.raises(SourceError):
        async with Engine(app, settings) as engine:
            await engine.wait()
    assert (await mended(app, settings, "slot_age", database)).troubles() == []


async def test_a_slot_from_before_the_publication_is_fine_if_nothing_happened_meanwhile(
    connection, settings
):
    await make_slot(settings)
    await connection.execute("CREATE PUBLICATION events FOR TABLE posts")
    await connection.execute("INSERT INTO posts VALUES (1)")
    assert (await examined(an_app("posts"), settings)).troubles() == []


async def test_another_slot_that_keeps_wal_is_noted_until_it_is_dropped(
    database, settings, make_settings
):
    name = f"other_{uuid4().hex[:8]}"
    await make_slot(make_settings(slot_name=name))
    [note] = [
        f for f in (await examined(None, settings)).all("other_slot") if f"slot {name} " in f.found
    ]
    assert note.severity == "note"
    await mend(note, database)
    found = (await examined(None, settings)).all("other_slot")
    assert not any(name in f.found for f in found)
