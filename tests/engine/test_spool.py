"""Rows that wait for the end of their transaction."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from eventscope.engine import spool
from eventscope.engine.spool import Spool, SpoolError

ROWS = [(n, n % 7, b"x" * n) for n in range(1, 300)]


@pytest.mark.parametrize("in_memory", [1, 1_000, 1_000_000])
def test_rows_come_back_as_they_were_whatever_fits_in_memory(in_memory, monkeypatch):
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    kept = Spool()
    kept.keep(ROWS[:100])
    kept.keep(ROWS[100:])
    assert list(kept.drain()) == ROWS
    assert list(kept.drain()) == []


def test_what_is_kept_while_draining_comes_later():
    kept = Spool()
    kept.keep(ROWS[:3])
    rows = kept.drain()
    assert next(rows) == ROWS[0]
    kept.keep(ROWS[3:5])
    assert list(rows) == ROWS[1:3]
    assert list(kept.drain()) == ROWS[3:5]


def test_what_is_cleared_is_gone():
    kept = Spool()
    kept.keep(ROWS)
    kept.clear()
    assert list(kept.drain()) == []


def test_memory_is_bounded():
    kept = Spool()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept.keep((n, 1, b"x" * 1_000) for n in range(40_000))
        assert sum(len(message) for _, _, message in kept.drain()) == 40_000_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 3 * spool.IN_MEMORY


def test_a_full_disk_is_said_with_the_cure(monkeypatch):
    def full(max_size: int):
        return Path("/dev/full").open("wb", buffering=0)

    monkeypatch.setattr(spool.tempfile, "SpooledTemporaryFile", full)
    kept = Spool()
    with pytest.raises(SpoolError, match=r"No space left on device.*TMPDIR"):
        kept.keep(ROWS)
    kept.clear()
