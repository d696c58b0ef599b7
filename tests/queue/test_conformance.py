"""What every queue promises, whatever it stores events in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventscope.event import Lsn
from eventscope.queue.base import QueueError
from eventscope.queue.records import OperatorRecord
from eventscope.queue.sqlite import SqliteQueue
from eventscope.replication.pgoutput import DELETE, INSERT
from tests.queue.batches import ORIGIN, START, Writer, ids

ALL = 1_000


async def test_a_new_queue_is_empty(open_queue):
    queue = await open_queue()
    assert queue.checkpoint is None
    assert (queue.last_seq, queue.oldest_seq) == (0, 1)
    assert await queue.place(0) is None
    assert await queue.seq_at(100, 0) == 0
    assert await queue.seq_from_time(0) == await queue.seq_from_lsn(0) == 1
    assert (dict(queue.relations), dict(queue.latest_versions)) == ({}, {})
    assert await queue.read(0, [1], ALL) == []
    assert await queue.counts(0) == {}
    assert await queue.prune() == 0


async def test_what_was_appended_is_read_in_order(queue, writer):
    posts, comments = writer.table("posts"), writer.table("comments")
    writer.rows(posts, "a").rows(comments, "b").rows(posts, "c").commit()
    await queue.append(*writer.rows(posts, "d").commit().take())
    assert ids(await queue.read(0, [posts, comments], ALL)) == ["a", "b", "c", "d"]
    assert [event.relation.table for event in await queue.read(0, [posts, comments], 2)] == [
        "posts",
        "comments",
    ]


async def test_reading_takes_up_after_a_position_and_keeps_to_its_relations(queue, writer):
    posts, comments = writer.table("posts"), writer.table("comments")
    writer.rows(posts, "a").rows(comments, "b").rows(posts, "c", "d").commit()
    await queue.append(*writer.take())
    assert ids(await queue.read(1, [posts], ALL)) == ["c", "d"]
    assert ids(await queue.read(0, [posts], 2)) == ["a", "c"]
    assert ids(await queue.read(0, [comments], ALL)) == ["b"]
    assert await queue.read(0, [], ALL) == []
    assert await queue.read(4, [posts, comments], ALL) == []


async def test_each_event_knows_its_place_in_its_own_transaction(queue, writer):
    posts = writer.table("posts")
    writer.rows(posts, "a", "b").commit().rows(posts, "c").commit()
    await queue.append(*writer.take())
    events = [queued.event() for queued in await queue.read(0, [posts], ALL)]
    assert [(event.xid, event.index, event.lsn, event.id.end_lsn) for event in events] == [
        (200, 0, 190, 200),
        (200, 1, 190, 200),
        (300, 0, 290, 300),
    ]
    (last,) = await queue.read(2, [posts], ALL)
    assert last.event().id == "0/12C/0"


async def test_rows_of_an_open_transaction_are_invisible_until_its_end_is_stored(queue, writer):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a").commit().rows(posts, "b").take())
    assert queue.last_seq == 1
    assert ids(await queue.read(0, [posts], ALL)) == ["a"]
    assert await queue.counts(0) == {(posts, INSERT): 1}
    assert queue.checkpoint.stored == 200
    await queue.append(*writer.rows(posts, "c").take())
    assert ids(await queue.read(0, [posts], ALL)) == ["a"]
    await queue.append(*writer.commit().take())
    assert ids(await queue.read(0, [posts], ALL)) == ["a", "b", "c"]
    assert [event.event().index for event in await queue.read(0, [posts], ALL)] == [0, 0, 1]
    assert queue.last_seq == 3


async def test_an_open_transaction_is_dropped_when_asked_and_can_come_again(queue, writer):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a").commit().rows(posts, "half").take())
    await queue.discard_open()
    again = Writer(next_seq=2)
    await queue.append(*again.rows(posts, "b", "c").commit().take())
    assert ids(await queue.read(0, [posts], ALL)) == ["a", "b", "c"]


async def test_an_open_transaction_is_dropped_on_reopening(queue, writer, reopen):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a").commit().rows(posts, "half").take())
    queue = await reopen(queue)
    assert queue.last_seq == 1
    await queue.append(*Writer(next_seq=2).rows(posts, "b").commit().take())
    assert ids(await queue.read(0, [posts], ALL)) == ["a", "b"]


async def test_counts_are_by_relation_and_kind(queue, writer):
    posts, comments = writer.table("posts"), writer.table("comments")
    writer.rows(posts, "a").rows(posts, "b", "c", kind=b"D").rows(comments, "d").commit()
    await queue.append(*writer.take())
    assert await queue.counts(0) == {(posts, INSERT): 1, (posts, DELETE): 2, (comments, INSERT): 1}
    assert await queue.counts(2) == {(posts, DELETE): 1, (comments, INSERT): 1}
    assert await queue.counts(4) == {}


async def test_reading_and_counting_stop_where_they_are_told_to(queue, writer):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, *"abcd").commit().take())
    assert ids(await queue.read(1, [posts], ALL, until=3)) == ["b", "c"]
    assert ids(await queue.read(1, [posts], ALL, until=99)) == ["b", "c", "d"]
    assert await queue.read(3, [posts], ALL, until=3) == []
    assert await queue.counts(1, until=3) == {(posts, INSERT): 2}
    assert await queue.counts(1, until=99) == {(posts, INSERT): 3}


@pytest.fixture
async def three(queue, writer):
    """Two transactions of two events each, an hour apart, and one that has not ended."""
    posts = writer.table("posts")
    writer.rows(posts, "a", "b").commit(at=5).rows(posts, "c", "d").commit(at=3_600_000_005)
    await queue.append(*writer.rows(posts, "open").take())
    return queue


async def test_an_event_has_a_place_in_the_stream_and_is_found_by_it(three):
    places = {1: (200, 0), 2: (200, 1), 3: (300, 0), 4: (300, 1)}
    assert {seq: await three.place(seq) for seq in (1, 2, 3, 4)} == places
    assert [await three.seq_at(*place) for place in places.values()] == [1, 2, 3, 4]
    assert [await three.place(seq) for seq in (0, 5)] == [None, None]


async def test_a_place_between_events_is_the_one_before_it(three):
    assert await three.seq_at(0, 0) == 0
    assert await three.seq_at(199, 1) == 0
    assert await three.seq_at(200, 99) == 2
    assert await three.seq_at(250, 0) == 2
    assert await three.seq_at(1_000, 0) == 4


async def test_the_first_event_since_a_time_or_a_position_is_found(three):
    times = (0, 5, 6, 3_600_000_005, 3_600_000_006)
    assert [await three.seq_from_time(time) for time in times] == [1, 1, 3, 3, 5]
    positions = (0, 190, 191, 290, 291)
    assert [await three.seq_from_lsn(lsn) for lsn in positions] == [1, 1, 3, 3, 5]


async def test_what_was_given_up_is_not_found(three):
    await three.advance("slow", 1)
    assert three.oldest_seq == 1
    assert await three.prune() == 1
    assert three.oldest_seq == 2
    assert await three.seq_from_time(0) == await three.seq_from_lsn(0) == 2
    await three.advance("slow", 4)
    assert await three.prune() == 3
    assert three.oldest_seq == 5
    assert await three.seq_from_time(0) == await three.seq_from_lsn(0) == 5
    assert await three.seq_at(199, 1) == 4


async def test_where_an_operator_stands_has_a_place_after_its_event_is_given_up(three, reopen):
    await three.advance("slow", 2)
    await three.advance("fast", 4)
    assert await three.prune() == 2
    queue = await reopen(three)
    assert (await queue.place(2), await queue.place(4)) == ((200, 1), (300, 1))
    assert queue.oldest_seq == 3


async def test_a_new_operator_starts_at_the_end_of_the_log_and_keeps_its_place(
    queue, writer, reopen
):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a", "b").commit().take())
    assert await queue.position("counts") == 2
    await queue.append(*writer.rows(posts, "c").commit().take())
    assert await queue.position("counts") == 2
    queue = await reopen(queue)
    assert await queue.position("counts") == 2
    assert await queue.position("another") == 3


async def test_operators_advance_independently_of_each_other(queue, writer, reopen):
    posts = writer.table("posts")
    await queue.position("one")
    await queue.position("two")
    await queue.append(*writer.rows(posts, "a", "b").commit().take())
    await queue.advance("one", 1)
    await queue.advance("one", 2)
    assert (await queue.position("one"), await queue.position("two")) == (2, 0)
    queue = await reopen(queue)
    assert (await queue.position("one"), await queue.position("two")) == (2, 0)


async def test_the_checkpoint_moves_with_what_is_stored_and_acknowledged(queue, writer, reopen):
    assert queue.checkpoint == START
    assert queue.checkpoint.reached == 100
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a").commit().take())
    assert queue.checkpoint == replace(START, stored=Lsn(200))
    assert queue.checkpoint.reached == 200
    await queue.acknowledge(Lsn(250))
    assert queue.checkpoint.reached == 250
    queue = await reopen(queue)
    assert queue.checkpoint == replace(START, stored=Lsn(200), acknowledged=Lsn(250))


async def test_relation_versions_survive_and_the_latest_of_a_table_is_known(queue, writer, reopen):
    first = writer.table("posts", "id")
    await queue.append(*writer.rows(first, "a").commit().take())
    second = writer.table("posts", "id", "title")
    raw = writer.batch.relations[second]
    await queue.append(*writer.rows(second, "b").commit().take())
    for _ in range(2):
        assert [len(queue.relations[version].columns) for version in (first, second)] == [1, 2]
        assert list(queue.latest_versions.values()) == [(second, raw)]
        queue = await reopen(queue)


async def test_another_stream_is_refused_and_named(queue, reopen):
    for other in (
        replace(ORIGIN, system_id="8"),
        replace(ORIGIN, database="shop"),
        replace(ORIGIN, slot="other_slot"),
    ):
        with pytest.raises(QueueError, match=r"database blog .*not of database .*queue_path"):
            await queue.begin(other, START)
    assert queue.checkpoint == START
    queue = await reopen(queue)
    assert queue.checkpoint == START
    await queue.begin(ORIGIN, START)


async def test_pruning_keeps_what_an_operator_has_not_passed(queue, writer):
    posts = writer.table("posts")
    await queue.position("slow")
    await queue.position("fast")
    await queue.append(*writer.rows(posts, *"abcde").commit().take())
    await queue.advance("slow", 2)
    await queue.advance("fast", 5)
    assert await queue.prune() == 2
    assert ids(await queue.read(0, [posts], ALL)) == ["c", "d", "e"]
    assert [event.event().index for event in await queue.read(0, [posts], ALL)] == [2, 3, 4]


async def test_pruning_keeps_what_a_replay_still_needs(queue, writer):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, *"abcdef").commit().take())
    replay = OperatorRecord("replayed", position=2, replay_to=3, resume_at=5)
    await queue.save_operator(replay)
    await queue.advance("another", 6)
    assert await queue.prune() == 2
    await queue.save_operator(OperatorRecord("replayed", position=5))
    assert await queue.prune() == 3


async def test_an_operator_that_was_dropped_needs_nothing(queue, writer):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, *"abc").commit().take())
    await queue.advance("gone", 1)
    assert await queue.prune() == 1
    await queue.drop_operator("gone")
    assert await queue.prune() == 2


async def test_what_somebody_has_still_to_see_is_not_given_up(queue, writer):
    version = writer.table("posts")
    await queue.append(*writer.rows(version, "a", "b", "c").commit().take())
    assert await queue.prune(until=1) == 1
    assert ids(await queue.read(0, [version], ALL)) == ["b", "c"]
    assert await queue.prune(until=0) == 0
    assert await queue.prune() == 2


async def test_a_relation_version_goes_with_its_last_event_but_not_the_latest_one(
    queue, writer, reopen
):
    first = writer.table("posts", "id")
    await queue.append(*writer.rows(first, "a", "b").commit().take())
    (_, event) = await queue.read(0, [first], 2)
    letter = await queue.put_letter(
        "notify", None, event, attempts=1, error="no", traceback="", next_retry=None
    )
    second = writer.table("posts", "id", "title")
    comments = writer.table("comments")
    await queue.advance("notify", 1)
    await queue.append(*writer.rows(comments, "c").commit().take())
    assert await queue.prune() == 1
    assert set(queue.relations) == {first, second, comments}
    await queue.advance("notify", 3)
    assert await queue.prune() == 2
    assert set(queue.relations) == {second, comments}
    queue = await reopen(queue)
    assert set(queue.relations) == {second, comments}
    assert await queue.letter(letter.id) == letter
    assert {version for version, _ in queue.latest_versions.values()} == {second, comments}


async def test_a_relation_version_of_an_open_transaction_stays(queue, writer):
    first = writer.table("posts", "id")
    await queue.append(*writer.rows(first, "a").take())
    second = writer.table("posts", "id", "title")
    await queue.append(*writer.rows(second).take())
    await queue.prune()
    assert set(queue.relations) == {first, second}
    await queue.append(*writer.commit().take())
    assert ids(await queue.read(0, [first], ALL)) == ["a"]
    assert await queue.prune() == 1
    assert set(queue.relations) == {second}


async def test_pruning_keeps_history(writer, open_queue):
    queue = await open_queue(events=3)
    await queue.begin(ORIGIN, START)
    posts = writer.table("posts")
    for id in "abcde":
        writer.rows(posts, id).commit()
    await queue.append(*writer.take())
    assert await queue.prune() == 2
    assert ids(await queue.read(0, [posts], ALL)) == ["c", "d", "e"]
    assert await queue.prune() == 0


async def test_a_queue_that_is_too_large_keeps_less_history_but_what_operators_need(
    writer, open_queue
):
    queue = await open_queue(events=10_000, bytes=100_000)
    await queue.begin(ORIGIN, START)
    posts = writer.table("posts")
    for n in range(100):
        writer.rows(posts, str(n), size=10_000).commit()
    await queue.position("slow")
    await queue.append(*writer.take())
    assert await queue.prune() == 0
    await queue.advance("slow", 95)
    while await queue.prune():
        pass
    kept = ids(await queue.read(0, [posts], ALL))
    assert kept[-5:] == ["95", "96", "97", "98", "99"]
    assert len(kept) < 20


async def test_the_checkpoint_and_the_numbering_survive_pruning_everything(queue, writer, reopen):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, *"abc").commit().take())
    assert await queue.prune() == 3
    assert await queue.read(0, [posts], ALL) == []
    queue = await reopen(queue)
    assert (queue.last_seq, queue.oldest_seq) == (3, 4)
    assert queue.checkpoint == replace(START, stored=Lsn(200))
    await queue.append(*Writer(next_seq=4).rows(posts, "d").commit().take())
    (event,) = await queue.read(0, [posts], ALL)
    assert (event.seq, event.event().index) == (4, 0)


async def test_pruning_leaves_the_rows_of_an_open_transaction(queue, writer):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a").commit().rows(posts, "b").take())
    assert await queue.prune() == 1
    await queue.append(*writer.rows(posts, "c").commit().take())
    assert ids(await queue.read(0, [posts], ALL)) == ["b", "c"]


async def test_pruning_much_goes_on_to_its_end(queue, writer):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, *map(str, range(12_000))).commit().take())
    assert await queue.prune() == 12_000


async def test_a_batch_that_cannot_be_stored_leaves_no_trace(queue, writer):
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a").commit().take())
    broken = Writer(next_seq=2)
    broken.rows(posts, "b").batch.rows.append((1, posts, b"a number that is taken"))
    with pytest.raises(QueueError):
        await queue.append(*broken.commit().take())
    assert (queue.last_seq, queue.checkpoint.stored) == (1, 200)
    await queue.append(*Writer(next_seq=2).rows(posts, "d").commit().take())
    assert ids(await queue.read(0, [posts], ALL)) == ["a", "d"]


async def test_closing_twice_is_closing_once(queue):
    await queue.close()
    await queue.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=8), st.data())
async def test_however_it_is_cut_and_reopened_every_event_comes_once_in_order(
    tmp_path_factory, plan, data
):
    path = tmp_path_factory.mktemp("queue") / "queue.db"
    wanted: list[str] = []
    queue = await SqliteQueue.open(path, retention_events=0, retention_bytes=10**9)
    await queue.begin(ORIGIN, START)
    posts = 1
    try:
        first = Writer()
        first.table("posts")
        await queue.append(*first.take())
        for n, (size, reopen) in enumerate(plan):
            if reopen:
                await queue.append(*Writer(queue.last_seq + 1).rows(posts, "half").take())
                await queue.close()
                queue = await SqliteQueue.open(path, retention_events=0, retention_bytes=10**9)
            writer = Writer(queue.last_seq + 1)
            for i in range(size):
                wanted.append(f"{n}-{i}")
                writer.rows(posts, wanted[-1])
                if data.draw(st.booleans()):
                    await queue.append(*writer.take())
            await queue.append(*writer.commit().take())
        assert ids(await queue.read(0, [posts], ALL)) == wanted
    finally:
        await queue.close()
