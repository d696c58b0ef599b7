"""What is wrong with the original, and stays right here: a test for each of 38 bugs.

Where another file's test would fail on the original's behaviour it is named; what was missing
is here.

B1  acknowledges before it is durable: tests/faults/test_kills.py::test_killed_at_a_chosen_place
B2  events twice after a reconnect: tests/faults/test_network.py::test_connections_that_are_cut_anywhere
B3  a transaction in reverse: tests/operators/test_handlers.py::test_events_come_in_commit_order_and_inside_a_transaction_as_written
B4  inserts before updates before deletes: tests/operators/test_handlers.py::test_events_come_in_commit_order_and_inside_a_transaction_as_written
B5  messages in any order: tests/pubsub/test_subscriptions.py::test_a_subscriber_hears_what_happens_to_a_table_in_commit_order
B6  a moved row's old target is stale: tests/operators/test_query.py::test_a_moved_comment_brings_both_posts_up_to_date_at_once
B7  a foreign key of null halts all: tests/operators/test_query.py::test_the_table_equals_its_query_when
B8  no integer ids: tests/operators/test_query.py::test_an_id_may_be_of_any_type
B8  nor composite ones: tests/operators/test_coalescing.py::test_every_derived_table_equals_its_query_however_changes_are_batched
B9  a delete without FULL halts all: tests/operators/test_query.py::test_the_table_equals_its_query_when
B10 unchanged large values look changed: tests/replication/test_relations.py::test_an_unchanged_large_value_is_no_change_under_full_identity
B11 a changed key is not told: tests/replication/test_rows.py::test_a_change_of_the_key_tells_both_keys
B12 who leaves a scope is not announced: tests/pubsub/test_subscriptions.py::test_a_row_that_leaves_a_scope_is_announced_in_the_old_one_and_in_the_new
B13 a view keeps its first id: tests/pubsub/test_live.py::test_another_id_takes_the_place_of_the_old_one
B14 a table without an id crashes the broadcast: tests/pubsub/test_tables.py::test_a_table_without_a_primary_key_is_heard_of
B15 tables of two schemas are one: tests/operators/test_query.py::test_tables_of_one_name_in_two_schemas_do_not_mix
B16 a truncate is ignored: tests/replication/test_rows.py::test_a_truncate_tells_of_every_published_table_it_empties
B17 one bad event halts everybody: tests/operators/test_failures.py::test_after_its_last_retry_it_halts_and_only_it
B18 a restart forgets the retries: here::test_a_restart_counts_on_from_the_attempts_before_it
B19 a hung operator is not noticed: tests/operators/test_handlers.py::test_a_handler_that_takes_too_long_has_failed
B20 an event waits for the next to come: here::test_an_event_that_comes_as_the_last_one_ends_needs_no_other_to_be_seen
B21 the queue's own table is published: tests/replication/test_provision.py::test_a_publication_of_everything_tells_nobody_of_the_ledger
B22 the queue is all in memory: tests/faults/test_memory.py::test_one_transaction_of_500_000_rows
B23 the order is the clock's: here::test_the_order_is_that_of_the_log_though_the_clock_was_set_back
B24 a renamed operator makes the queue unreadable: here::test_a_queue_of_an_operator_that_was_renamed_is_taken_up
B25 names in data fill a table for ever: here::test_names_in_data_are_not_kept
B26 the url is ignored: tests/test_settings.py::test_a_url_wins_over_its_parts
B27 only a superuser will do: tests/faults/test_limits.py::test_a_role_that_may_only_replicate_reads_a_ready_made_publication
B28 identifiers are not quoted: tests/operators/test_query.py::test_names_may_need_quotes
B29 TLS options are not passed on: tests/replication/test_connection.py::test_a_url_keeps_its_own_parameters
B30 what was processed is not any more: tests/engine/test_process_status.py::test_an_earlier_row_that_is_committed_later_takes_nothing_back
B31 the first failure silences the log of failures: tests/operators/test_error_logger.py::test_an_error_logger_with_an_error_of_its_own_harms_nobody
B32 two masters after a split: tests/operators/test_offsets.py::test_an_instance_that_was_taken_over_writes_nothing
B33 reads before the commit is visible: tests/operators/test_fence.py::test_an_operator_waits_for_a_commit_that_is_not_visible_yet
B34 an array of whole floats crashes the reader: tests/replication/test_values.py::test_arrays_of_every_type_are_lists_of_such_values
B35 a part that restarts alone has lost what rows mean: tests/faults/test_server.py::test_every_connection_is_cut_again_and_again
B36 connections are left open: tests/engine/test_engine.py::test_an_engine_that_is_left_at_once_leaves_nothing_behind
B37 two at one target row overwrite each other: here::test_two_operators_at_one_row_do_not_overwrite_each_other
B38 ghosts of rows that are gone: tests/operators/test_query.py::test_the_table_equals_its_query_when
"""  # noqa: E501 - names of tests

from __future__ import annotations

import asyncio
import gc
import re
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import Retry
from eventscope.event import Lsn
from eventscope.replication.catalog import undescribed
from eventscope.replication.pgoutput import ColumnMessage
from eventscope.replication.relations import Transaction, event_of
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.declared import Attempts, Seen
from tests.operators.shop import tables
from tests.queue.batches import ORIGIN, START, Writer, ids
from tests.queue.files import opened
from tests.replication import encoder
from tests.waiting import operator, until, until_state

ROOT = Path(__file__).parents[2]
_HELD = re.findall(r"^B(\d+) +[^:]+: (\S+)::(\w+)$", __doc__ or "", re.MULTILINE)

NOTES = "CREATE TABLE notes (id int PRIMARY KEY, text text)"


def test_every_bug_has_a_test_that_there_is() -> None:
    assert sorted({int(number) for number, *_ in _HELD}) == list(range(1, 39))
    for _, file, test in _HELD:
        path = Path(__file__) if file == "here" else ROOT / file
        assert re.search(rf"^(async )?def {test}\(", path.read_text(), re.MULTILINE), test


async def test_a_restart_counts_on_from_the_attempts_before_it(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(NOTES)
    hour = 3_600_000
    settings = make_settings(
        operator_queue_min_restart_time=hour, operator_queue_max_restart_time=hour
    )
    app = EventScope("again")
    bad = Attempts(app, failures=99)
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO notes VALUES (1)")
        before = await until_state(engine, "bad", "backing-off")
    async with Engine(app, settings) as engine:
        after = await until_state(engine, "bad", "backing-off")
        assert (after.attempts, after.next_retry) == (1, before.next_retry)
        assert (after.error, after.traceback) == (before.error, before.traceback)
        assert len(bad.calls) == 1
    quick = settings.model_copy(update={"operator_queue_max_retries": 1})
    async with Engine(app, quick) as engine:
        await until_state(engine, "bad", "backing-off")
        await engine.command(Retry("bad"))
        assert (await until_state(engine, "bad", "halted")).attempts == 2
    async with Engine(app, quick) as engine:
        await until_state(engine, "bad", "halted")
        assert len(bad.calls) == 2, "one that has halted stays so"


async def test_an_event_that_comes_as_the_last_one_ends_needs_no_other_to_be_seen(
    connection: Connection, settings: Settings
) -> None:
    """There it is put into the queue after the look for more, and before that is noted."""
    await connection.execute(NOTES)
    app = EventScope("again")
    good = Seen(app)
    async with Engine(app, settings):
        for id in range(150):
            await connection.execute("INSERT INTO notes VALUES (%s)", [id])
            await asyncio.sleep(0.0003 * (id % 7))
        await until(lambda: len(good.ids) == 150, patience=20)


async def test_the_order_is_that_of_the_log_though_the_clock_was_set_back(tmp_path: Path) -> None:
    path, writer = tmp_path / "queue.db", Writer()
    queue = await opened(path, events=100)
    try:
        await queue.begin(ORIGIN, START)
        posts = writer.table("posts")
        for name, at in (("a", 9_000_000), ("b", 5_000_000), ("c", 5_000_000), ("d", 1)):
            writer.rows(posts, name).commit(at=at)
        await queue.append(*writer.take())
        await queue.close()
        queue = await opened(path, events=100)
        assert ids(await queue.read(0, [posts], 10)) == ["a", "b", "c", "d"]
    finally:
        await queue.close()


@pytest.mark.parametrize("alias", ["old", None], ids=["that says so", "that does not"])
async def test_a_queue_of_an_operator_that_was_renamed_is_taken_up(
    connection: Connection, settings: Settings, alias: str | None
) -> None:
    await connection.execute(NOTES)
    gate, seen = asyncio.Event(), list[Any]()
    former, now = EventScope("again"), EventScope("again")

    @former.operator(entities="notes")
    async def old(event: Event) -> None:
        await gate.wait()

    @now.operator(entities="notes", alias=alias)
    async def new(event: Event) -> None:
        seen.append((event.new_record or {})["id"])

    async with Engine(former, settings) as engine:
        await connection.execute("INSERT INTO notes VALUES (1)")
        await until(lambda: operator(engine, "old").depth == 1)
        for task in engine._working:
            task.cancel()
    async with Engine(now, settings) as engine:
        assert engine.snapshot().orphans == (() if alias else ("old",))
        await connection.execute("INSERT INTO notes VALUES (2)")
        await engine.settle(60)
    assert seen == ([1, 2] if alias else [2])


def test_names_in_data_are_not_kept() -> None:
    """Keys of documents become strings as any, which end with the event."""
    columns = [ColumnMessage("id", 23, -1, True), ColumnMessage("document", 3802, -1, True)]
    relation = undescribed("db", encoder.relation(5, "public", "notes", "f", columns))
    transaction = Transaction(1, 1, Lsn(20), Lsn(10), 7, 0)

    def decode(first: int) -> None:
        for n in range(first, first + 2000):
            row = [b"1", f'{{"a key that nobody has seen before {n}": 1}}'.encode()]
            event = event_of(relation, encoder.insert(5, row), transaction, 0)
            assert len((event.new_record or {})["document"]) == 1

    decode(0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        decode(2000)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2000 * sys.getsizeof("a key that nobody has seen before 2000") / 4


async def test_two_operators_at_one_row_do_not_overwrite_each_other(
    connection: Connection, settings: Settings
) -> None:
    """The slow one has read before the quick one writes; it must not write after it."""
    await connection.execute(tables())
    await connection.execute(
        "INSERT INTO posts VALUES (1, 'a');INSERT INTO post_with_comments_counts VALUES (1, 'a', 0)"
    )
    sql = """
    MERGE INTO post_with_comments_counts dest
    USING (
      SELECT p.id, p.title, count(c.id) AS comments_count{slowly}
      FROM posts p LEFT JOIN comments c ON c.post_id = p.id WHERE p.id = $1 GROUP BY p.id
    ) src ON src.id = dest.id
    WHEN MATCHED THEN UPDATE SET title = src.title, comments_count = src.comments_count
    """
    app, target = EventScope("again"), "post_with_comments_counts"
    slow = sql.replace("{slowly}", ", pg_sleep(0.3)::text AS slept")
    app.query("slow", target=target, sql=slow, ids={"posts": "id"})
    app.query("quick", target=target, sql=sql.replace("{slowly}", ""), ids={"comments": "post_id"})
    async with Engine(app, settings) as engine:
        await connection.execute("UPDATE posts SET title = 'b'")
        await until_sleeping(connection)
        await connection.execute("INSERT INTO comments VALUES (90, 1)")
        await engine.settle(60)
        rows = await connection.execute(
            "SELECT title, comments_count FROM post_with_comments_counts"
        )
        assert await rows.fetchall() == [("b", 1)]


async def until_sleeping(connection: Connection) -> None:
    """Wait until the slow operator has read."""
    async with asyncio.timeout(60):
        while True:
            found = await connection.execute(
                "SELECT 1 FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event = 'PgSleep'"
            )
            if await found.fetchone():
                return
