"""A real database full of hostile texts and names, and a real terminal: nothing gets through.

Whatever is on the screen is walked through twice, with the hostile database and with a benign
twin of it. The hostile run may write no control sequence of a kind that the benign one has not
written, and what frames its panes stands in the same columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from eventscope.demo.embedded import EmbeddedServer
from tests import sequences
from tests.hostile import DRIVING
from tests.hostile_shop import LAST, HostileShop, a_benign_shop, a_hostile_shop
from tests.servers import fresh_database
from tests.terminal import Terminal

COLUMNS, ROWS = 160, 50
ESC, ENTER, TAB, PALETTE = "\x1b", "\r", "\t", "\x10"
PASTED: Final = "\x1b[200~{}\x1b[201~"

STEPS: Final = (
    ("the oldest event", "g", "FROZEN"),
    ("the event", ENTER, "esc Back"),
    *((f"the event {number} further", "J", "") for number in range(6)),
    ("its row", TAB, ""),
    ("its JSON", TAB, ""),
    ("its operators", TAB, ""),
    ("what can be copied", "y", "─ Copy ─"),
    ("nothing copied", ESC, "-─ Copy ─"),
    ("the feed", ESC, "-esc Back"),
    ("a quick filter", "f", "─ Filter by ─"),
    ("no quick filter", ESC, "-─ Filter by ─"),
    ("saved filters", "F", "─ Saved filters ─"),
    ("no saved filter", ESC, "-─ Saved filters ─"),
    ("a filter", "/", "esc Undo"),
    ("a hostile filter", PASTED, ""),
    ("no filter", ESC, "-esc Undo"),
    ("the history of its row", "h", "versions of"),
    ("all events", ESC, "-versions of"),
    ("its transaction", "x", "transaction"),
    ("all events", ESC, "-transaction"),
    ("marked", "m", ""),
    ("marked events", "M", "marked events"),
    ("all events", ESC, "-marked events"),
    ("a file", "w", "JSON lines"),
    ("a file with a hostile name", PASTED, ""),
    ("no file", ESC, "-JSON lines"),
    ("breakpoints", "b", "Breakpoints"),
    ("a breakpoint", ENTER, ""),
    ("a hostile breakpoint", PASTED, ""),
    ("no breakpoints", ESC, "-Breakpoints"),
    ("the operators", "2", "Details"),
    *(
        step
        for number in range(2)
        for step in (
            (f"operator {number}", "j", ""),
            (f"the error of operator {number}", "e", "─ Error ─"),
            (f"operator {number} again", ESC, "-─ Error ─"),
        )
    ),
    ("an operator", ENTER, "1 Attempts"),
    ("its dead letters", "2", "Discard all"),
    ("a dead letter", ENTER, "─ Dead letter ─"),
    ("its dead letters again", ESC, "-─ Dead letter ─"),
    ("one to discard", "d", "Type discard"),
    ("none to discard", ESC, "-Type discard"),
    ("its definition", "3", "on_failure"),
    ("its keys", "?", "─ Keys ─"),
    ("no keys", ESC, "-─ Keys ─"),
    ("the operators again", ESC, "-1 Attempts"),
    ("a replay", "T", "─ Replay ─"),
    ("no replay", ESC, "-─ Replay ─"),
    ("all to pause", "P", "─ Confirm ─"),
    ("none to pause", ESC, "-─ Confirm ─"),
    ("a halted operator", "g", ""),
    ("an event to skip", "S", "Type skip"),
    ("none to skip", ESC, "-Type skip"),
    ("the query", "G", ""),
    ("its error", "e", "─ Error ─"),
    ("the query again", ESC, "-─ Error ─"),
    ("a backfill", "B", "─ Backfill ─"),
    ("no backfill", ESC, "-─ Backfill ─"),
    ("the query's screen", ENTER, "1 Attempts"),
    ("the query's definition", "3", "on_failure"),
    ("the operators for good", ESC, "-1 Attempts"),
    ("health", "4", "checked"),
    ("the log", "5", ""),
    ("a record", ENTER, "─ Log record ─"),
    ("no record", ESC, "-─ Log record ─"),
    ("the feed again", "1", "Open"),
    ("the newest", "G", "LIVE"),
    ("the keys", "?", "─ Keys ─"),
    ("the feed behind them", ESC, "-─ Keys ─"),
    ("the palette", PALETTE, "Search"),
    ("what is not found", PASTED, "No matches"),
    ("the feed behind it", ESC, "-No matches"),
)
"""What is looked at: its name, the keys that lead there, and what the screen then shows, or, with
a dash before it, does not show any more."""
FRAMES: Final = frozenset("│╭╮╰╯")

Cells = list[list[str]]


class Walk(NamedTuple):
    """What a walk has brought to the terminal."""

    raw: bytes
    screens: dict[str, Cells]


@pytest.fixture(scope="module")
def benign(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Made]:
    with _made(a_benign_shop, postgres, tmp_path_factory.mktemp("benign")) as made:
        yield made


@pytest.fixture(scope="module")
def hostile(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Made]:
    with _made(a_hostile_shop, postgres, tmp_path_factory.mktemp("hostile")) as made:
        yield made


@pytest.mark.timeout(900)  # it walks through every view twice, as a person would
def test_no_view_and_no_dialog_lets_anything_through(benign: _Made, hostile: _Made) -> None:
    expected, found = benign.walk, hostile.walk
    assert_harmless(found.raw, expected.raw)
    torn = {
        name: lines
        for name, screen in found.screens.items()
        if (lines := _torn(screen, expected.screens[name]))
    }
    assert not torn


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "app.py"),
        ("dead-letters", "list", "--app", "app.py"),
        ("dead-letters", "list", "--json", "--app", "app.py"),
        ("dead-letters", "show", "1", "--app", "app.py"),
        ("doctor", "app.py"),
        ("run", "app.py", "--headless", "--until", "caught-up", "--timeout", "5"),
    ],
    ids=" ".join,
)
def test_no_command_lets_anything_through(
    benign: _Made, hostile: _Made, arguments: tuple[str, ...]
) -> None:
    assert_harmless(hostile.printed(*arguments), benign.printed(*arguments))


def test_a_tail_lets_nothing_through(benign: _Made, hostile: _Made) -> None:
    assert_harmless(hostile.tailed(), benign.tailed())


def assert_harmless(found: bytes, expected: bytes) -> None:
    """What a hostile run wrote has nothing in it that a benign one had not."""
    more = sequences.kinds(found).keys() - sequences.kinds(expected).keys()
    assert not more
    for once in ("CSI ? 1049 l", "CSI ? 1049 h"):
        assert sequences.kinds(found)[once] == sequences.kinds(expected)[once]
    assert not DRIVING & set(sequences.text(found))


class _Made:
    """A shop, and what its programs have written; each is run once."""

    def __init__(self, shop: HostileShop) -> None:
        self._shop = shop
        self._walk: Walk | None = None

    @property
    def walk(self) -> Walk:
        """The dashboard's views and dialogs."""
        if self._walk is None:
            self._walk = self._walked()
        return self._walk

    def printed(self, *arguments: str) -> bytes:
        """What a command writes after the walk."""
        assert self.walk
        terminal = Terminal(COLUMNS, ROWS, "eventscope", *arguments, folder=self._shop.folder)
        assert terminal.until_it_ends() in (0, 1, 4), terminal.raw
        assert len(terminal.raw) > 300
        return terminal.raw

    def tailed(self) -> bytes:
        """What ``tail`` writes while everything changes."""
        assert self.walk
        arguments = ("tail", "--until-idle", "2")
        terminal = Terminal(COLUMNS, ROWS, "eventscope", *arguments, folder=self._shop.folder)
        terminal.until("listening")
        self._shop.change()
        assert terminal.until_it_ends() == 0
        assert terminal.raw.count(b"\r\n") > len(self._shop.texts)
        return terminal.raw

    def _walked(self) -> Walk:
        terminal = Terminal(COLUMNS, ROWS, "eventscope", "run", "app.py", folder=self._shop.folder)
        try:
            terminal.until("LIVE")
            self._shop.write()
            terminal.until(LAST)
            screens: dict[str, Cells] = {}
            pasted = "".join(text for text in self._shop.texts if ESC not in text)[:400]
            for name, keys, awaited in STEPS:
                terminal.program.send(keys.format(pasted))
                if awaited.startswith("-"):
                    terminal.until_gone(awaited[1:])
                else:
                    terminal.until(awaited)
                terminal.until_quiet()
                screens[name] = terminal.cells
            terminal.program.send("q")
            assert terminal.until_it_ends() == 0
        finally:
            terminal.program.close(force=True)
        return Walk(terminal.raw, screens)


@contextmanager
def _made(
    make: Callable[[str, Path], HostileShop], server: EmbeddedServer, folder: Path
) -> Iterator[_Made]:
    with fresh_database(server) as url:
        shop = make(url, folder)
        try:
            yield _Made(shop)
        finally:
            shop.close()


def _torn(screen: Cells, expected: Cells) -> list[str]:
    """The lines with a frame that stands neither in line with another nor where the twin's do."""
    columns = {c for row in expected for c, sign in enumerate(row) if sign in FRAMES}
    edge = [""] * COLUMNS
    return [
        "".join(row)
        for above, row, below in zip([edge, *screen], screen, [*screen[1:], edge], strict=False)
        if any(
            sign in FRAMES and not (c in columns or above[c] in FRAMES or below[c] in FRAMES)
            for c, sign in enumerate(row)
        )
    ]
