from __future__ import annotations

import pytest

from eventscope.tui.log_filter import LogFilter, LogFilterError
from tests.tui.logbook import EVENT, a_logbook


def found(text: str) -> list[str]:
    chosen = LogFilter.parse(text)
    return [record.message for record in a_logbook() if chosen.matches(record)]


RETRY, DEAD = "operator failed, will retry", "operator is out of retries"
INDEX, MAIL = "index rebuilt in 12 ms", "mail to ada@x.io sent"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("level:error", [DEAD]),
        ("level:error,warning", [RETRY, DEAD]),
        ("level:e,w", [RETRY, DEAD]),
        ("LEVEL:Print", [INDEX, MAIL]),
        ("level:print", [INDEX, MAIL]),
        ("operator:send", [RETRY, MAIL]),
        ("operator:send,index level:print", [INDEX, MAIL]),
        ("operator:SEND operator:index", [INDEX, RETRY, MAIL]),
        ("SMTPServer", [RETRY]),
        ("retry_in_ms", [RETRY]),
        ("operator is", [RETRY, DEAD]),
        ('"operator is"', [DEAD]),
        ('"failed, will', [RETRY]),
        ("billing error", [DEAD]),
        (EVENT, [INDEX, RETRY, MAIL, DEAD]),
        ("level:", [record.message for record in a_logbook()]),
        ("operator:", [record.message for record in a_logbook()]),
        ("level:error level:warning", []),
    ],
)  # fmt: skip
def test_a_filter_lets_through(text: str, messages: list[str]) -> None:
    assert found(text) == messages


def test_an_empty_filter_shows_everything() -> None:
    assert LogFilter.parse("  ").is_empty
    assert len(found("")) == len(a_logbook())


def test_a_level_that_is_not_is_named_with_those_there_are() -> None:
    with pytest.raises(LogFilterError, match="no level fatal; there are debug, info, print, warn"):
        LogFilter.parse("level:error,fatal")
