"""An engine whose queue holds a past, of which the ring shows only the end."""

from __future__ import annotations

from eventscope.engine.questions.history import EventsBefore
from eventscope.queue.memory import MemoryQueue
from tests.queue.batches import ORIGIN, START, Writer
from tests.replication import encoder
from tests.tui.scripted import ScriptedEngine, an_operator


async def an_engine_with_a_past(writer: Writer, *, shown: int) -> ScriptedEngine:
    """What was written is in the queue; its last ``shown`` events are in the ring, too."""
    queue = MemoryQueue(retention_events=0, retention_bytes=10**9)
    await queue.begin(ORIGIN, START)
    await queue.append(*writer.take())
    engine = ScriptedEngine(an_operator("search_index", position=queue.last_seq), capacity=1_000)
    engine.queue = queue
    del engine.answers[EventsBefore]
    engine.ring.extend(await queue.read(queue.last_seq - shown, queue.relations, shown))
    return engine


def numbered(count: int, *, in_one: int = 1) -> Writer:
    """``count`` inserted orders, so many in a transaction, their ids their numbers."""
    writer = Writer()
    orders = writer.table("orders", "id", "status")
    for first in range(1, count + 1, in_one):
        for id in range(first, min(first + in_one, count + 1)):
            writer.row(orders, encoder.insert(0, [str(id).encode(), f"status-{id}".encode()]))
        writer.commit()
    return writer


def one_row_among_others() -> Writer:
    """Order 7 is inserted, paid, shipped and deleted, with 100 other orders in between."""
    writer = Writer()
    orders = writer.table("orders", "id", "status")
    writer.row(orders, encoder.insert(0, [b"7", b"new"])).commit()  # 1
    writer.rows(writer.table("items"), *(str(n) for n in range(100))).commit()
    writer.row(orders, encoder.update(0, [b"7", b"paid"])).commit()  # 102
    writer.row(orders, encoder.update(0, [b"7", b"shipped"])).commit()  # 103
    writer.row(orders, encoder.delete(0, key=[b"7", None])).commit()  # 104
    return writer
