"""What every queue promises to keep beside its log."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eventscope.queue.base import QueueError
from eventscope.queue.records import Backfill, OperatorRecord, ProcessStatus
from tests.queue.batches import Writer, ids

FAILING = OperatorRecord(
    name="post_counts",
    position=7,
    paused="by ann, for the migration",
    halted=True,
    failed_seq=8,
    attempts=3,
    next_retry=1_700_000_000.25,
    error="ValueError: no",
    traceback="Traceback ...\nValueError: no\n",
    skip=9,
    replay_to=10,
    resume_at=20,
    crashed_at=8,
    crashes=2,
)
FAILURE = {"attempts": 2, "error": "ValueError: no", "traceback": "Traceback", "next_retry": None}


async def events(queue, *ids: str):
    """Append a transaction of a table; returns its events."""
    writer = Writer(queue.last_seq + 1)
    posts = writer.table("posts")
    first = queue.last_seq
    await queue.append(*writer.rows(posts, *ids).commit().take())
    return await queue.read(first, [posts], len(ids))


async def test_an_operator_is_unknown_until_it_was_saved(queue):
    assert await queue.operator("post_counts") is None
    assert await queue.operators() == []


async def test_a_record_comes_back_whole_also_after_reopening(queue, reopen):
    await queue.save_operator(FAILING)
    assert await queue.operator("post_counts") == FAILING
    assert (await queue.operator("post_counts")).halted is True
    queue = await reopen(queue)
    assert await queue.operator("post_counts") == FAILING


async def test_a_record_takes_the_place_of_the_one_before(queue):
    await queue.save_operator(FAILING)
    await queue.save_operator(OperatorRecord("post_counts", position=8))
    assert await queue.operators() == [OperatorRecord("post_counts", position=8)]


async def test_advancing_leaves_the_rest_of_a_record(queue):
    await queue.save_operator(FAILING)
    await queue.advance("post_counts", 8)
    assert await queue.operator("post_counts") == replace(FAILING, position=8)


async def test_operators_come_by_name_whoever_declares_them(queue):
    for name in ("b", "c", "a; DROP TABLE operator", "'"):
        await queue.advance(name, 1)
    names = [record.name for record in await queue.operators()]
    assert names == ["'", "a; DROP TABLE operator", "b", "c"]


async def test_an_error_of_any_length_and_form_is_kept_by_its_beginning_and_end(queue):
    long = "beginning " + "x" * 1_000_000 + " \udc80 end"
    await queue.save_operator(replace(FAILING, error=long, traceback=long))
    kept = await queue.operator("post_counts")
    for text in (kept.error, kept.traceback):
        assert len(text) < 66_000
        assert text.startswith("beginning xx")
        assert text.endswith(r"xx \udc80 end")
        assert "characters left out" in text
    (event,) = await events(queue, "a")
    letter = await queue.put_letter(
        "a", None, event, attempts=1, error=long, traceback=long, next_retry=None
    )
    assert (letter.error, letter.traceback) == (kept.error, kept.traceback)


async def test_a_letter_keeps_its_event_when_the_log_has_given_it_up(queue, reopen):
    _, event = await events(queue, "a", "b")
    letter = await queue.put_letter("post_counts", ("7", "x"), event, **FAILURE)
    assert (letter.operator, letter.target, letter.event) == ("post_counts", ("7", "x"), event)
    assert (letter.attempts, letter.error, letter.traceback) == (2, "ValueError: no", "Traceback")
    assert letter.first_at == letter.last_at
    assert letter.next_retry is None
    assert await queue.prune() == 2
    queue = await reopen(queue)
    assert await queue.letters() == [letter]
    assert await queue.letter(letter.id) == letter
    kept = letter.event.event()
    assert (kept.id, kept.index, kept.new_record) == ("0/C8/1", 1, {"id": "b"})


async def test_a_target_has_one_letter_of_an_operator_which_is_about_its_last_failure(queue):
    first, second = await events(queue, "a", "b")
    before = await queue.put_letter("post_counts", ("7",), first, **FAILURE)
    again = {"attempts": 3, "error": "other", "traceback": "other", "next_retry": 12.5}
    after = await queue.put_letter("post_counts", ("7",), second, **again)
    assert after == replace(before, event=second, last_at=after.last_at, **again)
    assert after.last_at > before.last_at
    await queue.put_letter("post_counts", ("8",), second, **FAILURE)
    await queue.put_letter("likes", ("7",), second, **FAILURE)
    assert len(await queue.letters()) == 3
    assert [letter.target for letter in await queue.letters("post_counts")] == [("7",), ("8",)]


async def test_a_handler_has_one_letter_for_each_event(queue):
    first, second = await events(queue, "a", "b")
    before = await queue.put_letter("notify", None, first, **FAILURE)
    assert (await queue.put_letter("notify", None, first, **FAILURE)).id == before.id
    await queue.put_letter("notify", None, second, **FAILURE)
    assert [letter.event.seq for letter in await queue.letters("notify")] == [1, 2]
    assert {letter.target for letter in await queue.letters("notify")} == {None}


async def test_a_letter_may_be_made_due_and_does_not_come_back_by_that(queue):
    (event,) = await events(queue, "a")
    letter = await queue.put_letter("notify", None, event, **FAILURE)
    await queue.retry_letter(letter.id, 7.0)
    assert await queue.letters() == [replace(letter, next_retry=7.0)]
    await queue.drop_letter(letter.id)
    await queue.retry_letter(letter.id, 7.0)
    assert await queue.letters() == []


async def test_a_letter_is_dropped_and_its_id_never_given_again(queue):
    (event,) = await events(queue, "a")
    letter = await queue.put_letter("notify", None, event, **FAILURE)
    await queue.drop_letter(letter.id)
    await queue.drop_letter(letter.id)
    assert await queue.letter(letter.id) is None
    assert await queue.letters() == []
    assert (await queue.put_letter("notify", None, event, **FAILURE)).id != letter.id


async def test_a_backfill_is_kept_until_it_is_dropped(queue, reopen):
    backfill = Backfill("post_counts", "ann", started_at=5.5)
    await queue.save_backfill(backfill)
    assert await queue.backfill("post_counts") == backfill
    further = replace(
        backfill, entity=1, after=("1", "ü"), done=500, total=900, rate=100.0, failed=2
    )
    await queue.save_backfill(further)
    queue = await reopen(queue)
    assert await queue.backfill("post_counts") == further
    assert await queue.backfill("likes") is None
    await queue.drop_backfill("post_counts")
    await queue.drop_backfill("post_counts")
    assert await queue.backfill("post_counts") is None


async def test_what_rows_map_to_is_known_by_operator_and_entity(queue, reopen):
    await queue.map("post_counts", "comments", {("1",): ("7",), ("2",): None, ("3", "x"): ("8",)})
    await queue.map("post_counts", "likes", {("1",): ("9",)})
    await queue.map("other", "comments", {("1",): ("5", "6")})
    queue = await reopen(queue)
    keys = [("1",), ("2",), ("3", "x"), ("4",)]
    assert await queue.mapped("post_counts", "comments", keys) == {
        ("1",): ("7",),
        ("2",): None,
        ("3", "x"): ("8",),
    }
    assert await queue.mapped("post_counts", "likes", keys) == {("1",): ("9",)}
    assert await queue.mapped("other", "comments", keys[:1]) == {("1",): ("5", "6")}
    assert await queue.mapped("nobody", "comments", keys) == {}
    assert await queue.mapped("other", "comments", []) == {}


async def test_a_row_maps_to_what_was_said_last_and_to_nothing_known_once_it_is_gone(queue):
    await queue.map("a", "comments", {("1",): ("7",), ("2",): ("7",)})
    await queue.map("a", "comments", {("1",): ("8",)}, removed=[("2",), ("never there",)])
    assert await queue.mapped("a", "comments", [("1",), ("2",)]) == {("1",): ("8",)}


async def test_a_map_is_forgotten_at_once_and_can_begin_again(queue):
    await queue.map("a", "comments", {(str(n),): ("7",) for n in range(12_000)})
    await queue.map("a", "likes", {("1",): ("7",)})
    await queue.unmap("a", "comments")
    assert await queue.mapped("a", "comments", [("1",)]) == {}
    await queue.map("a", "comments", {("2",): ("7",)})
    await queue.prune()
    assert await queue.mapped("a", "comments", [("1",), ("2",)]) == {("2",): ("7",)}
    assert await queue.mapped("a", "likes", [("1",)]) == {("1",): ("7",)}


async def everything_of(queue, name: str):
    return (
        await queue.operator(name) is not None,
        [letter.target for letter in await queue.letters(name)],
        await queue.backfill(name) is not None,
        await queue.mapped(name, "comments", [("1",)]),
    )


@pytest.fixture
async def busy_queue(queue):
    """A queue with two operators that have one of everything."""
    (event,) = await events(queue, "a")
    for name in ("old", "other"):
        await queue.save_operator(replace(FAILING, name=name))
        await queue.put_letter(name, ("7",), event, **FAILURE)
        await queue.save_backfill(Backfill(name, "ann"))
        await queue.map(name, "comments", {("1",): ("7",)})
    return queue


ALL = (True, [("7",)], True, {("1",): ("7",)})
NOTHING = (False, [], False, {})


async def test_a_renamed_operator_keeps_all_it_has(busy_queue):
    await busy_queue.rename_operator("old", "new")
    assert await everything_of(busy_queue, "new") == ALL
    assert await busy_queue.operator("new") == replace(FAILING, name="new")
    assert await everything_of(busy_queue, "old") == NOTHING
    assert await everything_of(busy_queue, "other") == ALL


async def test_an_operator_is_not_renamed_over_another(busy_queue):
    with pytest.raises(QueueError, match=r"old cannot be renamed other.*drop"):
        await busy_queue.rename_operator("old", "other")
    assert await everything_of(busy_queue, "old") == ALL
    assert await everything_of(busy_queue, "other") == ALL


async def test_a_dropped_operator_leaves_nothing(busy_queue):
    await busy_queue.drop_operator("old")
    await busy_queue.drop_operator("old")
    assert await everything_of(busy_queue, "old") == NOTHING
    assert await everything_of(busy_queue, "other") == ALL
    await busy_queue.prune()
    assert await everything_of(busy_queue, "other") == ALL


async def test_nothing_is_asked_of_a_new_queue_and_nobody_need_wait_for_an_answer(queue):
    assert await queue.requests() == []
    await queue.answer(12, "done")
    assert await queue.requests() == []


async def test_the_events_of_a_replay_that_is_asked_for_are_kept(queue, writer):
    posts = writer.table("posts")
    for id in "abcdef":
        writer.rows(posts, id).commit()
    await queue.append(*writer.take())
    await queue.save_operator(
        OperatorRecord("paused", 6, paused="by ann", rewind_to=2, replay_to=4, resume_at=6)
    )
    await queue.save_operator(OperatorRecord("other", 5))
    assert await queue.prune() == 2
    assert ids(await queue.read(0, [posts], 10)) == ["c", "d", "e", "f"]
    assert await queue.place(2) is not None, "where it is to stand is known"
    await queue.save_operator(OperatorRecord("paused", 6))
    assert await queue.prune() == 3


async def test_how_far_entities_are_processed_is_kept_the_last_saved_at_the_end(queue, reopen):
    assert await queue.process_statuses() == []
    for status in (ProcessStatus("posts", 5, 1), ProcessStatus("users", 3, 2)):
        await queue.save_process_status(status)
    await queue.save_process_status(ProcessStatus("posts", 9, 3))
    queue = await reopen(queue)
    assert await queue.process_statuses() == [
        ProcessStatus("users", 3, 2),
        ProcessStatus("posts", 9, 3),
    ]
