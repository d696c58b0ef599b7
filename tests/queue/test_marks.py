from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from eventscope.queue.base import QueueError
from eventscope.queue.marks import Marks

MARK_AND_DIE = """
import os, signal, sys
from pathlib import Path
from eventscope.queue.marks import Marks
marks = Marks.open(Path(sys.argv[1]), ["notify", "audit", "mail"])
marks["notify"].set(7)
marks["notify"].clear()
marks["audit"].set(2**60 + 1)
marks["mail"].set(3)
marks["mail"].set(4)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def killed(path) -> Path:
    """A queue whose process marked events and was killed."""
    child = subprocess.run([sys.executable, "-c", MARK_AND_DIE, str(path)], check=False)
    assert child.returncode == -signal.SIGKILL
    return path


def left(path: Path, *operators: str) -> dict[str, int]:
    with closing(Marks.open(path, operators)) as marks:
        return dict(marks.left)


def file(path: Path) -> Path:
    return Path(f"{path}.marks")


def test_nothing_is_left_at_first_nor_by_an_operator_that_was_done(path):
    with closing(Marks.open(path, ["notify"])) as marks:
        assert marks.left == {}
        marks["notify"].set(5)
        marks["notify"].clear()
    assert left(path, "notify") == {}


def test_a_mark_outlives_the_process_that_was_killed(killed):
    assert left(killed, "notify", "audit", "mail") == {"audit": 2**60 + 1, "mail": 4}


def test_a_mark_is_found_whatever_operators_there_are_now(killed):
    with closing(Marks.open(killed, ["first", "audit", "ü" * 300])) as marks:
        assert marks.left == {"audit": 2**60 + 1, "mail": 4}
        marks["ü" * 300].set(9)
    assert left(killed, "audit", "ü" * 300) == {"audit": 2**60 + 1, "ü" * 300: 9}


def test_a_mark_stays_until_it_is_cleared(killed):
    assert left(killed, "audit", "mail") == {"audit": 2**60 + 1, "mail": 4}
    with closing(Marks.open(killed, ["audit", "mail"])) as marks:
        marks["audit"].clear()
    assert left(killed, "audit", "mail") == {"mail": 4}


def test_there_may_be_no_operator(killed):
    assert left(killed) == {"audit": 2**60 + 1, "mail": 4}
    assert left(killed) == {}


def _damaged(content: bytes) -> Iterator[bytes]:
    yield b""
    yield content[:5]
    yield content[:-1]
    yield content + b"more"
    yield b"\xff" * len(content)
    yield content.replace(b"audit", b"audjt")
    yield b"\0" * len(content)
    yield os.urandom(100_000)


@pytest.mark.parametrize("nth", range(8))
def test_a_damaged_file_is_ignored_and_made_anew(killed, nth):
    broken = list(_damaged(file(killed).read_bytes()))[nth]
    file(killed).write_bytes(broken)
    with closing(Marks.open(killed, ["audit"])) as marks:
        assert marks.left == {}
        marks["audit"].set(8)
    assert left(killed, "audit") == {"audit": 8}


def test_the_file_is_for_its_owner_alone_and_nothing_else_stays(path):
    previous = os.umask(0)
    try:
        left(path, "audit")
    finally:
        os.umask(previous)
    assert [found.name for found in path.parent.iterdir()] == ["queue.db.marks"]
    assert stat.S_IMODE(file(path).stat().st_mode) == 0o600


def test_a_symlink_is_not_followed(path):
    target = path.with_name("target")
    target.write_text("precious")
    for name in ("queue.db.marks", "queue.db.marks.new"):
        path.with_name(name).symlink_to(target)
    left(path, "audit")
    assert target.read_text() == "precious"
    assert not file(path).is_symlink()


def test_a_place_where_no_file_can_be_is_named(tmp_path):
    with pytest.raises(QueueError, match=r"nowhere/queue.db.marks cannot be opened"):
        Marks.open(tmp_path / "nowhere" / "queue.db", ["audit"])


def test_a_mark_costs_less_than_a_microsecond(path):
    rounds = 100_000
    with closing(Marks.open(path, ["audit"])) as marks:
        mark = marks["audit"]
        best = min(_timed(mark, rounds) for _ in range(5))
    assert best / rounds < 1e-6


def _timed(mark, rounds: int) -> float:
    start = time.perf_counter()
    for seq in range(rounds):
        mark.set(seq)
        mark.clear()
    return time.perf_counter() - start
