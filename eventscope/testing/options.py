"""The option with which a test run names a PostgreSQL server of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

_NAME: Final = "eventscope_url"
_HELP: Final = (
    "the PostgreSQL server for tests of operators, as a libpq URL; its role must be allowed to "
    "create databases and to replicate. By default one is started, if a test asks for it."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--eventscope-url`` and the same as a line of the ini file."""
    group = parser.getgroup("eventscope")
    group.addoption("--eventscope-url", metavar="URL", dest=_NAME, help=_HELP)
    parser.addini(_NAME, _HELP, default="")


def server_url(config: pytest.Config) -> str | None:
    """The server that was named; None if one is to be started."""
    return config.getoption(_NAME) or config.getini(_NAME) or None
