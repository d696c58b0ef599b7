"""What Prometheus is told is what is."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

import operators_example
from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.event import Lsn
from eventscope.metrics import EngineCollector
from eventscope.metrics.families import FAMILIES, reference_table
from eventscope.operators.durations import BOUNDS, DurationCounter
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.engine.conftest import Watching, Write
from tests.metrics.conftest import Pretended
from tests.metrics.scraping import exposition, samples
from tests.tui.scripted import NOW, STREAM, an_operator
from tests.waiting import operator, until

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
DASHBOARD = Path(operators_example.__file__).parent / "grafana.json"


async def test_an_engine_at_work_is_told_of(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    app.query("q", target="copies", sql="SELECT $1::int", ids={"notes": "id"})
    async with Engine(app, settings) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        await until(lambda: engine.snapshot().stream.lag == 0)
        text = exposition(engine)
    told, watch, q = samples(text), samples(text, "watch"), samples(text, "q")
    assert told["eventscope_events_total", ""] == 3
    assert told["eventscope_stream_state", "streaming"] == 1
    assert sum(value for (name, _), value in told.items() if name == "eventscope_stream_state") == 1
    assert told["eventscope_stream_info", f"engine,{connection.info.dbname}@socket,"
                f"{settings.slot_name}"] == 1  # fmt: skip
    assert told["eventscope_lag_bytes", ""] == 0
    assert told["eventscope_lag_seconds", ""] == 0
    assert told["eventscope_retained_wal_bytes", ""] > 0
    assert told["eventscope_event_loop_held_seconds", ""] == 0
    positions = [
        told["eventscope_wal_position_bytes", each]
        for each in ("server", "received", "stored", "acknowledged")
    ]
    assert positions == sorted(positions, reverse=True)
    assert positions[-1] > 0
    for one in (watch, q):
        assert one["eventscope_operator_applied_total", ""] == 3
        assert one["eventscope_operator_queue_depth", ""] == 0
        assert one["eventscope_operator_queue_age_seconds", ""] == 0
        assert one["eventscope_operator_state", "idle"] == 1
        for name in ("attempt", "latency"):
            count = one[f"eventscope_operator_{name}_seconds_count", ""]
            assert 1 <= count <= 3
            assert one[f"eventscope_operator_{name}_seconds_bucket", "+Inf"] == count
            assert one[f"eventscope_operator_{name}_seconds_sum", ""] > 0


async def test_failures_retries_and_dead_letters_are_counted(
    notes: Write, settings: Settings
) -> None:
    app, backlog = EventScope("broken"), asyncio.Event()

    @app.operator(entities=["notes"], on_failure="dead_letter")
    async def broken(event: Event) -> None:
        raise ValueError(event.id)

    @app.operator(entities=["notes"])
    async def slow(event: Event) -> None:
        await backlog.wait()

    began = time.time()
    async with Engine(app, settings) as engine:
        await notes(1, 2)
        await until(lambda: operator(engine, "broken").dead == 2)
        text = exposition(engine)
        backlog.set()
    told, slow_one = samples(text, "broken"), samples(text, "slow")
    assert told["eventscope_operator_failed_total", ""] == 12
    assert told["eventscope_operator_retries_total", ""] == 10
    assert told["eventscope_operator_dead_letters", ""] == 2
    assert told["eventscope_operator_applied_total", ""] == 0
    assert told["eventscope_operator_attempt_seconds_count", ""] == 12
    assert told["eventscope_operator_latency_seconds_count", ""] == 0
    assert slow_one["eventscope_operator_queue_depth", ""] == 2
    assert 0 < slow_one["eventscope_operator_queue_age_seconds", ""] < time.time() - began + 1
    assert slow_one["eventscope_operator_state", "running"] == 1


async def test_messages_that_a_listener_is_too_slow_for_are_counted(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    app.entity("notes")
    async with Engine(app, settings) as engine, app.subscribe("notes") as stream:
        await connection.execute("INSERT INTO notes SELECT g, 'x' FROM generate_series(1, 1500) g")

        def lost() -> float:
            return samples(exposition(engine))["eventscope_listener_messages_dropped_total", ""]

        await until(lambda: lost() == 500)
        assert (await anext(stream)).dropped == 500
        assert lost() == 500


async def test_the_lag_grows_while_the_server_is_away_and_is_gone_after_that(
    notes: Write, connection: Connection, database: str, settings: Settings
) -> None:
    app = Watching()
    let_in = SQL("ALTER DATABASE {} ALLOW_CONNECTIONS").format(Identifier(connection.info.dbname))

    def lag() -> float:
        return samples(exposition(engine))["eventscope_lag_seconds", ""]

    async with (
        Engine(app, settings) as engine,
        await AsyncConnection.connect(
            make_conninfo(database, dbname="postgres"), autocommit=True
        ) as elsewhere,
    ):
        await notes(1)
        await engine.settle(60)
        await until(lambda: lag() == 0)
        await elsewhere.execute(let_in + SQL(" false"))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await until(lambda: engine.snapshot().stream.state == "reconnecting")
        until_then = engine.snapshot().stream.current_until
        assert until_then is not None
        assert until_then > app.events[0].timestamp.timestamp(), "it has heard of more than that"
        before = lag()
        await until(lambda: lag() > before + 0.3)
        assert lag() < 60, "and not as long as nothing was written"
        await notes(2)
        await elsewhere.execute(let_in + SQL(" true"))
        await until(lambda: app.ids == [1, 2])
        await until(lambda: lag() == 0)


def test_what_the_server_has_not_sent_yet_is_lag_too(pretended: Pretended) -> None:
    pretended.set(
        stream=replace(
            STREAM,
            stored_lsn=Lsn(1_000),
            received_lsn=Lsn(1_500),
            server_lsn=Lsn(9_000),
            current_until=NOW - 5,
        )
    )
    told = samples(exposition(pretended))
    assert told["eventscope_lag_bytes", ""] == 8_000
    assert told["eventscope_lag_seconds", ""] == 5


def test_what_is_not_known_is_not_told(pretended: Pretended) -> None:
    names = {name for name, _ in samples(exposition(pretended))}
    assert names.isdisjoint(
        {"eventscope_lag_seconds", "eventscope_retained_wal_bytes", "eventscope_wal_limit_bytes"}
    )
    pretended.started = False
    assert exposition(pretended) == ""


@pytest.mark.parametrize(
    "name",
    ['"} 1\neventscope_events_total 7\n#', "\\", "\\n", "a\nb", "\r\x1b[2J\x00", "é‮", "", "{}"],
)
def test_the_names_of_operators_stay_names(pretended: Pretended, name: str) -> None:
    pretended.set(operators=(an_operator(name, depth=3),))
    text = exposition(pretended)
    assert samples(text, name)["eventscope_operator_queue_depth", ""] == 3
    assert samples(text)["eventscope_events_total", ""] == 0


def test_a_name_that_is_no_unicode_does_not_end_everything(pretended: Pretended) -> None:
    pretended.set(operators=(an_operator("lone \ud800", depth=3),))
    assert samples(exposition(pretended), "lone ?")["eventscope_operator_queue_depth", ""] == 3


def test_durations_are_counted_by_their_length() -> None:
    counter = DurationCounter()
    for seconds in (0.0, BOUNDS[0], 0.002, 1_000.0):
        counter.add(seconds)
    counts = counter.durations.counts
    assert (counts[0], counts[1], counts[-1], sum(counts)) == (2, 1, 1, 4)
    assert counter.durations.seconds == pytest.approx(1_000.003)


def test_a_registry_knows_the_names_without_asking_the_engine(pretended: Pretended) -> None:
    registry = CollectorRegistry()
    pretended.started = False
    registry.register(EngineCollector(pretended))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(EngineCollector(pretended))


def test_names_follow_the_conventions() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"eventscope_[a-z_]+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")


def test_the_readme_lists_what_is_exported() -> None:
    assert reference_table() in README


def test_grafanas_dashboard_asks_for_what_is_exported(pretended: Pretended) -> None:
    pretended.set(
        stream=replace(STREAM, retained=1, wal_limit=2, current_until=NOW),
        operators=(an_operator("one"),),
    )
    text = exposition(pretended)
    exported = {name for name, _ in samples(text) | samples(text, "one")}
    board = json.loads(DASHBOARD.read_text("utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    asked += [each["definition"] for each in board["templating"]["list"] if "definition" in each]
    assert len(asked) > 10
    for expression in asked:
        names = set(re.findall(r"\beventscope_\w+", expression))
        assert names
        assert names <= exported
