"""``eventscope config show``: what is in force, and who says so."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Invoke


def shown(invoke: Invoke, *options: str, **variables: str) -> dict[str, list[str]]:
    """Value and origin of each setting."""
    result = invoke("config", "show", "--json", *options, **variables)
    assert result.returncode == 0, result.stderr
    return {key: list(one.values()) for key, one in json.loads(result.stdout).items()}


def test_each_setting_is_shown_with_where_it_comes_from(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "eventscope.toml").write_text('publication = "blog"\n[ui]\ntheme = "nord"\n')
    found = shown(
        invoke,
        "--slot-name",
        "mine",
        "--set",
        "ui.mouse=false",
        EVENTSCOPE_RETENTION_EVENTS="7",
        EVENTSCOPE_UI__ASCII="true",
        PGHOST="db",
        PGPASSWORD="hunter2",
    )
    assert {key: one for key, one in found.items() if one[1] != "default"} == {
        "hostname": ["db", "environment variable PGHOST"],
        "password": ["***", "environment variable PGPASSWORD"],
        "publication": ["blog", "eventscope.toml: publication"],
        "slot_name": ["mine", "command line"],
        "retention_events": [7, "environment variable EVENTSCOPE_RETENTION_EVENTS"],
        "ui.theme": ["nord", "eventscope.toml: ui.theme"],
        "ui.mouse": [False, "command line"],
        "ui.ascii": [True, "environment variable EVENTSCOPE_UI__ASCII"],
    }
    assert found["queue_path"] == [None, "default"]


def test_a_url_is_shown_without_its_password_and_makes_its_parts_of_no_use(
    invoke: Invoke,
) -> None:
    url = "postgresql://ada:hun%74er2@db:6432/shop?sslmode=require&sslpassword=hunter2"
    found = shown(invoke, DATABASE_URL=url, PGHOST="other")
    value, origin = found["url"]
    assert origin == "environment variable DATABASE_URL"
    assert value.split() == [
        "user=ada",
        "password=***",
        "dbname=shop",
        "host=db",
        "port=6432",
        "sslmode=require",
        "sslpassword=***",
    ]
    assert found["hostname"] == ["localhost", "not used: url is given"]


def test_what_libpq_finds_by_itself_is_told(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("*:*:*:*:hunter2\n")
    found = shown(invoke, PGPASSFILE=str(tmp_path / "pass"))
    assert found["password"] == ["***", "libpq: password file"]
    found = shown(invoke, PGSERVICE="prod", HOME=str(tmp_path))
    assert found["hostname"] == ["localhost", "libpq: environment variable PGSERVICE"]


def test_people_get_a_line_for_each(invoke: Invoke) -> None:
    result = invoke("config", "show", "--slot-name", "mine", EVENTSCOPE_PASSWORD="hunter2")
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert ["slot_name", '"mine"', "command line"] in lines
    assert ["password", '"***"', "environment variable EVENTSCOPE_PASSWORD"] in lines
    assert ["port", "5432", "default"] in lines


def test_a_wrong_setting_is_one_line(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "eventscope.toml").write_text("port = 0\n")
    result = invoke("config", "show")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("eventscope: eventscope.toml: port: input should be greater")
