from __future__ import annotations

import pytest

from eventscope.engine.commands import CommandRefused
from eventscope.engine.questions import Known
from eventscope.engine.questions.history import (
    EventsAfter,
    EventsBefore,
    NotKept,
    NumberOf,
    Page,
    TransactionOf,
)
from eventscope.queue.base import Queue
from tests.queue.batches import Writer


async def write(queue: Queue, transactions: int, rows: int, size: int = 0) -> None:
    writer = Writer()
    table = writer.table("orders")
    for number in range(transactions):
        writer.rows(table, *(f"{number}-{row}" for row in range(rows)), size=size).commit()
    await queue.append(*writer.take())


def seqs(page: Page) -> list[int]:
    return [event.seq for event in page.events]


async def test_the_past_is_read_backwards_to_its_beginning(queue: Queue, known: Known) -> None:
    await write(queue, transactions=40, rows=7)
    page = await EventsBefore(limit=150).answer(known)
    assert (seqs(page), page.reached, page.left) == (list(range(131, 281)), 131, 130)
    page = await EventsBefore(page.reached, limit=150).answer(known)
    assert (seqs(page), page.reached, page.left) == (list(range(1, 131)), 1, 0)
    assert (await EventsBefore(1).answer(known)).events == ()


async def test_it_is_read_forwards_to_its_end(queue: Queue, known: Known) -> None:
    await write(queue, transactions=40, rows=7)
    page = await EventsAfter(100, limit=150).answer(known)
    assert (seqs(page), page.reached, page.left) == (list(range(101, 251)), 250, 30)
    page = await EventsAfter(page.reached, last=260).answer(known)
    assert (seqs(page), page.left) == (list(range(251, 261)), 0)


async def test_a_page_of_large_rows_has_fewer(queue: Queue, known: Known) -> None:
    await write(queue, transactions=3, rows=100, size=50_000)
    assert len((await EventsBefore().answer(known)).events) == 100
    assert len((await EventsAfter(0).answer(known)).events) == 100


async def test_what_was_given_up_is_not_reached_for(queue: Queue, known: Known) -> None:
    await write(queue, transactions=1, rows=10)
    await queue.advance("someone", 6)
    await queue.prune()
    page = await EventsBefore().answer(known)
    assert (seqs(page), page.left) == ([7, 8, 9, 10], 0)
    assert seqs(await EventsAfter(0).answer(known)) == [7, 8, 9, 10]
    with pytest.raises(NotKept, match="no longer keeps this event"):
        await TransactionOf(6).answer(known)


async def test_the_transaction_of_an_event(queue: Queue, known: Known) -> None:
    await write(queue, transactions=3, rows=7)
    transaction = await TransactionOf(9).answer(known)
    assert (transaction.first_seq, transaction.last_seq) == (8, 14)


async def test_an_event_is_found_by_its_id(queue: Queue, known: Known) -> None:
    await write(queue, transactions=3, rows=7)
    [event] = (await EventsBefore(10, 9).answer(known)).events
    assert await NumberOf(str(event.event().id)).answer(known) == 9
    with pytest.raises(CommandRefused, match="holds no event"):
        await NumberOf("0/1/7").answer(known)
