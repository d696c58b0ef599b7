from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eventscope.settings import Metrics, Settings, SettingsError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The working directory and the home of the test: empty ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def url_of(settings: Settings) -> str | None:
    return None if settings.url is None else settings.url.get_secret_value()


def test_the_defaults_are_those_of_the_original():
    settings = Settings.load()
    assert (settings.hostname, settings.port, settings.database) == ("localhost", 5432, "postgres")
    assert (settings.username, settings.password.get_secret_value()) == ("postgres", "postgres")
    assert (settings.publication, settings.slot_name) == ("events", "postgres_slot")
    assert settings.durable_slot is True
    assert settings.operator_queue_min_restart_time == 500
    assert settings.operator_queue_backoff_multiplicator == 2
    assert settings.operator_queue_max_restart_time == 10_000
    assert settings.operator_queue_max_retries == 5
    assert (settings.app_name, settings.url) == (None, None)


def test_the_queue_file_is_named_after_application_and_slot():
    assert Settings().queue_file("blog") == Path(".eventscope/blog-postgres_slot.db")
    assert Settings(app_name="x", slot_name="s").queue_file("blog") == Path(".eventscope/x-s.db")
    assert Settings(queue_path=Path("q.db")).queue_file("blog") == Path("q.db")


SOURCES = ["argument", "environment", "eventscope.toml", "pyproject.toml", "PGDATABASE"]


@pytest.mark.parametrize("first", range(len(SOURCES)))
def test_the_first_source_that_knows_a_value_wins(first, folder, monkeypatch):
    given: dict[str, Any] = {}
    for source in SOURCES[first:]:
        match source:
            case "argument":
                given = {"database": source}
            case "environment":
                monkeypatch.setenv("EVENTSCOPE_DATABASE", source)
            case "eventscope.toml":
                (folder / source).write_text(f'database = "{source}"\n')
            case "pyproject.toml":
                (folder / source).write_text(f'[tool.eventscope]\ndatabase = "{source}"\n')
            case _:
                monkeypatch.setenv("PGDATABASE", source)
    assert Settings.load(**given).database == SOURCES[first]


def test_a_value_that_one_source_lacks_comes_from_the_next(folder, monkeypatch):
    monkeypatch.setenv("EVENTSCOPE_SLOT_NAME", "from_environment")
    monkeypatch.setenv("PGHOST", "from-libpq")
    (folder / "eventscope.toml").write_text('slot_name = "from_file"\npublication = "from_file"\n')
    settings = Settings.load(port=6432)
    assert (settings.port, settings.slot_name, settings.publication, settings.hostname) == (
        6432,
        "from_environment",
        "from_file",
        "from-libpq",
    )


def test_another_settings_file_can_be_named(folder, monkeypatch):
    (folder / "eventscope.toml").write_text('publication = "default"\n')
    (folder / "prod.toml").write_text('publication = "named"\n')
    monkeypatch.setenv("EVENTSCOPE_CONFIG", "prod.toml")
    assert Settings.load().publication == "named"


def test_a_pyproject_without_our_section_says_nothing(folder):
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert Settings.load() == Settings()


def test_every_libpq_variable_is_heard(monkeypatch):
    for name, value in {
        "PGHOST": "h",
        "PGPORT": "6432",
        "PGDATABASE": "d",
        "PGUSER": "u",
        "PGPASSWORD": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    assert Settings.load().connection_parameters() == {
        "host": "h",
        "port": "6432",
        "dbname": "d",
        "user": "u",
        "password": "secret",
    }


def test_a_url_wins_over_its_parts():
    settings = Settings(url="postgresql://h/db", hostname="other", database="other")
    assert settings.connection_parameters() == {}


def test_a_url_of_any_source_wins_over_libpqs_own(monkeypatch):
    monkeypatch.setenv("EVENTSCOPE_URL", "postgresql://ours")
    monkeypatch.setenv("DATABASE_URL", "postgresql://theirs")
    monkeypatch.setenv("PGHOST", "theirs")
    settings = Settings.load()
    assert (url_of(settings), settings.hostname) == ("postgresql://ours", "localhost")


def test_a_url_leaves_no_room_for_libpqs_parts(monkeypatch):
    monkeypatch.setenv("PGHOST", "theirs")
    assert Settings.load(url="postgresql://ours").hostname == "localhost"


def test_database_url_wins_over_libpqs_parts(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://whole")
    monkeypatch.setenv("PGHOST", "part")
    assert url_of(Settings.load()) == "postgresql://whole"


def test_our_own_parts_win_over_database_url(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://theirs")
    monkeypatch.setenv("EVENTSCOPE_HOSTNAME", "ours")
    settings = Settings.load()
    assert (settings.url, settings.hostname) == (None, "ours")


@pytest.mark.parametrize("name", ["EVENTSCOPE_URL", "DATABASE_URL", "PGPORT", "PGHOST"])
def test_an_empty_variable_says_nothing(name, monkeypatch):
    monkeypatch.setenv(name, "")
    assert Settings.load().connection_parameters() == Settings().connection_parameters() != {}


def test_a_password_file_is_left_to_libpq(folder, monkeypatch):
    (folder / ".pgpass").write_text("*:*:*:*:secret\n")
    assert "password" not in Settings.load().connection_parameters()
    assert Settings(password="given").connection_parameters()["password"] == "given"


def test_a_service_keeps_what_nobody_else_says(monkeypatch):
    monkeypatch.setenv("PGSERVICE", "prod")
    assert Settings.load().connection_parameters() == {}
    assert Settings.load(database="blog").connection_parameters() == {"dbname": "blog"}


def failure(**given: Any) -> str:
    with pytest.raises(SettingsError) as raised:
        Settings.load(**given)
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_an_unknown_argument_names_itself_and_what_was_meant():
    assert failure(slot_nam="x") == (
        "setting slot_nam: there is no such setting; did you mean slot_name?"
    )


def test_an_unknown_variable_names_itself_and_what_was_meant(monkeypatch):
    monkeypatch.setenv("EVENTSCOPE_SLOT_NAM", "x")
    assert failure() == (
        "environment variable EVENTSCOPE_SLOT_NAM: there is no such setting;"
        " did you mean slot_name?"
    )


def test_an_unknown_key_of_a_file_names_the_file_and_what_was_meant(folder):
    (folder / "eventscope.toml").write_text('publicaton = "x"\n')
    assert failure() == (
        "eventscope.toml: publicaton: there is no such setting; did you mean publication?"
    )
    (folder / "eventscope.toml").rename(folder / "unused.toml")
    (folder / "pyproject.toml").write_text('[tool.eventscope]\npublicaton = "x"\n')
    assert failure().startswith("pyproject.toml: publicaton: ")


def test_a_key_like_no_other_lists_what_there_is():
    message = failure(zzzzzzzz=1)
    assert "there are acknowledge, app_name, " in message
    assert "did you mean" not in message


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("port", "0", "greater than or equal to 1"),
        ("port", "many", "valid integer"),
        ("slot_name", "Not Good", "match pattern"),
        ("publication", "", "at least 1 character"),
        ("durable_slot", "perhaps", "valid boolean"),
        ("replica_identity", "half", "'keep' or 'full'"),
        ("operator_queue_backoff_multiplicator", "0.5", "greater than or equal to 1"),
        ("operator_queue_max_retries", "-1", "greater than or equal to 0"),
        ("acknowledge", "received", "'stored'"),
    ],
)
def test_a_wrong_value_names_its_key_its_place_and_what_is_right(
    key, value, wanted, folder, monkeypatch
):
    assert failure(**{key: value}).startswith(f"setting {key}: ")
    assert wanted in failure(**{key: value})
    with monkeypatch.context() as environment:
        environment.setenv(f"EVENTSCOPE_{key.upper()}", value)
        if value:
            assert failure().startswith(f"environment variable EVENTSCOPE_{key.upper()}: ")
    (folder / "eventscope.toml").write_text(f'{key} = "{value}"\n')
    assert failure().startswith(f"eventscope.toml: {key}: ")


def test_a_wrong_libpq_variable_names_itself(monkeypatch):
    monkeypatch.setenv("PGPORT", "many")
    assert failure().startswith("environment variable PGPORT: ")


def test_a_file_that_is_missing_or_broken_names_itself(folder, monkeypatch):
    monkeypatch.setenv("EVENTSCOPE_CONFIG", "missing.toml")
    assert failure() == "missing.toml: No such file or directory"
    monkeypatch.setenv("EVENTSCOPE_CONFIG", str(folder))
    assert failure().startswith(f"{folder}: ")
    monkeypatch.delenv("EVENTSCOPE_CONFIG")
    (folder / "eventscope.toml").write_text("port: 5432\n")
    assert failure().startswith("eventscope.toml: not TOML: ")
    (folder / "eventscope.toml").write_bytes(b"\xff\xfe")
    assert failure().startswith("eventscope.toml: not TOML: ")


def test_a_section_that_is_no_table_names_itself(folder):
    (folder / "pyproject.toml").write_text("[tool]\neventscope = 3\n")
    assert failure() == "pyproject.toml: tool.eventscope is no table of settings"


def test_a_password_is_never_shown(folder):
    settings = Settings(password="hunter2", url="postgresql://u:hunter2@h/db")
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert "hunter2" not in settings.model_dump_json()
    (folder / "eventscope.toml").write_text('password = ["hunter2"]\nurl = ["hunter2"]\n')
    assert "hunter2" not in failure()


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


def test_a_queue_in_memory_holds_the_slot_back_and_nothing_else_is_possible() -> None:
    assert Settings.load(queue_storage_adapter="memory").holds_back
    assert not Settings.load().holds_back
    assert Settings.load(acknowledge="applied").holds_back
    assert Settings.load(queue_storage_adapter="memory", acknowledge="applied").holds_back
    with pytest.raises(
        SettingsError,
        match="setting acknowledge: a queue in memory loses with the process what is stored there;"
        " leave acknowledge out, or say applied",
    ):
        Settings.load(queue_storage_adapter="memory", acknowledge="stored")


def test_how_the_dashboard_looks_is_a_group_of_settings(folder, monkeypatch):
    (folder / "eventscope.toml").write_text(
        '[ui]\ntheme = "nord"\nmouse = false\n[ui.keys]\npause = "ctrl+o"\n'
    )
    monkeypatch.setenv("EVENTSCOPE_UI__THEME", "eventscope-cb")
    ui = Settings.load().ui
    assert (ui.theme, ui.mouse, ui.keys) == ("eventscope-cb", False, {"pause": "ctrl+o"})


def test_where_metrics_are_served_is_another_group(folder, monkeypatch):
    assert Settings.load().metrics == Metrics(port=None, host="127.0.0.1")
    (folder / "eventscope.toml").write_text('[metrics]\nport = 9100\nhost = "::1"\n')
    monkeypatch.setenv("EVENTSCOPE_METRICS__PORT", "9187")
    assert Settings.load().metrics == Metrics(port=9187, host="::1")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("EVENTSCOPE_UI__THEM", "x", "UI__THEM: there is no such setting; did you mean ui.theme?"),
        ("EVENTSCOPE_UI__MOUSE", "x", "environment variable EVENTSCOPE_UI__MOUSE: input should be"),
        ("EVENTSCOPE_METRICS__PRT", "1", "no such setting; did you mean metrics.port?"),
        ("EVENTSCOPE_METRICS__PORT", "-1", "variable EVENTSCOPE_METRICS__PORT: input should be"),
        ("EVENTSCOPE_PORT__X", "1", "PORT__X: "),
        ("EVENTSCOPE_UI", "x", "environment variable EVENTSCOPE_UI: "),
    ],
)
def test_a_wrong_one_of_them_names_itself(folder, monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=message.replace("?", r"\?")):
        Settings.load()
