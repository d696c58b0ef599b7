"""``eventscope run`` with an application that cannot be loaded, in a real terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eventscope.cli import application
from eventscope.cli.application import ApplicationError
from tests.terminal import Terminal

WriteApp = Callable[..., Path]


def test_a_broken_application_is_started_when_it_is_saved(
    write_app: WriteApp, blog: str, tmp_path: Path
) -> None:
    write_app("posts", "import parts")
    (tmp_path / "parts.py").write_text("def broken(:\n")
    terminal = Terminal(80, 24, "eventscope", "run", "blog.py", "--url", blog, folder=tmp_path)
    terminal.until("parts.py:1")
    terminal.until("SyntaxError")
    terminal.until("def broken(:")
    (tmp_path / "parts.py").write_text("now = undefined_name\n")
    terminal.until("NameError: name 'undefined_name' is not defined")
    (tmp_path / "parts.py").write_text("now = 1\n")
    terminal.until("LIVE")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 0
    terminal.assert_left_as_it_was()


def test_who_leaves_it_broken_is_told_once_more(write_app: WriteApp, tmp_path: Path) -> None:
    write_app("posts", "1 / 0")
    terminal = Terminal(80, 24, "eventscope", "run", "blog", folder=tmp_path)
    terminal.until("ZeroDivisionError")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 2
    terminal.assert_left_as_it_was()
    assert b"eventscope: APP blog: " in terminal.raw.rpartition(b"\x1b[?1049l")[2]


def test_a_wrong_name_ends_it_at_once(write_app: WriteApp, tmp_path: Path) -> None:
    write_app("posts")
    terminal = Terminal(80, 24, "eventscope", "run", "blog:apple", folder=tmp_path)
    assert terminal.until_it_ends() == 2
    assert b"\x1b[?1049h" not in terminal.raw


def test_an_error_names_all_files_that_may_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that calls wrongly, the one that is called, and the one that was only read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "calling.py").write_text("import constants\nimport called\ncalled.divide(0)\n")
    (tmp_path / "called.py").write_text("def divide(by):\n    return 1 / by\n")
    (tmp_path / "constants.py").write_text("zero = 0\n")
    with pytest.raises(ApplicationError, match=r"called\.py:2: ZeroDivisionError") as raised:
        application.load("calling")
    assert {file.name for file in raised.value.files} == {"calling.py", "called.py", "constants.py"}
    assert raised.value.file == tmp_path / "called.py"
    (tmp_path / "called.py").write_text("from eventscope import EventScope\ndef divide(by): pass\n")
    (tmp_path / "calling.py").write_text(
        "import called\ncalled.divide(0)\napp = called.EventScope('mended')\n"
    )
    assert application.load("calling").name == "mended"


def test_a_module_that_has_two_names_is_read_again_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "aliased.py").write_text("import sys\nsys.modules['also'] = sys.modules[__name__]")
    (tmp_path / "twice.py").write_text("import aliased\n1 / 0\n")
    with pytest.raises(ApplicationError, match="ZeroDivisionError"):
        application.load("twice")
    assert not {"twice", "aliased", "also"} & sys.modules.keys()
