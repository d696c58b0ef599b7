"""Where log lines go, and that none of them drives a terminal, whoever logs whatever."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from eventscope.cli.log import log_as_program, log_to_stream
from tests.hostile import DRIVING, HOSTILE, IMPOSSIBLE

CORPUS = {**HOSTILE, **IMPOSSIBLE}


@pytest.fixture(autouse=True)
def _afterwards_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


class Speaking:
    """An object whose ``repr`` says what it likes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


@pytest.mark.parametrize("way", ["text", "json", "program"])
@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_no_part_of_a_log_line_drives_a_terminal(
    text: str, way: Literal["text", "json", "program"], capsys: pytest.CaptureFixture[str]
) -> None:
    if way == "program":
        log_as_program()
    else:
        log_to_stream(way)
    log = structlog.get_logger()
    log.info(text, **{text: text, "said": Speaking(text), "several": [text, Speaking(text)]})
    log.info(Speaking(text))
    logging.getLogger(text).warning(text)
    try:
        raise ValueError(text)
    except ValueError as error:
        log.exception(text, error=error)
        logging.getLogger(text).exception(text)
    written = "".join(capsys.readouterr())
    assert not (DRIVING - {"\n"}) & set(written)
    assert written.count("\n") >= 5


def test_a_traceback_stays_readable_and_tells_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stream("text")
    password = "hunter" + str(2)
    try:
        raise ValueError("went wrong")
    except ValueError:
        structlog.get_logger().exception("it failed")
    written = capsys.readouterr().err
    lines = written.splitlines()
    assert "Traceback (most recent call last):" in lines
    assert lines[-1] == "ValueError: went wrong"
    assert password not in written
