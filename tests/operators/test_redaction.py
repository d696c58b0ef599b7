"""Passwords stay out of what is kept and told of failures."""

from __future__ import annotations

import html
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from structlog.testing import capture_logs

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.operators.redaction import Redaction
from eventscope.settings import Settings
from tests.conftest import MakeSettings
from tests.operators.conftest import Write
from tests.waiting import operator, until, until_state

SECRET = "cold/War & p@ss'77"


def redaction(**settings: Any) -> Redaction:
    return Redaction(Settings.load(**settings))


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgresql://ada:hush@db/shop is gone", "postgresql://ada:***@db/shop is gone"),
        ("redis://:hush/2@cache", "redis://:***@cache"),
        ("host=db password=hush dbname=x", "host=db password=*** dbname=x"),
        (r"PASSWORD = 'hu\' sh' x", "PASSWORD = *** x"),
        ("{'user': 'ada', 'password': 'hush'}", "{'user': 'ada', 'password': ***}"),
        ("PGPASSWORD=hush psql", "PGPASSWORD=*** psql"),
        ("connect(passwd='hush')", "connect(passwd=***)"),
        ("password authentication failed", "password authentication failed"),
        ("postgresql://db/shop?x=1", "postgresql://db/shop?x=1"),
    ],
)
def test_what_looks_like_a_password_is_masked(text: str, redacted: str) -> None:
    assert redaction()(text) == redacted


@pytest.mark.parametrize("given", ["url", "query", "parts", "environment"])
def test_our_own_password_is_masked_wherever_it_stands(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spelled = "cold%2FWar%20%26%20p%40ss%2777"
    if given == "url":
        redacted = redaction(url=f"postgresql://ada:{spelled}@db/shop")
    elif given == "query":
        redacted = redaction(url=f"postgresql://ada@db/shop?password={spelled}")
    elif given == "parts":
        redacted = redaction(password=SECRET)
    else:
        monkeypatch.setenv("PGPASSWORD", SECRET)
        redacted = redaction(url="postgresql://ada@db/shop")
    for text in (SECRET, f"'{SECRET}'", spelled, repr(SECRET + '"')[1:-1]):
        assert "War" not in redacted(f"I know: x{text}x"), text


def test_a_short_password_is_masked_as_a_word_only() -> None:
    redacted = redaction(password="abc")
    assert redacted("it is abc, not abcd") == "it is ***, not abcd"


def test_the_default_password_is_no_secret() -> None:
    assert redaction()("role postgres") == "role postgres"


async def test_a_password_gets_nowhere(
    notes: Write, make_settings: MakeSettings, tmp_path: Path, database: str
) -> None:
    app = EventScope("failures")

    @app.operator(entities=["notes"], name="halts")
    async def halts(event: Event) -> None:
        secret = "".join(["open", "-", "sesame"])
        raise ValueError(f"cannot use {secret} nor postgresql://u:{secret}2@h/db")

    @app.operator(entities=["notes"], name="gives_up", on_failure="dead_letter")
    async def gives_up(event: Event) -> None:
        try:
            raise ValueError("".join(["open", "-", "sesame"]))
        except ValueError as error:
            raise RuntimeError("password=open-sesame") from error

    separator = "&" if "?" in database else "?"
    settings = make_settings(
        url=f"{database}{separator}password=open-sesame", operator_queue_max_retries=1
    )
    with capture_logs() as logs:
        async with Engine(app, settings) as engine:
            await notes(1)
            state = await until_state(engine, "halts", "halted")
            await until(lambda: operator(engine, "gives_up").dead == 1)
            [letter] = await engine._queue.letters("gives_up")
            snapshot = repr(engine.snapshot())
    assert state.error == "ValueError: cannot use *** nor postgresql://u:***@h/db"
    assert "in halts" in (state.traceback or "")
    assert letter.error == "RuntimeError: password=***"
    assert "ValueError: ***" in letter.traceback
    kept = b"".join(path.read_bytes() for path in files_of(tmp_path))
    assert b"RuntimeError" in kept
    for text in (snapshot, repr(logs), repr(letter), kept.decode("latin-1")):
        assert "open-sesame" not in text


def files_of(directory: Path) -> list[Path]:
    return list(directory.glob("queue.db*"))


@pytest.mark.parametrize("secret", [SECRET, "\\cc'x\\\\y z", "it''s \"so\"", "zeile\nöß&<>"])
def test_a_password_is_found_in_quotes_within_quotes(secret: str) -> None:
    redacted = redaction(password=secret)
    once = [
        secret,
        repr(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        quote(secret, ""),
        re.sub("%..", lambda code: code[0].lower(), quote(secret, "")),
        quote_plus(secret),
        secret.replace("'", "''"),
        html.escape(secret),
    ]
    for text in [*once, *map(repr, once), *map(json.dumps, once), repr([[repr(once)]])]:
        assert secret[-3:] not in redacted(f"x {text} x"), text
        assert "***" in redacted(f"x {text} x")


@pytest.mark.parametrize("secret", [SECRET, "\\cc'x\\y zz", "'''''''"])
def test_a_text_full_of_what_could_begin_a_password_takes_no_time(secret: str) -> None:
    redacted = redaction(password=secret)
    redacted("")
    began = time.process_time()
    for text in ("\\", "c\\", "'", "\\'", "%", "cold\\"):
        redacted(text * 20_000)
    assert time.process_time() - began < 10  # and not minutes
