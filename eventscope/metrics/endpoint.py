"""The HTTP endpoint: ``/metrics``, ``/livez`` and ``/readyz``, from a thread of its own.

It answers while the engine starts, waits, or is held by a handler, as that is when it is asked.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app

from eventscope.errors import EventScopeError
from eventscope.inspection.text import safe_text
from eventscope.metrics.collector import EngineCollector
from eventscope.metrics.health import Verdict, alive, ready
from eventscope.metrics.observed import Observed
from eventscope.operators.redaction import Redaction
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.metrics")

Answer = tuple[str, list[tuple[str, str]], bytes]
"""Status, headers and body."""

_AT_ONCE: Final = 16
"""Requests that are answered at the same time; whoever comes beyond is hung up on."""
_PATIENCE: Final = 5.0
"""Seconds that a client may keep silent."""
_TEXT: Final = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]


class MetricsError(EventScopeError):
    """The endpoint cannot be opened; the message names the address and the cure."""


class Endpoint:
    """Serves while it is entered.

    Args:
        engine: what is told of.
        settings: where to listen, and what is to be kept secret.
    """

    def __init__(self, engine: Observed, settings: Settings) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(EngineCollector(engine))
        self._engine = engine
        self._host, self._port = settings.metrics.host, settings.metrics.port or 0
        self._redacted = Redaction(settings)
        self._metrics = make_wsgi_app(registry)
        self._server: _Server
        self._thread: threading.Thread

    def __enter__(self) -> Self:
        """Begin to serve.

        Raises:
            MetricsError: the address cannot be listened at.
        """
        self._server = _Server.at(self._host, self._port)
        self._server.set_app(self._answer)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="eventscope metrics", daemon=True
        )
        self._thread.start()
        _log.info("metrics are served", url=self.url)
        return self

    def __exit__(self, *_: object) -> None:
        """Serve no more; who is just being answered is let go."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.server_port}/metrics"

    def _answer(self, request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        method, path = request["REQUEST_METHOD"], request["PATH_INFO"]
        if method not in ("GET", "HEAD"):
            start("405 Method Not Allowed", [*_TEXT, ("Allow", "GET, HEAD")])
            return [b"want GET or HEAD\n"]
        try:
            status, headers, body = self._found(path, request)
        except Exception as error:
            _log.error("a request has failed", path=path, error=self._redacted(repr(error)))
            status, headers, body = "500 Internal Server Error", _TEXT, b"failed; see the log\n"
        start(status, [*headers, ("Content-Length", str(len(body)))])
        return [body if method == "GET" else b""]

    def _found(self, path: str, request: dict[str, Any]) -> Answer:
        match path:
            case "/metrics":
                return self._exposition(request)
            case "/livez":
                return self._told(alive(self._engine))
            case "/readyz":
                return self._told(ready(self._engine))
        return "404 Not Found", _TEXT, b"there are /metrics, /livez and /readyz\n"

    def _exposition(self, request: dict[str, Any]) -> Answer:
        began: list[Any] = []
        parts = self._metrics(
            {**request, "REQUEST_METHOD": "GET"}, lambda *answer: began.extend(answer)
        )
        status, headers = began
        return status, headers, b"".join(parts)

    def _told(self, verdict: Verdict) -> Answer:
        status = "200 OK" if verdict.holds else "503 Service Unavailable"
        return status, _TEXT, f"{safe_text(self._redacted(verdict.reason))}\n".encode()


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request, but not for more than some at once."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, family: socket.AddressFamily, address: tuple[Any, ...]) -> None:
        self.address_family = family
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, _Handler)

    @classmethod
    def at(cls, host: str, port: int) -> Self:
        """Listen; raises MetricsError."""
        try:
            family, *_, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            return cls(family, address)
        except OSError as error:
            raise MetricsError(
                f"cannot serve metrics at {host} port {port}: {error.strerror or error}; choose"
                f" another with --metrics-port or metrics.host"
            ) from None

    def server_bind(self) -> None:
        """Bind without asking a name server for our own name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer it in a thread, if there is one left."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer it."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or says what nobody understands, is no trouble of ours."""


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, format: str, *args: Any) -> None:
        """A request is no news."""
