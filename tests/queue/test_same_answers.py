"""The two stores give the same answers, whatever is done to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from eventscope.event import Lsn
from eventscope.queue.base import Queue
from eventscope.queue.memory import MemoryQueue
from eventscope.queue.records import Backfill, OperatorRecord, ProcessStatus, Target
from eventscope.queue.sqlite import SqliteQueue
from tests.queue.batches import ORIGIN, START, Writer

OPERATORS = ["a", "b", "c"]
KINDS = ["append"] * 3 + ["prune", "record", "advance", "desk", "letter", "rename"]
STEPS = 60


class Doer:
    """Does the same to several queues; what it does depends on a seed alone."""

    def __init__(self, seed: int, queues: list[Queue]) -> None:
        self._random = Random(seed)
        self._queues = queues
        self._writer = Writer()
        self._tables = [self._writer.table("posts"), self._writer.table("comments")]
        self._at = 0

    async def step(self) -> None:
        random, last = self._random, self._queues[0].last_seq
        operator = random.choice(OPERATORS)
        kind = random.choice(KINDS)
        calls: dict[str, Any] = {
            "append": self._append,
            "prune": lambda: ("prune", random.choice([None, random.randint(0, last)])),
            "advance": lambda: ("advance", operator, random.randint(0, last)),
            "record": lambda: (
                "save_operator",
                OperatorRecord(
                    operator,
                    random.randint(0, last),
                    rewind_to=random.choice([None, random.randint(0, last)]),
                    error="\ud800" * random.randint(0, 2),
                ),
            ),
            "desk": lambda: self._of_desk(operator),
            "letter": lambda: self._letter(operator),
            "rename": lambda: ("rename_operator", operator, "new"),
        }
        name, *arguments = calls[kind]()
        assert_same([await outcome(queue, name, *arguments) for queue in self._queues])

    async def compare(self) -> None:
        """Ask everything of all."""
        random, last = self._random, self._queues[0].last_seq
        after, until = sorted(random.randint(0, last + 2) for _ in range(2))
        oldest = self._queues[0].oldest_seq
        asked: list[tuple[Any, ...]] = [
            ("counts", after, until),
            ("read", after, self._tables, 5, until),
            ("read", after, self._tables[-1:], 100),
            ("seq_from_time", random.randint(0, self._at + 2)),
            ("seq_from_lsn", random.randint(0, 100 * (last + 2))),
            ("operators",),
            ("letters",),
            ("letters", random.choice(OPERATORS)),
            ("process_statuses",),
            *(("mapped", name, "posts", [("1",), ("2",)]) for name in OPERATORS),
            *(("backfill", name) for name in OPERATORS),
            *(("place", seq) for seq in range(oldest, last + 2)),
            *(("seq_at", 100 * random.randint(0, last + 3), n) for n in range(3)),
        ]
        for question in asked:
            assert_same([await outcome(queue, *question) for queue in self._queues], question)
        facts = ["checkpoint", "last", "last_seq", "oldest_seq", "relations", "latest_versions"]
        for fact in facts:
            assert_same([getattr(queue, fact) for queue in self._queues], fact)

    def _append(self) -> tuple[Any, ...]:
        for _ in range(self._random.randint(1, 4)):
            if self._random.random() < 0.1:
                self._tables.append(self._writer.table("comments", "id", str(len(self._tables))))
            table = self._random.choice([self._tables[0], self._tables[-1]])  # the latest versions
            self._writer.rows(table, *"abc"[: self._random.randint(1, 3)])
            self._at = max(self._at + self._random.randint(-2, 9), 0)
            if self._random.random() < 0.8:
                self._writer.commit(at=self._at)
        batch, relations = self._writer.take()
        return "append", batch, dict(relations)

    def _of_desk(self, operator: str) -> tuple[Any, ...]:
        keys = [("1",), ("2",)]
        random = self._random
        return random.choice(
            [
                ("position", operator),
                ("drop_operator", operator),
                ("acknowledge", Lsn(random.randint(1, 10_000))),
                ("save_backfill", Backfill(operator, "ann", after=random.choice([None, ("7",)]))),
                ("drop_backfill", operator),
                ("map", operator, "posts", {random.choice(keys): random.choice([None, ("9",)])}),
                ("map", operator, "posts", {}, [random.choice(keys)]),
                ("unmap", operator, "posts"),
                ("save_process_status", ProcessStatus(operator, random.randint(0, 9), 1)),
                ("drop_letter", random.randint(1, 9)),
            ]
        )

    def _letter(self, operator: str) -> tuple[Any, ...]:
        target = self._random.choice([None, ("1",), ("2",)])
        return "put_letter", operator, target, self._random.randint(1, 9)


async def outcome(queue: Queue, name: str, *arguments: Any) -> Any:
    """What a method gives, or what it raises; ids of letters are each store's own affair."""
    try:
        if name == "put_letter":
            return await put_letter(queue, *arguments)
        if name == "drop_letter":
            for letter in (await queue.letters())[arguments[0] :][:1]:
                await queue.drop_letter(letter.id)
            return None
        found = await getattr(queue, name)(*arguments)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return (
        [replace(each, id=0, first_at=0, last_at=0) for each in found]
        if name == "letters"
        else found
    )


async def put_letter(queue: Queue, operator: str, target: Target | None, seq: int) -> None:
    if await queue.operator(operator) is not None:
        for event in await queue.read(seq - 1, list(queue.relations), 1):
            await queue.put_letter(
                operator, target, event, attempts=seq, error="no", traceback="", next_retry=None
            )


def assert_same(answers: list[Any], question: object = None) -> None:
    for answer in answers[1:]:
        assert (question, answer) == (question, answers[0])


@pytest.fixture
async def queues(tmp_path: Path) -> AsyncIterator[list[Queue]]:
    kept = {"retention_events": 4, "retention_bytes": 10**9}
    file = await SqliteQueue.open(tmp_path / "queue.db", **kept)
    yield [file, MemoryQueue(**kept)]
    await file.close()


@pytest.mark.parametrize("seed", range(12))
async def test_both_answer_alike(seed: int, queues: list[Queue]) -> None:
    for queue in queues:
        await queue.begin(ORIGIN, START)
    doer = Doer(seed, queues)
    for _ in range(STEPS):
        await doer.step()
        await doer.compare()
