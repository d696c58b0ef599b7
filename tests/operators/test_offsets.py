"""Where operators stand, as the database has it: claimed, moved, and taken away by another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from structlog.testing import capture_logs

from eventscope.event import Lsn
from eventscope.operators import ledger as ledgers
from eventscope.operators.ledger import Ledger
from eventscope.operators.offsets import START, Fenced, Moved, Offset, Place
from eventscope.operators.session import ConnectionLost, Session
from eventscope.replication import ledger as table
from eventscope.replication.connection import SourceError, SystemIdentity, Unreachable
from tests.conftest import Connection, MakeSettings
from tests.proxy import Proxy
from tests.replication.reading import role_url
from tests.servers import fresh_database
from tests.waiting import PATIENCE, until, until_async

HERE = SystemIdentity("7001", 1, Lsn(1000), "test")
ODD = 'Odd "name"; $1 %s \\ x'
FIRST, SECOND, THIRD = Place(Lsn(100), 0), Place(Lsn(100), 1), Place(Lsn(2**40), 70_000)

MakeLedger = Callable[..., Ledger]
MakeSession = Callable[..., Session]


@pytest.fixture(params=["postgres", "postgres_15"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The url of a new, empty database on PostgreSQL 18 and on 15."""
    with fresh_database(request.getfixturevalue(request.param)) as url:
        yield url


@pytest.fixture
async def notes(connection: Connection) -> None:
    """The ledger's table, and one for effects."""
    await connection.execute(table.creation(await table.look_up(connection)))  # type: ignore[arg-type]
    await connection.execute("CREATE TABLE notes (note text)")


@pytest.fixture
def make_ledger(notes: None, make_settings: MakeSettings) -> MakeLedger:
    """A ledger of the test's slot, as another instance each time."""
    return lambda **more: Ledger(make_settings(**more), "shop")


@pytest.fixture
async def make_session(database: str) -> AsyncIterator[MakeSession]:
    """An operator's session."""
    made: list[Session] = []

    def make(url: str = database, **options: Any) -> Session:
        # the name by which the server knows an operator of an instance
        where = psycopg.conninfo.make_conninfo(url, application_name="eventscope shop counts")
        made.append(Session(where, lambda _: None, **options))
        return made[-1]

    yield make
    for session in made:
        await session.close()


@asynccontextmanager
async def noting(
    session: Session, offset: Offset, new: Place, note: str, *, pipelined: bool = False
) -> AsyncIterator[None]:
    """A transaction with an effect, as an operator's; what the block does comes before the end."""
    async with session.transaction((), pipelined=pipelined) as connection:
        connection.row_factory = dict_row  # type: ignore[assignment]  # a handler's own affair
        moving = await offset.move(connection, new)
        await connection.execute(f"INSERT INTO notes VALUES ('{note}')")  # type: ignore[arg-type]
        yield
        await offset.check(connection, moving)
    offset.confirm()


async def note(session: Session, offset: Offset, new: Place, text: str, **more: bool) -> None:
    async with noting(session, offset, new, text, **more):
        pass


async def noted(connection: Connection) -> list[str]:
    cursor = await connection.execute("SELECT note FROM notes ORDER BY 1")
    return [text for (text,) in await cursor.fetchall()]


async def rows(connection: Connection) -> dict[str, tuple[Place, int]]:
    """Place and epoch of every operator."""
    cursor = await connection.execute(
        "SELECT operator, end_lsn::text, index, epoch FROM eventscope.offsets ORDER BY 1"
    )
    return {
        operator: (Place(Lsn.parse(end_lsn), index), epoch)
        for operator, end_lsn, index, epoch in await cursor.fetchall()
    }


async def test_an_operator_without_a_row_gets_one_where_it_is_said_to_stand(
    connection: Connection, make_ledger: MakeLedger
) -> None:
    ledger = make_ledger()
    stands = {"counts": FIRST, ODD: None}
    assert await ledger.claim(HERE, stands) == {"counts": FIRST, ODD: START}
    assert await rows(connection) == {
        "counts": (FIRST, ledger.epoch),
        ODD: (START, ledger.epoch),
    }
    assert ledger.offset(ODD).place == START


async def test_a_row_knows_better_than_who_claims_it(
    make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    before, session = make_ledger(), make_session()
    await before.claim(HERE, {ODD: FIRST})
    await note(session, before.offset(ODD), THIRD, "third")
    after = make_ledger()
    assert await after.claim(HERE, {ODD: SECOND}) == {ODD: THIRD}
    assert after.epoch > before.epoch


@pytest.mark.parametrize("pipelined", [True, False])
@pytest.mark.parametrize("factory", [psycopg.AsyncCursor, psycopg.AsyncRawCursor])
async def test_an_offset_moves_with_its_effect_or_not_at_all(
    connection: Connection,
    make_ledger: MakeLedger,
    make_session: MakeSession,
    factory: Any,
    pipelined: bool,
) -> None:
    ledger, session = make_ledger(), make_session(cursor_factory=factory)
    await ledger.claim(HERE, {ODD: None})
    offset = ledger.offset(ODD)
    await note(session, offset, FIRST, "first", pipelined=pipelined)
    with pytest.raises(ValueError, match="no"):
        async with noting(session, offset, SECOND, "second", pipelined=pipelined):
            raise ValueError("no")
    assert (await noted(connection), offset.place) == (["first"], FIRST)
    await note(session, offset, THIRD, "third", pipelined=pipelined)
    assert await noted(connection) == ["first", "third"]
    assert await rows(connection) == {ODD: (THIRD, ledger.epoch)}


async def test_an_instance_that_was_taken_over_writes_nothing(
    connection: Connection, make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    older, newer, session = make_ledger(), make_ledger(), make_session()
    await older.claim(HERE, {"counts": FIRST})
    await newer.claim(HERE, {"counts": FIRST})
    with pytest.raises(Fenced) as fenced:
        await note(session, older.offset("counts"), SECOND, "older")
    assert str(fenced.value) == (
        f"another instance has taken over slot {older.slot} (epoch {newer.epoch};"
        f" ours was {older.epoch}): this one writes nothing any more"
    )
    assert fenced.value.exit_code == 3
    with pytest.raises(Fenced):
        await older.put("counts", THIRD)
    await note(session, newer.offset("counts"), SECOND, "newer")
    assert await noted(connection) == ["newer"]


async def test_an_operator_that_only_the_older_instance_has_is_fenced_too(
    connection: Connection, make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    older, newer, session = make_ledger(), make_ledger(), make_session()
    await older.claim(HERE, {"counts": FIRST, "former": FIRST})
    await newer.claim(HERE, {"counts": FIRST})
    with pytest.raises(Fenced):
        await note(session, older.offset("former"), SECOND, "older")
    assert (await rows(connection))["former"] == (FIRST, newer.epoch), "its place is left alone"


async def test_a_transaction_that_is_open_at_a_takeover_counts_if_it_ends_in_time(
    connection: Connection, make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    older, newer, session = make_ledger(), make_ledger(), make_session()
    await older.claim(HERE, {"counts": FIRST})
    async with noting(session, older.offset("counts"), SECOND, "older"):
        claiming = asyncio.create_task(newer.claim(HERE, {"counts": FIRST}))
        await until_async(lambda: is_waiting(connection))
    assert await claiming == {"counts": SECOND}
    assert await noted(connection) == ["older"]


async def test_a_transaction_of_a_suspended_instance_is_ended(
    connection: Connection,
    make_ledger: MakeLedger,
    make_session: MakeSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledgers, "_PATIENCE", 0.05)
    older, newer, session, stands = make_ledger(), make_ledger(), make_session(), {"counts": FIRST}
    await older.claim(HERE, stands)
    with capture_logs() as logs, pytest.raises(ConnectionLost):
        async with noting(session, older.offset("counts"), SECOND, "older"):
            assert await asyncio.wait_for(newer.claim(HERE, stands), PATIENCE) == stands
    assert "another instance still held eventscope.offsets, ended: pid" in logs[0]["event"]
    with pytest.raises(Fenced):
        await note(session, older.offset("counts"), SECOND, "older")
    assert await noted(connection) == []


async def test_a_person_who_holds_a_row_is_waited_for_and_named(
    database: str,
    make_ledger: MakeLedger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledgers, "_PATIENCE", 0.05)
    await make_ledger().claim(HERE, {"counts": FIRST})
    async with await psycopg.AsyncConnection.connect(database, application_name="psql") as person:
        await person.execute("SELECT FROM eventscope.offsets FOR UPDATE")
        pid = person.info.backend_pid
        with capture_logs() as logs:
            claiming = asyncio.create_task(make_ledger().claim(HERE, {"counts": FIRST}))
            await until(lambda: logs)
            await person.rollback()
        assert await claiming == {"counts": FIRST}
    assert f"is held by pid {pid} (psql" in logs[0]["event"]


async def test_instances_that_claim_at_once_get_different_epochs(
    connection: Connection, make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    instances = [make_ledger() for _ in range(8)]
    stands = [{"counts": FIRST, f"own {n}": None} for n in range(8)]
    await asyncio.gather(*[i.claim(HERE, s) for i, s in zip(instances, stands, strict=True)])
    last = max(instances, key=lambda instance: instance.epoch)
    assert len({instance.epoch for instance in instances}) == 8
    assert {epoch for _, epoch in (await rows(connection)).values()} == {last.epoch}
    for instance in instances:
        writing = note(make_session(), instance.offset("counts"), SECOND, str(instance.epoch))
        with suppress(Fenced):
            await writing
    assert await noted(connection) == [str(last.epoch)]


async def test_claiming_again_changes_nothing_while_nobody_else_has(
    connection: Connection, make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    ledger, session = make_ledger(), make_session()
    await ledger.claim(HERE, {"counts": FIRST})
    epoch = ledger.epoch
    async with noting(session, ledger.offset("counts"), SECOND, "meanwhile"):
        assert await ledger.claim(HERE, {"counts": None}) == {"counts": FIRST}
    assert ledger.epoch == epoch
    assert await ledger.claim(HERE, {"counts": None, "new": THIRD}) == {
        "counts": SECOND,
        "new": THIRD,
    }
    assert ledger.epoch > epoch


async def test_an_instance_that_claims_back_is_not_taken_for_another_one(
    connection: Connection, make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    """Its operators go on, though they may move in the old epoch just then."""
    ours, other, session = make_ledger(), make_ledger(), make_session()
    await ours.claim(HERE, {"counts": FIRST})
    await other.claim(HERE, {"counts": FIRST})
    async with session.transaction(()) as tx:
        moving = await ours.offset("counts").move(tx, SECOND)
        claiming = asyncio.create_task(ours.claim(HERE, {"counts": FIRST}))
        await asyncio.sleep(0)
        with pytest.raises(Moved) as moved:
            await ours.offset("counts").check(tx, moving)
    assert await claiming == {"counts": moved.value.place} == {"counts": FIRST}
    await note(session, ours.offset("counts"), SECOND, "again")
    assert await noted(connection) == ["again"]


@pytest.mark.parametrize("pipelined", [True, False])
async def test_a_commit_whose_outcome_is_not_known_is_found_out(
    connection: Connection,
    database: str,
    make_ledger: MakeLedger,
    make_session: MakeSession,
    pipelined: bool,
) -> None:
    async with Proxy(database) as proxy:
        ledger, session = make_ledger(), make_session(proxy.url)
        await ledger.claim(HERE, {"counts": FIRST})
        offset = ledger.offset("counts")

        async def committing() -> None:
            async with session.transaction((), pipelined=pipelined) as tx:
                moving = await offset.move(tx, SECOND)
                await tx.execute("INSERT INTO notes VALUES ('once')")
                await offset.check(tx, moving)
                await (await tx.execute("SELECT")).fetchall()  # nothing else is on its way
                ready = 6 if pipelined else 0  # the answer to the end of the pipeline comes first
                for link in proxy.open("other"):
                    link.cut_after(ready + 1)

        with pytest.raises(ConnectionLost):
            await committing()
        await until_async(lambda: noted(connection))
        assert offset.place == FIRST
        with pytest.raises(Moved) as moved:
            await note(session, offset, SECOND, "once", pipelined=pipelined)
        assert moved.value.place == offset.place == SECOND
        await note(session, offset, THIRD, "third", pipelined=pipelined)
    assert await noted(connection) == ["once", "third"]


async def test_an_offset_that_the_server_has_lost_again_is_followed_back(
    connection: Connection, make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    ledger, session = make_ledger(), make_session()
    await ledger.claim(HERE, {"counts": FIRST})
    await note(session, ledger.offset("counts"), THIRD, "third")
    await connection.execute("UPDATE eventscope.offsets SET end_lsn = '0/64', index = 1")
    with pytest.raises(Moved) as moved:
        await note(session, ledger.offset("counts"), Place(Lsn(2**41), 0), "fourth")
    assert moved.value.place == SECOND
    await note(session, ledger.offset("counts"), THIRD, "third again")
    assert await noted(connection) == ["third", "third again"]


async def test_a_row_that_was_deleted_is_named(
    connection: Connection, make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    ledger = make_ledger()
    await ledger.claim(HERE, {"counts": FIRST})
    await connection.execute("DELETE FROM eventscope.offsets")
    with pytest.raises(SourceError, match="no row of operator counts and slot test_"):
        await note(make_session(), ledger.offset("counts"), SECOND, "x")
    newer = make_ledger()
    await newer.claim(HERE, {"counts": FIRST})
    assert newer.epoch > ledger.epoch, "a number does not come again"
    await connection.execute("UPDATE eventscope.offsets SET epoch = 1")
    with pytest.raises(SourceError, match="put back to an older state; start again"):
        await note(make_session(), newer.offset("counts"), SECOND, "x")
    assert await noted(connection) == []


async def test_a_row_that_came_in_a_dump_is_not_believed(
    connection: Connection, make_ledger: MakeLedger
) -> None:
    await make_ledger().claim(HERE._replace(system_id="6999"), {"counts": THIRD, "old": THIRD})
    with capture_logs() as logs:
        assert await make_ledger().claim(HERE, {"counts": FIRST}) == {"counts": FIRST}
    assert "in another cluster (6999, this is 7001): not believed" in logs[0]["event"]
    cursor = await connection.execute(
        "SELECT operator, system_id, timeline FROM eventscope.offsets ORDER BY 1"
    )
    assert await cursor.fetchall() == [("counts", "7001", 1), ("old", "6999", 1)]


async def test_a_renamed_operator_keeps_its_place(
    connection: Connection, make_ledger: MakeLedger
) -> None:
    await make_ledger().claim(HERE, {"old": SECOND, "older": FIRST, "there": THIRD})
    stands = {ODD: None, "there": None}
    renamed = [("old", ODD), ("older", "there"), ("unknown", "x")]
    assert await make_ledger().claim(HERE, stands, renamed) == {ODD: SECOND, "there": THIRD}
    assert list(await rows(connection)) == [ODD, "older", "there"]


async def test_an_operator_is_dropped_and_moved_by_hand(
    connection: Connection, make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    ledger = make_ledger()
    await ledger.claim(HERE, {"counts": THIRD, ODD: FIRST})
    await ledger.put("counts", FIRST)
    await note(make_session(), ledger.offset("counts"), SECOND, "x")
    await ledger.drop(ODD)
    assert await rows(connection) == {"counts": (SECOND, ledger.epoch)}


async def test_slots_do_not_mix(
    connection: Connection, make_ledger: MakeLedger, make_session: MakeSession
) -> None:
    ours, other = make_ledger(), make_ledger(slot_name="another")
    await ours.claim(HERE, {"counts": FIRST})
    assert await other.claim(HERE, {"counts": THIRD}) == {"counts": THIRD}
    await note(make_session(), ours.offset("counts"), SECOND, "ours")
    await note(make_session(), other.offset("counts"), FIRST, "others")
    assert await noted(connection) == ["others", "ours"]


async def test_a_claim_without_the_right_to_it_says_so(
    connection: Connection, database: str, notes: None, make_settings: MakeSettings
) -> None:
    await connection.execute("CREATE ROLE plain LOGIN")
    try:
        ledger = Ledger(make_settings(url=role_url(database, "plain")), "shop")
        with pytest.raises(SourceError, match="permission denied for schema eventscope"):
            await ledger.claim(HERE, {"counts": FIRST})
    finally:
        await connection.execute("DROP ROLE plain")


async def test_a_claim_that_cannot_connect_may_be_tried_again(
    notes: None, make_settings: MakeSettings
) -> None:
    ledger = Ledger(make_settings(url="postgresql://127.0.0.1:1/x"), "shop")
    with pytest.raises(Unreachable, match="cannot connect"):
        await ledger.claim(HERE, {"counts": FIRST})


async def is_waiting(connection: Connection) -> bool:
    cursor = await connection.execute(
        "SELECT FROM pg_stat_activity WHERE application_name = 'eventscope shop ledger'"
        " AND wait_event_type = 'Lock'"
    )
    return await cursor.fetchone() is not None
