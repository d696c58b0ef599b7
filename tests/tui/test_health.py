"""The health view: findings, figures and plots."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from eventscope.engine.questions.health import CheckHealth, Health, Stock, TakeStock
from eventscope.event import Lsn
from eventscope.replication.catalog import Slot
from eventscope.replication.finding import Finding
from eventscope.tui.app import EventScopeApp
from eventscope.tui.history import History
from eventscope.tui.widgets.finding_list import _lines
from eventscope.tui.widgets.health_lines import Figures, high_lines, low_lines
from tests.tui.driving import dashboard, screen, toasts, until
from tests.tui.scripted import NOW, ScriptedEngine
from tests.tui.shop import a_shop
from tests.tui.snapshots import assert_looks
from tests.tui.test_hostile_text import HOSTILE, assert_harmless

IDENTITY = "ALTER TABLE audit.log REPLICA IDENTITY FULL;"
GRANT = "GRANT SELECT ON public.users TO app;"

GROUPS = {
    "connection": [Finding("connection", "ok", "connected to shop@localhost as app")],
    "server": [
        Finding("version", "ok", "PostgreSQL 17.2"),
        Finding("wal_level", "ok", "wal_level is logical"),
        Finding(
            "max_slot_wal_keep_size",
            "note",
            "max_slot_wal_keep_size is not set",
            "a slot that nobody reads may fill the disk",
            mend="set it to what the disk can spare",
        ),
    ],
    "tables": [
        Finding(
            "identity",
            "warning",
            "audit.log has REPLICA IDENTITY DEFAULT",
            "the old values of updates are not in the WAL",
            IDENTITY,
        ),
        Finding("table", "ok", "orders has a primary key"),
        Finding(
            "grant", "blocking", "role app may not read users", "it cannot be backfilled", GRANT
        ),
    ],
    "slot": [
        Finding("slot", "ok", "slot es_shop is at 0/16AF8C8, read by this process"),
        Finding("retained_wal", "ok", "the server keeps 42 MB of WAL for slot es_shop"),
    ],
    "queue": [Finding("queue", "ok", "queue file .eventscope/shop.db has come to 0/16AF8C8")],
}

SLOT = Slot("es_shop", "pgoutput", "shop", 4711, Lsn(0x16AF8C8), "reserved", retained=42_000_000,
            safe=958_000_000)  # fmt: skip
STOCK = Stock("billing_sync", Lsn(0x16A0000), 48_213, 100_000, 12_300_000, 268_435_456)


def examined(engine: ScriptedEngine, **groups: list[Finding]) -> ScriptedEngine:
    engine.answers[CheckHealth] = Health(NOW - 3, groups or GROUPS, SLOT)
    engine.answers[TakeStock] = STOCK
    return engine


def with_history(engine: ScriptedEngine, pilot: Pilot[None]) -> None:
    """Five minutes of a morning."""
    history = dashboard(pilot).health._history
    events = 0
    start = engine.snapshot()
    last = start.operators[3]
    for second in range(-400, 1):
        wave = abs(second % 140 - 70) + abs(second * 3 % 50 - 25)
        events += 100 + 5 * wave
        engine.at(second)
        engine.stream(events=events, stored_lsn=Lsn(0x16B3748 - 9 * max(0, wave - 30) ** 2))
        engine.operators(
            [*engine.snapshot().operators[:3], replace(last, depth=5_120 + 17 * second)]
        )
        history.look(engine.snapshot())
    engine.stream(stored_lsn=start.stream.stored_lsn)
    engine.operators(start.operators)


@pytest.fixture
def engine() -> ScriptedEngine:
    return examined(a_shop())


@pytest.mark.parametrize("size", [(80, 24), (110, 35), (160, 50)], ids=lambda size: f"{size[0]}")
async def test_it_shows_figures_plots_and_findings(
    engine: ScriptedEngine, size: tuple[int, int]
) -> None:
    async with EventScopeApp(engine).run_test(size=size) as pilot:
        with_history(engine, pilot)
        await pilot.press("4")
        await until(pilot, lambda: "may not read users" in screen(pilot))
        await assert_looks(pilot, f"health-{size[0]}x{size[1]}")


async def test_keys_go_from_finding_to_finding_and_copy_what_mends_it(
    engine: ScriptedEngine,
) -> None:
    app = EventScopeApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        findings = dashboard(pilot).health.findings
        await until(pilot, lambda: findings.selected is not None)
        await pilot.press("y")
        assert app.clipboard == GRANT
        await until(pilot, lambda: toasts(pilot) == [f"Copied: {GRANT}"])
        await pilot.press("j", "y")
        assert app.clipboard == IDENTITY
        await pilot.press("k", "y")
        assert app.clipboard == GRANT
        await pilot.press("down", "down", "down")
        assert findings.selected is GROUPS["server"][2]
        await pilot.press("y")
        await until(
            pilot,
            lambda: "No statement mends this: set it to what the disk can spare" in toasts(pilot),
        )
        await pilot.press("G")
        assert findings.selected is GROUPS["queue"][0]
        await until(pilot, lambda: "has come to" in screen(pilot))
        await pilot.press("y")
        await until(pilot, lambda: "There is nothing to mend." in toasts(pilot))
        await pilot.press("g")
        assert findings.selected is GROUPS["tables"][2]
        await until(pilot, lambda: "TABLES" in screen(pilot))  # the heading of the first group, too


@pytest.mark.parametrize("key", ["pagedown", "ctrl+d"])
async def test_pages_of_findings(engine: ScriptedEngine, key: str) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "may not read users" in screen(pilot))
        await pilot.press(key)
        await until(pilot, lambda: "may not read users" not in screen(pilot))
        await pilot.press({"pagedown": "pageup", "ctrl+d": "ctrl+u"}[key])
        await until(pilot, lambda: "may not read users" in screen(pilot))


async def test_a_click_selects(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        findings = dashboard(pilot).health.findings
        await until(pilot, lambda: findings.selected is not None)
        await pilot.click(findings, offset=(20, 5))
        assert findings.selected is GROUPS["tables"][0]
        await pilot.click(findings, offset=(2, 0))
        assert findings.selected is GROUPS["tables"][0], "a heading is nothing to select"


async def test_it_is_examined_each_ten_seconds_while_it_is_open_and_at_once_on_r(
    engine: ScriptedEngine,
) -> None:
    asked = engine.asked
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.6)
        assert CheckHealth(is_reader=True) not in asked, "nobody looks"
        assert TakeStock() not in asked
        await pilot.press("4")
        await until(pilot, lambda: asked.count(CheckHealth(is_reader=True)) == 1)
        engine.at(9)
        await until(pilot, lambda: "checked 12s ago" in screen(pilot))
        assert asked.count(CheckHealth(is_reader=True)) == 1
        assert asked.count(TakeStock()) == 2
        engine.at(10)
        await until(pilot, lambda: asked.count(CheckHealth(is_reader=True)) == 2)
        engine.stream(state="standby")
        await pilot.pause(0.3)
        await pilot.press("r")
        await until(pilot, lambda: asked.count(CheckHealth(is_reader=False)) == 1)
        assert engine.sent == [], "r retries no operator here"


async def test_an_examination_that_lasts_says_so_and_is_asked_for_once(
    engine: ScriptedEngine,
) -> None:
    pending: Future[Health] = Future()
    engine.answers[CheckHealth] = pending
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        engine.at(25)
        await until(pilot, lambda: "checking for 25s" in screen(pilot))
        await pilot.press("r")
        assert engine.asked.count(CheckHealth(is_reader=True)) == 1
        pending.set_result(Health(NOW + 24, GROUPS, SLOT))
        await until(pilot, lambda: "checked 1s ago" in screen(pilot))
        await until(pilot, lambda: "may not read users" in screen(pilot))


async def test_an_examination_that_fails_says_why_and_is_tried_again(
    engine: ScriptedEngine,
) -> None:
    failed: Future[Health] = Future()
    failed.set_exception(RuntimeError("the loop\x1b[31m is closed"))
    engine.answers[CheckHealth] = failed
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "cannot be checked: RuntimeError: the loop␛" in screen(pilot))
        examined(engine)
        await pilot.press("r")
        await until(pilot, lambda: "checked 3s ago" in screen(pilot))


async def test_the_cursor_stays_with_its_finding_when_others_come_and_go(
    engine: ScriptedEngine,
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        findings = dashboard(pilot).health.findings
        await until(pilot, lambda: findings.selected is not None)
        await pilot.press("j")
        worse = Finding("license", "blocking", "something else broke")
        examined(engine, server=[worse], **{k: v for k, v in GROUPS.items() if k != "server"})
        await pilot.press("r")
        await until(pilot, lambda: "something else broke" in screen(pilot))
        assert findings.selected is GROUPS["tables"][0]
        mended = Finding("identity", "ok", "audit.log has REPLICA IDENTITY FULL")
        examined(engine, server=[worse], tables=[mended])
        await pilot.press("r")
        await until(pilot, lambda: "REPLICA IDENTITY FULL" in screen(pilot))
        assert findings.selected is mended, "the same check, whatever it finds now"


async def test_plots_go_back_to_when_the_view_was_not_open(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        for second in range(1, 6):
            engine.at(second)
            engine.stream(events=48_000 + 1_000 * second)
            await pilot.pause(0.3)
        samples = dashboard(pilot).health._history.samples
        assert [sample.rate for sample in samples][-3:] == [1_000, 1_000, 1_000]
        assert samples[-1].backlog == 5_120


async def test_what_is_not_known_is_called_unknown(engine: ScriptedEngine) -> None:
    engine.answers[CheckHealth] = Health(NOW, GROUPS, None)
    engine.answers[TakeStock] = replace(STOCK, applied=None, size=None)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "in memory" in screen(pilot))
        text = " ".join(screen(pilot).split())
        assert "applied unknown" in text
        assert "WAL kept ──────────────────── unknown" in text


async def test_without_a_limit_the_wal_is_held_against_what_is_warned_of(
    engine: ScriptedEngine,
) -> None:
    engine.answers[CheckHealth] = Health(NOW, GROUPS, replace(SLOT, safe=None))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "42 MB, warns at 1.1 GB  reserved" in screen(pilot))


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize("width", [60, 80, 160])
def test_no_part_of_it_is_harmful(text: str, width: int) -> None:
    finding = Finding(text, "blocking", text, text, f"{text}\n{text}", text)
    for line in _lines([(text, [finding])], width):
        assert_harmless("".join(part for part, _ in line.parts))
    snapshot = a_shop().snapshot()
    stream = replace(snapshot.stream, server=text, slot=text, detail=text)
    figures = Figures(
        replace(snapshot, stream=stream), History(), replace(SLOT, name=text, wal_status=text)
    )
    for lines in (low_lines, high_lines):
        for content in lines(figures, width):
            assert_harmless(content.plain)
