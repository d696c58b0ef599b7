"""The event at the cursor: its tabs, its keys, and what of it can be taken away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from eventscope.engine.commands import Retry, RetryLetters
from eventscope.engine.questions.attempts import AttemptsAt, Letter, OperatorAttempts
from eventscope.engine.questions.event_letters import LettersAbout
from eventscope.event import UNCHANGED, Event
from eventscope.operators.timeline import Attempt
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.copy_menu import CopyMenu
from tests.events import a_default_identity_update, a_delete, a_truncate, an_insert, an_update
from tests.tui.driving import dashboard, screen, toasts, until
from tests.tui.scripted import NOW, ScriptedEngine, an_operator
from tests.tui.shop import TRACEBACK, history
from tests.tui.snapshots import assert_looks

LARGE = "".join(f"word{n} " for n in range(900))


@asynccontextmanager
async def reading(
    *events: Event, engine: ScriptedEngine | None = None, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Pilot[Any]]:
    """The last of some events, open."""
    engine = ScriptedEngine() if engine is None else engine
    engine.emit(*events)
    async with EventScopeApp(engine).run_test(size=size) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: dashboard(pilot).event_pane.panel.has_focus)
        yield pilot


def an_order() -> Event:
    return list(history(7))[6]


def lines_with(pilot: Pilot[Any], text: str) -> list[str]:
    return [line.strip() for line in screen(pilot).splitlines() if text in line]


async def test_tab_goes_through_the_tabs_and_shift_tab_back() -> None:
    async with reading(an_order()) as pilot:
        await until(pilot, lambda: "3 changes" in screen(pilot))
        await pilot.press("tab")
        await until(pilot, lambda: lines_with(pilot, "created_at"))
        assert lines_with(pilot, "status")[0].startswith("~ status")
        await pilot.press("tab")
        await until(pilot, lambda: '"name": "orders",' in screen(pilot))
        await pilot.press("tab")
        await until(pilot, lambda: "no operator follows such an event" in screen(pilot))
        await pilot.press("tab")
        await until(pilot, lambda: "3 changes" in screen(pilot))
        await pilot.press("shift+tab", "shift+tab")
        await until(pilot, lambda: '"name": "orders",' in screen(pilot))
        assert dashboard(pilot).event_pane.panel.has_focus


async def test_a_click_opens_a_tab() -> None:
    async with reading(an_order()) as pilot:
        await pilot.click("#event-tabs", offset=(14, 0))
        await until(pilot, lambda: '"name": "orders",' in screen(pilot))
        await pilot.click("#event-tabs", offset=(2, 0))
        await until(pilot, lambda: "3 changes" in screen(pilot))


async def test_u_shows_the_unchanged_columns() -> None:
    async with reading(an_order()) as pilot:
        await until(pilot, lambda: "4 unchanged columns hidden · u shows them" in screen(pilot))
        await pilot.press("u")
        await until(pilot, lambda: lines_with(pilot, "customer_id"))
        await until(pilot, lambda: "hidden" not in screen(pilot))
        await pilot.press("u")
        await until(pilot, lambda: "hidden" in screen(pilot))


async def test_s_puts_old_and_new_side_by_side() -> None:
    async with reading(an_order()) as pilot:
        assert lines_with(pilot, "pending") == ["~ status pending → paid"]
        await pilot.press("s")
        await until(pilot, lambda: "│" in lines_with(pilot, "pending")[0])
        assert lines_with(pilot, "pending")[0].split() == ["~", "status", "pending", "│", "paid"]
        await pilot.press("s")
        await until(pilot, lambda: "│" not in screen(pilot))


async def test_w_cuts_long_values_to_a_line() -> None:
    event = an_insert(new={"id": 1, "note": "a word and " * 20})
    async with reading(event) as pilot:
        assert len(lines_with(pilot, "a word")) > 2
        await pilot.press("w")
        await until(pilot, lambda: len(lines_with(pilot, "a word")) == 1)
        assert lines_with(pilot, "a word")[0].endswith("…")


async def test_a_lists_all_differences_of_a_document() -> None:
    event = an_update(old={"id": 1, "n": list(range(60))}, new={"n": list(range(1, 61))})
    async with reading(event) as pilot:
        await until(pilot, lambda: "the first 50 changes · a shows all" in screen(pilot))
        await pilot.press("a")
        await until(pilot, lambda: "60 changes" in screen(pilot))
        await pilot.press("G")
        await until(pilot, lambda: lines_with(pilot, "[59]"))


async def test_a_large_value_is_cut_and_says_how_to_see_it_whole() -> None:
    async with reading(an_insert(new={"id": 1, "body": LARGE})) as pilot:
        assert len(lines_with(pilot, "word")) < 12
        await until(pilot, lambda: "v opens it whole" in screen(pilot))


async def test_numbers_and_moments_say_by_how_much_they_changed() -> None:
    async with reading(an_order()) as pilot:
        assert lines_with(pilot, "total") == ["~ total  41.00 → 49.90  +8.90"]


async def test_values_that_are_none_look_like_it() -> None:
    row = {"id": 1, "a": None, "b": "", "c": True, "d": b"\0" * 2_000, "big": UNCHANGED}
    async with reading(a_default_identity_update(new=row)) as pilot:
        shown = {line.split()[0]: line.split(None, 1)[1] for line in screen(pilot).splitlines()
                 if line.strip() and line.split()[0] in row}  # fmt: skip
    assert shown["a"].strip() == "NULL"
    assert shown["b"].strip() == '""'
    assert shown["c"].strip() == "true"
    assert shown["d"].strip() == r"\x0000000000000000… (2.0 kB)"
    assert shown["big"].strip() == "(unchanged, not sent)"


async def test_a_truncate_and_a_delete_are_told() -> None:
    async with reading(a_delete(key_only=True), a_truncate()) as pilot:
        await until(pilot, lambda: "every row of the table was removed at once" in screen(pilot))
        await pilot.press("tab")
        await until(pilot, lambda: "the event tells of no row" in screen(pilot))
        await pilot.press("shift+tab", "K")
        await until(pilot, lambda: "ALTER TABLE public.orders REPLICA IDENTITY" in screen(pilot))
        assert lines_with(pilot, "- id") == ["- id 1"]


def an_engine_in_trouble() -> ScriptedEngine:
    """Of the event that it will be given first, number 1."""
    retrying = {"failing": 1, "attempts": 2, "next_retry": NOW + 27, "state": "backing-off"}
    engine = ScriptedEngine(
        an_operator("search_index", position=1),
        an_operator("send_email", kind="handler", **retrying),
        an_operator("billing", kind="handler", state="halted", failing=1, attempts=5, error="x"),
        an_operator("audit", state="paused", detail="paused by you"),
        an_operator("counts", position=1, letters={1: True}, dead=1),
        an_operator("of_users", entities=("users",)),
    )

    def failed(ago: float, error: str) -> Attempt:
        return Attempt(1, 1, NOW - ago, 5.0, error, TRACEBACK)

    engine.answers[AttemptsAt] = {
        "search_index": OperatorAttempts((Attempt(1, 9, NOW - 60, 0.003, None, None),), ()),
        "send_email": OperatorAttempts(
            (failed(15, "TimeoutError: 1"), failed(5, "OSError: 2")), ()
        ),
        "billing": OperatorAttempts((failed(90, "TimeoutError: [/]\x1b[2J"),), ()),
        "audit": OperatorAttempts((), ()),
        "counts": OperatorAttempts(
            (), (Letter(("7",), 3, "DivisionByZero", TRACEBACK, NOW, None),)
        ),
        "of_users": OperatorAttempts((), ()),
    }
    return engine


async def test_the_header_tells_each_delivery() -> None:
    async with reading(an_order(), engine=an_engine_in_trouble()) as pilot:
        told = " ".join(screen(pilot).split())
        assert "✓ search_index ▲ send_email 2/5 in 27s × billing ■ audit × counts" in told
        assert "of_users" not in told


async def test_of_many_operators_there_are_sums() -> None:
    names = [f"operator_{n}" for n in range(9)]
    engine = ScriptedEngine(*(an_operator(name, position=n % 2) for n, name in enumerate(names)))
    async with reading(an_order(), engine=engine) as pilot:
        assert lines_with(pilot, "✓") == ["5·  4✓"]


async def test_the_operators_tab_is_the_timeline_of_attempts() -> None:
    engine = an_engine_in_trouble()
    async with reading(an_order(), engine=engine, size=(80, 60)) as pilot:
        await pilot.press("shift+tab")
        await until(pilot, lambda: lines_with(pilot, "together with 8 more"))
        await until(pilot, lambda: "✓ 3 ms" in screen(pilot))
        assert lines_with(pilot, "OSError: 2")[0].endswith("× OSError: 2  5.0 s")
        await until(pilot, lambda: "next attempt in 27s" in screen(pilot))
        await until(pilot, lambda: "TimeoutError: [/]␛[2J" in screen(pilot))
        await until(pilot, lambda: "the operator has halted at it" in screen(pilot))
        await until(pilot, lambda: "paused by you" in screen(pilot))
        await until(pilot, lambda: "id 7: a dead letter after 3 attempts" in screen(pilot))
        await until(pilot, lambda: 'File "operators/billing.py", line 31, in bill' in screen(pilot))

        engine.at(10)
        await until(pilot, lambda: "next attempt in 17s" in screen(pilot))
        engine.operators([an_operator("send_email", position=1)])
        done = Attempt(1, 1, NOW + 11, 0.02, None, None)
        engine.answers[AttemptsAt] = {"send_email": OperatorAttempts((done,), ())}
        await until(pilot, lambda: lines_with(pilot, "✓ 20 ms"))
        engine.operators([an_operator("new", position=1)])
        await until(pilot, lambda: "no longer remembered" in screen(pilot))


async def test_r_retries_the_event_where_it_failed() -> None:
    engine = an_engine_in_trouble()
    engine.answers[LettersAbout] = (("counts", 12),)
    async with reading(an_order(), engine=engine) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: len(engine.sent) == 3)
    assert engine.sent == [RetryLetters("counts", 12), Retry("send_email"), Retry("billing")]


async def copied(pilot: Pilot[Any], key: str) -> str:
    """What a key of the copy menu copies."""
    await pilot.press("y")
    await until(pilot, lambda: isinstance(pilot.app.screen, CopyMenu))
    await pilot.press(key)
    await until(pilot, lambda: not isinstance(pilot.app.screen, CopyMenu))
    return pilot.app.clipboard


async def test_y_copies_what_is_asked_for() -> None:
    async with reading(an_order()) as pilot:
        assert json.loads(await copied(pilot, "j"))["type"] == "update"
        assert await copied(pilot, "k") == "48255"
        assert "~ status  pending → paid" in await copied(pilot, "d")
        assert "status = 'paid'" in await copied(pilot, "s")
        assert "status = 'pending'" in await copied(pilot, "u")
        assert await copied(pilot, "l") == "0/16B3748"
        assert await copied(pilot, "i") == "0/16B3748/0"
        await until(pilot, lambda: "Copied the LSN, 9 characters." in toasts(pilot))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, CopyMenu))
        await until(pilot, lambda: "ALTER TABLE" not in screen(pilot))
        await pilot.press("a", "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, CopyMenu))
        assert pilot.app.clipboard == "0/16B3748/0"


async def test_y_copies_from_the_feed_and_what_would_make_old_values_known() -> None:
    engine = ScriptedEngine()
    engine.emit(a_default_identity_update("log", schema="audit"))
    async with EventScopeApp(engine).run_test(size=(100, 90)) as pilot:
        assert dashboard(pilot).feed.has_focus
        assert await copied(pilot, "a") == "ALTER TABLE audit.log REPLICA IDENTITY FULL;"
        assert dashboard(pilot).feed.has_focus
        assert dashboard(pilot).feed.frozen, "what is chosen from must not move away"
        await pilot.press("question_mark")
        await until(pilot, lambda: "Copy the event" in screen(pilot))
        await until(pilot, lambda: "Read the event whole" in screen(pilot))


async def test_without_an_event_there_is_nothing_to_copy_or_to_read() -> None:
    async with EventScopeApp(ScriptedEngine()).run_test(size=(80, 24)) as pilot:
        await pilot.press("v", "tab", "y")
        await until(pilot, lambda: "There is no event to copy yet." in toasts(pilot))
        await until(pilot, lambda: "There is no event to read yet." in toasts(pilot))


async def test_v_says_so_where_no_pager_can_be_opened() -> None:
    async with reading(an_order()) as pilot:
        await pilot.press("v")
        await until(
            pilot, lambda: "A pager cannot be opened here: this is no terminal." in toasts(pilot)
        )


@pytest.mark.parametrize(
    ("pager", "said"),
    [
        ("no-such-pager -x", "The pager 'no-such-pager' of PAGER was not found."),
        ("'open", 'PAGER="\'open" cannot be read: No closing quotation.'),
    ],
)
async def test_a_pager_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, pager: str, said: str
) -> None:
    monkeypatch.setenv("PAGER", pager)
    async with reading(an_order()) as pilot:
        await pilot.press("v")
        await until(pilot, lambda: said in toasts(pilot))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("diff", ""),
        ("split", "s u"),
        ("row", "tab"),
        ("json", "tab tab"),
        ("operators", "tab tab tab"),
    ],
)
async def test_each_tab_looks_as_it_should(name: str, keys: str) -> None:
    async with reading(an_order(), engine=an_engine_in_trouble()) as pilot:
        await pilot.press(*keys.split())
        await assert_looks(pilot, f"event-{name}-80x24")


async def test_the_copy_menu_looks_as_it_should() -> None:
    async with reading(an_order()) as pilot:
        await pilot.press("y")
        await assert_looks(pilot, "event-copy-80x24")
