"""Listening beside the process that runs the engine, through its queue file."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from eventscope import EventScope, Message
from eventscope.engine import Engine, Follower, follower
from eventscope.errors import DeclarationError, NotRunning
from eventscope.message import Stream
from eventscope.pubsub.live import LiveView
from eventscope.queue import outside
from eventscope.queue.base import QueueError
from eventscope.queue.file_lock import holder
from eventscope.queue.outside import OutsideQueue
from eventscope.settings import Settings, SettingsError
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Write
from tests.programs import running
from tests.pubsub.hearing import take, told
from tests.waiting import until

TEXT_X = (("texts", "x"),)

MakeApp = Callable[[], EventScope]


@pytest.fixture
def make_app() -> MakeApp:
    """An application as each of two processes declares it."""

    def make() -> EventScope:
        app = EventScope("followed")
        app.entity("notes", scopes=[{"text": "texts"}])
        app.entity("copies")
        return app

    return make


def ids(messages: list[Message]) -> list[Any]:
    return [told(message)[2] for message in messages]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def replace(file: Path | None, by: Path | None) -> None:
    """Put a queue file that is not in use, or none, in the place of another."""
    assert file is not None
    for part in ("", "-wal", "-shm"):
        Path(f"{file}{part}").unlink(missing_ok=True)
    if by is not None:
        by.rename(file)


async def nothing_more(stream: Stream) -> None:
    """Fail if there is a message; called when another subscriber has heard of a later one."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            raise AssertionError(told(await anext(stream)))


async def test_every_kind_of_subscription_hears_what_another_process_reads(
    notes: Write, connection: Connection, settings: Settings, make_app: MakeApp
) -> None:
    app = make_app()
    async with (
        Engine(make_app(), settings),
        Follower(app, settings),
        app.subscribe("notes") as table,
        app.subscribe("notes", id=2) as row,
        app.subscribe("notes", scope={"text": "x"}) as scope,
        app.subscribe("*") as everything,
    ):
        await notes(1, 2)
        await connection.execute("INSERT INTO copies VALUES (7)")
        await connection.execute("UPDATE notes SET text = 'y' WHERE id = 2")
        await connection.execute("DELETE FROM notes WHERE id = 1")
        assert [told(one) for one in await take(everything, 5)] == [
            ("on_insert", (), 1), ("on_insert", (), 2), ("on_insert", (), 7),
            ("on_update", (), 2), ("on_delete", (), 1),
        ]  # fmt: skip
        assert ids(await take(table, 4)) == [1, 2, 2, 1]
        assert [told(one) for one in await take(row, 2)] == [
            ("on_insert", "direct", 2), ("on_update", "direct", 2),
        ]  # fmt: skip
        assert [told(one) for one in await take(scope, 4)] == [
            ("on_insert", TEXT_X, 1), ("on_insert", TEXT_X, 2),
            ("on_leave", TEXT_X, 2), ("on_delete", TEXT_X, 1),
        ]  # fmt: skip
        for stream in (table, row, scope, everything):
            await nothing_more(stream)


async def test_declared_listeners_and_live_views_work_there_too(
    notes: Write, settings: Settings, make_app: MakeApp
) -> None:
    app, heard = make_app(), list[Any]()

    @app.listener("notes", id=2)
    async def hear(message: Message) -> None:
        heard.append(told(message))

    async with Engine(make_app(), settings), Follower(app, settings):
        view = LiveView(app, "notes")
        await view.mount()
        await view.handle_params({"id": 2})
        await notes(1, 2)
        assert [told(one)[1:] for one in await take(view.messages, 3)] == [
            ((), 1), ((), 2), ("direct", 2),
        ]  # fmt: skip
        await until(lambda: heard)
    assert heard == [("on_insert", "direct", 2)]
    with pytest.raises(NotRunning, match=r"subscribe inside of .*, beside its process, `Follower"):
        app.subscribe("notes")


async def test_a_program_of_its_own_is_followed(
    notes: Write, settings: Settings, make_app: MakeApp, tmp_path: Path
) -> None:
    (tmp_path / "followed.py").write_text(
        "from eventscope import EventScope\napp = EventScope('followed')\napp.entity('notes')\n"
    )
    app = make_app()
    arguments = ["run", "followed", "--headless", "--log-format", "json",
                 "--queue-path", settings.queue_path, "--slot-name", settings.slot_name,
                 "--url", settings.url.get_secret_value()]  # fmt: skip
    async with (
        Follower(app, settings),
        app.subscribe("notes") as stream,
        running(*arguments, cwd=tmp_path) as program,
    ):
        await program.logged("streaming")
        assert holder(settings.queue_path) == str(program.pid) != str(os.getpid())
        await notes(*range(50))
        assert ids(await take(stream, 50)) == list(range(50))


async def test_the_engine_may_start_later_end_and_start_again(
    notes: Write, settings: Settings, make_app: MakeApp
) -> None:
    app = make_app()
    async with Follower(app, settings), app.subscribe("notes") as stream:
        for first in (0, 10, 20):
            async with Engine(make_app(), settings):
                await notes(*range(first, first + 5))
                expected = list(range(max(first - 5, 0), first + 5))
                assert ids(await take(stream, len(expected))) == expected
                await nothing_more(stream)
            await notes(*range(first + 5, first + 10))  # which the next engine reads


async def test_nobody_hears_of_what_the_file_held_before(
    notes: Write, settings: Settings, make_app: MakeApp
) -> None:
    async with Engine(make_app(), settings) as engine:
        await notes(1, 2)
        await engine.settle(60)
        for _ in range(2):
            app = make_app()
            async with Follower(app, settings), app.subscribe("notes") as stream:
                await notes(10 + _)
                assert ids(await take(stream, 1)) == [10 + _]


async def test_who_looks_at_a_file_that_nobody_has_open_sees_when_somebody_has(
    notes: Write, settings: Settings, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Engine(make_app(), settings) as engine:
        await notes(1)
        await engine.settle(60)
    app, looks = make_app(), asyncio.Event()
    follower = Follower(app, settings)
    has_changed = OutsideQueue.has_changed

    async def noting(queue: OutsideQueue) -> bool:
        if not queue.is_live:
            looks.set()
        return await has_changed(queue)

    monkeypatch.setattr(OutsideQueue, "has_changed", noting)
    async with follower, app.subscribe("notes") as stream:
        await looks.wait()
        async with Engine(make_app(), settings):
            await notes(20)
            assert ids(await take(stream, 1)) == [20]


async def test_a_file_that_was_made_anew_is_followed_from_the_same_place(
    notes: Write, settings: Settings, make_app: MakeApp
) -> None:
    app = make_app()
    async with Follower(app, settings), app.subscribe("notes") as stream:
        async with Engine(make_app(), settings):
            await notes(1, 2, 3)
            assert ids(await take(stream, 3)) == [1, 2, 3]
        replace(settings.queue_path, None)
        await notes(4)
        async with Engine(make_app(), settings):
            await notes(5)
            assert ids(await take(stream, 2)) == [4, 5]
            await nothing_more(stream)


async def test_what_another_file_holds_of_what_has_been_told_is_not_told_again(
    notes: Write, make_settings: MakeSettings, make_app: MakeApp, tmp_path: Path
) -> None:
    app, settings = make_app(), make_settings()
    other = make_settings(slot_name=f"{settings.slot_name}_b", queue_path=tmp_path / "other.db")
    async with Follower(app, settings), app.subscribe("notes") as stream:
        async with Engine(make_app(), settings), Engine(make_app(), other) as second:
            await notes(1, 2, 3)
            assert ids(await take(stream, 3)) == [1, 2, 3]
            await second.settle(60)
        async with Engine(make_app(), other) as second:
            await notes(4, 5)
            await second.settle(60)
        replace(settings.queue_path, other.queue_path)
        assert ids(await take(stream, 2)) == [4, 5]
        await nothing_more(stream)


async def test_another_file_is_told_from_one_before_it_though_it_has_the_same_number(
    notes: Write, settings: Settings, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As file systems give the number of a deleted file to the next one."""
    for module in (outside, follower):
        monkeypatch.setattr(module, "file_identity", lambda path: (1, 1) if path.exists() else None)
    app = make_app()
    async with Follower(app, settings), app.subscribe("notes") as stream:
        async with Engine(make_app(), settings):
            await notes(1, 2, 3)
            assert ids(await take(stream, 3)) == [1, 2, 3]
        with capture_logs() as logged:
            replace(settings.queue_path, None)
            await until(lambda: logged)
        async with Engine(make_app(), settings):
            await notes(4)
            assert ids(await take(stream, 1)) == [4]


async def test_a_file_that_goes_in_the_moment_in_which_it_is_opened_is_waited_for(
    notes: Write, settings: Settings, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, check, path = make_app(), outside._check, settings.queue_path
    assert path is not None
    async with Engine(make_app(), settings):
        pass

    def check_and_lose(path: Path, place: str) -> None:
        check(path, place)
        monkeypatch.setattr(outside, "_check", check)
        replace(path, None)

    async with Follower(app, settings), app.subscribe("notes") as stream:
        monkeypatch.setattr(outside, "_check", check_and_lose)
        with capture_logs() as logged:
            replace(path, Path(shutil.copy(path, path.with_name("copy.db"))))
            await until(lambda: logged)
        async with Engine(make_app(), settings):
            await notes(1)
            assert ids(await take(stream, 1)) == [1]


async def test_a_file_that_is_replaced_in_the_moment_in_which_it_is_opened_is_opened_again(
    notes: Write, make_settings: MakeSettings, make_app: MakeApp, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    app, settings = make_app(), make_settings()
    other = make_settings(slot_name=f"{settings.slot_name}_b", queue_path=tmp_path / "other.db")
    refresh, path = OutsideQueue.refresh, settings.queue_path
    assert path is not None
    async with Engine(make_app(), settings) as engine, Engine(make_app(), other):
        await notes(1)
        await engine.settle(60)
    async with Engine(make_app(), other) as second:
        await notes(2)
        await second.settle(60)

    async def look_and_lose(queue: OutsideQueue) -> None:
        await refresh(queue)
        monkeypatch.setattr(OutsideQueue, "refresh", refresh)
        replace(path, other.queue_path)

    async with Follower(app, settings), app.subscribe("notes") as stream:
        monkeypatch.setattr(OutsideQueue, "refresh", look_and_lose)
        replace(path, Path(shutil.copy(path, path.with_name("copy.db"))))
        assert ids(await take(stream, 1)) == [2]


async def test_what_the_queue_has_given_up_meanwhile_is_counted_and_told(
    notes: Write,
    connection: Connection,
    make_settings: MakeSettings,
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, app = make_settings(retention_events=0), make_app()
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(Engine(make_app(), settings))
        follower = await stack.enter_async_context(Follower(app, settings))
        stream = await stack.enter_async_context(app.subscribe("notes"))
        await notes(0)
        assert ids(await take(stream, 1)) == [0]
        released = asyncio.Event()
        catch_up = follower._catch_up

        async def suspended(*args: Any) -> None:  # as by a laptop's sleep
            await released.wait()
            await catch_up(*args)

        monkeypatch.setattr(follower, "_catch_up", suspended)
        await connection.execute("INSERT INTO notes SELECT n FROM generate_series(1, 500) n")
        await until(lambda: engine._queue.last_seq == 501)
        await engine._queue.prune()
        with capture_logs() as logged:
            released.set()
            await notes(501)
            [message] = await take(stream, 1)
            assert (told(message)[2], message.dropped) == (501, 500)
            await notes(502)
            [message] = await take(stream, 1)
            assert (told(message)[2], message.dropped) == (502, 0)
    assert any("500 events were given up" in line["event"] for line in logged)
    assert any("retention_events" in line["event"] for line in logged)


async def test_a_burst_larger_than_a_read_is_heard_whole(
    notes: Write, connection: Connection, settings: Settings, make_app: MakeApp
) -> None:
    app, heard = make_app(), list[Any]()

    @app.listener("notes")
    async def hear(message: Message) -> None:
        heard.append(told(message)[2])

    async with Engine(make_app(), settings), Follower(app, settings):
        await connection.execute("INSERT INTO notes SELECT n FROM generate_series(1, 3456) n")
        await notes(0)
        await until(lambda: len(heard) >= 3457)
    assert heard == [*range(1, 3457), 0]


async def test_what_cannot_be_followed_is_named_with_the_cure(
    make_settings: MakeSettings, make_app: MakeApp, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="queue_storage_adapter is memory: there is no queue"):
        async with Follower(make_app(), make_settings(queue_storage_adapter="memory")):
            pass
    (tmp_path / "no.db").write_bytes(b"no database at all, and long enough to be looked at")
    with pytest.raises(QueueError, match=r"queue file .*no.db cannot be used"):
        async with Follower(make_app(), make_settings(queue_path=tmp_path / "no.db")):
            pass
    app, settings = make_app(), make_settings(queue_path=tmp_path / "none.db")
    with capture_logs() as logged:
        async with Follower(app, settings):
            await until(lambda: logged)
            with pytest.raises(DeclarationError, match="no entity 'note': did you mean 'notes'"):
                app.subscribe("note")
    assert "there is no queue file" in logged[0]["event"]
    assert names(tmp_path) == {"no.db"}, "nothing is made by looking"
