from __future__ import annotations

import pytest

from eventscope.engine import Engine
from eventscope.engine.questions import Known
from eventscope.engine.questions.history import EventsBefore, NotKept, TransactionOf
from eventscope.engine.questions.row_history import RowOf, VersionsAfter, VersionsBefore
from eventscope.queue.base import Queue
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.engine.conftest import Watching, Write
from tests.queue.batches import Writer
from tests.replication import encoder
from tests.waiting import until


async def around(known: Known, seq: int) -> tuple[list[int], list[int]]:
    """The numbers of all events of a row before one of them, and after it."""
    before, after = await RowOf(seq).answer(known)
    older: list[int] = []
    newer: list[int] = []
    page = await VersionsBefore(before, seq).answer(known)
    older[:0] = [event.seq for event in page.events]
    while page.left:
        page = await VersionsBefore(page.row, page.reached).answer(known)
        older[:0] = [event.seq for event in page.events]
    page = await VersionsAfter(after, seq).answer(known)
    newer += [event.seq for event in page.events]
    while page.left:
        page = await VersionsAfter(page.row, page.reached).answer(known)
        newer += [event.seq for event in page.events]
    return older, newer


async def test_every_version_of_a_row_is_found(queue: Queue, known: Known) -> None:
    writer = Writer()
    orders, users = writer.table("orders", "id", "status"), writer.table("users", "id", "name")
    writer.row(orders, encoder.insert(0, [b"7", b"new"]))  # 1
    writer.row(orders, encoder.insert(0, [b"8", b"7"]))  # 2, another row
    writer.row(users, encoder.insert(0, [b"7", b"Ada"])).commit()  # 3, another table
    writer.row(orders, encoder.update(0, [b"7", b"paid"])).commit()  # 4
    writer.row(orders, encoder.truncate([0])).commit()  # 5, of every row
    writer.row(orders, encoder.insert(0, [b"7", b"again"])).commit()  # 6
    writer.row(orders, encoder.delete(0, key=[b"7", None])).commit()  # 7
    await queue.append(*writer.take())
    assert await around(known, 4) == ([1], [5, 6, 7])
    assert await around(known, 7) == ([1, 4, 5, 6], [])


async def test_a_row_is_followed_under_its_other_keys(queue: Queue, known: Known) -> None:
    writer = Writer()
    orders = writer.table("orders", "id", "status")
    writer.row(orders, encoder.insert(0, [b"1", b"new"]))  # 1
    writer.row(orders, encoder.insert(0, [b"9", b"other"]))  # 2
    writer.row(orders, encoder.update(0, [b"2", b"new"], key=[b"1", None]))  # 3
    writer.row(orders, encoder.insert(0, [b"1", b"another row"]))  # 4
    writer.row(orders, encoder.update(0, [b"2", b"paid"]))  # 5
    writer.row(orders, encoder.update(0, [b"3", b"paid"], key=[b"2", None]))  # 6
    writer.row(orders, encoder.delete(0, key=[b"3", None])).commit()  # 7
    await queue.append(*writer.take())
    assert await around(known, 5) == ([1, 3], [6, 7])
    assert await around(known, 1) == ([], [3, 5, 6, 7])


async def test_a_row_is_followed_while_its_table_changes(queue: Queue, known: Known) -> None:
    writer = Writer()
    writer.row(writer.table("orders", "id", "status"), encoder.insert(0, [b"7", b"new"])).commit()
    wider = writer.table("orders", "id", "total", "status")
    writer.row(wider, encoder.update(0, [b"7", b"9.90", b"paid"])).commit()
    await queue.append(*writer.take())
    assert await around(known, 1) == ([], [2])
    assert await around(known, 2) == ([1], [])


async def test_a_long_past_is_looked_through_in_parts(queue: Queue, known: Known) -> None:
    writer = Writer()
    table = writer.table("orders")
    writer.rows(table, "rare").rows(table, *["often"] * 300).commit()
    for _ in range(21):
        writer.rows(table, *["other"] * 1_000).commit()
    writer.rows(table, "rare", "often").commit()
    await queue.append(*writer.take())
    last = queue.last_seq
    row, _ = await RowOf(last - 1).answer(known)
    page = await VersionsBefore(row, last - 1).answer(known)
    assert page.events == ()
    assert page.reached == last - 1 - 20_000
    assert await around(known, last - 1) == ([1], [])
    assert await around(known, 1) == ([], [last - 1])
    assert len((await around(known, last))[0]) == 300


async def test_rows_that_cannot_be_told_apart_have_no_history(queue: Queue, known: Known) -> None:
    writer = Writer()
    table = writer.table("orders")
    writer.row(table, encoder.truncate([0])).commit()
    await queue.append(*writer.take())
    with pytest.raises(NotKept, match="orders has no key by which a row of it could be followed"):
        await RowOf(1).answer(known)
    with pytest.raises(NotKept, match="no longer keeps"):
        await RowOf(2).answer(known)


async def test_a_row_in_postgresql_is_followed_through_all_that_happens_to_it(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1, 2)
        await connection.execute("UPDATE notes SET text = 'y'")
        await connection.execute("ALTER TABLE notes ADD COLUMN more int")
        await connection.execute("UPDATE notes SET id = 9, more = 1 WHERE id = 1")
        await connection.execute("ALTER TABLE notes REPLICA IDENTITY DEFAULT")
        await connection.execute("UPDATE notes SET text = 'z' WHERE id = 9")
        await connection.execute("DELETE FROM notes WHERE id = 9")
        await until(lambda: len(app.events) == 7)
        last = (await engine.ask(EventsBefore())).events[-1].seq
        before, after = await engine.ask(RowOf(last))
        page = await engine.ask(VersionsBefore(before, last))
        assert [(e.type, e.event().key["id"]) for e in page.events] == [
            ("insert", 1),
            ("update", 1),
            ("update", 9),
            ("update", 9),
        ]
        assert (await engine.ask(VersionsAfter(after, last))).events == ()
        transaction = await engine.ask(TransactionOf(page.events[1].seq))
        assert transaction.last_seq - transaction.first_seq == 1, "both notes at once"
