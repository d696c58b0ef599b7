"""The endpoint over HTTP: what it answers, and that nobody can keep it from answering others."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine, loop_watch
from eventscope.metrics import Endpoint, endpoint, health
from eventscope.metrics.endpoint import MetricsError
from eventscope.settings import Settings
from tests.conftest import MakeSettings
from tests.engine.conftest import Watching, Write
from tests.metrics.conftest import Pretended
from tests.metrics.scraping import samples
from tests.waiting import PATIENCE, until

SETTINGS = Settings(metrics={"port": 0})  # type: ignore[arg-type]


@pytest.fixture
def served(pretended: Pretended) -> Iterator[Endpoint]:
    """An endpoint about an engine that is only pretended."""
    with Endpoint(pretended, SETTINGS) as served:
        yield served


def ask(served: Endpoint, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """The status and the body of an answer."""
    response, body = answer(served, path, method, **headers)
    return response.status, body.decode()


def answer(
    served: Endpoint, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    client = http.client.HTTPConnection(address(served)[0], address(served)[1], timeout=PATIENCE)
    try:
        client.request(method, path, headers=headers)
        response = client.getresponse()
        return response, response.read()
    finally:
        client.close()


def address(served: Endpoint) -> tuple[str, int]:
    parts = urlsplit(served.url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


async def test_an_engine_that_streams_is_alive_ready_and_measured(
    notes: Write, settings: Settings
) -> None:
    engine = Engine(Watching(), settings)
    with Endpoint(engine, SETTINGS) as served:
        assert await asyncio.to_thread(ask, served, "/livez") == (200, "alive\n")
        assert await asyncio.to_thread(ask, served, "/readyz") == (503, "starting\n")
        async with engine:
            await notes(1)
            await engine.settle(60)
            assert await asyncio.to_thread(ask, served, "/readyz") == (200, "streaming\n")
            status, text = await asyncio.to_thread(ask, served, "/metrics")
            assert status == 200
            assert samples(text)["eventscope_events_total", ""] == 1
            assert samples(text)["process_resident_memory_bytes", ""] > 0
        status, reason = await asyncio.to_thread(ask, served, "/readyz")
        assert (status, reason) == (503, "stopped\n")
    with pytest.raises(OSError, match="refused"):
        ask(served, "/livez")


async def test_a_standby_is_ready_or_a_rolling_update_would_wait_for_it_for_ever(
    notes: Write, make_settings: MakeSettings, tmp_path: Any
) -> None:
    second = Engine(Watching(), make_settings(queue_path=tmp_path / "second.db"))
    with Endpoint(second, SETTINGS) as served:
        async with Engine(Watching(), make_settings()) as first:
            await until(lambda: first.snapshot().stream.state == "streaming")
            async with second:
                await until(lambda: second.snapshot().stream.state == "standby")
                status, reason = await asyncio.to_thread(ask, served, "/readyz")
    assert status == 200
    assert reason.startswith("standby: slot test_")


@pytest.mark.parametrize("state", ["connecting", "reconnecting", "blocked", "stopped"])
def test_what_does_not_read_is_alive_and_not_ready_and_says_why(
    pretended: Pretended, served: Endpoint, state: Any
) -> None:
    pretended.enter(state, "no route to host")
    assert ask(served, "/livez") == (200, "alive\n")
    assert ask(served, "/readyz") == (503, f"{state}: no route to host\n")


def test_what_starts_says_what_it_waits_for(pretended: Pretended, served: Endpoint) -> None:
    pretended.started, pretended.waits_for = False, "waiting for pid 7"
    assert ask(served, "/readyz") == (503, "starting: waiting for pid 7\n")
    assert ask(served, "/livez") == (200, "alive\n")
    assert "eventscope_" not in ask(served, "/metrics")[1]


async def test_an_engine_whose_loop_is_held_is_not_alive(
    notes: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_watch, "PATIENCE", 0.1)
    monkeypatch.setattr(loop_watch, "_INTERVAL", 0.02)
    monkeypatch.setattr(health, "HELD", 0.3)
    app, told, go_on = EventScope("hog"), list[tuple[int, str]](), threading.Event()

    @app.operator(entities=["notes"])
    async def hog(event: Event) -> None:
        go_on.wait(PATIENCE)

    def look() -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = ask(served, "/livez")
            if found[0] != 200:
                told.append(found)
                break
        held = samples(ask(served, "/metrics")[1])["eventscope_event_loop_held_seconds", ""]
        told.append((int(held > 0.3), ""))
        go_on.set()

    async with Engine(app, settings) as engine:
        with Endpoint(engine, SETTINGS) as served:
            looking = threading.Thread(target=look)
            looking.start()
            await notes(1)
            await engine.settle(60)
            await asyncio.to_thread(looking.join)
            status, reason = told[0]
            assert status == 503
            assert reason.startswith("the event loop has not turned for ")
            assert told[1] == (1, "")
            await until(lambda: engine.snapshot().loop_held == 0)
            assert (await asyncio.to_thread(ask, served, "/livez"))[0] == 200


def test_nothing_else_is_there(served: Endpoint) -> None:
    for path in ("/", "/metrics/", "/favicon.ico", "/../etc/passwd", "/%2e%2e", "/?metrics"):
        assert ask(served, path) == (404, "there are /metrics, /livez and /readyz\n")


def test_head_has_no_body_and_all_else_is_refused(served: Endpoint) -> None:
    for path, length in (("/livez", rb"6"), ("/metrics", rb"\d{4,}")):
        with socket.create_connection(address(served), PATIENCE) as client:
            client.sendall(f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
            said = b"".join(iter(lambda: client.recv(65_536), b""))
        assert re.fullmatch(
            rb"HTTP/1.0 200 OK\r\n.*Content-Length: %b\r\n\r\n" % length, said, re.S
        )
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        response, _ = answer(served, "/metrics", method)
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


def test_a_scraper_may_want_the_open_format_or_only_some_names(served: Endpoint) -> None:
    response, body = answer(served, "/metrics", Accept="application/openmetrics-text")
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    _, text = ask(served, "/metrics?name[]=eventscope_events_total")
    assert set(samples(text)) == {("eventscope_events_total", "")}


def test_clients_that_say_nothing_keep_nobody_from_being_answered(
    served: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(address(served), PATIENCE))
            for _ in range(endpoint._AT_ONCE - 1)
        ]
        silent[0].sendall(b"GET /metrics HT")
        assert ask(served, "/livez")[0] == 200


def test_more_clients_than_can_be_answered_are_hung_up_on_until_others_have_gone(
    pretended: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint._Handler, "timeout", 0.5)
    with ExitStack() as stack:
        served = stack.enter_context(Endpoint(pretended, SETTINGS))
        silent = [
            stack.enter_context(socket.create_connection(address(served), PATIENCE))
            for _ in range(endpoint._AT_ONCE + 1)
        ]
        assert silent[-1].recv(1) == b"", "before the others have had their time"
        for each in silent:
            assert each.recv(1) == b""
        assert ask(served, "/livez")[0] == 200


def test_what_is_no_http_harms_nobody(served: Endpoint, capfd: pytest.CaptureFixture[str]) -> None:
    for said in (b"\0" * 100_000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01"):
        with socket.create_connection(address(served), PATIENCE) as client:
            client.sendall(said)
            with suppress(OSError):  # it may have hung up already
                client.shutdown(socket.SHUT_WR)
                while client.recv(65_536):
                    pass
    assert ask(served, "/livez")[0] == 200
    assert capfd.readouterr() == ("", ""), "nor anybody's terminal"


def test_no_password_and_no_escape_leaves(pretended: Pretended) -> None:
    secret = Settings(url="postgresql://u:hunter22canary@h/d", metrics={"port": 0})  # type: ignore[arg-type]
    pretended.enter("reconnecting", "hunter22canary \x1b]0;x\x07 postgresql://u:pa55w0rd@h/d")
    with Endpoint(pretended, secret) as served:
        for path in ("/metrics", "/livez", "/readyz"):
            _, text = ask(served, path)
            assert not any(word in text for word in ("hunter22canary", "pa55w0rd", "\x1b", "\x07"))


def test_what_fails_is_one_answer_and_one_line(
    pretended: Pretended, served: Endpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    pretended.set(operators=None)
    assert ask(served, "/metrics") == (500, "failed; see the log\n")
    assert ask(served, "/readyz")[0] == 200
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_port_in_use_is_named_with_the_cure(pretended: Pretended, served: Endpoint) -> None:
    _, port = address(served)
    second = Endpoint(pretended, Settings(metrics={"port": port}))  # type: ignore[arg-type]
    with pytest.raises(MetricsError) as raised, second:
        pass
    assert str(raised.value) == (
        f"cannot serve metrics at 127.0.0.1 port {port}: Address already in use; choose another"
        f" with --metrics-port or metrics.host"
    )
    assert raised.value.exit_code == 2


def test_an_address_that_is_nowhere_is_named(pretended: Pretended) -> None:
    nowhere = Settings(metrics={"port": 0, "host": "192.0.2.1"})  # type: ignore[arg-type]
    with pytest.raises(MetricsError, match=r"cannot serve metrics at 192\.0\.2\.1 port 0: "), \
            Endpoint(pretended, nowhere):  # fmt: skip
        pass


def test_it_listens_at_ipv6_too(pretended: Pretended) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    with Endpoint(pretended, Settings(metrics={"port": 0, "host": "::1"})) as served:  # type: ignore[arg-type]
        assert served.url.startswith("http://[::1]:")
        assert ask(served, "/livez")[0] == 200
