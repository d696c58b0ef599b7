from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from eventscope.replication.connection import (
    Unreachable,
    connect,
    connect_for_replication,
    conninfo,
    server_label,
)
from eventscope.settings import Settings, SettingsError


async def test_a_session_writes_values_in_one_form_whatever_the_role_prefers(
    connection, database, make_settings
):
    settings = make_settings(
        url=f"{database}&options=-c%20DateStyle%3DGerman%20-c%20bytea_output%3Descape"
        "%20-c%20IntervalStyle%3Diso_8601%20-c%20extra_float_digits%3D-15"
    )
    session = await connect(conninfo(settings, "test", "app"))
    cursor = await session.execute(
        "SELECT '2024-02-03'::date::text, '\\x00'::bytea::text, '1 day'::interval::text,"
        " (0.1::float8 + 0.2)::text"
    )
    assert await cursor.fetchone() == ("2024-02-03", "\\x00", "1 day", "0.30000000000000004")
    await session.close()


def test_a_url_keeps_its_own_parameters():
    given = conninfo_to_dict(
        conninfo(
            Settings(url="postgresql://u@h/db?sslmode=require&connect_timeout=3"), "reader", "blog"
        )
    )
    assert (given["sslmode"], given["connect_timeout"]) == ("require", "3")
    assert given["application_name"] == "eventscope blog reader"


def test_parts_make_a_connection_string():
    given = conninfo_to_dict(
        conninfo(Settings(hostname="h", port=6432, database="a b", username="u"), "x", "y")
    )
    assert (given["host"], given["port"], given["dbname"]) == ("h", "6432", "a b")


@pytest.mark.parametrize("url", ["postgres:secret@host/db", "postgresql://u:se%cret@h/db"])
def test_a_url_that_is_none_is_an_error_without_the_password(url):
    with pytest.raises(SettingsError, match="url is no connection string") as raised:
        conninfo(Settings(url=url), "x", "y")
    assert "cret" not in str(raised.value)
    assert raised.value.__suppress_context__


async def test_a_server_that_is_not_there_is_unreachable_in_one_line(tmp_path):
    where = conninfo(Settings(url=f"host={tmp_path} port=1 password=secret"), "x", "y")
    for attempt in (connect, connect_for_replication):
        with pytest.raises(Unreachable, match="cannot connect to PostgreSQL") as raised:
            await attempt(where)
        assert "\n" not in str(raised.value)
        assert "connection failed" not in str(raised.value)
        assert "; is the server running" in str(raised.value)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("postgresql://u:secret@h/db", "db@h"),
        ("postgresql://u:secret@/db?host=/run/x", "db@socket"),
        ("postgresql://u:secret@h", "u@h"),
    ],
)
def test_a_server_is_labelled_without_secrets(url, label):
    assert server_label(Settings(url=url)) == label
