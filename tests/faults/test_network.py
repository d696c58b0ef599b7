"""The network cuts, stalls or swallows what the server says: nothing is lost or stored twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import pytest
import structlog

from eventscope.engine import Engine, intake, publication_watch, reader
from eventscope.replication import inquiry, stream
from eventscope.replication.connection import SourceError
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Watching, Write
from tests.proxy import End, Link, Proxy
from tests.waiting import until, until_async


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    async with Proxy(database) as proxy:
        yield proxy


@pytest.fixture
def settings(proxy: Proxy, make_settings: MakeSettings) -> Settings:
    """The database through the proxy."""
    return make_settings(url=proxy.url)


async def streaming(engine: Engine, proxy: Proxy) -> Link:
    """Wait until it streams; its connection."""
    await until(lambda: engine.snapshot().stream.state == "streaming" and proxy.open("replication"))
    return proxy.open("replication")[-1]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts to reconnect come fast, however many have failed."""
    monkeypatch.setattr(reader, "_LONGEST_WAIT", 0.05)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("end", ["fin", "rst"])
async def test_a_connection_that_is_cut_in_the_middle_of_a_message(
    notes: Write, connection: Connection, settings: Settings, proxy: Proxy, end: End
) -> None:
    app = Watching()
    with structlog.testing.capture_logs() as logged:
        async with Engine(app, settings) as engine:
            for id in range(1, 6):
                (await streaming(engine, proxy)).cut_after(50_000 - id, end)
                await connection.execute("INSERT INTO notes VALUES (%s, repeat('x', 99000))", [id])
                await engine.settle(60)
        assert app.ids == [1, 2, 3, 4, 5]
    lost = [line for line in logged if line.get("state") == "reconnecting"]
    assert lost
    assert all(line["event"].startswith("connection lost: ") for line in lost)


@pytest.mark.usefixtures("soon")
async def test_connections_that_are_cut_anywhere(
    notes: Write, connection: Connection, settings: Settings, proxy: Proxy
) -> None:
    app, random, ids = Watching(), Random(1), 0
    async with Engine(app, settings) as engine:
        for _ in range(15):
            (await streaming(engine, proxy)).cut_after(random.randint(1, 20_000))
            rows = random.randint(1, 300)
            await connection.execute(
                "INSERT INTO notes SELECT n, repeat('x', 50) FROM generate_series(%s::int, %s) n",
                [ids, ids + rows - 1],
            )
            ids += rows
            await engine.settle(60)
    assert app.ids == list(range(ids))
    assert len({event.id for event in app.events}) == ids


async def test_a_stream_that_comes_byte_by_byte(
    notes: Write, settings: Settings, proxy: Proxy
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await streaming(engine, proxy)
        proxy.piece = 1
        await notes(*range(20))
        await engine.settle(60)
        assert len(proxy.open("replication")) == 1
    assert app.ids == list(range(20))


async def test_a_stream_that_stalls_for_a_while_goes_on(
    notes: Write, connection: Connection, settings: Settings, proxy: Proxy
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        link = await streaming(engine, proxy)
        link.hold()
        await notes(1)

        async def sent() -> bool:
            cursor = await connection.execute(
                "SELECT sent_lsn >= pg_current_wal_lsn() FROM pg_stat_replication"
                " JOIN pg_replication_slots ON active_pid = pid WHERE slot_name = %s",
                [settings.slot_name],
            )
            return await cursor.fetchone() == (True,)

        await until_async(sent)
        assert app.ids == []
        link.release()
        await until(lambda: app.ids == [1])
        assert [link.kind for link in proxy.links].count("replication") == 1


async def test_a_server_that_falls_silent_is_given_up_and_its_session_ended(
    notes: Write, settings: Settings, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a FIN neither side hears of the end of the other."""
    monkeypatch.setattr(stream, "SILENCE", 2)
    monkeypatch.setattr(intake, "FEEDBACK", 0.1)
    app = Watching()
    with structlog.testing.capture_logs() as logged:
        async with Engine(app, settings) as engine:
            (await streaming(engine, proxy)).hold()
            await notes(1)
            await until(lambda: app.ids == [1])
    told = [line["event"] for line in logged if "state" in line]
    assert told[0] == "connection lost: the server has been silent for 2 s"
    assert told[1].startswith(f"slot {settings.slot_name} is in use by a session that we have lost")


async def test_a_network_that_falls_silent_altogether_is_given_up_without_asking_it(
    notes: Write,
    settings: Settings,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A question is open then; nobody waits for its answer, or for its being taken back."""
    monkeypatch.setattr(stream, "SILENCE", 2)
    monkeypatch.setattr(intake, "FEEDBACK", 0.1)
    monkeypatch.setattr(publication_watch, "LOOK_INTERVAL", 0.05)
    app = Watching()
    async with Engine(app, settings) as engine:
        await streaming(engine, proxy)
        for link in proxy.links:
            link.hold()
        await notes(1)
        await until(lambda: app.ids == [1])
    assert "query not terminated" not in caplog.text


async def test_catalogs_that_give_no_answer_are_asked_on_another_connection(
    notes: Write,
    connection: Connection,
    settings: Settings,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inquiry, "ANSWER_WITHIN", 0.3)
    await connection.execute("CREATE DOMAIN small AS smallint")
    app = Watching()
    async with Engine(app, settings) as engine:
        await streaming(engine, proxy)
        for link in proxy.open("other"):
            link.hold()
        await connection.execute("ALTER TABLE notes ADD small small")
        await notes(1)
        await until(lambda: app.events)
        assert len(proxy.open("replication")) == 1, "the stream has nothing to do with it"
    [event] = app.events
    assert event.source.columns["small"] == "public.small"


async def test_a_network_that_swallows_every_connection_is_named_and_tried_again(
    notes: Write, make_settings: MakeSettings, proxy: Proxy
) -> None:
    app = Watching()
    settings = make_settings(url=f"{proxy.url} connect_timeout=2")
    async with Engine(app, settings) as engine:
        link = await streaming(engine, proxy)
        proxy.swallows = {"other", "replication"}
        link.end()
        await notes(1)
        await until(lambda: "timeout" in engine.snapshot().stream.detail)
        assert engine.snapshot().stream.state == "reconnecting"
        proxy.swallows = set()
        await until(lambda: app.ids == [1])


async def test_each_attempt_in_vain_makes_the_next_one_wait_longer(
    notes: Write, settings: Settings, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[int] = []

    def no_wait(count: int) -> float:
        failures.append(count)
        return 0.01

    monkeypatch.setattr(reader, "_reconnect_wait", no_wait)
    async with Engine(Watching(), settings) as engine:
        link = await streaming(engine, proxy)
        proxy.target = proxy.target.replace("port=", "port=1")
        link.end()
        await until(lambda: len(failures) > 3)
    assert failures[:4] == [1, 2, 3, 4]


async def test_a_pooler_in_between_is_named(notes: Write, settings: Settings, proxy: Proxy) -> None:
    proxy.hides_replication = True
    with pytest.raises(SourceError, match="connect to the server itself, not to a connection poo"):
        async with Engine(Watching(), settings):
            pass


@pytest.mark.parametrize(
    ("failures", "least", "most"), [(1, 0.1, 0.2), (2, 0.2, 0.4), (3, 0.4, 0.8), (1000, 15, 30)]
)
def test_the_wait_before_an_attempt_doubles_up_to_half_a_minute(
    failures: int, least: float, most: float
) -> None:
    assert all(least <= reader._reconnect_wait(failures) <= most for _ in range(100))
