"""Until the engine is up, and when it cannot start: really caused, and mended while we look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from eventscope import EventScope
from eventscope.engine.examination import Examination
from eventscope.engine.thread import EngineThread
from eventscope.queue.file_lock import FileLock
from eventscope.replication.finding import ANEW, Finding
from eventscope.settings import Settings, SettingsError
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.dashboard import Dashboard
from eventscope.tui.screens.start import StartScreen
from tests.hindrances import full, small_disk
from tests.tui.driving import dashboard, screen, toasts, until
from tests.tui.place import Place, place, running_dashboard, says, server
from tests.tui.scripted import ScriptedEngine

__all__ = ["place", "server"]


class Trouble(NamedTuple):
    """Something that keeps an engine from starting."""

    settings: Settings
    said: tuple[str, ...]
    mend: Callable[[], object]


@contextmanager
def no_server(place: Place) -> Iterator[Trouble]:
    with ExitStack() as mended:
        place.server.stop()
        mended.callback(place.server.start)
        yield Trouble(place.settings(), ("cannot connect to PostgreSQL",), mended.close)


@contextmanager
def wrong_password(place: Place) -> Iterator[Trouble]:
    url = make_conninfo(
        host="127.0.0.1",
        port=place.server.port,
        user="lost",
        password="secret",
        dbname=place.database,
    )
    place.execute("CREATE ROLE lost LOGIN SUPERUSER PASSWORD 'other'")
    try:
        yield Trouble(
            place.settings(url=url),
            ("password authentication failed", "correct url or password"),
            lambda: place.execute("ALTER ROLE lost PASSWORD 'secret'"),
        )
    finally:
        place.leave("lost")


@contextmanager
def no_table(place: Place) -> Iterator[Trouble]:
    place.execute("ALTER TABLE notes RENAME TO other")
    yield Trouble(
        place.settings(),
        ("notes does not exist",),
        lambda: place.execute("ALTER TABLE other RENAME TO notes"),
    )


@contextmanager
def no_privilege(place: Place) -> Iterator[Trouble]:
    place.execute("CREATE ROLE humble LOGIN", "ALTER TABLE notes OWNER TO humble")
    place.execute(
        f"ALTER DATABASE {place.url.rpartition('/')[2].partition('?')[0]} OWNER TO humble"
    )
    try:
        yield Trouble(
            place.settings(url=place.url.replace("postgres@", "humble@")),
            ("ALTER ROLE", "humble", "REPLICATION"),
            lambda: place.execute("ALTER ROLE humble REPLICATION"),
        )
    finally:
        place.leave("humble")


@contextmanager
def low_wal_level(place: Place) -> Iterator[Trouble]:
    def restart(level: str) -> None:
        place.server.stop()
        place.server.settings["wal_level"] = level
        place.server.start()

    restart("replica")
    with ExitStack() as mended:
        mended.callback(restart, "logical")
        said = ("wal_level is replica", "ALTER SYSTEM SET wal_level = 'logical'", "restart")
        yield Trouble(place.settings(), said, mended.close)


@contextmanager
def queue_in_use(place: Place) -> Iterator[Trouble]:
    lock = FileLock(place.queue)
    lock.acquire()
    yield Trouble(place.settings(), ("is in use by process",), lock.release)
    lock.release()


@contextmanager
def full_disk(place: Place) -> Iterator[Trouble]:
    with small_disk(place.queue.parent / "disk") as disk, ExitStack() as mended:
        mended.enter_context(full(disk))
        said = ("No space left on device", "nothing is lost: free space at")
        yield Trouble(place.settings(queue_path=disk / "queue.db"), said, mended.close)


@contextmanager
def open_transaction(place: Place) -> Iterator[Trouble]:
    with psycopg.connect(place.url) as connection:
        connection.execute("SELECT pg_current_xact_id()")
        yield Trouble(
            place.settings(),
            ("Starting", "every transaction", f"pid {connection.info.backend_pid}"),
            connection.rollback,
        )


TROUBLES = (
    no_server, wrong_password, no_table, no_privilege, low_wal_level, queue_in_use,
    full_disk, open_transaction,
)  # fmt: skip


@pytest.mark.parametrize("cause", TROUBLES, ids=lambda cause: cause.__name__)
async def test_the_cause_is_on_the_screen_and_it_starts_when_that_is_mended(
    place: Place, cause: Callable[[Place], Iterator[Trouble]]
) -> None:
    app = EventScope("start")
    app.entity("notes")
    with cause(place) as trouble:  # type: ignore[attr-defined]
        engine = EngineThread(app, trouble.settings)
        try:
            async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
                assert isinstance(pilot.app.screen, StartScreen)
                await until(pilot, lambda: says(pilot, trouble.said))
                assert "secret" not in screen(pilot)
                await asyncio.to_thread(trouble.mend)
                await pilot.press("r")
                await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
                await until(pilot, lambda: "Listening to" in screen(pilot))
        finally:
            engine.stop()


async def test_who_has_nothing_to_write_is_given_a_statement_that_shows_an_event(
    place: Place,
) -> None:
    place.execute("INSERT INTO notes VALUES (1)")
    async with running_dashboard(place) as pilot:
        await until(pilot, lambda: "Listening to" in screen(pilot))
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard)
        await until(
            pilot, lambda: any("writes one row of notes as it is" in said for said in toasts(pilot))
        )
        await asyncio.to_thread(place.execute, pilot.app.clipboard)
        await until(pilot, lambda: "Listening to" not in screen(pilot))
        await until(
            pilot, lambda: "no column changed" in screen(pilot) and "y Copy" in screen(pilot)
        )


async def test_where_no_followed_table_has_a_row_that_is_said_instead(place: Place) -> None:
    async with running_dashboard(place) as pilot:
        await until(pilot, lambda: "Listening to" in screen(pilot))
        await pilot.press("y")
        await until(pilot, lambda: any("has a row yet" in said for said in toasts(pilot)))
        assert pilot.app.clipboard == ""


async def test_what_ends_the_engine_later_is_said_and_it_can_be_started_again(
    place: Place,
) -> None:
    app = EventScope("start")
    app.entity("notes")
    engine = EngineThread(app, place.settings())
    try:
        async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: "LIVE" in screen(pilot))
            await pilot.press("slash", *"notes", "enter")
            await asyncio.to_thread(place.execute, 'DROP PUBLICATION "events"')
            await until(pilot, lambda: "The engine has stopped" in screen(pilot))
            await until(pilot, lambda: "ctrl+r" in screen(pilot))
            await pilot.press("ctrl+r")
            await until(pilot, lambda: "LIVE" in screen(pilot))
            await asyncio.to_thread(place.execute, "INSERT INTO notes VALUES (4711)")
            await until(pilot, lambda: "4711" in screen(pilot))
            assert dashboard(pilot).filter_text == "notes"
            await until(pilot, lambda: "1 of 1" in screen(pilot))
    finally:
        engine.stop()


async def test_settings_that_cannot_be_end_the_program(place: Place) -> None:
    engine = EngineThread(EventScope("empty"), place.settings())
    try:
        app = EventScopeApp(engine)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app._exit)
        assert isinstance(engine.error, SettingsError)
    finally:
        engine.stop()


async def test_a_start_that_is_told_of_at_the_end_is_not_heeded() -> None:
    engine = ScriptedEngine()
    engine.started = False
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        start = pilot.app.screen
    assert not pilot.app.screen_stack
    await pilot.app._dispatch_message(StartScreen.Started().set_sender(start))
    assert pilot.app._exception is None


async def test_it_tries_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventscope.tui.screens.start._AGAIN", 0.01)
    engine = ScriptedEngine()
    engine.started, engine.trouble = False, OSError("disk full")
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: engine.begun >= 2)
        engine.trouble = None
        await until(pilot, lambda: engine.error is None)
        engine.started = True
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "The engine runs." in toasts(pilot))


async def test_a_start_under_way_has_nothing_to_be_hurried() -> None:
    engine = ScriptedEngine()
    engine.started = False
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: engine.begun == 1)
        await pilot.press("ctrl+r")
        assert isinstance(pilot.app.screen, StartScreen)
        assert (engine.begun, engine.hurried, toasts(pilot)) == (1, 0, [])


async def test_a_queue_is_kept_if_the_engine_could_be_started_while_that_was_asked() -> None:
    engine = ScriptedEngine()
    engine.started, engine.trouble = False, OSError("the slot is gone")
    gone = Finding("slot", "blocking", "slot es_shop does not exist any more", mend=ANEW)
    engine.examination = Examination({"slot": [gone]}, is_connected=True)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Start anew" in screen(pilot))
        await pilot.press("c")
        await until(pilot, lambda: says(pilot, ("Start anew from now?",)))
        engine.error, engine.started = None, True
        begun = engine.begun
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
        assert engine.begun == begun
        await until(pilot, lambda: "could be started meanwhile" in "".join(toasts(pilot)))


async def test_a_server_that_goes_and_comes_back(place: Place) -> None:
    async with running_dashboard(place) as pilot:
        await until(pilot, lambda: "LIVE" in screen(pilot))
        await asyncio.to_thread(place.execute, "INSERT INTO notes VALUES (4711)")
        await until(pilot, lambda: "4711" in screen(pilot))
        await asyncio.to_thread(place.server.stop)
        try:
            await until(pilot, lambda: "DOWN" in screen(pilot))
            await until(pilot, lambda: says(pilot, ("Events already queued are safe",)))
            await until(pilot, lambda: "4711" in screen(pilot))  # what was there stays
        finally:
            await asyncio.to_thread(place.server.start)
        await until(pilot, lambda: "LIVE" in screen(pilot))
        await asyncio.to_thread(place.execute, "INSERT INTO notes VALUES (4712)")
        await until(pilot, lambda: "4712" in screen(pilot))


async def test_a_slot_that_another_process_reads_is_taken_over_when_that_ends(
    place: Place, tmp_path: Path
) -> None:
    app = EventScope("other")
    app.entity("notes")
    other = EngineThread(app, place.settings(queue_path=tmp_path / "other.db"))
    await asyncio.to_thread(other.start)
    try:
        await asyncio.to_thread(reading, other)
        async with running_dashboard(place) as pilot:
            await until(pilot, lambda: "STANDBY" in screen(pilot))
            said = ("is in use by", "pid", "eventscope other", "since 2", "use --slot-name")
            await until(pilot, lambda: says(pilot, said))
            await asyncio.to_thread(other.stop)
            await until(pilot, lambda: "LIVE" in screen(pilot))
    finally:
        await asyncio.to_thread(other.stop)


async def test_a_slot_that_is_gone_is_named_with_what_is_lost(place: Place) -> None:
    async with running_dashboard(place) as pilot:
        await until(pilot, lambda: "LIVE" in screen(pilot))
    await asyncio.to_thread(place.execute, "SELECT pg_drop_replication_slot('start')")
    async with running_dashboard(place) as pilot:
        await until(pilot, lambda: says(pilot, ("Cannot start", "slot start", "queue file")))
        await until(pilot, lambda: "Start anew" in screen(pilot))
        await pilot.press("c")
        await until(pilot, lambda: says(pilot, ("Start anew from now?", "since is lost", "kept")))
        await pilot.press("y")
        await until(pilot, lambda: "LIVE" in screen(pilot))
        await asyncio.to_thread(place.execute, "INSERT INTO notes VALUES (4713)")
        await until(pilot, lambda: "4713" in screen(pilot))
    kept = [each.name for each in place.queue.parent.iterdir() if each.name.endswith("Z")]
    assert len(kept) == 1, kept


async def test_a_queue_is_not_given_up_by_one_who_only_looks(place: Place) -> None:
    async with running_dashboard(place) as pilot:
        await until(pilot, lambda: "LIVE" in screen(pilot))
    await asyncio.to_thread(place.execute, "SELECT pg_drop_replication_slot('start')")
    async with running_dashboard(place, read_only=True) as pilot:
        await until(pilot, lambda: says(pilot, ("Cannot start", "move the queue file away")))
        await until(pilot, lambda: " × slot start does not exist" in screen(pilot))
        await until(pilot, lambda: "Start anew" not in screen(pilot))


async def test_a_lost_server_can_be_tried_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventscope.engine.reader._reconnect_wait", lambda _: 3_600.0)
    async with running_dashboard(place) as pilot:
        await until(pilot, lambda: "LIVE" in screen(pilot))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "The engine runs." in toasts(pilot))
        await asyncio.to_thread(place.server.stop)
        try:
            await until(pilot, lambda: "DOWN" in screen(pilot))
        finally:
            await asyncio.to_thread(place.server.start)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "LIVE" in screen(pilot))


def reading(engine: EngineThread) -> None:
    while engine.snapshot().stream.state != "streaming":
        time.sleep(0.01)


async def test_it_may_be_quit_in_the_moment_in_which_the_engine_is_up() -> None:
    engine = ScriptedEngine()
    engine.started = False
    app = EventScopeApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: engine.begun == 1)
    app._open_dashboard()  # as its message has it do that comes when the screens have gone
    assert app.screen_stack == []
